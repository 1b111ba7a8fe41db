"""Cards that fail as real ones do, each a Card whose loop device lies to it or goes away."""

from cart.faults import Fault
from tools.imaging.card import Card


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

    def _ends(self):
        self.left -= 1
        self.done += 1
        return self.left < 0
