"""What a row of the tables of faults is; see `cart.faults`."""

from typing import NamedTuple

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CONFIGURATION = 3
EXIT_HARDWARE = 4


class FaultText(NamedTuple):
    """What a code says to people.

    meaning    one line, no full stop
    causes     likely causes, most likely first
    next_step  what to do or run next, one line
    exit_code  what a command that ends with this fault exits with: 1 failed check, 2 usage, 3 configuration, 4 hardware
    """

    meaning: str
    causes: tuple[str, ...]
    next_step: str
    exit_code: int = EXIT_FAILED
