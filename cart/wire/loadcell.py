"""The load cell's line, CLC1: bytes from the microcontroller <-> values, without any I/O.

    $W,<seq>,<t_us>,<counts>,<flags>*<CRC>\\r\\n    one conversion; counts may be c1:c2:c3:c4, one per cell
    $I,<seq>,<t_us>,<ax>,<ay>,<az>*<CRC>\\r\\n      acceleration in micro-g, z up, on the same clock
    $T,<seq>,<centi-C>*<CRC>\\r\\n                  temperature
    $H,<proto>,<firmware>,<serial>,<chip>,<gain>,<sps>,<config crc>*<CRC>\\r\\n
    $E,<code>,<text>*<CRC>\\r\\n                    the converter's own fault
    $A,<text>*<CRC>\\r\\n, $N,<text>*<CRC>\\r\\n      a command was taken, or refused

The CRC is CRC-16/CCITT-FALSE ("123456789" gives 29B1) in four upper-case hex digits over the bytes between $ and *.
A line that fails it, or any field's limit, is refused and counted, never repaired. Source: docs/PROTOCOL.md.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass

LINE_BYTES_MAX = 160
"""Longest line, `$` to `\\n`; what is longer is garbage and is dropped, so the buffer cannot grow."""

CHANNELS_MAX = 4
COUNTS_MIN, COUNTS_MAX = -0x800000, 0x7FFFFF
SEQ_MODULUS = 1 << 16
T_US_MODULUS = 1 << 32

FLAG_SATURATED = 0x01
FLAG_DESYNC = 0x02
FLAG_OVERRUN = 0x04
FLAG_FIRST = 0x08
FLAG_POWER_LOW = 0x10
FLAG_TEMPERATURE = 0x20
FLAG_CONFIG = 0x40

SEQ_LOSS_MAX = 8_192
"""A jump of the sequence beyond this (100 s at 80/s), or backwards, is a restart of the converter, not a loss."""


@dataclass(frozen=True, slots=True)
class WeightLine:
    """One conversion.

    seq       number of the conversion, 0 to 65535, wraps
    t_us      converter time, uint32, wraps
    counts    sum over the cells
    flags     FLAG_ bits
    channels  counts of each cell where the line names more than one, else empty
    dropped   conversions lost or refused just before this one
    """

    seq: int
    t_us: int
    counts: int
    flags: int
    channels: tuple[int, ...] = ()
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Acceleration:
    """Acceleration of the sprung platform in micro-g, z up, +1,000,000 at rest."""

    seq: int
    t_us: int
    ax_ug: int
    ay_ug: int
    az_ug: int


@dataclass(frozen=True, slots=True)
class Temperature:
    """Temperature at the cell in hundredths of a degree Celsius."""

    seq: int
    centi_c: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the converter is and how it is set; sent at boot and every 5 s."""

    protocol: int
    firmware: str
    serial: str
    chip: str
    gain: int
    samples_per_s: int
    config_crc: str


@dataclass(frozen=True, slots=True)
class CellError:
    """A fault that the converter reports itself."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The converter took (or refused) a command from the host."""

    taken: bool
    text: str


Value = WeightLine | Acceleration | Temperature | Identity | CellError | Answer


# -- decoding -----------------------------------------------------------------

_COUNT = rb"-?[0-9]{1,8}"
_WEIGHT = re.compile(rb"W,([0-9]{1,5}),([0-9]{1,10}),(" + _COUNT + rb"(?::" + _COUNT + rb"){0,3}),([0-9A-F]{2})")
_ACCELERATION = re.compile(rb"I,([0-9]{1,5}),([0-9]{1,10}),(-?[0-9]{1,9}),(-?[0-9]{1,9}),(-?[0-9]{1,9})")
_TEMPERATURE = re.compile(rb"T,([0-9]{1,5}),(-?[0-9]{1,5})")
_TEXT = re.compile(rb"[ -#%-)+-~]{0,120}")  # printable ASCII without $ and *
_WORD = re.compile(rb"[!-#%-)+\--~]{1,32}")  # also without space and comma


class Decoder:
    """Cuts a stream of bytes into lines and lines into values.

    lines_bad          lines refused so far: CRC, grammar, a field out of range, too long
    readings_dropped   conversions missing from the sequence so far
    bytes_since_valid  bytes since the last line that was right; says how long only garbage has come
    """

    def __init__(self) -> None:
        """Start between two lines."""
        self.lines_bad = 0
        self.readings_dropped = 0
        self.bytes_since_valid = 0
        self._partial = b""
        self._skipping = False
        self._seq: int | None = None
        self._t_us = 0

    def feed(self, data: bytes) -> list[Value]:
        """Return the values that these bytes complete, in their order; never raises on any input."""
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        values: list[Value] = []
        for line in lines:
            if self._skipping:
                self._skipping = False
                continue
            self.bytes_since_valid += len(line) + 1
            value = self._value(line) if len(line) < LINE_BYTES_MAX else None
            if value is not None:
                self.bytes_since_valid = 0
                values.append(value)
            elif line.strip():
                self.lines_bad += 1
        self._bound_partial()
        return values

    def _bound_partial(self) -> None:
        """Forget an unfinished line that is too long, up to the end of that line."""
        if len(self._partial) < LINE_BYTES_MAX and not self._skipping:
            return
        self.bytes_since_valid += len(self._partial)
        self._partial = b""
        self.lines_bad += not self._skipping
        self._skipping = True

    def _value(self, line: bytes) -> Value | None:
        value = decode_line(line)
        return self._in_sequence(value) if isinstance(value, WeightLine) else value

    def _in_sequence(self, reading: WeightLine) -> WeightLine | None:
        """Return the reading with the losses before it, or None for a repetition of the last one."""
        last, last_t_us = self._seq, self._t_us
        if last == reading.seq and last_t_us == reading.t_us:
            return None
        self._seq, self._t_us = reading.seq, reading.t_us
        lost = 0 if last is None else (reading.seq - last - 1) % SEQ_MODULUS
        if not 0 < lost <= SEQ_LOSS_MAX or reading.flags & FLAG_FIRST:
            return reading
        self.readings_dropped += lost
        return WeightLine(reading.seq, reading.t_us, reading.counts, reading.flags, reading.channels, lost)


