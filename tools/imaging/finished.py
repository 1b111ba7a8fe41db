"""A finished card is known again, so that none that the results call good is lost to the next cart.

Two cards in the same USB reader show the reader's serial, and a run that is started again remembers nothing of the one
before: so the card itself is asked, without mounting it. In the last block of each finished card lies a random number
that its result holds too. A cart that is used frees that block in time (its file system grows over it and trims what is
free); such a card is known by the name its system gives itself, which the stamp put there.

Not known: a card whose result is in another folder, and one that another program wrote since.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cart.faults import Fault
from tools.imaging import results
from tools.imaging.card import Card, aligned
from tools.imaging.ext4 import Ext4
from tools.imaging.refusal import Refusal
from tools.imaging.results import CardResult
from tools.imaging.writer import mark_on

HOSTNAME = "/etc/hostname"
LINUX_TYPE = 0x83


@dataclass(frozen=True, slots=True)
class Finished:
    """A card that the results call good.

    by_name  it is known by its system's name alone, so that it is any of `results`, oldest first, at least one
    """

    cart: str
    results: tuple[CardResult, ...]
    by_name: bool = False


def look(card: Card, folder: Path) -> Finished | None:
    """Return what the results in the folder say of the card that is open, None when none of them calls it good.

    Fault CARD-RESULTS when they cannot be read, CARD-FAILED when the card cannot, IMAGE-TOOL-MISSING.
    """
    good = [row for row in results.all_of(folder) if row.cart and row.verdict in (results.OK, results.CHECKED)]
    if not good:
        return None
    mark = mark_on(card)
    if mark:
        met = tuple(row for row in good if row.mark == mark)
        return Finished(met[-1].cart, met) if met else None
    name = name_on(card)
    met = tuple(row for row in good if row.cart == name and row.size_bytes == card.size_bytes)
    return Finished(name, met, by_name=True) if met else None


def refusal(met: Finished | None, cart: str, given_up: frozenset[str]) -> Refusal | None:
    """Return why the card must not be written for `cart`, "" for a plain write; None when it may. Pure."""
    if met is None or met.cart in given_up:
        return None
    when = met.results[-1].began_utc
    known = f"its system calls itself {met.cart}, whose card" if met.by_name else f"it is the card of {met.cart} and"
    anyway = f"to lose what is on it: --overwrite {met.cart}, which marks its result"
    if met.cart == cart:
        return Refusal("already-written", f"already written: {known} was verified at {when}", f"leave it; or {anyway}")
    return Refusal(
        "already-written", f"{known} was written and verified at {when}", f"put in another card; or {anyway}"
    )


def give_up(met: Finished, folder: Path, what: str) -> None:
    """Mark the results of a card that is about to be overwritten with `what`; Fault CARD-RESULTS."""
    now_utc = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for row in met.results:
        results.overwrite(folder, row, f"its card was overwritten at {now_utc} with {what}")


def name_on(card: Card) -> str:
    """Return the name that the system on a card gives itself, "" where there is none or it cannot be read."""
    start = _linux_start_bytes(card)
    if start is None:
        return ""
    try:
        return Ext4(Path(card.open_path), start).read([HOSTNAME]).get(HOSTNAME, b"").decode(errors="replace").strip()
    except Fault as fault:
        if fault.code == "IMAGE-TOOL-MISSING":
            raise
        return ""  # whatever lies on a card: a file system that nobody can read is no cart's


def _linux_start_bytes(card: Card) -> int | None:
    """Return where the Linux partition of an MBR begins, which Raspberry Pi OS has; sectors have 512 bytes there."""
    sector = aligned(card.padded(512))
    card.read(sector, 0)
    head = bytes(sector)
    if head[510:512] != b"\x55\xaa":
        return None
    entries = [head[446 + 16 * index : 462 + 16 * index] for index in range(4)]
    return next((struct.unpack_from("<I", row, 8)[0] * 512 for row in entries if row[4] == LINUX_TYPE), None)
