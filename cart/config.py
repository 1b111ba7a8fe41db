"""Typed configuration: cart.toml -> Config, with every fault listed at once.

Each key is stated once, here: type, range or form, unit (in its name too), default and meaning. `render(default())`
writes firmware_config/cart.toml from it, `json_schema()` the schema for editors, and a test compares the file.
An unknown key or a value outside its range is an error: a typing mistake must not become a silent default.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec

from cart.config_text import KeyText, find_faults, render_section
from cart.faults import Fault

SYSTEM_FILE = Path("/etc/cart/cart.toml")
FILE_BYTES_MAX = 100_000


def _whole(lo: int, hi: int, unit: str, meaning: str, step: int = 1) -> msgspec.Meta:
    """Describe a whole number from `lo` to `hi`, a multiple of `step`; `unit` is empty for a plain count."""
    form = f"{lo} to {hi}" + (f" in steps of {step}" if step > 1 else "")
    return msgspec.Meta(ge=lo, le=hi, multiple_of=step, description=meaning, extra={"unit": unit, "form": form})


def _text(pattern: str, form: str, meaning: str) -> msgspec.Meta:
    """Describe a text that matches `pattern`, which `form` says in words."""
    return msgspec.Meta(pattern=rf"^(?:{pattern})$", description=meaning, extra={"unit": "", "form": form})


def _path(meaning: str, *, may_be_empty: bool = False) -> msgspec.Meta:
    if may_be_empty:
        return _text(r"[^\x00-\x1f]*", 'a path, or ""', meaning)
    return _text(r"[^\x00-\x1f]+", "a path", meaning)


def _name(meaning: str) -> msgspec.Meta:
    # Names travel in MQTT topics and file names, so they hold nothing that either gives a meaning to.
    return _text(r"[a-z0-9][a-z0-9-]{0,31}", "1 to 32 of a-z, 0-9 and -", meaning)


def _pin(meaning: str) -> msgspec.Meta:
    return _whole(0, 27, "BCM number", meaning)


_PORT = "TCP port"


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of cart.toml; its docstring is the comment above it."""


class Cart(_Section):
    """Who this cart is, and where it keeps its things."""

    id: Annotated[str, _name("this cart, unique in its store")] = "cart-1"
    chain: Annotated[str, _name("the chain of stores")] = "demo"
    store: Annotated[str, _name("the store")] = "store-1"
    currency: Annotated[str, _text("[A-Z]{3}", "an ISO 4217 code", "currency of every price")] = "EUR"
    run_dir: Annotated[str, _path("sockets; may be lost at power-off")] = "/run/cart"
    state_dir: Annotated[str, _path("database, recordings, spool; must survive power-off")] = "/var/lib/cart"


class Scale(_Section):
    """The load cell under the basket."""

    device: Annotated[
        str,
        _text("serial:.+|file:.+|simulated", '"serial:PORT", "file:PATH" or "simulated"', "where readings come from"),
    ] = "serial:/dev/cart-loadcell"
    baud: Annotated[int, _whole(9_600, 921_600, "baud", "speed of the serial line")] = 115_200
    calibration: Annotated[str, _path("the calibration record")] = "/var/lib/cart/calibration.jsonl"


class Camera(_Section):
    """The camera above the basket."""

    device: Annotated[
        str,
        _text(
            r"picamera2:\d|v4l2:.+|file:.+|simulated",
            '"picamera2:N", "v4l2:PATH", "file:PATH" or "simulated"',
            "where frames come from",
        ),
    ] = "picamera2:0"
    width_px: Annotated[int, _whole(320, 4_096, "pixels", "width of a frame")] = 1_280
    height_px: Annotated[int, _whole(240, 3_072, "pixels", "height of a frame")] = 720
    frames_per_s: Annotated[int, _whole(1, 120, "frames per second", "rate of the camera")] = 15
    exposure_us: Annotated[
        int, _whole(0, 100_000, "microseconds", "exposure, 0 = automatic; 330 keeps bars sharp at 1 m/s")
    ] = 330
    focus_mm: Annotated[
        int,
        _whole(0, 10_000, "millimetres", "distance a lens with a motor is set to, 0 = the lens is screwed and locked"),
    ] = 0
    crop_permille: Annotated[
        int,
        _whole(100, 1_000, "permille", "part of the sensor's width that is read: less is finer, over less (picamera2)"),
    ] = 1_000
    basket_side: Annotated[
        str,
        _text(
            "none|left|right|top|bottom",
            '"none", "left", "right", "top" or "bottom"',
            "side of the picture behind which the basket's inside lies, where things come over the opposite side",
        ),
    ] = "none"


