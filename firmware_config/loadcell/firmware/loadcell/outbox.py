"""Lines that wait for the cable: at most so many; the oldest is dropped and counted: a live stream wants the newest.

A line of which some bytes are already gone is never dropped, so that the host sees whole lines.
"""

from collections import deque


class Outbox:
    """Queue of lines in front of a port.

    port      write(bytes) returns how many bytes it took, without waiting
    dropped   lines dropped so far
    """

    def __init__(self, port, lines_max=64):
        """Begin empty."""
        self.dropped = 0
        self._port = port
        self._lines_max = lines_max
        self._lines = deque((), lines_max)  # noqa: RUF037  MicroPython wants both
        self._rest = b""

    def __len__(self):
        """Return how many lines wait, without the one that is under way."""
        return len(self._lines)

    def put(self, line):
        """Add a line; drops the oldest when there are too many."""
        if len(self._lines) >= self._lines_max:
            self.dropped += 1
        self._lines.append(line)  # a full deque lets its oldest go

    def flush(self):
        """Send what the port takes, and return whether everything is out."""
        while self._rest or self._lines:
            begun = self._rest
            line = begun or self._lines[0]
            taken = self._port.write(line)
            if not taken:
                return False
            if not begun:
                self._lines.popleft()
            self._rest = line[taken:]
        return True
