"""Cameras behind the port FrameSource: picamera2 on a Raspberry Pi, V4L2 elsewhere.

The newest frame wins everywhere: a frame of a second ago shows another item. Frames carry the monotonic time of
their exposure where the driver tells it, else of their arrival. Not yet run on a Pi; a test compares every
picamera2 method and keyword used here with that package's source.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import cv2

from cart.ports import Frame

if TYPE_CHECKING:
    import numpy as np

    from cart.ports import Clock

log = logging.getLogger("cart.camera")

NS_PER_S = 1_000_000_000
BUFFERS = 4
"""Frames in the driver's ring: more cost contiguous memory, of which a Pi has little; fewer drop frames."""

SENSOR_AGE_NS_MAX = 1_000_000_000
"""A sensor timestamp older than this, or of the future, is another clock's."""


MM_PER_M = 1_000
AF_MANUAL = 0
"""libcamera's AfModeEnum.Manual."""


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What is asked of a camera; the keys of [camera] with the same names.

    exposure_us    0 for automatic; with a fixed exposure the gain alone follows the light
    focus_mm       distance that a lens with a motor is set to, 0 for a lens that is screwed
    crop_permille  part of the sensor's width and height that is read
    """

    width_px: int
    height_px: int
    frames_per_s: int
    exposure_us: int = 0
    focus_mm: int = 0
    crop_permille: int = 1_000


def controls_of(settings: CameraSettings) -> dict[str, Any]:
    """Return the controls of libcamera for these settings, but for the crop, which needs the sensor's size."""
    controls: dict[str, Any] = {"FrameRate": settings.frames_per_s}
    if settings.exposure_us:
        # The gain stays automatic: light differs from aisle to aisle, and only a long exposure smears.
        controls["ExposureTime"] = settings.exposure_us
    if settings.focus_mm:
        controls |= {"AfMode": AF_MANUAL, "LensPosition": MM_PER_M / settings.focus_mm}
    return controls


def crop_of(whole: tuple[int, int, int, int], permille: int) -> tuple[int, int, int, int]:
    """Return the middle part of a rectangle of the sensor (left, top, width, height), with even sides."""
    left, top, width, height = whole
    cut_width, cut_height = width * permille // 1_000 // 2 * 2, height * permille // 1_000 // 2 * 2
    return left + (width - cut_width) // 2, top + (height - cut_height) // 2, cut_width, cut_height


