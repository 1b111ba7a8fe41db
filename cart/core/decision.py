"""Which explanation of a change of load to act on, by expected cost.

Each hypothesis that the evidence allows gets a log score: its prior, the mass
against the product's own spread and the scale's, and what the camera saw. The
cheaper of acting and asking is chosen (`choice.py`).

Priors are in millinats relative to "the one item that was scanned". They are
assumptions until a store has measured them; the trip benchmark varies them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from itertools import product as pairs
from math import isqrt

from cart.core.catalog import WEIGHT, Catalog, Product
from cart.core.choice import NEVER, TOO_LIGHT, WEIGH_AGAIN, Hypothesis, Verdict, choose, merged
from cart.core.evidence import Look, Moment, look_at, look_words, suggestions, support_millinat
from cart.core.odds import ln_millinat, mass_millinat, normal_millinat
from cart.core.setup import Costs
from cart.core.trip import Doubt, Line, Scan

PRIOR_GROUP_EACH = -700  # each further scan that landed in the same moment
PRIOR_COPY_EACH = -3_000  # each further piece of a product that was scanned once
PRIOR_COPY_LATE = -5_300  # of a code that is shown long after they landed: it may announce the next thing
PRIOR_PUT_BACK = -700  # a line that was taken out less than a minute ago
PRIOR_OTHER_PIECE = -1_500  # another piece of the same product instead
PRIOR_DOUBT_BACK = 0  # what was missing came back, or what was unexplained left
PRIOR_ASKED_OUT = 3_000  # what the shopper is asked to lift out left, rather than its like
PRIOR_STILL_CODE = -7_000  # the code did not move with the item: a phone, a poster
PRIOR_PAIR_TAKEN = -3_500  # two lines taken out at once
PRIOR_UNKNOWN = -5_300  # 1 in 200: another thing than the one that was scanned
PRIOR_UNKNOWN_UNSEEN = -3_000  # 1 in 20 where nobody saw it land: something may have come with it
PRIOR_UNKNOWN_TAKEN = -4_600
PRIOR_OTHER_PRODUCT = -7_600  # and of those, one in ten: the very product that the camera sees
PRIOR_PART_BACK = -500  # a hand let go of what it had added to an unexplained thing

SPAN_MG = 5_000_000  # an unknown thing weighs anything up to this, evenly
LOT_SPAN_MG = 4_000_000  # and so does a lot of produce
LATE_NS = 2_000_000_000
GROUP_MAX = 4
SAME_LOT_SPREADS = 3  # farther off than so many standard deviations of a doubt, a lot is not the one in doubt
REST_MG_MIN = 10_000  # less than this is no thing that a hand left behind
SCANS_MAX = 8
LINES_FOR_PAIRS_MAX = 40
SCALE_FLOOR_MG = 1_500  # corner error and creep that the step's own sigma does not know
GAIN_PER_MILLE = 1  # calibration error

UNDONE, OWN_UNDONE = "what was unexplained is undone", "the shopper's own thing is undone"
BOTH_UNDONE = "two that were unexplained are undone"


@dataclass(frozen=True, slots=True)
class Change:
    """A settled or settling change of load, as the decision needs it.

    priced_mg_min  lightest load that may be priced by weight
    seen           False where it came to light at a standstill: whether it is one thing, nobody saw
    """

    delta_mg: int
    sigma_mg: int
    moment: Moment
    final: bool = True
    priced_mg_min: int = 0
    seen: bool = True


def judge_rise(
    change: Change,
    scans: tuple[Scan, ...],
    gone: tuple[Line, ...],
    doubts: tuple[Doubt, ...],
    looks: tuple[Look, ...],
    catalog: Catalog,
    costs: Costs,
) -> Verdict:
    """Return the verdict on goods that came.

    scans   waiting scans, oldest first; only the latest SCANS_MAX are considered
    gone    lines taken out a moment ago, which may come back
    doubts  open doubts; those with a negative delta may have undone themselves
    """
    found = [
        *_scan_hypotheses(change, scans[-SCANS_MAX:], looks, catalog),
        *_put_backs(change, gone, scans[-SCANS_MAX:], looks, catalog),
        *_returns(change, doubts, catalog),
        *_looks_alone(change, scans, looks, catalog),
    ]
    prior = PRIOR_UNKNOWN if change.seen else PRIOR_UNKNOWN_UNSEEN
    unknown = Hypothesis("unknown", prior - ln_millinat(SPAN_MG), "something else")
    return choose(merged([*found, unknown], lambda h: _same_bill_in_the_end(h, catalog)), costs)


def judge_fall(
    change: Change,
    lines: tuple[Line, ...],
    doubts: tuple[Doubt, ...],
    looks: tuple[Look, ...],
    catalog: Catalog,
    costs: Costs,
) -> Verdict:
    """Return the verdict on goods that left; only what is in the cart can leave."""
    found = [
        *_taken(change, lines, looks, catalog),
        *_returns(change, doubts, catalog),
        *_undone_together(change, lines, doubts, catalog),
        *_partial_returns(change, doubts),
    ]
    unknown = Hypothesis("unknown", PRIOR_UNKNOWN_TAKEN - ln_millinat(SPAN_MG), "something else")
    by_id = {line.id: line for line in lines}
    asked_out = tuple(doubt for doubt in doubts if _is_asked_out(doubt, catalog))
    return choose(merged([*found, unknown], lambda h: _same_bill_now(h, by_id, asked_out)), costs)


# -- hypotheses ----------------------------------------------------------------


def _scan_hypotheses(
    change: Change, scans: tuple[Scan, ...], looks: tuple[Look, ...], catalog: Catalog
) -> Iterator[Hypothesis]:
    known = [(scan, p) for scan in scans if (p := catalog.product(scan.product_id)) is not None]
    for size in range(1, min(GROUP_MAX, len(known)) + 1):
        for group in combinations(known, size):
            yield from _group(change, group, looks, size)
    for scan, product in known:
        if product.sold_by != WEIGHT:
            for count in range(2, GROUP_MAX + 1):
                yield _copies(change, scan, product, looks, count)


def _group(
    change: Change, group: tuple[tuple[Scan, Product], ...], looks: tuple[Look, ...], size: int
) -> Iterator[Hypothesis]:
    products = [product for _, product in group]
    if size > 1 and any(product.sold_by == WEIGHT for product in products):
        return  # two lots, or a lot and a piece, cannot be told apart by one mass
    score = PRIOR_GROUP_EACH * (size - 1)
    if not change.seen:  # nobody saw how many landed: a code that was shown twice may have been shown of one thing
        score += (PRIOR_COPY_EACH + PRIOR_COPY_LATE) * (size - len({product.id for product in products}))
    score += sum(PRIOR_STILL_CODE for scan, _ in group if not scan.moved)
    late = any(_is_late(change, scan) for scan, _ in group)
    mass, words = _mass(change, products, strictly=late or not change.seen)
    seen = [(look_at(looks, change.moment, scan), p) for scan, p in group]
    look, support = max(((x, support_millinat(x, p)) for x, p in seen), key=lambda pair: pair[1])
    words += look_words(look, support)
    score += support
    given = "chosen" if all(scan.source == "pick" for scan, _ in group) else "code read"
    yield Hypothesis(
        _priced_as("scan", change, products[0]),
        score + mass,
        f"{given}; {words}",
        tuple(product.id for product in products),
        tuple(scan.id for scan, _ in group),
    )


def _copies(change: Change, scan: Scan, product: Product, looks: tuple[Look, ...], count: int) -> Hypothesis:
    look = look_at(looks, change.moment, scan)
    mass, words = _mass(change, [product] * count, strictly=not change.seen)
    score = PRIOR_COPY_EACH * (count - 1) + support_millinat(look, product) + mass
    score += 0 if scan.moved else PRIOR_STILL_CODE
    score += PRIOR_COPY_LATE if _is_late(change, scan) else 0
    return Hypothesis("scan", score, f"{count} by mass; {words}", (product.id,) * count, (scan.id,))


def _is_late(change: Change, scan: Scan) -> bool:
    return scan.source == "code" and (not change.seen or scan.t_ns > change.moment.t_accept_ns + LATE_NS)


def _priced_as(kind: str, change: Change, product: Product) -> str:
    """Return `kind`, or why a lot of this mass cannot be priced."""
    if product.sold_by != WEIGHT:
        return kind
    if change.delta_mg < change.priced_mg_min:
        return TOO_LIGHT
    return kind if change.seen else WEIGH_AGAIN


def _put_backs(
    change: Change, gone: tuple[Line, ...], scans: tuple[Scan, ...], looks: tuple[Look, ...], catalog: Catalog
) -> Iterator[Hypothesis]:
    """A line comes back; whoever scans it once more on its way uses up that scan."""
    look = look_at(looks, change.moment)
    for line in gone:
        product = catalog.product(line.product_id)
        if product is None:
            continue
        score = PRIOR_PUT_BACK + support_millinat(look, product)
        same_mg = mass_millinat(change.delta_mg - line.mass_mg, _two_weighings_mg(change))
        other_mg = NEVER if product.sold_by == WEIGHT else PRIOR_OTHER_PIECE + _mass(change, [product])[0]
        score += max(same_mg, other_mg)
        yield Hypothesis(
            _priced_as("put_back", change, product),
            score,
            f"{line.name} came back",
            (line.product_id,),
            tuple(scan.id for scan in scans if scan.product_id == line.product_id)[:1],
            (line.id,),
        )


def _returns(change: Change, doubts: tuple[Doubt, ...], catalog: Catalog) -> Iterator[Hypothesis]:
    for doubt in doubts:
        if (doubt.delta_mg > 0) == (change.delta_mg > 0):
            continue
        sigma_mg = _root_of_squares(_two_weighings_mg(change), doubt.sigma_mg)
        score = PRIOR_ASKED_OUT if _is_asked_out(doubt, catalog) else PRIOR_DOUBT_BACK
        score += mass_millinat(change.delta_mg + doubt.delta_mg, sigma_mg)
        words = OWN_UNDONE if doubt.kind == "own" else UNDONE
        yield Hypothesis("returned", score, words, doubts=(doubt.id,))


def _undone_together(
    change: Change, lines: tuple[Line, ...], doubts: tuple[Doubt, ...], catalog: Catalog
) -> Iterator[Hypothesis]:
    """What nobody saw land left with more: one thing may have been found in two parts, or have a part on a line."""
    unseen = [doubt for doubt in doubts if doubt.delta_mg > 0 and not doubt.seen and doubt.kind != "own"]
    for first, second in combinations(unseen, 2):
        sigma_mg = _root_of_squares(_two_weighings_mg(change), first.sigma_mg, second.sigma_mg)
        score = PRIOR_PAIR_TAKEN + mass_millinat(change.delta_mg + first.delta_mg + second.delta_mg, sigma_mg)
        score += PRIOR_ASKED_OUT if _is_asked_out(first, catalog) or _is_asked_out(second, catalog) else 0
        yield Hypothesis("returned", score, BOTH_UNDONE, doubts=(first.id, second.id))
    for line, doubt in pairs(lines, unseen):
        off_mg = change.delta_mg + line.mass_mg + doubt.delta_mg
        score = PRIOR_PAIR_TAKEN + mass_millinat(off_mg, _root_of_squares(_two_weighings_mg(change), doubt.sigma_mg))
        words = f"{abs(off_mg) // 1000} g off what the scale saw arrive and what was unexplained"
        yield Hypothesis("taken", score, words, lines=(line.id,), doubts=(doubt.id,))


def _is_asked_out(doubt: Doubt, catalog: Catalog) -> bool:
    """Return whether the shopper was asked to lift this out: it has the name of a lot, and nobody saw it land."""
    product = catalog.product(doubt.product_id)
    return bool(doubt.asked and not doubt.seen) and product is not None and product.sold_by == WEIGHT


def _partial_returns(change: Change, doubts: tuple[Doubt, ...]) -> Iterator[Hypothesis]:
    if not change.final:
        return
    for doubt in doubts:
        rest_mg = doubt.delta_mg + change.delta_mg
        if doubt.kind != "own" and rest_mg > REST_MG_MIN + 5 * change.sigma_mg:
            score = PRIOR_PART_BACK - ln_millinat(SPAN_MG)
            yield Hypothesis("partly", score, "a hand let go", doubts=(doubt.id,))


def _looks_alone(
    change: Change, scans: tuple[Scan, ...], looks: tuple[Look, ...], catalog: Catalog
) -> Iterator[Hypothesis]:
    """What the camera sees competes with what was scanned, but is never charged by itself."""
    scanned = {scan.product_id for scan in scans}
    look = look_at(looks, change.moment)
    for product in suggestions(look, catalog):
        if product.id in scanned:
            continue
        mass, words = _mass(change, [product])
        score = PRIOR_OTHER_PRODUCT + mass + support_millinat(look, product)
        yield Hypothesis("look", score, f"looks like {product.name}; {words}", (product.id,))


def _taken(change: Change, lines: tuple[Line, ...], looks: tuple[Look, ...], catalog: Catalog) -> Iterator[Hypothesis]:
    look = look_at(looks, change.moment)
    sizes = (1, 2) if len(lines) <= LINES_FOR_PAIRS_MAX else (1,)
    for size in sizes:
        for group in combinations(lines, size):
            off_mg = change.delta_mg + sum(line.mass_mg for line in group)
            sigma_mg = _two_weighings_mg(change) * size
            score = PRIOR_PAIR_TAKEN * (size - 1) + mass_millinat(off_mg, sigma_mg)
            if size == 1 and (product := catalog.product(group[0].product_id)) is not None:
                score += support_millinat(look, product)
            yield Hypothesis(
                "taken",
                score,
                f"{abs(off_mg) // 1000} g off what the scale saw arrive",
                lines=tuple(line.id for line in group),
            )


# -- the same bill -------------------------------------------------------------


def _same_bill_in_the_end(hypothesis: Hypothesis, catalog: Catalog) -> tuple[object, ...]:
    """Which of several waiting pieces landed first needs no question: the others land next. Lots differ."""
    products = [catalog.product(product_id) for product_id in hypothesis.products]
    if hypothesis.kind in ("scan", "put_back") and len(products) == len(hypothesis.scans):
        lot = any(product is not None and product.sold_by == WEIGHT for product in products)
        return ("scan", hypothesis.products if lot else len(products))
    if hypothesis.kind == "returned":
        return ("returned", hypothesis.words)
    if hypothesis.kind == "put_back":
        return ("put_back", hypothesis.products)
    return (hypothesis.kind, hypothesis.products, hypothesis.scans)


def _same_bill_now(hypothesis: Hypothesis, by_id: dict[int, Line], asked_out: tuple[Doubt, ...]) -> tuple[object, ...]:
    """Two lines of the same price by piece need no question: either may leave.

    Nor a lot of the same mass as the one that is to be lifted out: one of them stays, and is paid for by its mass.
    """
    if hypothesis.kind != "taken":
        return (hypothesis.kind, hypothesis.words)
    gone = [by_id[line_id] for line_id in hypothesis.lines]
    if len(gone) == 1 and any(_is_as_good(gone[0], x) for x in asked_out if x.id not in hypothesis.doubts):
        return ("returned", BOTH_UNDONE if hypothesis.doubts else UNDONE)
    if hypothesis.doubts:
        return ("taken", hypothesis.lines, hypothesis.doubts)
    if any(line.sold_by == WEIGHT for line in gone):
        return ("taken", hypothesis.lines)
    return ("taken", len(gone), sum(line.amount_minor for line in gone))


def _is_as_good(line: Line, doubt: Doubt) -> bool:
    """Return whether a lot may stay for the one that is to be lifted out: the same product, and by mass the same."""
    is_same = line.sold_by == WEIGHT and line.product_id == doubt.product_id
    return is_same and abs(line.mass_mg - doubt.delta_mg) <= SAME_LOT_SPREADS * doubt.sigma_mg


# -- masses ----------------------------------------------------------------------


def _mass(change: Change, products: list[Product], *, strictly: bool = False) -> tuple[int, str]:
    """Return the log density of the change's mass for these products, and the words for it.

    strictly  without the fat tails of stale catalogue masses
    """
    seen_g = change.delta_mg // 1000
    if products[0].sold_by == WEIGHT:
        return -ln_millinat(LOT_SPAN_MG), f"{seen_g} g by weight"
    expected_mg = sum(product.mass_mg for product in products)
    variance = sum(product.mass_sd_mg**2 for product in products)
    sigma_mg = _root_of_squares(isqrt(variance), _scale_sigma_mg(change))
    words = f"{seen_g} g seen, {expected_mg // 1000} g expected"
    density = normal_millinat if strictly else mass_millinat
    return density(change.delta_mg - expected_mg, sigma_mg), words


def _scale_sigma_mg(change: Change) -> int:
    gain_mg = abs(change.delta_mg) * GAIN_PER_MILLE // 1000
    return _root_of_squares(change.sigma_mg, SCALE_FLOOR_MG, gain_mg)


def _two_weighings_mg(change: Change) -> int:
    return _root_of_squares(_scale_sigma_mg(change), SCALE_FLOOR_MG)


def _root_of_squares(*sigmas_mg: int) -> int:
    return max(1, isqrt(sum(sigma * sigma for sigma in sigmas_mg)))
