#!/usr/bin/env python3
"""Gather real passes: record what the camera sees while things pass, to be played again as a camera.

  python -m tools.record_frames passes                              with the configured camera, until Ctrl-C
  python -m tools.record_frames passes --code 9506000134352         what is carried, kept with the recording
  python -m tools.record_frames passes --device v4l2:/dev/video0 --seconds 60 --all

Each run makes a folder of its own, passes/session-0001, then -0002, ...: nothing is ever written over, and a run that
was cut off plays as far as it came. Played by [camera] device = "file:passes/session-0001". Stop cart-vision.service
first: a camera has one user. These are pictures of people and their shopping, unsealed: ask them, and delete what is
not needed.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cart import config
from cart.arguments import MILLION, whole
from cart.clock import SystemClock
from cart.commands.camera_test import device
from cart.commands.config import file_in_use
from cart.edge.frame_log import ABOUT, INDEX, line_of
from cart.faults import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Fault
from cart.ports import Frame, FrameSource
from cart.vision import motion
from cart.vision.process import FRAME_TIMEOUT_MS, SILENT_TIMEOUTS_MAX, open_camera

LEAD_FRAMES, TAIL_FRAMES = 8, 8
"""Frames of the empty view that are kept before and after each pass: a player's motion gate needs them."""

RESERVE_MB = 500
"""Never fill the disk beyond this: the cart's database lives there, too."""

SESSIONS_MAX = 9_999
JPEG_QUALITY = 95
NS_PER_S = 1_000_000_000


class Full(Exception):
    """No more may be written; the message says why and what to do."""


@dataclass(slots=True)
class Told:
    """What was recorded so far."""

    frames: int = 0
    passes: int = 0
    bytes: int = 0


class Session:
    """One recording that is being written. limit_bytes: how much it may hold."""

    def __init__(self, folder: Path, about: dict[str, object], limit_bytes: int) -> None:
        """Begin it; OSError where that cannot be done."""
        self.folder, self.told = folder, Told()
        self._limit_bytes = limit_bytes
        (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        self._index = (folder / INDEX).open("x", encoding="utf-8")

    def add(self, frame: Frame) -> None:
        """Write one frame, then its line; Full at the limit, or where the disk is."""
        done, data = cv2.imencode(".jpg", frame.pixels, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
        assert done, "OpenCV cannot write JPEG"
        jpeg = data.tobytes()
        if self.told.bytes + len(jpeg) > self._limit_bytes:
            raise Full(f"the limit of {self._limit_bytes // 1_000_000} MB is reached: --max-mb N, or another run")
        check_room(self.folder, len(jpeg))
        name = f"{self.told.frames + 1:06d}.jpg"
        path = self.folder / name
        try:
            with path.open("xb") as file:
                file.write(jpeg)
            self._index.write(line_of(name, frame.t_ns))
            self._index.flush()
        except OSError as error:
            path.unlink(missing_ok=True)
            raise Full(f"{path}: {error.strerror}: make room, or name another folder") from error
        self.told.frames += 1
        self.told.bytes += len(jpeg)

    def close(self) -> None:
        """End it; one without a frame leaves nothing behind."""
        self._index.close()
        if not self.told.frames:
            shutil.rmtree(self.folder)


class Passes:
    """Lets through the frames of passes, with some of the empty view around each."""

    def __init__(self, session: Session) -> None:
        """Wait for the first thing."""
        self._session = session
        self._view = motion.View()
        self._lead: deque[Frame] = deque(maxlen=LEAD_FRAMES)
        self._tail = 0

    def see(self, frame: Frame) -> None:
        """Take one frame."""
        was_active = self._view.active
        self._view = motion.looked(self._view, motion.shrunk(frame.pixels), frame.t_ns)
        if self._view.active and not was_active:
            self._session.told.passes += 1
        if self._view.active:
            self._tail = TAIL_FRAMES
        if not self._tail:
            self._lead.append(frame)
            return
        self._tail -= 1
        while self._lead:
            self._session.add(self._lead.popleft())
        self._session.add(frame)


def main(argv: list[str] | None = None) -> int:
    """Record until the time, the limit or Ctrl-C.

    Returns 0, 1 for a full disk or where nothing passed, 2 for a bad folder, 4 without a camera.
    """
    args = _arguments(argv)
    try:
        settings = _settings(args)
        check_room(args.out, args.max_mb * 1_000_000)
        source = open_camera(settings, SystemClock())
    except Full as error:
        return _said(error, EXIT_FAILED)
    except Fault as fault:
        return _said_fault(fault)
    except OSError as error:
        return _said_fault(Fault("CAMERA-MISSING", str(error)))
    try:
        session = Session(next_folder(args.out), about(settings, args.code, args.note), args.max_mb * 1_000_000)
    except OSError as error:
        source.close()
        return _said(f"{args.out}: {error.strerror}: name another folder", EXIT_USAGE)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return _recorded(source, session, args, stop)


def next_folder(out: Path) -> Path:
    """Return a folder that was made now and is nobody else's, numbered after those that are there; OSError if not."""
    out.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name[8:]) for path in out.glob("session-*") if path.name[8:].isdecimal()]
    for number in range(max(taken, default=0) + 1, SESSIONS_MAX + 1):
        folder = out / f"session-{number:04d}"
        try:
            folder.mkdir(mode=0o700)
            return folder
        except FileExistsError:
            continue
    raise OSError(0, f"{SESSIONS_MAX} sessions are there", str(out))


