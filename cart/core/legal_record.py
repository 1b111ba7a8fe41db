"""What is kept of trade weighing, for ever: the record of each price, and of each change of what prices rest on.

Values only. `cart/wire/alibi.py` makes their bytes with a checksum and a chain, the database appends them in the
transaction that stores the line they belong to, so that there is never one without the other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TradeWeight:
    """A weight that may be priced: standing, level, in equilibrium, in range, within one standstill. As indicated.

    gross_mg, tare_mg  of the same standstill;  net_mg: the indicated net load, of the unrounded difference
    e_mg               the division that the net load is shown in
    indicator          "" for the cart's own cell; a certified indicator's name where one weighs (not built yet)
    """

    gross_mg: int
    tare_mg: int
    net_mg: int
    e_mg: int
    indicator: str = ""


@dataclass(frozen=True, slots=True)
class Alibi:
    """One price by weight.

    id             1, 2, 3, ... never used again on this cart
    wall_ms        when, Unix time
    event_counter  how often what prices rest on had changed by then
    software       hash of the legally relevant part that weighed, "" where it is not known
    for_trade      the build was sealed
    """

    id: int
    wall_ms: int
    trip_id: str
    line_id: int
    product_id: str
    gross_mg: int
    tare_mg: int
    net_mg: int
    e_mg: int
    unit_price_minor: int
    price_minor: int
    currency: str
    event_counter: int
    software: str
    for_trade: bool
    indicator: str = ""


@dataclass(frozen=True, slots=True)
class LegalEvent:
    """A change of what prices rest on: calibration, ranges, software, seal. `counter` only ever rises, by one."""

    counter: int
    wall_ms: int
    before: str
    after: str
