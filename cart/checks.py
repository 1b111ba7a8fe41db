"""What `cart doctor` looks at: one small function for each thing a cart needs.

A check takes the configuration and yields findings. It may raise a Fault, which becomes a finding with the fault's
next step. What is optional or slow to import is imported by its own check.
"""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cart import config, scale_checks
from cart.clock import NS_PER_MS, SystemClock
from cart.core.legal import CLOCK_MIN_MS
from cart.faults import EXIT_HARDWARE, Fault
from cart.findings import BAD, OK, SIMULATED, WARN, Finding, of_fault

if TYPE_CHECKING:
    from cart.ports import BarcodeEngine

DISK_BAD_MB = 200
DISK_LOW_MB = 1_000
CONNECT_TIMEOUT_S = 1
TEST_CODE = "9521234567899"
# vcgencmd get_throttled: bits of what is so now; the same bits 16 higher say that it was so since boot.
THROTTLED_NOW = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "too hot"}


# -- the machine ---------------------------------------------------------------


def system(settings: config.Config) -> Iterator[Finding]:
    """Python and the system, 64-bit or not."""
    system = f"Python {platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}"
    if sys.maxsize > 2**32:
        yield Finding(OK, "system", system)
    else:
        yield Finding(WARN, "system", f"{system}: 32-bit is best effort", "install a 64-bit system")


def disk(settings: config.Config) -> Iterator[Finding]:
    """Free space where the cart keeps its things."""
    place = _nearest(Path(settings.cart.state_dir))
    free_mb = shutil.disk_usage(place).free // 1_000_000
    state = BAD if free_mb < DISK_BAD_MB else WARN if free_mb < DISK_LOW_MB else OK
    mend = "" if state == OK else f"free some space below {place}; recordings are in {settings.recording.dir}"
    yield Finding(state, "disk", f"{free_mb:,} MB free at {place}", mend, EXIT_HARDWARE)


def wall_clock(settings: config.Config) -> Iterator[Finding]:
    """Whether the wall clock was set."""
    if SystemClock().wall_ms() < CLOCK_MIN_MS:
        yield Finding(BAD, "clock", "was never set", "connect to the network, or: sudo timedatectl set-time ...")
    elif Path("/run/systemd/timesync/synchronized").exists():
        yield Finding(OK, "clock", "set, and kept by the network")
    else:
        yield Finding(OK, "clock", "set; nobody here says that the network keeps it")


