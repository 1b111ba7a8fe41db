"""Commands of the host: bytes -> bodies of right lines. Anything else is ignored, without a word and without a limit.

$Q,ID*CRC       who are you
$C,sps,80*CRC   convert so often a second, until the next start
$B*CRC          into the boot loader;  $B,REPL*CRC  into MicroPython's prompt, for `tools/cell.py flash`
"""

from loadcell.line import crc16

COMMAND_BYTES_MAX = 64


class Commands:
    """Cuts bytes into commands.

    ignored   lines refused so far: CRC, too long, not ASCII
    """

    def __init__(self):
        """Start between two lines."""
        self.ignored = 0
        self._partial = bytearray()
        self._skipping = False

    def feed(self, data):
        """Return the bodies of the commands that these bytes complete, as texts."""
        bodies = []
        for byte in data:
            if byte == 0x0A:
                body = None if self._skipping else body_of(bytes(self._partial))
                if body is not None:
                    bodies.append(body)
                elif self._skipping or self._partial:
                    self.ignored += 1
                self._partial, self._skipping = bytearray(), False
            elif len(self._partial) >= COMMAND_BYTES_MAX:
                self._skipping = True
            else:
                self._partial.append(byte)
        return bodies


def body_of(line):
    """Return the text between $ and * of a line that is right, else None; a lost beginning is passed over."""
    start = line.rfind(b"$") + 1
    end = line.rfind(b"*")
    if not start or end < start:
        return None
    body, crc = line[start:end], line[end + 1 :].rstrip(b"\r")
    if crc != b"%04X" % crc16(body) or not body or max(body) > 0x7E or min(body) < 0x20:
        return None
    return body.decode()