def about(settings: config.Config, code: str, note: str) -> dict[str, object]:
    """Return what the sidecar says of a recording."""
    camera = config.to_dict(settings)["camera"]
    return {"v": 1, "wall_ms": SystemClock().wall_ms(), "cart": settings.cart.id, "camera": camera, "code": code,
            "note": note, "opencv": cv2.__version__, "numpy": np.__version__}  # fmt: skip


def check_room(place: Path, wanted_bytes: int) -> None:
    """Return quietly where so much may be written; Full where the disk would be left with less than RESERVE_MB."""
    nearest = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if free - wanted_bytes < RESERVE_MB * 1_000_000:
        raise Full(
            f"{free // 1_000_000:,} MB free at {nearest}, and {RESERVE_MB} MB stay free:"
            " delete recordings that were copied, or name a folder on another disk, or a smaller --max-mb"
        )


def _recorded(source: FrameSource, session: Session, args: argparse.Namespace, stop: threading.Event) -> int:
    see = session.add if args.all else Passes(session).see
    clock, code = SystemClock(), EXIT_OK
    end_ns = clock.monotonic_ns() + args.seconds * NS_PER_S if args.seconds else None
    silent, told_ns = 0, 0
    try:
        while not stop.is_set() and silent < SILENT_TIMEOUTS_MAX and (end_ns is None or clock.monotonic_ns() < end_ns):
            frame = source.next_frame(FRAME_TIMEOUT_MS)
            silent = silent + 1 if frame is None else 0
            if frame is not None:
                see(frame)
            if clock.monotonic_ns() - told_ns > NS_PER_S:
                told_ns = clock.monotonic_ns()
                _progress(session)
        if silent >= SILENT_TIMEOUTS_MAX:
            code = _said_fault(Fault("CAMERA-MISSING", "it gives no more frames"))
    except Full as error:
        code = _said(error, EXIT_FAILED)
    except OSError as error:
        code = _said_fault(Fault("CAMERA-MISSING", str(error)))
    finally:
        source.close()
        session.close()
    if session.told.frames:
        _progress(session, end="\n")
    elif code == EXIT_OK:
        code = _said("nothing passed, so nothing was kept: carry things through the view, or --all", EXIT_FAILED)
    told = {"folder": str(session.folder) if session.told.frames else "", "frames": session.told.frames,
            "passes": session.told.passes, "bytes": session.told.bytes}  # fmt: skip
    print(json.dumps(told))
    return code


def _progress(session: Session, end: str = "") -> None:
    told = session.told
    text = f"{told.passes} passes, {told.frames} frames, {told.bytes / 1e6:.1f} MB in {session.folder}"
    if end or sys.stderr.isatty():
        print(f"\r{text}  ", end=end, file=sys.stderr, flush=True)


def _said(what: object, code: int) -> int:
    if sys.stderr.isatty():
        print(file=sys.stderr)  # behind the line that counts
    print(f"record_frames: {what}", file=sys.stderr)
    return code


def _said_fault(fault: Fault) -> int:
    return _said(f"{fault.code}: {fault.detail}; next: {fault.text.next_step}", fault.text.exit_code)


def _settings(args: argparse.Namespace) -> config.Config:
    path = file_in_use(args.config)
    known = path.exists() or args.config or os.environ.get("CART_CONFIG") or not args.device
    settings = config.load(path) if known else config.default()
    return config.changed(settings, camera={"device": args.device}) if args.device else settings


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="record_frames", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    count = whole(1, MILLION)
    parser.add_argument("out", type=Path, metavar="DIR", help="where the sessions go")
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    parser.add_argument("--device", type=device, metavar="DEVICE", help="instead of [camera] device")
    parser.add_argument("--seconds", type=count, default=0, metavar="N", help="end after so long")
    parser.add_argument("--max-mb", type=count, default=2_000, metavar="N", help="of this session (default 2000)")
    parser.add_argument("--all", action="store_true", help="every frame, not only those of passes")
    parser.add_argument("--code", type=_digits, default="", metavar="DIGITS", help="the code on what is carried")
    parser.add_argument("--note", default="", metavar="TEXT", help="kept with the recording: speed, light, who")
    return parser.parse_args(argv)


def _digits(text: str) -> str:
    if text and not (text.isdecimal() and text.isascii() and len(text) <= 14):
        raise argparse.ArgumentTypeError(f"{text!r} must be the digits below the bars, 14 at most")
    return text


if __name__ == "__main__":
    sys.exit(main())
