"""What a check of `cart doctor` finds: a state, a text, and what to do about it."""

from typing import NamedTuple

from cart.faults import EXIT_FAILED, Fault

OK, WARN, BAD, SIMULATED = "ok", "!", "x", "simulated"


class Finding(NamedTuple):
    """What one check found.

    state  one of ok, !, x, simulated
    mend   what to do about it; empty where nothing
    """

    state: str
    name: str
    text: str
    mend: str = ""
    exit_code: int = EXIT_FAILED


def of_fault(name: str, fault: Fault) -> Finding:
    """Return the finding for a fault; where its next step is this very command, the likely causes are named instead."""
    mend = fault.text.next_step
    if "cart doctor" in mend:
        mend = "likely: " + "; ".join(fault.text.causes)
    return Finding(BAD, name, f"{fault.code}: {fault.text.meaning}: {fault.detail}", mend, fault.text.exit_code)