class Classifier(_Section):
    """The network that names produce and checks labels."""

    model_dir: Annotated[str, _path('model, labels and manifest; "" = those of the package', may_be_empty=True)] = ""
    threads: Annotated[int, _whole(1, 8, "threads", "how many cores one photo may use")] = 2


class Panel(_Section):
    """Lights, buzzer, help button and gate contact on the GPIO header."""

    device: Annotated[str, _text("gpio|simulated|none", '"gpio", "simulated" or "none"', "what drives the panel")] = (
        "gpio"
    )
    gate_pin: Annotated[int, _pin("input: the contact of the exit gate, active low")] = 17
    help_pin: Annotated[int, _pin("input: the help button, active low")] = 27
    red_pin: Annotated[int, _pin("output: red light")] = 23
    green_pin: Annotated[int, _pin("output: green light")] = 24
    buzzer_pin: Annotated[int, _pin("output: buzzer")] = 25


class Broker(_Section):
    """The store's MQTT broker."""

    host: Annotated[str, _text(r"[A-Za-z0-9.:-]{1,253}", "a host name or address", "where it is")] = "localhost"
    port: Annotated[int, _whole(1, 65_535, _PORT, "where it listens")] = 1_883
    keepalive_s: Annotated[int, _whole(5, 600, "seconds", "silence after which the broker gives this cart up")] = 15


class Keys(_Section):
    """The keys that sign charges and check receipts."""

    dir: Annotated[str, _path("this cart's key and the store's public keys")] = "/var/lib/cart/keys"


class Kiosk(_Section):
    """The shopper's page."""

    host: Annotated[
        str, _text(r"127\.0\.0\.1|::1|localhost", '"127.0.0.1", "::1" or "localhost"', "only this machine may ask")
    ] = "127.0.0.1"
    port: Annotated[int, _whole(1, 65_535, _PORT, "where the page is served")] = 8_080
    pixel_pitch_um: Annotated[
        int, _whole(50, 500, "micrometres", "of the screen: weight, unit price and price are drawn 9.5 mm high or more")
    ] = 180


class Catalog(_Section):
    """What the store sells."""

    path: Annotated[str, _path('the catalogue; "" = the demonstration catalogue', may_be_empty=True)] = ""


class Recording(_Section):
    """What happened, for replay: every event and effect, no pictures."""

    dir: Annotated[str, _path("where recordings are kept")] = "/var/lib/cart/recordings"
    rotate_mb: Annotated[int, _whole(1, 1_024, "megabytes", "size at which a recording is closed and compressed")] = 64


class Decision(_Section):
    """What each mistake and each delay costs, in minor units of the currency; the cheapest expected cost is chosen."""

    wrong_charge_minor: Annotated[
        int, _whole(0, 1_000_000, "minor units", "a change of load that was charged wrongly, either way")
    ] = 1_000
    ask_minor: Annotated[int, _whole(0, 1_000_000, "minor units", "one question to the shopper")] = 30
    review_minor: Annotated[
        int, _whole(0, 1_000_000, "minor units", "expected loss above which an accepted change is marked for review")
    ] = 10


