"""What the microcontroller is told about its wiring: one line of CRC, one line of JSON, made from loadcell.toml.

MicroPython reads no TOML, so `tools/cell.py render` does, with the tables here; both sides so refuse the same files.
The CRC over the JSON is what the cell says in its $H lines: it names the settings, and finds a damaged file. With such
a file the cell runs on its defaults and puts flag 40 on every reading.
"""

import json

from loadcell.line import crc16

PINS = tuple(range(-1, 30))
CHIPS = {"HX711": (128, 64, 32), "ADS1232": (1, 2, 64, 128), "NAU7802": (1, 2, 4, 8, 16, 32, 64, 128)}
RATES = {"HX711": (10, 80), "ADS1232": (10, 80), "NAU7802": (10, 20, 40, 80, 320)}

# section.key -> default, and what else it may be
TABLE = {
    "adc.chip": ("HX711", tuple(CHIPS)),
    "adc.gain": (128, None),
    "adc.samples_per_s": (80, None),
    "adc.channels": (1, (1, 4)),
    "adc.excitation_mv": (3000, tuple(range(2400, 4501, 300))),
    "pins.data": (2, PINS),
    "pins.clock": (3, PINS),
    "pins.power": (6, PINS),
    "pins.rate": (-1, PINS),
    "pins.sda": (4, PINS),
    "pins.scl": (5, PINS),
    "pins.motion": (7, PINS),
    "motion.chip": ("none", ("none", "LSM6DSO")),
    "motion.axes": ("+x+y+z", None),
    "supply.min_mv": (4200, None),
    "temperature.source": ("none", ("none", "motion", "board")),
}


class Settings:
    """The settings in force.

    values   "section.key" -> value, all keys of TABLE
    crc      4 hexadecimal digits over the JSON; 0000 for the defaults
    reason   why the defaults are in force although there is a file, or None
    """

    def __init__(self, values, crc, reason=None):
        """Take the values, which are checked."""
        self.values, self.crc, self.reason = values, crc, reason

    def __getitem__(self, key):
        """Return one value by "section.key"."""
        return self.values[key]

    @property
    def supply_min_mv(self):
        """Least supply, 0 where it is not judged."""
        return self.values["supply.min_mv"]

    @property
    def temperature(self):
        """Where the temperature comes from."""
        return self.values["temperature.source"]


def checked(sections):
    """Return all values by "section.key"; ValueError that names the key for anything unknown or out of its range."""
    values = {key: entry[0] for key, entry in TABLE.items()}
    for section, entries in sections.items():
        if not isinstance(entries, dict):
            raise ValueError(f"{section}: is no section")
        for name, value in entries.items():
            key = f"{section}.{name}"
            if key not in TABLE:
                raise ValueError(f"{key}: unknown")
            _check(key, value)
            values[key] = value
    _check_together(values)
    return values


def _check(key, value):
    default, choices = TABLE[key]
    if type(value) is not type(default):
        raise ValueError(f"{key}: must be a {'text' if isinstance(default, str) else 'whole number'}")
    if choices is not None and value not in choices:
        raise ValueError(f"{key}: {value} is not among {choices}")


def _check_together(values):
    chip = values["adc.chip"]
    for key, table in (("adc.gain", CHIPS), ("adc.samples_per_s", RATES)):
        if values[key] not in table[chip]:
            raise ValueError(f"{key}: {chip} has {table[chip]}")
    if values["adc.channels"] > 1 and chip != "HX711":
        raise ValueError("adc.channels: only HX711 chips can share a clock")
    if not _right_axes(values["motion.axes"]):
        raise ValueError("motion.axes: three signed axes, forward, left and up, like +x+y+z")
    if not 0 <= values["supply.min_mv"] <= 5500:
        raise ValueError("supply.min_mv: 0 to 5500")
    _check_pins(values)


def _right_axes(axes):
    """Return whether the text names each axis once, each with its sign."""
    if len(axes) != 6 or any([axes[n] not in "+-" for n in (0, 2, 4)]):
        return False
    return sorted([axes[n] for n in (1, 3, 5)]) == ["x", "y", "z"]


def _check_pins(values):
    """Refuse a pin that is used twice or is missing."""
    chip, channels = values["adc.chip"], values["adc.channels"]
    used = ["data", "sda", "scl"] if chip == "NAU7802" else ["data", "clock"]
    used += ["power"] if chip == "ADS1232" else []
    used += ["sda", "scl", "motion"] if values["motion.chip"] != "none" else []
    pins = [values[f"pins.{name}"] for name in sorted(set(used))]
    if -1 in pins:
        raise ValueError(f"pins: {chip} needs {', '.join(sorted(set(used)))}")
    pins += [values["pins.data"] + n for n in range(1, channels)]
    pins += [values["pins.rate"]] if values["pins.rate"] >= 0 else []
    if len(set(pins)) != len(pins) or max(pins) > 29:
        raise ValueError("pins: one is used twice, or is none of the board's")


def rendered(sections):
    """Return the file's text for checked sections; the same settings always give the same text."""
    values = checked(sections)
    pairs = ['"%s":%s' % (key, json.dumps(values[key])) for key in sorted(values)]  # noqa: UP031
    document = "{" + ",".join(pairs) + "}"
    return "%04X\n%s\n" % (crc16(document.encode()), document)  # noqa: UP031


def loaded(text):
    """Return the Settings of a rendered file; the defaults, with the reason, when it is damaged."""
    crc, _, rest = text.partition("\n")
    document = rest.rstrip("\n")
    if crc != "%04X" % crc16(document.encode()):  # noqa: UP031
        return defaults("the file's CRC is not that of its settings")
    try:
        sections = {}
        for key, value in json.loads(document).items():
            section, _, name = key.partition(".")
            sections.setdefault(section, {})[name] = value
        return Settings(checked(sections), crc)
    except ValueError as error:
        return defaults(str(error))


def defaults(reason):
    """Return the defaults, and why they are in force."""
    return Settings(checked({}), "0000", reason)
