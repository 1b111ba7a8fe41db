"""measure the camera: rate, pixel size, sharpness and light, each with the next step

Print the target once (--target FILE.svg, at 100 %) and hold it flat where things pass, at the rim of the basket. Stop
cart-vision first: a camera has one user. Without a target in view rate and size are measured, and it is said.
Exits 0 where all is well enough, 1 where something has to be mended, 3 for a faulty configuration, 4 without a camera.

[ok] fine   [!] works, but not as it should   [x] must be mended   [simulated] no such hardware asked for here
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cart import config
from cart.arguments import whole
from cart.clock import SystemClock
from cart.commands.config import file_in_use
from cart.commands.doctor import state_home
from cart.faults import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Fault
from cart.findings import BAD, OK, SIMULATED, WARN, Finding

if TYPE_CHECKING:
    import numpy as np

    from cart.ports import FrameSource
    from cart.vision.aim import Figures

FRAMES_MEASURED = 3
"""Frames in which the target is looked for: a third of a second of work each."""

NS_PER_S = 1_000_000_000

RATE_SHARE_MIN = 0.9
NOMINAL_BAR_UM = 330
"""Thinnest bar of an EAN-13 or UPC-A of nominal size, 100 %."""

PIXEL_UM_MAX, PIXEL_UM_BAD = 220, 240
"""1.5 px for the thinnest bar of a code of nominal size; beyond the second figure such codes are mostly lost."""

BLUR_UM_MAX, BLUR_UM_BAD = 158, 198
"""0.6 of the thinnest bar, of a code of 80 % and of nominal size."""

LIGHT_MIN, LIGHT_BAD, LIGHT_MAX = 120, 70, 245
BURNT_PERCENT_MAX = 2
MOTION_PX_MAX = 2
"""At 1 m/s, during the exposure."""

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart camera test` takes."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    parser.add_argument(
        "--device", type=device, metavar="DEVICE", help="another than [camera] device, in the same words"
    )
    parser.add_argument("--seconds", type=whole(1, 600), default=3, metavar="N", help="how long, 1 to 600 (default 3)")
    parser.add_argument("--target", type=Path, metavar="FILE.svg", help="write the target to be printed, and end")
    parser.add_argument("--save", type=_picture, metavar="FILE.png", help="also write the last frame")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for programs")


def run(args: argparse.Namespace) -> int:
    """Measure, print, and return the exit code."""
    if args.target:
        return _write_target(args.target)
    settings = _settings(args.config, args.device)
    source = _opened(settings)
    try:
        greys, times_ns = _taken(source, args.seconds)
    except OSError as error:
        raise Fault("CAMERA-MISSING", str(error)) from error
    finally:
        source.close()
    if not greys:
        raise Fault("CAMERA-MISSING", f"{settings.camera.device} gives no frames")
    from cart.vision import aim

    measured = aim.figures(greys, times_ns)
    if args.save and not _saved(args.save, greys[-1]):
        return EXIT_USAGE
    found = list(findings(measured, settings.camera))
    if args.output == "json":
        print(json.dumps({"figures": _rounded(measured), "findings": [finding._asdict() for finding in found]}))
    else:
        _print(found)
    return EXIT_FAILED if any(finding.state == BAD for finding in found) else EXIT_OK


def findings(seen: "Figures", camera: config.Camera) -> Iterator[Finding]:
    """Yield what is to be said of the figures of a camera with these settings."""
    if camera.device == "simulated":
        yield Finding(SIMULATED, "camera", "frames are drawn; nothing of this holds for a real one")
    elif camera.device.startswith("file:"):
        yield Finding(SIMULATED, "camera", "frames are played; rate and exposure are those of no camera")
    yield _rate(seen, camera)
    yield _size(seen, camera)
    if seen.pixel_um is None or seen.blur_um is None or seen.light is None:
        mend = "print it at 100 % (cart camera test --target target.svg), hold it flat at the rim, then again"
        yield Finding(BAD, "target", f"not in view, too blurred or too dark; sharpness {seen.sharpness:.0f}", mend)
        return
    yield Finding(OK, "target", f"read down to bars of {seen.smallest_um} um; sharpness {seen.sharpness:.0f}")
    yield _fineness(seen.pixel_um, seen.width_px)
    yield _sharpness(seen.blur_um, seen.pixel_um)
    yield _light(seen.light, seen.burnt_percent)
    yield _exposure(camera.exposure_us, seen.pixel_um)


def _rate(seen: "Figures", camera: config.Camera) -> Finding:
    text = f"{seen.frames_per_s:.1f} frames a second of {camera.frames_per_s} asked for"
    if seen.frames_per_s >= RATE_SHARE_MIN * camera.frames_per_s:
        return Finding(OK, "rate", text)
    mend = "cart doctor (processor, supply); a USB camera: another port or cable; else lower [camera] frames_per_s"
    return Finding(BAD, "rate", text, mend)


def _size(seen: "Figures", camera: config.Camera) -> Finding:
    text = f"{seen.width_px} x {seen.height_px}"
    if (seen.width_px, seen.height_px) == (camera.width_px, camera.height_px):
        return Finding(OK, "size", text)
    wanted = f"{camera.width_px} x {camera.height_px}"
    return Finding(WARN, "size", f"{text} where {wanted} was asked for", "set [camera] width_px and height_px to it")


def _fineness(pixel_um: float, width_px: int) -> Finding:
    text = f"{pixel_um:.0f} um a pixel, {NOMINAL_BAR_UM / pixel_um:.2f} px for the thinnest bar of a nominal code,"
    text += f" {pixel_um * width_px / 1_000:.0f} mm across"
    mend = f"nearer or a longer lens, to {PIXEL_UM_MAX} um a pixel; on a Pi also [camera] crop_permille"
    if pixel_um <= PIXEL_UM_MAX:
        return Finding(OK, "fineness", text)
    return Finding(WARN if pixel_um <= PIXEL_UM_BAD else BAD, "fineness", text, mend)


def _sharpness(blur_um: float, pixel_um: float) -> Finding:
    text = f"blur of {blur_um:.0f} um ({blur_um / pixel_um:.2f} px)"
    mend = f"turn the lens, or set [camera] focus_mm, until it is below {BLUR_UM_MAX} um; wipe the lens; hold still"
    if blur_um <= BLUR_UM_MAX:
        return Finding(OK, "sharpness", text)
    return Finding(WARN if blur_um <= BLUR_UM_BAD else BAD, "sharpness", text, mend)


def _light(light: float, burnt_percent: float) -> Finding:
    text = f"paper at {light:.0f} of 255, {burnt_percent:.1f} % burnt out"
    if light > LIGHT_MAX or burnt_percent > BURNT_PERCENT_MAX:
        return Finding(WARN, "light", text, "less light or a shorter [camera] exposure_us; look for a mirrored lamp")
    if light >= LIGHT_MIN:
        return Finding(OK, "light", text)
    return Finding(WARN if light >= LIGHT_BAD else BAD, "light", text, "more light, not a longer exposure: it smears")


def _exposure(exposure_us: int, pixel_um: float) -> Finding:
    if not exposure_us:
        mend = "set [camera] exposure_us to 330 and give it light"
        return Finding(WARN, "exposure", "automatic: what passes may be smeared", mend)
    smear_px = exposure_us / pixel_um
    text = f"{exposure_us} us asked for: {smear_px:.1f} px of motion at 1 m/s"
    if smear_px <= MOTION_PX_MAX:
        return Finding(OK, "exposure", text)
    longest_us = int(MOTION_PX_MAX * pixel_um)
    return Finding(BAD, "exposure", text, f"[camera] exposure_us = {longest_us} at most, and more light")


def _settings(named: str | None, device: str | None) -> config.Config:
    """Return the configuration in use with the device that was named; without a file, one that needs none."""
    path = file_in_use(named)
    if path == config.SYSTEM_FILE and not path.exists():
        settings = config.default() if device else config.simulated(state_home())
    else:
        settings = config.load(path)
    return config.changed(settings, camera={"device": device}) if device else settings


def device(text: str) -> str:
    """Return the words of a camera as [camera] device takes them; argparse.ArgumentTypeError for any other."""
    known = next(key for key in config.key_texts() if (key.section, key.key) == ("camera", "device"))
    if not re.fullmatch(known.pattern or "", text):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {known.form}")
    return text


def _opened(settings: config.Config) -> "FrameSource":
    from cart.vision.process import open_camera

    camera, clock = settings.camera, SystemClock()
    if camera.device == "simulated" and not (Path(settings.cart.run_dir) / "world.sock").exists():
        from cart.sim.aim import TargetCamera

        return TargetCamera(camera.width_px, camera.height_px, camera.frames_per_s, clock)
    try:
        return open_camera(settings, clock)
    except OSError as error:
        raise Fault("CAMERA-MISSING", str(error)) from error


def _taken(source: "FrameSource", seconds: int) -> tuple[list["np.ndarray"], list[int]]:
    """Return the last frames, grey, and the times of all that came in so many seconds."""
    import cv2

    from cart.vision.process import FRAME_TIMEOUT_MS, SILENT_TIMEOUTS_MAX

    clock = SystemClock()
    end_ns = clock.monotonic_ns() + seconds * NS_PER_S
    newest: list[np.ndarray] = []
    times_ns: list[int] = []
    silent = 0
    while clock.monotonic_ns() < end_ns and silent < SILENT_TIMEOUTS_MAX:
        frame = source.next_frame(FRAME_TIMEOUT_MS)
        if frame is None:
            silent += 1
            continue
        silent = 0
        times_ns.append(frame.t_ns)
        newest = [*newest, frame.pixels][-FRAMES_MEASURED:]
    return [cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) for pixels in newest], times_ns


def _write_target(path: Path) -> int:
    from cart.wire.target import svg

    try:
        path.write_text(svg(), encoding="utf-8")
    except OSError as error:
        print(f"cart camera test: {path}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    print(f"{path}: print it at 100 %, check its ruler, hold it flat at the rim; then: cart camera test")
    return EXIT_OK


def _saved(path: Path, grey: "np.ndarray") -> bool:
    import cv2

    try:
        path.write_bytes(cv2.imencode(path.suffix, grey)[1].tobytes())
    except OSError as error:
        print(f"cart camera test: {path}: {error.strerror}", file=sys.stderr)
        return False
    return True


def _rounded(seen: "Figures") -> dict[str, float | int | None]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(seen).items()}


def _print(found: list[Finding]) -> None:
    for finding in found:
        print(f"{f'[{finding.state}]'.ljust(11)} {finding.name}: {finding.text}")
        if finding.mend:
            print(f"{'':12}-> {finding.mend}")
    bad = sum(finding.state == BAD for finding in found)
    print(f"{bad} to mend" if bad else "nothing has to be mended")


def _picture(text: str) -> Path:
    if Path(text).suffix.lower() not in PICTURE_SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text!r} must end in one of {' '.join(PICTURE_SUFFIXES)}")
    return Path(text)
