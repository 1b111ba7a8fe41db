"""Measure what `tools/image.py` promises, on a made-up image of 3 GB: same bits twice, time, memory, wrong bytes found.

    .venv/bin/python -m tools.measure_images -o json

The image is sparse: 200 MB of it are a file of noise (--noise-mb), most of the rest reads as zeros, for cp and
sha256sum as well.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.tools.imaging import synthetic
from tools.imaging import bmap, programs
from tools.imaging.entries import file_sha256

ROOT = Path(__file__).resolve().parent.parent
PUT_IN = ("cart", "firmware_config", "systemd", "tools", "setup.py")
SIZE_MB = 3_000
NOISE_MB = 200
FLIPS = 20
CART = """\
profile = "pi5"
[cart]
id = "cart-1"
chain = "demo"
store = "store-1"
[enrolment]
token = "{token}"
[wifi]
ssid = "carts"
passphrase = "not a secret"
country = "DE"
"""


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 2 where the programs are missing."""
    args = _arguments(argv)
    if programs.missing():
        print(f"measure: sudo apt install {' '.join(programs.missing())}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="measure-images-", dir=args.folder) as folder:
        results = measure(Path(folder), args.rounds, args.size_mb, args.noise_mb)
    print(json.dumps(results) if args.output == "json" else "\n".join(f"{k:<24} {v}" for k, v in results.items()))
    return 0


def measure(folder: Path, rounds: int, size_mb: int, noise_mb: int) -> dict[str, Any]:
    """Return every figure."""
    _freeze(folder)
    base = synthetic.make(folder / "base.img", root_mb=size_mb - synthetic.ROOT_START // synthetic.MIB)
    _add_noise(base, noise_mb)
    wheels = synthetic.wheelhouse(folder / "wheels", "bookworm")
    cart = folder / "cart.toml"
    cart.write_text(CART.format(token="m" * 32))
    for name in ("built.img", "again.img"):
        _image(folder, "build", str(base), "--wheels", str(wheels), "--out", str(folder / name))
    builds = _differing(folder / "built.img", folder / "again.img")
    _remove(folder, "again.img")
    stamped = [_round(folder, cart) for _ in range(rounds)]
    _image(folder, "stamp", str(folder / "built.img"), "--cart", str(cart), "--out", str(folder / "second.img"))
    stamps = _differing(folder / "cart.img", folder / "second.img")
    _remove(folder, "second.img")
    plain_s, stamp_s, rss_kb = (statistics.median(column) for column in zip(*stamped, strict=True))
    return {
        "size_mb": size_mb,
        "noise_mb": noise_mb,
        "builds_differ": builds,
        "stamps_differ": stamps,
        "cp_sha256sum_s": round(plain_s, 2),
        "stamp_s": round(stamp_s, 2),
        "stamp_ratio": round(stamp_s / plain_s, 3),
        "stamp_rss_mb": round(rss_kb / 1000, 1),
        "flips": FLIPS,
        "flips_missed": _flips_missed(folder / "cart.img"),
    }


def _round(folder: Path, cart: Path) -> tuple[float, float, float]:
    """Return seconds of cp and sha256sum, seconds of a stamp, and its memory in kB."""
    began = time.monotonic()
    subprocess.run(["cp", str(folder / "built.img"), str(folder / "copy.img")], check=True)
    subprocess.run(["sha256sum", str(folder / "copy.img")], check=True, stdout=subprocess.DEVNULL)
    plain_s = time.monotonic() - began
    _remove(folder, "copy.img")
    _remove(folder, "cart.img")
    began = time.monotonic()
    words = ("stamp", str(folder / "built.img"), "--cart", str(cart), "--out", str(folder / "cart.img"))
    child = subprocess.Popen(_command(folder, words), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, "the stamp failed"
    return plain_s, time.monotonic() - began, usage.ru_maxrss


def _flips_missed(image: Path) -> int:
    """Change single bytes at random places, each time measuring the part around it, and count those not named."""
    block_map = bmap.from_xml(image.with_name(image.name + ".bmap").read_text())
    draw, missed = random.Random(3), 0
    for _ in range(FLIPS):
        offset = draw.randrange(block_map.size_bytes)
        row = next(row for row in block_map.ranges if row.start <= offset < row.start + row.length)
        with image.open("r+b") as file:
            file.seek(offset)
            was = file.read(1)
            file.seek(offset)
            file.write(bytes([was[0] ^ draw.randrange(1, 256)]))
            file.flush()
            # The other parts were compared when the map was made; a whole pass for each byte would take an hour.
            found = list(bmap.find_damage(image, bmap.BlockMap(block_map.size_bytes, (row,))))
            file.seek(offset)
            file.write(was)
        missed += [(damage.offset, damage.exact) for damage in found] != [(offset, True)]
    return missed


def _add_noise(base: Path, noise_mb: int) -> None:
    """Give the image a file that cannot be packed or left out, so that there is something to copy."""
    with tempfile.NamedTemporaryFile(dir=base.parent) as noise:
        draw = random.Random(1)
        for _ in range(noise_mb):
            noise.write(draw.randbytes(1 << 20))
        noise.flush()
        command = f"write {noise.name} noise\n"
        programs.run("debugfs", "-w", "-f", "-", f"{base}?offset={synthetic.ROOT_START}", stdin=command)


def _differing(one: Path, other: Path) -> int:
    return int(file_sha256(one) != file_sha256(other))


def _freeze(folder: Path) -> None:
    """Copy what goes into an image: two builds are compared, and the checkout may be edited in between."""
    for name in PUT_IN:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / "checkout" / name)


def _command(folder: Path, words: tuple[str, ...]) -> list[str]:
    return [sys.executable, str(folder / "checkout" / "tools" / "image.py"), *words, "-o", "json"]


def _image(folder: Path, *words: str) -> None:
    subprocess.run(_command(folder, words), check=True, stdout=subprocess.DEVNULL)


def _remove(folder: Path, name: str) -> None:
    for path in folder.glob(f"{name}*"):
        path.unlink()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="measure_images", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="stamps and copies in turn (default %(default)s)")
    parser.add_argument("--size-mb", type=int, default=SIZE_MB, help="size of the image (default %(default)s)")
    parser.add_argument(
        "--noise-mb", type=int, default=NOISE_MB, help="how much of it is no zeros (default %(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="where to work: 4 times the size has to be free")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
