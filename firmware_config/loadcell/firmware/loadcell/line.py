"""Lines of the protocol CLC1: body -> `$body*CRC\\r\\n`. Source: docs/PROTOCOL.md, "The load cell's line"."""

from array import array

try:
    import micropython
except ImportError:  # CPython

    class micropython:
        """The decorator that MicroPython's compiler knows by this very name; elsewhere it changes nothing."""

        @staticmethod
        def native(function):
            """Return the function as it is."""
            return function


FLAG_SATURATED = 0x01
FLAG_DESYNC = 0x02
FLAG_OVERRUN = 0x04
FLAG_FIRST = 0x08
FLAG_POWER_LOW = 0x10
FLAG_TEMPERATURE = 0x20
FLAG_CONFIG = 0x40

COUNTS_MIN, COUNTS_MAX = -0x800000, 0x7FFFFF


def _crc_table():
    table = array("H")
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x1021 if crc & 0x8000 else 0)
        table.append(crc & 0xFFFF)
    return table


_TABLE = _crc_table()
"""One look-up a byte: bit by bit, 320 lines a second would be beyond an RP2040 in Python."""


@micropython.native
def crc16(data):
    """Return CRC-16/CCITT-FALSE of the bytes; b"123456789" gives 0x29B1."""
    table, crc = _TABLE, 0xFFFF
    for byte in data:
        crc = ((crc << 8) & 0xFF00) ^ table[(crc >> 8) ^ byte]
    return crc


def framed(body):
    """Return the whole line of a body, as bytes."""
    raw = body.encode()
    return b"$%s*%04X\r\n" % (raw, crc16(raw))


def signed24(value):
    """Return the number that 24 bits in two's complement stand for."""
    return value - 0x1000000 if value & 0x800000 else value


# -- bodies -------------------------------------------------------------------


def weight(seq, t_us, counts, flags):
    """Return the body of one conversion; counts is a sequence with one number a channel."""
    field = str(counts[0]) if len(counts) == 1 else ":".join([str(count) for count in counts])
    return "W,%d,%d,%s,%02X" % (seq, t_us, field, flags)  # noqa: UP031  half the time of format() in MicroPython


def acceleration(seq, t_us, ax_ug, ay_ug, az_ug):
    """Return the body of one acceleration in micro-g, z up."""
    return "I,%d,%d,%d,%d,%d" % (seq, t_us, ax_ug, ay_ug, az_ug)  # noqa: UP031


def temperature(seq, centi_c):
    """Return the body of a temperature in hundredths of a degree Celsius."""
    return f"T,{seq},{centi_c}"


def identity(firmware, protocol, serial, chip, gain, samples_per_s, config_crc):
    """Return the body that says who speaks and how it is set."""
    return f"H,{protocol},{firmware},{serial},{chip},{gain},{samples_per_s},{config_crc}"


def fault(code, text):
    """Return the body of a fault; what a line cannot hold is replaced."""
    return f"E,{code},{_printable(text)}"


def answer(taken, text):
    """Return the body that answers a command."""
    return f"{'A' if taken else 'N'},{_printable(text)}"


def _printable(text):
    """Return printable ASCII without $ and *, at most 100 characters."""
    return "".join([x if " " <= x <= "~" and x not in "$*" else "?" for x in text[:100]])
