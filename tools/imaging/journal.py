"""How far the write of one card has come, so that an interrupted one can go on.

A journal never says more than the card holds: it is saved after the card was flushed. It belongs to one device (serial
and size), one image and one plan of bytes, and to one card: a mark with the same random number lies at the card's end
until the write is finished, since two cards in the same USB reader show the reader's serial. On a finished card the
same number stays there, and its result knows it again by that: see finished.py.
"""

import hashlib
import json
import os
import re
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cart.faults import Fault

MARK_BYTES = 4096
MARK_MAGIC = b"smart-cart unfinished card\n"
FINISHED_MAGIC = b"smart-cart finished card\n"


@dataclass(frozen=True, slots=True)
class Journal:
    """The state of one write.

    done_bytes  everything before this offset was written and flushed; 0 before the first piece
    mark        random number, also on the card, hexadecimal
    """

    serial: str
    size_bytes: int
    plan_sha256: str
    done_bytes: int = 0
    mark: str = ""

    @property
    def file_name(self) -> str:
        """Name of the journal's file, from what it belongs to."""
        key = f"{self.serial}\n{self.size_bytes}\n{self.plan_sha256}"
        return f"unfinished-{hashlib.sha256(key.encode()).hexdigest()[:20]}.json"

    def mark_block(self) -> bytes:
        """Return the block that lies at the card's end while it is unfinished."""
        return (MARK_MAGIC + self.mark.encode()).ljust(MARK_BYTES, b"\0")

    def finished_block(self) -> bytes:
        """Return the block that lies there once it is finished."""
        return (FINISHED_MAGIC + self.mark.encode()).ljust(MARK_BYTES, b"\0")


def finished_mark(block: bytes) -> str:
    """Return the mark in the block at the end of a finished card, "" for any other block."""
    found = re.match(FINISHED_MAGIC + rb"([0-9a-f]{32})\0", block)
    return found[1].decode() if found else ""


def begin(serial: str, size_bytes: int, plan_sha256: str) -> Journal:
    """Return the journal of a write that has not begun."""
    return Journal(serial, size_bytes, plan_sha256, 0, secrets.token_hex(16))


def find(folder: Path, fresh: Journal) -> Journal | None:
    """Return the saved journal of the same device, image and plan; None when there is none that can be read."""
    try:
        saved = Journal(**json.loads((folder / fresh.file_name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    same = (saved.serial, saved.size_bytes, saved.plan_sha256) == (fresh.serial, fresh.size_bytes, fresh.plan_sha256)
    return saved if same else None


def save(folder: Path, journal: Journal, done_bytes: int) -> Journal:
    """Save that everything before `done_bytes` is on the card; return the journal that says so. Fault CARD-RESULTS."""
    journal = replace(journal, done_bytes=done_bytes)
    temporary = folder / f"{journal.file_name}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(asdict(journal), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / journal.file_name)
    except OSError as error:
        raise Fault("CARD-RESULTS", f"{folder}: {error.strerror}") from None
    return journal


def remove(folder: Path, journal: Journal) -> None:
    """Forget it: the card is finished, or has to be written from the start."""
    (folder / journal.file_name).unlink(missing_ok=True)
