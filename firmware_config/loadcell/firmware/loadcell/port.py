"""The cable: one stream each way that never waits for the other side.

On the RP2040 the streams are USB; MicroPython says "writable" while its buffer has a byte free or nobody has the port
open (bytes are then let go). A line that does not fit into what is free makes MicroPython wait up to 0.5 s, once, when
a host has the port open and stops reading: ring.py is long enough for that, and the watchdog waits longer.
"""

import select


class StreamPort:
    """A port over two streams: sys.stdin.buffer and sys.stdout.buffer, on the chip as in the tests.

    source, sink   streams of bytes
    poll_source, poll_sink   what select can watch for them, where that is another object
    """

    def __init__(self, source, sink, poll_source=None, poll_sink=None):
        """Watch both."""
        self._source, self._sink = source, sink
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(poll_source or source, select.POLLIN)
        self._writable.register(poll_sink or sink, select.POLLOUT)

    def read(self, bytes_max=32):
        """Return what the host has sent, at most so many bytes."""
        if not self._readable.poll(0):
            return b""
        data = b""
        while len(data) < bytes_max and self._readable.poll(0):
            byte = self._source.read(1)
            if not byte:
                break
            data += byte
        return data

    def write(self, data):
        """Return how many bytes of the data are on their way; 0 while the other side takes none."""
        if not self._writable.poll(0):
            return 0
        return self._sink.write(data) or 0
