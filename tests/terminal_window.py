"""A program of ours on a pseudo-terminal, as a person has it: keys in, what is drawn out. No sleep, only deadlines."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios

from cart.clock import SystemClock

DEADLINE_NS = 30_000_000_000


class Window:
    """A verb of `cart` on a pseudo-terminal of a given width; `close` it."""

    def __init__(self, words, width=100, **environment):
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.seen = ""
        environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment}
        environment.pop("COLUMNS", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cart", *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.STDOUT,
            env=environment,
        )

    def until(self, pattern):
        """Read until what was printed from now on has the pattern; return it."""
        clock, start = SystemClock(), len(self.seen)
        end_ns = clock.monotonic_ns() + DEADLINE_NS
        while not re.search(pattern, self.seen[start:]):
            assert clock.monotonic_ns() < end_ns, self.seen[-2_000:]
            if select.select([self.master], [], [], 0.2)[0]:
                self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
        return self.seen[start:]

    def press(self, keys):
        os.write(self.master, keys)

    def end(self):
        """Return the exit code, reading what is still printed."""
        clock = SystemClock()
        end_ns = clock.monotonic_ns() + DEADLINE_NS
        while self.process.poll() is None:
            assert clock.monotonic_ns() < end_ns
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
