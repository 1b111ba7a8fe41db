"""Bits of the serial line: parity is checked here, because nobody below does.

Seven bits with parity and eight bits without are equally long on the wire, so the port is always opened as 8N1 and the
eighth bit is read as the parity. pyserial switches the kernel's check of it off (it clears INPCK), so a port opened
as 7E1 would give a byte with a wrong bit as if it were right, and parity is all the check that the 8217 has. It also
makes a pseudo-terminal, which carries no parity of its own, as good as a port.
"""

from __future__ import annotations

BROKEN = 0xFF
"""Stands for a byte whose parity was wrong; no grammar has it."""

FRAMINGS = ("7E1", "7O1", "8N1")


def _odd(byte: int) -> int:
    return byte.bit_count() & 1


_TO_SEND = {
    "7E1": bytes(byte & 0x7F | _odd(byte & 0x7F) << 7 for byte in range(256)),
    "7O1": bytes(byte & 0x7F | (1 - _odd(byte & 0x7F)) << 7 for byte in range(256)),
    "8N1": bytes(range(256)),
}
_RECEIVED = {
    "7E1": bytes(BROKEN if _odd(byte) else byte & 0x7F for byte in range(256)),
    "7O1": bytes(byte & 0x7F if _odd(byte) else BROKEN for byte in range(256)),
    "8N1": bytes(range(256)),
}


def to_send(data: bytes, framing: str) -> bytes:
    """Return the bytes for a port that is open as 8N1; `framing` is one of FRAMINGS."""
    return data.translate(_TO_SEND[framing])


def received(data: bytes, framing: str) -> bytes:
    """Return what was meant by bytes from a port that is open as 8N1; BROKEN for a wrong parity."""
    return data.translate(_RECEIVED[framing])
