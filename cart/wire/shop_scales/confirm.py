"""What one answer needs from the one before it, because the serial protocols of scales check little or nothing.

A lost byte can leave a frame that is right by itself: 1.250 kg without its k is 1.250 g, and NCI's field has no fixed
width. So the form of the frames (length, decimals, unit) has to be that of the answer before. And where neither parity
nor a check covers the digits, a single wrong bit is another weight in 8 to 14 % of the cases (tools/score_codecs.py):
there a weight stands only when two answers in a row say the same, and until then it counts as moving.
"""

from __future__ import annotations

from dataclasses import replace

from cart.wire.shop_scales.indication import Indication, Kind, faulty

CHANGED = "the form of its frames has changed: waiting for a second one"


def confirmed(said: Indication, before: Indication | None, *, checked: bool) -> Indication | None:
    """Return what may be told of an answer, or None for a first number, which nothing confirms yet.

    before   the last answer that had a number, None when there was none
    checked  parity or a check covers every byte
    """
    if said.mass_mg is None:
        return said
    if before is None:
        return None
    if _form(said) != _form(before):
        return faulty(CHANGED, said.raw)
    if not checked and said.mass_mg != before.mass_mg and said.kind != Kind.MOVING:
        return replace(said, kind=Kind.MOVING)
    return said


def _form(said: Indication) -> tuple[int, int, str]:
    digits, _, unit = said.shown.rpartition(" ")
    return len(said.raw), len(digits.partition(".")[2]), unit
