"""Writes an image to a card so that an interrupted card never boots, and only a card that was read back is finished.

The order, each step only after the one before:

1. zero the first MiB: from here on the card does not boot
2. capacity probe: blocks up to the very end are written and read back; a fake card loses them
3. write all pieces behind the first MiB; the journal follows, so that an interrupted write can go on
4. flush, and read everything back past the cache
5. the mark of a finished card behind the image, the first MiB but for its first sector, flush, and last of all that
   sector, which holds the partition table
6. flush, and read the first MiB back

The probe comes after the zeroing, since a probe also writes: a card that was cut off in it must not boot either.
"""

import hashlib
import itertools
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cart.faults import Fault
from tools.imaging import journal as journals
from tools.imaging.card import Card, aligned
from tools.imaging.journal import Journal
from tools.imaging.progress import Progress, nothing
from tools.imaging.readback import Mismatch, head_mismatch, read_back
from tools.imaging.source import HEAD_BYTES, PIECE_BYTES, ZEROS, Image, Piece, opened, take

BLOCK_BYTES = 4096
AHEAD = 2  # pieces
JOURNAL_EVERY_S = 5.0  # by time: a slow card writes little again after a cut, a fast one is not held up by flushes
TAIL_BYTES = 64 << 20
PROBE_FIRST_BYTES = 64 << 20
BEGIN_AGAIN = ("CARD-WRONG", "CARD-FAKE", "IMAGE-CHANGED")


@dataclass(frozen=True, slots=True)
class Written:
    """What a finished write did.

    resumed_bytes  where it went on, 0 when it began at the start
    mark           what lies at the end of this card and of no other, "" where the image left no room for it
    """

    written_bytes: int
    zeroed_bytes: int
    resumed_bytes: int
    write_ms: int
    read_back_ms: int
    mark: str = ""


def write_image(card: Card, image: Image, fresh: Journal, folder: Path, progress: Progress) -> Written:
    """Write and read back; return what was done. Fault CARD-FAKE, CARD-FAILED, CARD-WRONG or IMAGE-CHANGED.

    fresh   the journal of a write that has not begun; a saved one in `folder` that fits is gone on with
    """
    try:
        return _write_image(card, image, fresh, folder, progress)
    except Fault as fault:
        if fault.code in BEGIN_AGAIN:  # what is on the card is of no use to the next attempt
            journals.remove(folder, fresh)
        raise


def _write_image(card: Card, image: Image, fresh: Journal, folder: Path, progress: Progress) -> Written:
    began_s = time.monotonic()
    saved = resumable(card, image, fresh, folder)
    if saved is None:
        saved = start(card, image, fresh, folder, progress)
    written, zeroed = write_body(card, image, saved, folder, progress)
    check_mark(card, image, saved)
    written_s = time.monotonic()
    with progress.step("reading back", image.body_bytes) as advance:
        mismatch = read_back(card, image, advance)
    read_s = time.monotonic()
    if mismatch:
        raise Fault("CARD-WRONG", f"{card.path}: {mismatch}")
    mark = finish(card, image, saved)
    journals.remove(folder, saved)
    head_s = time.monotonic() - read_s
    write_ms = round((written_s - began_s + head_s) * 1_000)
    read_back_ms = round((read_s - written_s) * 1_000)
    return Written(written + HEAD_BYTES, zeroed, saved.done_bytes, write_ms, read_back_ms, mark)


def check_card(card: Card, image: Image, progress: Progress) -> Mismatch | None:
    """Return what differs between a finished card and its image, the first MiB included, or None."""
    mismatch = head_mismatch(card, image)
    with progress.step("reading back", image.body_bytes) as advance:
        return mismatch or read_back(card, image, advance)


def resumable(card: Card, image: Image, fresh: Journal, folder: Path) -> Journal | None:
    """Return the saved journal when this is the same card, unfinished, and the end of what was written is right."""
    saved = journals.find(folder, fresh)
    if saved is None or saved.done_bytes == 0 or not _is_zero(card, 0, HEAD_BYTES):
        return None
    place = mark_offset(card, image)
    if place is None or _read(card, place, journals.MARK_BYTES) != saved.mark_block():
        return None
    tail = tuple(p for p in image.pieces if saved.done_bytes - TAIL_BYTES <= p.offset < saved.done_bytes)
    return saved if read_back(card, image, nothing, tail) is None else None


