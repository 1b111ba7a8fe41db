"""The one table of shop-scale protocols: who speaks it, how its line is set, what asks for a weight, how long to wait.

A scale's own menu can change speed and framing; what is here is how it is delivered. Speeds and framings of NCI,
MT-SICS, SMA and CAS are from memory, that of the 8217 from the scales' manuals.
"""

from __future__ import annotations

from dataclasses import dataclass

from cart.wire.shop_scales import cas_22, cas_ecr, mt_sics, nci, sma, toledo_8217
from cart.wire.shop_scales.decoder import Grammar


@dataclass(frozen=True, slots=True)
class Protocol:
    """One row.

    name        what a person writes
    spoken_by   scales that speak it
    baud        speed of the line
    framing     bits, parity and stop bits: one of line.FRAMINGS
    poll        what asks for a weight; empty when the scale sends by itself
    timeout_ms  without an answer for so long, the state has a name: silent, or faulty when garbage came
    period_ms   from one question to the next
    checked     what finds a changed byte
    grammar     the decoder
    """

    name: str
    spoken_by: str
    baud: int
    framing: str
    poll: bytes
    timeout_ms: int
    period_ms: int
    checked: str
    grammar: Grammar


PROTOCOLS = (
    Protocol("toledo-8217", "Mettler Toledo Viva, Ariva, DIVA, weighing in kilograms", 9_600, "7E1", toledo_8217.POLL,
             500, 200, "parity, width", toledo_8217.KG),
    Protocol("toledo-8217-lb", "the same, weighing in pounds", 9_600, "7E1", toledo_8217.POLL, 500, 200,
             "parity, width", toledo_8217.LB),
    Protocol("nci", "Weigh-Tronix, NCI, Brecknell: SCP-01, and its dialect ECR", 9_600, "7E1", nci.POLL, 500, 200,
             "parity", nci.SCP_01),
    Protocol("mt-sics", "Mettler Toledo balances and indicators", 9_600, "8N1", mt_sics.POLL, 500, 200,
             "width", mt_sics.SICS),
    Protocol("cas-ecr", "CAS counter scales at a cash register: AP-1, PD-II, ER", 9_600, "8N1", cas_ecr.POLL, 800, 200,
             "block check, width", cas_ecr.ECR),
    Protocol("cas-22", "CAS indicators that send 22 bytes by themselves", 9_600, "8N1", b"", 800, 200,
             "width", cas_22.STREAM),
    Protocol("sma", "scales with the Scale Manufacturers Association's SCP-0499", 9_600, "8N1", sma.POLL, 500, 200,
             "width", sma.SCP_0499),
)  # fmt: skip


def by_name(name: str) -> Protocol | None:
    """Return the row of that name, or None."""
    return next((protocol for protocol in PROTOCOLS if protocol.name == name), None)
