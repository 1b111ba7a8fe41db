"""Puts the cart onto the stock image, with the very commands that an operations person uses: tools/image.py.

What is built is kept in the cache only as far as it is downloaded (the wheels); build, stamp and verify run each time,
for they are part of what is tested.
"""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from cart.faults import Fault
from cart.sim.stack import exact_calibration
from cart.wire import calibration
from tools.booting.mirror import RELEASE

IMAGE_TOOL = Path(__file__).resolve().parents[1] / "image.py"
TIMEOUT_S = 900


class Wanted(NamedTuple):
    """The cart that is made: its name, the broker's address for the guest, its screen's port, and the store's key."""

    cart: str
    broker_host: str
    broker_port: int
    screen_port: int
    store_key: Path


def cart_text(wanted: Wanted) -> str:
    """Return the cart's file for `image.py stamp`. There is no panel: the test's own unit polls the board's GPIO."""
    return f"""\
calibration = "calibration.jsonl"
store_key = "{wanted.store_key}"

[cart]
id = "{wanted.cart}"
chain = "demo"
store = "store-1"

[config.panel]
device = "none"

[config.broker]
host = "{wanted.broker_host}"
port = {wanted.broker_port}

[config.kiosk]
port = {wanted.screen_port}
"""


def make(
    stock: Path, wanted: Wanted, cache: Path, folder: Path, step: Callable[[str], AbstractContextManager[None]]
) -> Path:
    """Return the image with the cart, in `folder`; BOOT-BUILD where a command of ours fails, with what it said.

    step  gives a context for each command, by its name
    """
    wheels, built, card = cache / "wheels", folder / "built.img", folder / "card.img"
    record = calibration.encode(calibration.chained(exact_calibration(wanted.cart), None))
    (folder / "calibration.jsonl").write_bytes(record)
    (folder / "cart.toml").write_text(cart_text(wanted), encoding="utf-8")
    commands = (
        ("wheelhouse", "--release", RELEASE, "--out", str(wheels)),
        ("build", str(stock), "--wheels", str(wheels), "--out", str(built)),
        ("stamp", str(built), "--cart", str(folder / "cart.toml"), "--out", str(card)),
        ("verify", str(card)),
    )
    for words in commands:
        with step(f"image.py {words[0]}"):
            _image(*words)
    built.unlink()
    return card


def _image(*words: str) -> None:
    command = [sys.executable, str(IMAGE_TOOL), *words, "-o", "json"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        said = (done.stderr + done.stdout).strip()[-600:]
        raise Fault("BOOT-BUILD", f"image.py {words[0]} ended with {done.returncode}: {said}")