def start(card: Card, image: Image, fresh: Journal, folder: Path, progress: Progress) -> Journal:
    """Make the card unbootable, probe it and put the mark on it; return the saved journal."""
    # First of all: a folder that cannot be written is found while the card is whole, and an older journal is gone.
    saved = journals.save(folder, fresh, 0)
    card.zero(0, HEAD_BYTES)
    card.flush()
    probe(card, bytes.fromhex(fresh.mark))
    _clear_end(card, image)
    place = mark_offset(card, image)
    if place is not None:
        _write(card, place, fresh.mark_block())  # flushed before the journal says anything: see _save
    return saved


def probe(card: Card, seed: bytes) -> None:
    """Write a block at each power of two and at the end, and read all back; Fault CARD-FAKE when the card loses one.

    The first MiB is zero before, and has to be afterwards: memory that drops high address bits puts every power of two
    there. A card that wraps at another size is found when the image overwrites the mark at its end: see check_mark.
    """
    last = card.size_bytes // BLOCK_BYTES * BLOCK_BYTES - BLOCK_BYTES
    places = [1 << bit for bit in range(PROBE_FIRST_BYTES.bit_length() - 1, last.bit_length()) if 1 << bit < last]
    places.append(last)
    for place in reversed(places):
        _write(card, place, _probe_block(seed, place))
    card.flush()
    lost = [place for place in places if _read(card, place, BLOCK_BYTES) != _probe_block(seed, place)]
    wraps = not _is_zero(card, 0, HEAD_BYTES)
    for place in places:
        card.zero(place, BLOCK_BYTES)
    if wraps:
        card.zero(0, HEAD_BYTES)
    if lost or wraps:
        what = f"what is written at byte {lost[0]} is lost" if lost else "what is written at its end lies at its start"
        raise Fault("CARD-FAKE", f"{card.path} says it has {card.size_bytes} bytes, but {what}")


def write_body(card: Card, image: Image, saved: Journal, folder: Path, progress: Progress) -> tuple[int, int]:
    """Write every piece from where the journal ends; return the bytes written and the bytes zeroed, flushed.

    The next piece is read and unpacked while one is written, and the journal is saved beside both.
    """
    pieces = [piece for piece in image.pieces if piece.offset >= saved.done_bytes]
    written = zeroed = 0
    saved_s = time.monotonic()
    saving: Future[None] | None = None
    with (
        opened(image.path) as file,
        ThreadPoolExecutor(1) as saver,
        progress.step("writing", sum(piece.length for piece in pieces)) as advance,
    ):
        for piece, view in _with_bytes(card, image, file, pieces):
            if piece.zero:
                card.zero(piece.offset, card.padded(piece.length))
                zeroed += piece.length
            else:
                card.write(view, piece.offset)
                written += piece.length
            advance(piece.length)
            if time.monotonic() - saved_s >= JOURNAL_EVERY_S and (saving is None or saving.done()):
                _finished(saving)
                saving = saver.submit(_save, card, folder, saved, piece.offset + piece.length)
                saved_s = time.monotonic()
        _finished(saving)
    _save(card, folder, saved, image.pieces[-1].offset + image.pieces[-1].length if image.pieces else 0)
    return written, zeroed


def _with_bytes(card: Card, image: Image, file: IO[bytes], pieces: list[Piece]) -> Iterator[tuple[Piece, memoryview]]:
    """Yield each piece with its bytes, padded to whole sectors, and nothing for zeros; two pieces are read ahead."""
    ahead = iter([piece for piece in pieces if not piece.zero])
    buffers = itertools.cycle([aligned(PIECE_BYTES) for _ in range(AHEAD + 1)])
    coming: deque[tuple[memoryview, Future[None]]] = deque()
    with ThreadPoolExecutor(1) as reader:

        def read_next() -> None:
            piece = next(ahead, None)
            if piece is not None:
                buffer = next(buffers)
                coming.append((buffer, reader.submit(_take, file, piece, buffer, image)))

        for _ in range(AHEAD):
            read_next()
        for piece in pieces:
            if piece.zero:
                yield piece, memoryview(b"")
                continue
            buffer, taken = coming.popleft()
            taken.result()
            read_next()  # into the buffer that was written before this one
            yield piece, buffer[: card.padded(piece.length)]