def power(settings: config.Config) -> Iterator[Finding]:
    """Supply and temperature of a Raspberry Pi."""
    if not shutil.which("vcgencmd"):
        yield Finding(SIMULATED, "power", "no vcgencmd: not a Raspberry Pi")
        return
    answer = subprocess.run(["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=5).stdout
    bits = int(answer.partition("=")[2].strip() or "0", 16)
    now = [text for bit, text in THROTTLED_NOW.items() if bits >> bit & 1]
    before = [text for bit, text in THROTTLED_NOW.items() if bits >> (bit + 16) & 1]
    if now:
        yield Finding(BAD, "power", f"now: {', '.join(now)}", "check supply, cable and cooling", EXIT_HARDWARE)
    elif before:
        yield Finding(WARN, "power", f"since boot: {', '.join(before)}", "check supply, cable and cooling")
    else:
        yield Finding(OK, "power", "no under-voltage or throttling since boot")


# -- the load cell ---------------------------------------------------------------


def port(settings: config.Config) -> Iterator[Finding]:
    """The load cell's port."""
    kind, _, place = settings.scale.device.partition(":")
    if kind == "simulated":
        yield Finding(SIMULATED, "port", "readings come from a bench world")
    elif kind == "serial" and "://" in place:
        yield Finding(OK, "port", f"{place}: opened when the cart runs")
    elif not Path(place).exists():
        yield of_fault("port", Fault("SCALE-PORT-MISSING", place))
    elif not os.access(place, os.R_OK | (os.W_OK if kind == "serial" else 0)):
        yield of_fault("port", Fault("SCALE-PORT-DENIED", place))
    else:
        holders = _holders(place) if kind == "serial" else []
        text = f"{place}, held by {', '.join(holders)}" if holders else place
        yield Finding(OK, "port", text, "only one program may read it" if len(holders) > 1 else "")


# -- the camera, and what looks at its pictures ------------------------------------


def device(settings: config.Config) -> Iterator[Finding]:
    """The camera."""
    kind, _, place = settings.camera.device.partition(":")
    if kind == "simulated":
        yield Finding(SIMULATED, "device", "frames come from a bench world")
    elif kind == "picamera2":
        found = find_spec("picamera2") is not None
        mend = "sudo apt install --no-install-recommends python3-picamera2; .venv needs --system-site-packages"
        yield Finding(OK if found else BAD, "device", f"picamera2 {place}", "" if found else mend, EXIT_HARDWARE)
    elif not Path(place).exists():
        yield of_fault("device", Fault("CAMERA-MISSING", place))
    elif not os.access(place, os.R_OK):
        yield Finding(BAD, "device", f"{place} may not be read", "sudo usermod -aG video $USER", EXIT_HARDWARE)
    else:
        yield Finding(OK, "device", place)


def model(settings: config.Config) -> Iterator[Finding]:
    """The classifier's files, its runtime, how long one photo takes, and the products it knows."""
    from cart.edge import classifier
    from cart.vision.classify import head_for

    clock = SystemClock()
    model_dir = classifier.model_dir_of(settings.classifier.model_dir)
    network = classifier.Classifier(model_dir, settings.classifier.threads, clock)
    import numpy as np

    started_ns = clock.monotonic_ns()
    network.embed(np.zeros(classifier.INPUT_SHAPE, np.uint8))
    took_ms = (clock.monotonic_ns() - started_ns) // NS_PER_MS
    yield Finding(OK, "model", f"{network.model_sha256[:12]}, {network.runtime}, one photo in {took_ms} ms")
    yield Finding(OK, "model loading", str(network.loading))
    head = head_for(network, model_dir)
    yield Finding(OK, "products", f"{len(head.labels)} in {len(set(head.groups.values()))} groups")
    if classifier.network_sha256(model_dir) != classifier.network_sha256(classifier.PACKAGED_DIR):
        told = (
            "its network is not that of the package: one enrolled with an older package goes on with the older network"
        )
        yield Finding(WARN, "model", told, "cart catalog enroll PRODUCT PHOTOS --from package")


def barcodes(settings: config.Config) -> Iterator[Finding]:
    """Each barcode engine reads a drawn code."""
    from cart.edge import engines

    here = engines.found()
    if not here.usable:
        yield Finding(BAD, "barcodes", here.why_missing(), f"pip install {' '.join(engines.PACKAGES.values())}")
    for name, reason in here.missing.items():
        if here.usable and reason == engines.ABSENT:
            yield Finding(WARN, name, "not installed: fewer codes are read", f"pip install {engines.PACKAGES[name]}")
        elif reason != engines.ABSENT:
            yield Finding(BAD, name, reason, engines.MENDS[name], EXIT_HARDWARE)
    yield from map(_engine, here.usable)


def _engine(engine: "BarcodeEngine") -> Finding:
    """Let one engine read a code that was drawn for it."""
    clock = SystemClock()
    picture = drawn_code(TEST_CODE)
    started_ns = clock.monotonic_ns()
    texts = [read.text for read in engine.read(picture, frozenset({"EAN13"}))]
    took_ms = (clock.monotonic_ns() - started_ns) // NS_PER_MS
    if texts == [TEST_CODE]:
        return Finding(OK, engine.name, f"read a drawn code in {took_ms} ms")
    return Finding(BAD, engine.name, f"read {texts} where {TEST_CODE} was drawn", "install the package again")


def drawn_code(digits: str):
    """Return a picture of an EAN-13 as a uint8 (height, width) array, 3 px a module with a quiet zone."""
    import numpy as np

    from cart.wire import bars

    row = np.array([255 if module == "0" else 0 for module in bars.modules("EAN13", digits)], np.uint8)
    code = np.repeat(np.repeat(row[None, :], 120, axis=0), 3, axis=1)
    return np.pad(code, 40, constant_values=255)


# -- the store ---------------------------------------------------------------------


def catalogue(settings: config.Config) -> Iterator[Finding]:
    """The catalogue."""
    from cart.edge.catalog_file import load_catalog

    catalog = load_catalog(settings.catalog.path)
    yield Finding(OK, "catalogue", f"{len(catalog.products)} products, {settings.catalog.path or 'the demonstration'}")


def broker(settings: config.Config) -> Iterator[Finding]:
    """The store's broker answers."""
    place = f"{settings.broker.host}:{settings.broker.port}"
    try:
        socket.create_connection((settings.broker.host, settings.broker.port), CONNECT_TIMEOUT_S).close()
        yield Finding(OK, "broker", f"{place} answers")
    except OSError as error:
        if settings.scale.device == "simulated":
            yield Finding(SIMULATED, "broker", f"{place} does not answer; the bench starts a broker of its own")
        else:
            # The cart goes on without: charges wait in the outbox. So it is no fault of this machine.
            text = f"BROKER-UNREACHABLE: {place}: {error}; charges wait in the outbox"
            yield Finding(WARN, "broker", text, "check [broker] host and port, and the network")


def screen(settings: config.Config) -> Iterator[Finding]:
    """What the shopper's page needs."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        yield Finding(WARN, "screen", f"{' and '.join(missing)} missing: no page", "pip install 'smart-cart[web]'")
    else:
        yield Finding(OK, "screen", f"would be at http://{settings.kiosk.host}:{settings.kiosk.port}/")


# -- what is kept --------------------------------------------------------------------


def directories(settings: config.Config) -> Iterator[Finding]:
    """The folders that are written to."""
    for name, place in (("state", settings.cart.state_dir), ("recordings", settings.recording.dir)):
        nearest = _nearest(Path(place))
        if os.access(nearest, os.W_OK | os.X_OK):
            yield Finding(OK, name, place if nearest == Path(place) else f"{place} will be made")
        else:
            yield Finding(BAD, name, f"{nearest} may not be written", f"sudo chown $USER {nearest}", EXIT_HARDWARE)


def keys(settings: config.Config) -> Iterator[Finding]:
    """This cart's private key, and the public keys that prove the store's receipts."""
    from cart.edge.keys import load_signer, store_verifiers

    folder = Path(settings.keys.dir)
    if not folder.exists() and settings.scale.device == "simulated":
        yield Finding(SIMULATED, "keys", "the bench makes its own")
        return
    if (folder / "cart.key").exists():
        yield Finding(OK, "cart's key", load_signer(folder / "cart.key").key_id)
    else:
        yield Finding(WARN, "cart's key", f"none in {folder}", "the first start makes one; tell the store")
    verifiers = store_verifiers(folder)
    yield Finding(OK, "store's keys", ", ".join(verifier.key_id for verifier in verifiers))


def pictures(settings: config.Config) -> Iterator[Finding]:
    """The store's key for pictures: without one none is kept for review."""
    from cart.edge.keys import PICTURES_NAME, picture_sealer

    place = Path(settings.keys.dir) / PICTURES_NAME
    sealer = picture_sealer(place.parent)
    if sealer:
        yield Finding(OK, "pictures", f"for review are sealed to the store's key {sealer.key_id}")
    elif settings.camera.device == "simulated":
        yield Finding(SIMULATED, "pictures", "the bench makes the store's key for them")
    else:
        text = f"CROP-NO-KEY: no {place}: none is kept for review"
        yield Finding(WARN, "pictures", text, "nothing, if the store does not review; else copy its pictures.pub there")


def outbox(settings: config.Config) -> Iterator[Finding]:
    """How many charges wait for the store's signature, and whether a damaged database was moved aside."""
    from cart.edge.database import files_set_aside, look_into

    path = config.database_path(settings)
    for damaged in files_set_aside(path):
        mend = "keep it: it may hold charges that no store has seen"
        yield Finding(WARN, "database", f"a damaged one was moved to {damaged}", mend)
    if not path.exists():
        yield Finding(OK, "outbox", "no database yet: this cart never ran here")
        return
    database = look_into(path, SystemClock())
    try:
        waiting = [line for line in database.outbox_lines() if not line.verdict]
    finally:
        database.close()
    yield Finding(
        OK, "outbox", f"{len(waiting)} charges wait for the store, {sum(w.total_minor for w in waiting)} minor"
    )


def _nearest(place: Path) -> Path:
    """Return `place`, or the nearest folder above it that exists."""
    return next((folder for folder in (place, *place.parents) if folder.exists()), Path("/"))


def _holders(place: str) -> list[str]:
    """Return the programs that have this file open, as far as this user may see them."""
    wanted = os.path.realpath(place)
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == wanted:
                found.add((link.parents[1] / "comm").read_text(encoding="utf-8").strip())
        except OSError:
            continue
    return sorted(found)


Check = Callable[[config.Config], Iterator[Finding]]

# In the order in which they are printed.
CHECKS: tuple[tuple[str, Check], ...] = (
    ("machine", system),
    ("machine", disk),
    ("machine", wall_clock),
    ("machine", power),
    ("scale", port),
    ("scale", scale_checks.calibration),
    ("scale", scale_checks.readings),
    ("camera", device),
    ("camera", model),
    ("camera", barcodes),
    ("store", catalogue),
    ("store", broker),
    ("store", screen),
    ("storage", directories),
    ("storage", keys),
    ("storage", pictures),
    ("storage", outbox),
)
