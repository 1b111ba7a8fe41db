"""The vision process: camera in, events out. Started by `cart vision`, a unit of its own.

    camera -> frames.Watcher -> EventSender -> the daemon
    the daemon -> KeepReceiver -> Crops

One thread: the camera's port gives the newest frame, so a slow frame costs frames and never builds a queue. A camera
that is lost is opened again with growing pauses; after OPENINGS_MAX failures in a row the process ends, because
native camera code that has wedged is cured only by a new process, and systemd starts one.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cart.clock import NS_PER_MS, SystemClock
from cart.edge.engines import found
from cart.edge.link import LABEL_MAX, EventSender, KeepReceiver
from cart.edge.systemd import Notifier
from cart.faults import Fault
from cart.vision import check
from cart.vision.crops import Crops
from cart.vision.frames import Look, Watcher
from cart.vision.reader import available_engines

if TYPE_CHECKING:
    from cart.config import Config
    from cart.ports import Clock, Frame, FrameSource

log = logging.getLogger("cart.vision")

FRAME_TIMEOUT_MS = 500
SILENT_TIMEOUTS_MAX = 6
"""Timeouts in a row after which the camera counts as lost: 3 s."""

KEPT_A_FRAME = 2
"""Requests for pictures that are met after each frame: each waits for the disk, and the camera for it."""

OPENINGS_MAX = 6
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)


def run(config: Config) -> int:
    """Watch until SIGTERM or SIGINT, then return 0.

    Errors: Fault CAMERA-MISSING when the camera cannot be had; RUN-DIR-BAD when the sockets cannot be made.
    """
    cv2.setNumThreads(1)
    clock = SystemClock()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engines = available_engines(thorough=False)
    if not engines:
        log.error("ENGINE-MISSING: %s: no code will be read", found().why_missing())
    run_dir = Path(config.cart.run_dir)
    crops = Crops(Path(config.cart.state_dir) / "crops", picture_seal(config), clock, config.cart.id)
    try:
        requests = KeepReceiver(run_dir)
    except OSError as error:
        raise Fault("RUN-DIR-BAD", f"{run_dir}: {error.strerror or error}") from error
    sender = EventSender(run_dir)
    check.warm_up()
    # Milliseconds since boot: above every number that an earlier run of this process gave to a pass.
    after = clock.monotonic_ns() // NS_PER_MS
    watcher = Watcher(
        engines,
        classifier(config),
        crops,
        clock,
        sender.send,
        after=after,
        frames_per_s=config.camera.frames_per_s,
        basket_side=config.camera.basket_side,
    )
    try:
        watch(lambda: open_camera(config, clock), watcher, lambda: _keep(requests, crops), stop, Notifier())
    finally:
        requests.close()
        sender.close()
    return 0


def watch(
    open_source: Callable[[], FrameSource],
    watcher: Watcher,
    between: Callable[[], None],
    stop: threading.Event,
    notifier: Notifier,
) -> None:
    """Give frames to the watcher until `stop` is set; Fault CAMERA-MISSING after OPENINGS_MAX failures in a row.

    between  called after each frame and each timeout
    """
    failures = 0
    while not stop.is_set():
        source, reason = None, "it gives no frames"
        try:
            source = open_source()
            if _watch_source(source, watcher, between, stop, notifier):
                failures = 0
        except OSError as error:
            reason = str(error)
        finally:
            if source is not None:
                source.close()
        if stop.is_set():
            break
        failures += 1
        if failures >= OPENINGS_MAX:
            raise Fault("CAMERA-MISSING", reason)
        log.warning("CAMERA-MISSING: %s; attempt %d of %d", reason, failures, OPENINGS_MAX)
        stop.wait(PAUSES_S[min(failures, len(PAUSES_S)) - 1])
    notifier.stopping()


def open_camera(config: Config, clock: Clock) -> FrameSource:
    """Return the camera that the configuration names; OSError where it is not there."""
    camera = config.camera
    kind, _, where = camera.device.partition(":")
    size = (camera.width_px, camera.height_px, camera.frames_per_s)
    if kind == "file":
        from cart.edge.player import player_of

        return player_of(Path(where), *size, clock)
    if kind in ("picamera2", "v4l2"):
        from cart.edge.camera import CameraSettings, PiCamera, VideoCamera

        settings = CameraSettings(*size, camera.exposure_us, camera.focus_mm, camera.crop_permille)
        return PiCamera(int(where), settings, clock) if kind == "picamera2" else VideoCamera(where, settings, clock)
    assert kind == "simulated", kind
    from cart.sim.camera import SimulatedCamera

    world = Path(config.cart.run_dir) / "world.sock"
    try:
        return SimulatedCamera(str(world), *size, clock)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        # The socket's own error names no file, and nothing but a bench makes one.
        raise OSError(f"{world}: no bench runs there: cart bench, and --config with the cart.toml it writes") from error


def classifier(config: Config) -> Look | None:
    """Return the classifier, or None, logged with its fault, where it cannot be used: barcodes go on without it."""
    from cart.edge.classifier import Classifier, model_dir_of
    from cart.vision.classify import head_for, preprocess

    model_dir = model_dir_of(config.classifier.model_dir)
    try:
        network = Classifier(model_dir, config.classifier.threads, SystemClock())
        head = head_for(network, model_dir)
        if any(len(label) > LABEL_MAX for label in head.labels):
            raise Fault("MODEL-HASH", f"{model_dir}: a label of more than {LABEL_MAX} characters")
    except Fault as fault:
        log.error("%s: %s: %s; going on with barcodes alone", fault.code, fault.text.meaning, fault.detail)
        return None
    except Exception as error:  # a manifest vouches for whatever it was written for: a network may be anything
        log.error("MODEL-HASH: %s: %s: %s; going on with barcodes alone", model_dir, type(error).__name__, error)
        return None
    return lambda picture: head.log_likelihoods(network.embed(preprocess(picture)))


def picture_seal(config: Config) -> Callable[[bytes], bytes] | None:
    """Return what seals pictures to the store's key, or None, said once in the log: then no picture is kept."""
    from cart.edge.keys import picture_sealer

    folder = Path(config.keys.dir)
    try:
        sealer = picture_sealer(folder)
    except Fault as fault:
        log.error("%s: %s: no picture is kept for review", fault.code, fault.detail)
        return None
    if sealer is None:
        log.warning("CROP-NO-KEY: the store gave no key for pictures to %s: none is kept for review", folder)
        return None
    return sealer.seal