def _finished(saving: Future[None] | None) -> None:
    """Raise what went wrong when the journal was saved."""
    if saving is not None:
        saving.result()


def check_mark(card: Card, image: Image, saved: Journal) -> None:
    """Look whether the mark at the end survived the image; Fault CARD-FAKE when the two share memory."""
    place = mark_offset(card, image)
    if place is not None and _read(card, place, journals.MARK_BYTES) != saved.mark_block():
        detail = (
            f"{card.path} says it has {card.size_bytes} bytes, but the image of {image.size_bytes} overwrote its end"
        )
        raise Fault("CARD-FAKE", detail)


def finish(card: Card, image: Image, saved: Journal) -> str:
    """Make the mark that of a finished card and write the first MiB, its first sector last of all.

    Return the mark as it reads, "" where there is no room for it. Fault CARD-WRONG when the first MiB reads wrong.
    """
    _clear_end(card, image)
    place = mark_offset(card, image)
    if place is not None:
        _write(card, place, saved.finished_block())
    head = aligned(HEAD_BYTES)
    head[: len(image.head)] = image.head
    card.write(head[card.sector_bytes :], card.sector_bytes)
    card.flush()
    # One sector is written whole or not at all.
    card.write(head[: card.sector_bytes], 0)
    card.flush()
    mismatch = head_mismatch(card, image)
    if mismatch:
        card.zero(0, HEAD_BYTES)
        raise Fault("CARD-WRONG", f"{card.path}: {mismatch}")
    return mark_on(card) if place is not None else ""


def mark_offset(card: Card, image: Image) -> int | None:
    """Return where a card's mark lies; None when the image fills the card: it cannot go on or be known again."""
    place = end_offset(card)
    return place if place >= card.padded(image.size_bytes) else None


def end_offset(card: Card) -> int:
    """Return the offset of the card's last whole block; negative on a card smaller than that."""
    return card.size_bytes // BLOCK_BYTES * BLOCK_BYTES - journals.MARK_BYTES


def mark_on(card: Card) -> str:
    """Return the mark of a card that was finished, "" where there is none: see finish."""
    place = end_offset(card)
    return journals.finished_mark(_read(card, place, journals.MARK_BYTES)) if place >= 0 else ""


def _clear_end(card: Card, image: Image) -> None:
    """Zero the card's last MiB behind the image: mark, and what an old GPT left there, which would shadow our table."""
    begin = max(card.padded(image.size_bytes), card.size_bytes - HEAD_BYTES)
    if begin < card.size_bytes:
        card.zero(begin, card.size_bytes - begin)


def _save(card: Card, folder: Path, saved: Journal, done_bytes: int) -> None:
    card.flush()
    journals.save(folder, saved, done_bytes)


def _take(file: IO[bytes], piece: Piece, buffer: memoryview, image: Image) -> None:
    """Read one piece into the buffer, zeros behind its end."""
    take(file, image.path, piece.offset, buffer[: piece.length])
    rest = -piece.length % BLOCK_BYTES
    buffer[piece.length : piece.length + rest] = bytes(rest)


def _probe_block(seed: bytes, place: int) -> bytes:
    return hashlib.shake_128(seed + place.to_bytes(8, "big")).digest(BLOCK_BYTES)


def _write(card: Card, place: int, block: bytes) -> None:
    view = aligned(len(block))
    view[:] = block
    card.write(view, place)


def _read(card: Card, place: int, length: int) -> bytes:
    view = aligned(length)
    card.read(view, place)
    return bytes(view)


def _is_zero(card: Card, place: int, length: int) -> bool:
    assert length <= len(ZEROS)
    return ZEROS.startswith(_read(card, place, length))