class PiCamera:
    """The camera of a Raspberry Pi through picamera2. Raises OSError where it, libcamera or the camera is missing."""

    def __init__(self, number: int, settings: CameraSettings, clock: Clock) -> None:
        self._clock = clock
        try:
            # From apt, not PyPI: it needs the system's libcamera bindings.
            picamera2 = import_module("picamera2")
        except ImportError as error:
            raise OSError(f"picamera2 is not usable: {error}: sudo apt install python3-picamera2") from error
        try:
            self._camera: Any = picamera2.Picamera2(number)
        except (RuntimeError, IndexError) as error:
            raise OSError(f"camera {number}: {error}") from error
        self._size = (settings.width_px, settings.height_px)
        self._job: Any = None
        try:
            # "RGB888" is B, G, R in memory. queue=False: the next frame, never one from before the call.
            config = self._camera.create_video_configuration(
                main={"size": self._size, "format": "RGB888"},
                buffer_count=BUFFERS,
                queue=False,
                controls=controls_of(settings),
            )
            self._camera.configure(config)
            if settings.crop_permille < 1_000:
                _, whole, _ = self._camera.camera_controls["ScalerCrop"]
                self._camera.set_controls({"ScalerCrop": crop_of(whole, settings.crop_permille)})
            self._camera.start()
        except (RuntimeError, ValueError, KeyError, OSError) as error:
            self.close()
            raise OSError(f"camera {number} does not start: {error}") from error

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the newest frame, or None when none came in time; OSError when the camera is lost."""
        if self._camera is None:
            raise OSError("the camera is closed")
        try:
            # Without wait=False a dead camera would block for ever. A job that is late stays asked for.
            self._job = self._job or self._camera.capture_request(wait=False)
            request = self._camera.wait(self._job, timeout=timeout_ms / 1_000)
        except TimeoutError:
            return None
        except RuntimeError as error:
            raise OSError(f"capture failed: {error}") from error
        self._job = None
        try:
            width, height = self._size
            # Rows may be padded to the hardware's stride.
            pixels = request.make_array("main")[:height, :width, :3].copy()
            sensor_ns = request.get_metadata().get("SensorTimestamp", 0)
        finally:
            # A request that is held keeps its buffer from the camera.
            request.release()
        return Frame(exposed_ns(sensor_ns, self._clock.monotonic_ns()), pixels)

    def close(self) -> None:
        """Free the camera; safe to call twice."""
        camera, self._camera = self._camera, None
        if camera is None:
            return
        try:
            if self._job is not None:
                camera.cancel_all_and_flush()
            camera.stop()
        finally:
            camera.close()


class VideoCamera:
    """A V4L2 camera through OpenCV. A thread grabs, so that the newest frame is always at hand.

    path  /dev/videoN; a file is taken for a camera that is pulled out where the file ends

    Raises OSError where it cannot be opened. Pulled out, it gives no more frames: `next_frame` says so with OSError.
    """

    def __init__(self, path: str, settings: CameraSettings, clock: Clock) -> None:
        is_device = path.startswith("/dev/")
        self._capture = cv2.VideoCapture(path, cv2.CAP_V4L2 if is_device else cv2.CAP_ANY)
        if not self._capture.isOpened():
            self._capture.release()
            raise OSError(f"{path} cannot be opened")
        self._clock = clock
        if is_device:
            self._set_up(path, settings)
        # A file would be over in an instant if it were not held to its rate.
        self._period_s = 0.0 if is_device else 1.0 / settings.frames_per_s
        self._newest: Frame | None = None
        self._ended = False
        self._arrived = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._grab, name="camera", daemon=True)
        self._thread.start()

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the newest frame not yet returned, or None when none came in time; OSError when the camera is lost."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._newest is not None or self._ended, timeout_ms / 1_000)
            frame, self._newest = self._newest, None
            if frame is None and self._ended:
                raise OSError("the camera gives no more frames")
            return frame

    def close(self) -> None:
        """End the thread and free the camera; safe to call twice."""
        self._stopped.set()
        # The thread frees what it reads from. A wedged driver holds it in the kernel: if it never comes back the
        # process has to go, and systemd sees to that.
        self._thread.join(timeout=2)

    def _set_up(self, path: str, settings: CameraSettings) -> None:
        for prop, value in properties_of(settings).items():
            if not self._capture.set(prop, value):
                log.info("%s does not take property %d = %d", path, prop, value)
        size = (int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        if size != (settings.width_px, settings.height_px):
            log.warning("%s gives %d x %d instead of %d x %d", path, *size, settings.width_px, settings.height_px)
        if settings.crop_permille < 1_000:
            log.warning("%s cannot crop its sensor: [camera] crop_permille is for picamera2", path)

    def _grab(self) -> None:
        try:
            while not self._stopped.is_set():
                got, pixels = self._capture.read()
                if not got:
                    break
                # The driver's time of a frame is CLOCK_MONOTONIC, in ms; some drivers tell none.
                driver_ns = int(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
                self._offer(Frame(exposed_ns(driver_ns, self._clock.monotonic_ns()), pixels))
                if self._period_s:
                    self._stopped.wait(self._period_s)
        finally:
            # However it ends, the device is free to be opened again before anybody is told.
            self._capture.release()
            with self._arrived:
                self._ended = True
                self._arrived.notify_all()

    def _offer(self, frame: Frame) -> None:
        with self._arrived:
            self._newest = frame
            self._arrived.notify_all()


def properties_of(settings: CameraSettings) -> dict[int, int]:
    """Return OpenCV's properties for a V4L2 camera with these settings, in the order in which they are set."""
    wanted = {
        # Raw pictures of this size do not fit through USB 2 at this rate.
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: settings.width_px,
        cv2.CAP_PROP_FRAME_HEIGHT: settings.height_px,
        cv2.CAP_PROP_FPS: settings.frames_per_s,
        cv2.CAP_PROP_BUFFERSIZE: 1,
        # A lens that looks for its focus by itself is out of it when a thing passes.
        cv2.CAP_PROP_AUTOFOCUS: 0,
    }
    if settings.exposure_us:
        # 1 is "manual" in V4L2's menu of exposure modes; its unit is 100 us.
        wanted |= {cv2.CAP_PROP_AUTO_EXPOSURE: 1, cv2.CAP_PROP_EXPOSURE: max(1, settings.exposure_us // 100)}
    return wanted


def exposed_ns(told_ns: int, now_ns: int) -> int:
    """Return when a frame was exposed: as the driver told, or now where that is another clock's time."""
    return told_ns if 0 <= now_ns - told_ns <= SENSOR_AGE_NS_MAX else now_ns


def fitted(pixels: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Return a picture scaled to fit and centred on grey, (height_px, width_px, 3)."""
    height, width = pixels.shape[:2]
    if (width, height) == (width_px, height_px):
        return pixels
    scale = min(width_px / width, height_px / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = width_px - size[0], height_px - size[1]
    grey = (128, 128, 128)
    return cv2.copyMakeBorder(
        scaled, top // 2, top - top // 2, left // 2, left - left // 2, cv2.BORDER_CONSTANT, value=grey
    )
