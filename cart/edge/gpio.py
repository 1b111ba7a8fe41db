"""The panel on the GPIO header: the only owner of RPi.GPIO (on a Pi 5, and on kernels from 6.6, rpi-lgpio's).

Imported only where a GPIO panel is built. Not yet run on a Pi; tests compare what is used with the package's source.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cart.faults import Fault
from cart.ports import PanelInputs

if TYPE_CHECKING:
    from cart.config import Panel as PanelConfig
    from cart.ports import Clock

# light -> (red, green); a two-colour lamp shows amber when both are on.
LIGHTS = {"off": (0, 0), "green": (0, 1), "amber": (1, 1), "red": (1, 0)}

# sound -> the spans in ms after its start in which the buzzer, which has an oscillator of its own, is on.
SOUNDS: dict[str, tuple[tuple[int, int], ...]] = {
    "": (),
    "ok": ((0, 80),),
    "attention": ((0, 150), (250, 400), (500, 650)),
}

_NS_PER_MS = 1_000_000


def buzzes(sound: str, elapsed_ms: int) -> bool:
    """Return True while the buzzer is on, `elapsed_ms` after the sound began."""
    return any(begin <= elapsed_ms < end for begin, end in SOUNDS[sound])


class GpioPanel:
    """Two inputs with pull-ups, pressed when low, and three outputs. `read` also times the buzzer, so poll it."""

    def __init__(self, pins: PanelConfig, clock: Clock) -> None:
        """Claim the pins (BCM numbers), outputs off; PANEL-MISSING where that fails."""
        self._pins = pins
        self._clock = clock
        self._sound, self._sound_from_ns, self._buzzing = "", 0, False
        self._gpio = _module()
        try:
            self._claim()
        except Exception as error:  # RuntimeError from RPi.GPIO; lgpio.error, which cannot be named without lgpio
            raise Fault("PANEL-MISSING", str(error)) from error

    def read(self) -> PanelInputs:
        """Return which contacts are closed, and keep the buzzer's time."""
        gpio, pins = self._gpio, self._pins
        self._buzz()
        low = gpio.LOW
        return PanelInputs(
            help=_or_lost(lambda: gpio.input(pins.help_pin)) == low,
            gate=_or_lost(lambda: gpio.input(pins.gate_pin)) == low,
        )

    def show(self, light: str, sound: str) -> None:
        """Set the light, and begin the sound unless it is empty."""
        red, green = LIGHTS[light]
        _or_lost(lambda: self._gpio.output(self._pins.red_pin, red))
        _or_lost(lambda: self._gpio.output(self._pins.green_pin, green))
        if sound:
            self._sound, self._sound_from_ns = sound, self._clock.monotonic_ns()
            self._buzz()

    def close(self) -> None:
        """Switch everything off and free the pins, ours only; pins that are lost already are left."""
        gpio, pins = self._gpio, self._pins
        outputs = [pins.red_pin, pins.green_pin, pins.buzzer_pin]
        with suppress(OSError):
            _or_lost(lambda: gpio.output(outputs, gpio.LOW))
            _or_lost(lambda: gpio.cleanup([*outputs, pins.gate_pin, pins.help_pin]))

    def _claim(self) -> None:
        gpio, pins = self._gpio, self._pins
        gpio.setwarnings(False)  # "channel already in use" after a crash is what we expect then
        gpio.setmode(gpio.BCM)
        gpio.setup([pins.gate_pin, pins.help_pin], gpio.IN, pull_up_down=gpio.PUD_UP)
        gpio.setup([pins.red_pin, pins.green_pin, pins.buzzer_pin], gpio.OUT, initial=gpio.LOW)

    def _buzz(self) -> None:
        elapsed_ms = (self._clock.monotonic_ns() - self._sound_from_ns) // _NS_PER_MS
        wanted = buzzes(self._sound, elapsed_ms)
        if wanted != self._buzzing:
            self._buzzing = wanted
            _or_lost(lambda: self._gpio.output(self._pins.buzzer_pin, int(wanted)))


SEAL_DRIVE_PIN, SEAL_FOLLOW_PIN = 5, 6
"""The jumper of a sealed build joins these two (BCM numbers): no key of cart.toml moves it."""

SEAL_PINS = frozenset({SEAL_DRIVE_PIN, SEAL_FOLLOW_PIN})


def joined(pull: Callable[[bool], None], drive: Callable[[bool], None], is_high: Callable[[], bool]) -> bool:
    """Return True if a wire joins the two pins: pulled the one way, the one must follow the other, which drives.

    A pin that is stuck, shorted to ground or to the supply, or left open follows in one direction at most.
    """
    followed = []
    for high in (False, True, False, True):
        pull(not high)
        drive(high)
        followed.append(is_high() == high)
    return all(followed)


def seal_jumper_closed() -> bool:
    """Return True if the seal's jumper joins its two pins; False off a Raspberry Pi. Read once, before the panel."""
    try:
        gpio = _module()
    except Fault:
        return False
    try:
        gpio.setwarnings(False)
        gpio.setmode(gpio.BCM)
        gpio.setup(SEAL_DRIVE_PIN, gpio.OUT, initial=gpio.LOW)

        def pull(up: bool) -> None:
            gpio.setup(SEAL_FOLLOW_PIN, gpio.IN, pull_up_down=gpio.PUD_UP if up else gpio.PUD_DOWN)

        def drive(high: bool) -> None:
            gpio.output(SEAL_DRIVE_PIN, gpio.HIGH if high else gpio.LOW)

        closed = joined(pull, drive, lambda: gpio.input(SEAL_FOLLOW_PIN) == gpio.HIGH)
        gpio.cleanup([SEAL_DRIVE_PIN, SEAL_FOLLOW_PIN])
    except Exception as error:  # lgpio.error cannot be named without lgpio
        raise Fault("PANEL-MISSING", f"the seal's jumper cannot be read: {error}") from error
    return closed


def _module() -> Any:
    try:
        import RPi.GPIO as gpio
    except (ImportError, RuntimeError) as error:  # off a Pi the import raises RuntimeError
        raise Fault("PANEL-MISSING", str(error)) from error
    return gpio


def _or_lost(call: Callable[[], Any]) -> Any:
    """Return the call's result; OSError where the pins are lost, whatever this RPi.GPIO calls that."""
    try:
        return call()
    except Exception as error:
        raise OSError(str(error)) from error
