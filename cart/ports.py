"""The seams between the cart and the world: small protocols, each with a fake in `sim/`.

A contract test (tests/contracts/) runs the same assertions on every
implementation that can run on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from cart.core.effects import Effect
    from cart.core.events import Event

    Put = Callable[[Event], None]
    """Enqueues an event for the loop; never blocks, and raises when the queue is full."""


class Clock(Protocol):
    """Time, read in one place."""

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never go back, from an arbitrary start."""

    def wall_ms(self) -> int:
        """Return Unix time in milliseconds; may jump."""


class Source(Protocol):
    """Turns one part of the world into events, on a thread of its own."""

    name: str

    def start(self, put: Put) -> None:
        """Begin to deliver; a lost device becomes SourceLost, never an exception."""

    def stop(self) -> None:
        """End the thread and free the device; safe to call twice."""


class Sink(Protocol):
    """Carries out effects; ignores those that are not its own."""

    def handle(self, effect: Effect) -> None:
        """Carry out or enqueue one effect without blocking the loop."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture. pixels: uint8 array (height, width, 3) in B, G, R order, never written to; t_ns: exposure."""

    t_ns: int
    pixels: np.ndarray


class FrameSource(Protocol):
    """A camera, a recording or a drawn scene."""

    def next_frame(self, timeout_ms: int) -> Frame | None:
        """Return the newest frame, or None when none came in time; OSError when it is lost."""

    def close(self) -> None:
        """Free the device; safe to call twice."""


@dataclass(frozen=True, slots=True)
class RawRead:
    """One code as an engine gives it.

    corners  ((x, y), ...) top left, top right, bottom right, bottom left in reading order
    engine   "zxing" or "zbar"
    gs1      the symbol is marked as GS1 data (FNC1 first)
    rows     scan rows that gave this text where the engine counts them, else 0
    inverted  its bars are light on a dark ground
    """

    symbology: str
    text: str
    corners: tuple[tuple[int, int], ...]
    engine: str
    gs1: bool = False
    rows: int = 0
    inverted: bool = False


class BarcodeEngine(Protocol):
    """A barcode library behind one method."""

    name: str

    def read(self, grey: np.ndarray, symbologies: frozenset[str]) -> list[RawRead]:
        """Return every code found in a uint8 (height, width) array, in no order."""


class Embedder(Protocol):
    """The classifier's network."""

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        """Return the float32 embedding of a uint8 (288, 288, 3) RGB array."""


@dataclass(frozen=True, slots=True)
class PanelInputs:
    """What the panel's contacts say now; True is pressed or present."""

    help: bool = False
    gate: bool = False


class Panel(Protocol):
    """Lights, buzzer, help button and gate contact."""

    def read(self) -> PanelInputs:
        """Return the contacts as they are now; OSError when the panel is lost."""

    def show(self, light: str, sound: str) -> None:
        """Set the light and sound once, as in SetPanel."""

    def close(self) -> None:
        """Leave the outputs in their safe state: off."""
