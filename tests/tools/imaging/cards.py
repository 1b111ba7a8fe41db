"""Cards that fail as real ones do, each a Card whose loop device lies to it or goes away."""

import threading

from cart.faults import Fault
from tools.imaging.card import Card, aligned


class WornCard(Card):
    """Keeps one byte wrong, wherever it is written."""

    def __init__(self, path, bad_offset):
        super().__init__(path)
        self.bad_offset = bad_offset

    def write(self, view, offset):
        place = self.bad_offset - offset
        if not 0 <= place < len(view):
            return super().write(view, offset)
        kept = view[place]
        view[place] ^= 0x01
        super().write(view, offset)
        view[place] = kept
        return None


class FakeCard(Card):
    """Says that it is larger than its memory: high addresses wrap around to low ones."""

    def __init__(self, path, memory_bytes):
        super().__init__(path)
        self.memory_bytes = memory_bytes

    def write(self, view, offset):
        super().write(view, offset % self.memory_bytes)

    def read(self, view, offset):
        super().read(view, offset % self.memory_bytes)


class CutCard(Card):
    """Loses power in the middle of its Nth operation that changes it: half of a write arrives, the rest never does."""

    def __init__(self, path, operations):
        super().__init__(path)
        self.left = operations
        self.done = 0

    def write(self, view, offset):
        if self._ends():
            super().write(view[: len(view) // 2 // 512 * 512], offset)
            raise Fault("CARD-FAILED", f"cut at byte {offset}")
        super().write(view, offset)

    def zero(self, offset, length):
        if self._ends():
            raise Fault("CARD-FAILED", f"cut at byte {offset}")
        super().zero(offset, length)

    def flush(self):
        if self._ends():
            raise Fault("CARD-FAILED", "cut while flushing")
        super().flush()

    def lose_power(self):
        """Keep what was written: the cut came in the middle of an operation."""

    def _ends(self):
        self.left -= 1
        self.done += 1
        return self.left < 0


class ForgetfulCard(Card):
    """Has a cache: when the power goes at its Nth operation, only the newest of the writes since the last flush stays.

    That is the worst that it may do to an order: what came later is there, and what came before it is not.
    """

    def __init__(self, path, operations):
        super().__init__(path)
        self.left = operations
        self.unflushed = []  # (offset, what was there before), oldest first
        self.lock = threading.Lock()

    def write(self, view, offset):
        before = self._before(offset, len(view))
        super().write(view, offset)
        self._keep(offset, before)

    def zero(self, offset, length):
        before = self._before(offset, length)
        super().zero(offset, length)
        self._keep(offset, before)

    def flush(self):
        self._count()
        with self.lock:
            written = len(self.unflushed)
        super().flush()
        with self.lock:
            del self.unflushed[:written]

    def lose_power(self):
        for offset, before in reversed(self.unflushed[:-1]):
            super().write(before, offset)

    def _before(self, offset, length):
        self._count()
        before = aligned(length)
        self.read(before, offset)
        return before

    def _keep(self, offset, before):
        with self.lock:
            self.unflushed.append((offset, before))

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise Fault("CARD-FAILED", "cut")