def decode_line(line: bytes) -> Value | None:
    """Return the value of one line without its \\n, or None when it is not a right line.

    Decoding starts at the last `$`: the beginning of a line may be lost, and then the next one is glued to it.
    """
    start = line.rfind(b"$") + 1
    body, star, crc = line[start:].rstrip(b"\r").partition(b"*")
    if not start or not star or b"%04X" % crc_hqx(body, 0xFFFF) != crc:
        return None
    decode = _DECODERS.get(body[:2])
    return decode(body) if decode else None


def _weight(body: bytes) -> WeightLine | None:
    found = _WEIGHT.fullmatch(body)
    if found is None:
        return None
    seq, t_us, field, flags = found.groups()
    channels = tuple(map(int, field.split(b":"))) if b":" in field else ()
    for counts in channels or (int(field),):
        if not COUNTS_MIN <= counts <= COUNTS_MAX:
            return None
    reading = WeightLine(int(seq), int(t_us), sum(channels) if channels else int(field), int(flags, 16), channels)
    return reading if _in_range(reading.seq, reading.t_us) else None


def _acceleration(body: bytes) -> Acceleration | None:
    found = _ACCELERATION.fullmatch(body)
    if found is None:
        return None
    value = Acceleration(*map(int, found.groups()))
    return value if _in_range(value.seq, value.t_us) else None


def _temperature(body: bytes) -> Temperature | None:
    found = _TEMPERATURE.fullmatch(body)
    if found is None:
        return None
    value = Temperature(*map(int, found.groups()))
    return value if _in_range(value.seq, 0) else None


def _identity(body: bytes) -> Identity | None:
    fields = body.split(b",")
    if len(fields) != 8 or not all(_WORD.fullmatch(field) for field in fields):
        return None
    _, protocol, firmware, serial, chip, gain, sps, crc = (field.decode("ascii") for field in fields)
    if not all(number.isdecimal() and len(number) <= 5 for number in (protocol, gain, sps)):
        return None
    return Identity(int(protocol), firmware, serial, chip, int(gain), int(sps), crc)


def _error(body: bytes) -> CellError | None:
    code, comma, text = body[2:].partition(b",")
    if not comma or not _WORD.fullmatch(code) or not _TEXT.fullmatch(text):
        return None
    return CellError(code.decode("ascii"), text.decode("ascii"))


def _answer(body: bytes) -> Answer | None:
    if not _TEXT.fullmatch(body[2:]):
        return None
    return Answer(body[:1] == b"A", body[2:].decode("ascii"))


def _in_range(seq: int, t_us: int) -> bool:
    return seq < SEQ_MODULUS and t_us < T_US_MODULUS


_DECODERS = {
    b"W,": _weight,
    b"I,": _acceleration,
    b"T,": _temperature,
    b"H,": _identity,
    b"E,": _error,
    b"A,": _answer,
    b"N,": _answer,
}


# -- encoding: the simulated converter, and commands of the host ----------------


def encode(value: Value) -> bytes:
    """Return the line of a value, `$` to `\\r\\n`; a value that no line can carry is a programmer's mistake."""
    line = frame(_body(value))
    assert decode_line(line[:-1]) is not None, f"no line can carry {value}"
    return line


def frame(body: str) -> bytes:
    """Return `$body*CRC\\r\\n`, also for commands to the converter: "Q,ID", "C,sps,80", "B"."""
    raw = body.encode("ascii")
    return b"$%s*%04X\r\n" % (raw, crc_hqx(raw, 0xFFFF))


def encode_weight(seq: int, t_us: int, counts: int, flags: int) -> bytes:
    """Return a $W line of one summed channel; unchecked and quick, for the simulator's 80 to 320 lines a second."""
    return frame(f"W,{seq},{t_us},{counts},{flags:02X}")


def encode_acceleration(seq: int, t_us: int, ax_ug: int, ay_ug: int, az_ug: int) -> bytes:
    """Return an $I line; unchecked and quick."""
    return frame(f"I,{seq},{t_us},{ax_ug},{ay_ug},{az_ug}")


def _body(value: Value) -> str:
    match value:
        case WeightLine(seq, t_us, counts, flags, channels):
            field = ":".join(map(str, channels)) if channels else str(counts)
            return f"W,{seq},{t_us},{field},{flags:02X}"
        case Acceleration(seq, t_us, ax_ug, ay_ug, az_ug):
            return f"I,{seq},{t_us},{ax_ug},{ay_ug},{az_ug}"
        case Temperature(seq, centi_c):
            return f"T,{seq},{centi_c}"
        case Identity():
            return (
                f"H,{value.protocol},{value.firmware},{value.serial},{value.chip},"
                f"{value.gain},{value.samples_per_s},{value.config_crc}"
            )
        case CellError(code, text):
            return f"E,{code},{text}"
        case Answer(taken, text):
            return f"{'A' if taken else 'N'},{text}"