class Weight(_Section):
    """How changes of load are found."""

    samples_per_s: Annotated[int, _whole(80, 640, "readings per second", "rate of the converter", step=80)] = 80
    step_mg: Annotated[int, _whole(1_000, 1_000_000, "milligrams", "smallest change told while standing")] = 6_000
    rolling_step_mg: Annotated[
        int, _whole(1_000, 1_000_000, "milligrams", "the same while rolling; smaller ones wait for a standstill")
    ] = 40_000
    rough_step_mg: Annotated[
        int, _whole(1_000, 1_000_000, "milligrams", "the same on tiles, over bumps, in stop and go")
    ] = 200_000
    over_range_mg: Annotated[
        int, _whole(1_000_000, 500_000_000, "milligrams", "safe load: beyond it there is no weight")
    ] = 50_000_000
    platform_mg: Annotated[
        int, _whole(0, 100_000_000, "milligrams", "sprung mass without goods, for the correction by acceleration")
    ] = 8_000_000
    cells_fore_mm: Annotated[
        int, _whole(50, 3_000, "millimetres", "from the front cells to the rear ones: with four, where things land")
    ] = 600
    cells_left_mm: Annotated[int, _whole(50, 3_000, "millimetres", "the same across the cart")] = 400


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of cart.toml."""

    cart: Cart = msgspec.field(default_factory=Cart)
    scale: Scale = msgspec.field(default_factory=Scale)
    camera: Camera = msgspec.field(default_factory=Camera)
    classifier: Classifier = msgspec.field(default_factory=Classifier)
    panel: Panel = msgspec.field(default_factory=Panel)
    broker: Broker = msgspec.field(default_factory=Broker)
    keys: Keys = msgspec.field(default_factory=Keys)
    kiosk: Kiosk = msgspec.field(default_factory=Kiosk)
    catalog: Catalog = msgspec.field(default_factory=Catalog)
    recording: Recording = msgspec.field(default_factory=Recording)
    decision: Decision = msgspec.field(default_factory=Decision)
    weight: Weight = msgspec.field(default_factory=Weight)


class ConfigFault(Fault):
    """CONFIG-FAULTS with every fault as a line of its own: `cart.toml:7: weight.x: unknown key; ...`."""

    def __init__(self, name: str, lines: list[str]) -> None:
        """Keep the lines, at least one, of the file called `name`."""
        assert lines
        super().__init__("CONFIG-FAULTS", "\n  ".join([f"{len(lines)} in {name}", *lines]))
        self.lines = lines


def default() -> Config:
    """Return the configuration of a cart with its hardware in place: what firmware_config/cart.toml says."""
    return Config()


def simulated(state_dir: Path) -> Config:
    """Return a configuration that needs no hardware and keeps all it writes below `state_dir`."""
    return changed(
        default(),
        cart={"run_dir": str(state_dir / "run"), "state_dir": str(state_dir)},
        scale={"device": "simulated", "calibration": str(state_dir / "calibration.jsonl")},
        camera={"device": "simulated", "basket_side": "bottom"},
        panel={"device": "simulated"},
        keys={"dir": str(state_dir / "keys")},
        recording={"dir": str(state_dir / "recordings")},
    )


def changed(config: Config, **sections: dict[str, int | str]) -> Config:
    """Return `config` with some values changed: `changed(config, broker={"port": 1884})`."""
    replace = msgspec.structs.replace
    return replace(
        config, **{section: replace(getattr(config, section), **values) for section, values in sections.items()}
    )


def load(path: Path) -> Config:
    """Return the configuration in the file at `path`.

    Raises CONFIG-MISSING where the file cannot be read, ConfigFault with all faults where it has any.
    """
    name = path.name
    text = _read(path)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # besides TOMLDecodeError: endless numbers, endless nesting
        raise ConfigFault(name, [_syntax_line(name, str(error))]) from None
    found = find_faults(data, text, key_texts())
    if found:
        raise ConfigFault(name, [f"{name}:{line}: {complaint}" for line, complaint in found])
    return msgspec.convert(data, Config)


def database_path(config: Config) -> Path:
    """Return where the cart keeps its database: basket, journal and outbox."""
    return Path(config.cart.state_dir) / "cart.sqlite3"


@cache
def key_texts() -> tuple[KeyText, ...]:
    """Return what is known about every key, in the order of the file."""
    return tuple(
        _key_text(section, key, kind, hint)
        for section, kind in _sections().items()
        for key, hint in get_type_hints(kind, include_extras=True).items()
    )


def render(config: Config) -> str:
    """Return `config` as TOML with each key's meaning, unit and range as a comment; `load` reads it back."""
    values = to_dict(config)
    return "\n".join(
        render_section(kind.__doc__ or "", [text for text in key_texts() if text.section == section], values[section])
        for section, kind in _sections().items()
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of cart.toml, for editors."""
    return msgspec.json.schema(Config)


def to_dict(config: Config) -> dict[str, dict[str, int | str]]:
    """Return the values as plain tables."""
    result: dict[str, dict[str, int | str]] = msgspec.to_builtins(config)
    return result


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:  # a device has no size, and may have no end
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise ConfigFault(path.name, [f"{path.name}:1: larger than {FILE_BYTES_MAX} bytes"])
        return data.decode("utf-8")
    except OSError as error:
        raise Fault("CONFIG-MISSING", f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigFault(path.name, [f"{path.name}:{line}: not UTF-8 text"]) from None


def _syntax_line(name: str, message: str) -> str:
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if not found:  # "at end of document": the last line is no better a place than the first
        return f"{name}:1: not TOML: {message}"
    return f"{name}:{found[1]}: not TOML: {message[: found.start()]} (column {found[2]})"


def _sections() -> dict[str, type[_Section]]:
    return get_type_hints(Config)


def _key_text(section: str, key: str, kind: type[_Section], hint: Any) -> KeyText:
    meta: msgspec.Meta = hint.__metadata__[0]
    assert meta.extra is not None
    return KeyText(
        section=section,
        key=key,
        default=getattr(kind(), key),
        lo=meta.ge,
        hi=meta.le,
        step=int(meta.multiple_of or 1),
        pattern=meta.pattern,
        form=meta.extra["form"],
        unit=meta.extra["unit"],
        meaning=meta.description,
    )
