"""The phases of a trip, as a table.

::

    idle -> shopping <-> closing -> locked -> paid -> cleared -> idle
               |          ^_________|  load changed
               +-> cancelled <------+  nothing in the cart; the next shopper starts from there

The sale commits on locked -> paid and nowhere else. A trigger that a phase does
not list changes nothing; `step.py` says what it means there, if anything: an
exit while shopping, for one, is flagged and never charged.
"""

from __future__ import annotations

PHASES = ("idle", "shopping", "closing", "locked", "paid", "cleared", "cancelled", "out_of_service")

START = "start"  # a shopper signed in
CHECKOUT = "checkout"  # "I have everything"
SETTLED = "settled"  # hands off, at rest, nothing unexplained
CHANGED = "changed"  # the load changed after checkout was asked for
RESUME = "resume"  # back to shopping
EXIT = "exit"  # paid: the exit was seen, or the pay button was touched
CANCEL = "cancel"  # given back without goods
DONE = "done"  # the shopper has read it, or the goods are gone

TRIGGERS = (START, CHECKOUT, SETTLED, CHANGED, RESUME, EXIT, CANCEL, DONE)

_TABLE = {
    ("idle", START): "shopping",
    ("shopping", CHECKOUT): "closing",
    ("shopping", CANCEL): "cancelled",
    ("closing", SETTLED): "locked",
    ("closing", RESUME): "shopping",
    ("locked", CHANGED): "closing",
    ("locked", RESUME): "shopping",
    ("locked", CANCEL): "cancelled",
    ("locked", EXIT): "paid",
    ("paid", DONE): "cleared",
    ("cleared", START): "shopping",
    ("cancelled", START): "shopping",
}

SHOPPING_PHASES = frozenset({"shopping", "closing", "locked"})
"""Phases in which a change of load is judged."""


def after(phase: str, trigger: str) -> str:
    """Return the phase that follows; the same phase where the trigger means nothing."""
    assert phase in PHASES, phase
    assert trigger in TRIGGERS, trigger
    return _TABLE.get((phase, trigger), phase)


def allows(phase: str, trigger: str) -> bool:
    """Return True if the trigger changes this phase."""
    return (phase, trigger) in _TABLE
