"""The only place that reads the time of the operating system.

Everything else takes a clock, or gets its time on events. A Raspberry Pi has no battery clock, so durations use
monotonic time only; wall time is for receipts and people. The seam is `cart.ports.Clock`.
"""

import time

NS_PER_MS = 1_000_000


class SystemClock:
    """The clock of the operating system."""

    def monotonic_ns(self) -> int:
        """Return nanoseconds of CLOCK_MONOTONIC, the same for every process since boot."""
        return time.monotonic_ns()

    def wall_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return time.time_ns() // NS_PER_MS

    def cpu_ns(self) -> int:
        """Return nanoseconds of CPU time that this process has used, all threads together."""
        return time.process_time_ns()


class ManualClock:
    """A clock that stands still until it is told to advance; for virtual runs and tests.

    t_ns     monotonic time at the start, >= 0
    wall_ms  wall time at the start, ms since 1970 UTC
    """

    def __init__(self, t_ns: int = 0, wall_ms: int = 1_767_225_600_000) -> None:
        """Start at the given moments; the default wall time is 2026-01-01 00:00 UTC."""
        assert t_ns >= 0
        self._t_ns = t_ns
        self._wall_base_ms = wall_ms - t_ns // NS_PER_MS

    def monotonic_ns(self) -> int:
        """Return the nanoseconds told so far."""
        return self._t_ns

    def wall_ms(self) -> int:
        """Return the wall time, which advances with the monotonic one."""
        return self._wall_base_ms + self._t_ns // NS_PER_MS

    def advance_ns(self, duration_ns: int) -> None:
        """Let `duration_ns` pass, >= 0."""
        assert duration_ns >= 0
        self._t_ns += duration_ns

    def advance_ms(self, duration_ms: int) -> None:
        """Let `duration_ms` pass, >= 0."""
        self.advance_ns(duration_ms * NS_PER_MS)

    def advance_to_ns(self, t_ns: int) -> None:
        """Advance to the moment `t_ns`, which is not before now."""
        assert t_ns >= self._t_ns
        self._t_ns = t_ns

    def jump_wall_ms(self, step_ms: int) -> None:
        """Set the wall clock `step_ms` forward (or back, when negative), as a time server would."""
        self._wall_base_ms += step_ms
