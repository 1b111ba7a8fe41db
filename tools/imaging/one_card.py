"""One card from its facts to its result: decide, ask, open, decide again, write. `write` and `fleet` both end here."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cart.faults import Fault
from tools.imaging import finished, journal, results
from tools.imaging.card import Card
from tools.imaging.progress import Progress
from tools.imaging.refusal import ImageFacts, Options, Refusal, decide
from tools.imaging.results import CardResult
from tools.imaging.source import Image
from tools.imaging.targets import Target, collect
from tools.imaging.writer import check_card, mark_on, write_image

# Shown the device, answers whether a person agreed to lose what is on it.
Confirm = Callable[[Target], bool]


@dataclass(frozen=True, slots=True)
class Job:
    """What should be written where.

    folder    for results and journals
    cart      the cart it is for, or ""
    restart   begin at the start although an interrupted write could go on
    """

    image: Image
    facts: ImageFacts
    device: str
    options: Options
    folder: Path
    cart: str = ""
    dry_run: bool = False
    restart: bool = False


def put(job: Job, confirm: Confirm, progress: Progress) -> CardResult:
    """Write a card; return the stored result, whatever happens: only KeyboardInterrupt and CARD-RESULTS are raised.

    No byte is written before all rules passed twice: on the facts that the person was shown, and again on those of
    the device that is open.
    """
    return _stored(job, lambda result, target: _put(job, target, confirm, progress, result))


def refused_at_once(attempted: CardResult, options: Options, folder: Path) -> CardResult | None:
    """Return the stored result of a device that no image may go to, before minutes are spent on one; None to go on."""
    result = attempted
    try:
        target = collect(result.device)
        result = of_target(result, target)
        refusals = _refusals(target, None, options, folder, result.cart)
        if not refusals:
            return None
        result = refused(result, refusals)
    except Fault as fault:
        result = replace(result, code=fault.code, detail=fault.detail or fault.text.meaning)
    results.add(folder, result)
    return result


def check(job: Job, progress: Progress) -> CardResult:
    """Compare a finished card with its image, writing nothing to it; return the stored result, as `put` does."""
    return _stored(job, lambda result, target: _check(job, progress, result))


def _stored(job: Job, work: Callable[[CardResult, Target], CardResult]) -> CardResult:
    result = attempt(job.image.path, job.device, job.cart, job.image.sha256)
    try:
        target = collect(job.device)
        result = of_target(result, target)
        result = work(result, target)
    except Fault as fault:
        result = replace(result, code=fault.code, detail=fault.detail or fault.text.meaning)
    except KeyboardInterrupt:
        results.add(job.folder, replace(result, verdict=results.INTERRUPTED, detail="a person ended it"))
        raise
    results.add(job.folder, result)
    return result


def attempt(image: Path, device: str, cart: str = "", image_sha256: str = "") -> CardResult:
    """Return the result of an attempt of which nothing is known yet: a failure."""
    began_utc = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return CardResult(began_utc, cart, str(image), image_sha256, device, "", "", 0, results.FAILED)


def of_target(result: CardResult, target: Target) -> CardResult:
    """Return the result with what the device is."""
    identity = target.identity
    return replace(result, serial=target.word, model=identity.model, size_bytes=identity.size_bytes)


def _check(job: Job, progress: Progress, result: CardResult) -> CardResult:
    with Card(job.device, write=False) as card:
        if card.size_bytes < job.image.size_bytes:
            raise Fault("CARD-WRONG", f"{job.device} has {card.size_bytes} bytes, the image {job.image.size_bytes}")
        mismatch = check_card(card, job.image, progress)
        mark = mark_on(card)
    if mismatch:
        raise Fault("CARD-WRONG", f"{job.device}: {mismatch}")
    return replace(result, verdict=results.CHECKED, mark=mark)


def _put(job: Job, target: Target, confirm: Confirm, progress: Progress, result: CardResult) -> CardResult:
    refusals = _refusals(target, job.facts, job.options, job.folder, job.cart)
    if refusals:
        return refused(result, refusals)
    if job.dry_run:
        return replace(result, verdict=results.DRY_RUN, detail="nothing was written")
    if not confirm(target):
        reason = f"the serial {target.word} was not confirmed"
        return refused(result, [Refusal("not-confirmed", reason, "type the serial that is shown, or give it as --yes")])
    with Card(job.device) as card:
        refusals = decide(_as_open(card, job.device), job.facts, replace(job.options, confirmed=target.identity))
        if refusals:
            return refused(result, refusals)
        met = finished.look(card, job.folder)
        if refusal := finished.refusal(met, job.cart, job.options.given_up):
            return refused(result, [refusal])
        if met is not None:
            finished.give_up(met, job.folder, job.cart or str(job.image.path))
        fresh = journal.begin(target.word, card.size_bytes, job.image.plan_sha256)
        if job.restart:
            journal.remove(job.folder, fresh)
        written = write_image(card, job.image, fresh, job.folder, progress)
    return replace(
        result,
        verdict=results.OK,
        resumed_bytes=written.resumed_bytes,
        written_bytes=written.written_bytes,
        zeroed_bytes=written.zeroed_bytes,
        write_ms=written.write_ms,
        read_back_ms=written.read_back_ms,
        mark=written.mark,
    )


def _refusals(target: Target, known: ImageFacts | None, options: Options, folder: Path, cart: str) -> list[Refusal]:
    """Return every reason not to write, by the facts and, where they say none, by what is on the card now."""
    refusals = decide(target, known, options)
    if refusals:
        return refusals
    with Card(target.path, write=False) as card:
        refusal = finished.refusal(finished.look(card, folder), cart, options.given_up)
    return [refusal] if refusal else []


def _as_open(card: Card, path: str) -> Target:
    """Return the facts again, with number and size of the device that is open, whatever the path now names."""
    target = collect(path)
    identity = replace(target.identity, major_minor=card.major_minor, size_bytes=card.size_bytes)
    return replace(target, identity=identity)


def refused(result: CardResult, refusals: list[Refusal]) -> CardResult:
    """Return the result that says every reason; its code is the first one's."""
    detail = "\n".join(f"{refusal.reason} ({refusal.remedy})" for refusal in refusals)
    return replace(result, verdict=results.REFUSED, code=refusals[0].code, detail=detail)
