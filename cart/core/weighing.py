"""The weighing that a shopper opened: which product, and since when its tare holds. A value, and what it claims."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weighing:
    """One product that is being weighed.

    tared_ns  when its tare was set, 0 while there is none
    """

    product_id: str
    tared_ns: int = 0


def holds(weighing: Weighing | None, delta_mg: int, t_accept_ns: int) -> bool:
    """Return True if this change of load is what is being weighed: no scan and no look explains it then."""
    return weighing is not None and weighing.tared_ns > 0 and delta_mg > 0 and t_accept_ns >= weighing.tared_ns