def _watch_source(
    source: FrameSource,
    watcher: Watcher,
    between: Callable[[], None],
    stop: threading.Event,
    notifier: Notifier,
) -> bool:
    """Give the source's frames to the watcher until it falls silent or `stop` is set; True if there was any."""
    silent, seen = 0, False
    while not stop.is_set() and silent < SILENT_TIMEOUTS_MAX:
        try:
            frame = _checked(source.next_frame(FRAME_TIMEOUT_MS))
        except OSError as error:
            if not seen:
                raise
            log.warning("the camera is lost: %s", error)
            break
        if frame is None:
            silent += 1
        else:
            if not seen:
                notifier.ready("watching")
            silent, seen = 0, True
            watcher.see(frame)
            notifier.alive()
        between()
    return seen


def _checked(frame: Frame | None) -> Frame | None:
    """Return the frame; OSError for one that is no colour picture: a driver that gives such has to be opened again."""
    if frame is not None:
        shape = frame.pixels.shape
        if frame.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or min(shape) < 1:
            raise OSError(f"it gives frames of {frame.pixels.dtype} {shape}, not of colours")
    return frame


def _keep(requests: KeepReceiver, crops: Crops) -> None:
    for _ in range(KEPT_A_FRAME):
        request = requests.take()
        if request is None:
            break
        crops.keep(request)
    crops.tend()
