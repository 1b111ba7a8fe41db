"""Class III behaviour: zero, tare, indication and trade weight of the cart's own cell.

    readings -> load (legal_reading) -> less zero, less tare -> indicated, unless a row of legal_rules forbids it

`trade_weight` is a value of its own and has nothing to do with the changes of load that fill the basket. Zero is the
calibrated one: nothing is zeroed at power-on (a full basket would vanish), it must be seen on an empty cart before
anything is priced. Tare is one commanded tap, whose value is always shown; what voids it is in `_voids`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cart.core import legal_profile as profile
from cart.core import legal_reading as reading
from cart.core import legal_rules as rules
from cart.core.events import CellAccelerated, CellIdentified, LoadSampled
from cart.core.legal_profile import SINGLE, Instrument
from cart.core.legal_reading import Readings, Scale
from cart.core.legal_record import TradeWeight
from cart.core.legal_rules import SHOW, TARE, TRACK, TRADE, ZERO, Facts
from cart.core.pricing import MG_PER_KG, round_half_up

NS_PER_MS = 1_000_000
CLOCK_MIN_MS = 1_767_225_600_000
"""2026-01-01: before this the clock was never set. A Raspberry Pi has no battery clock and may start in the past."""


@dataclass(frozen=True, slots=True)
class Legal:
    """What trade weighing is set up with; part of `Setup`.

    software    hash of the legally relevant part, "" where it is not known
    parameters  hash of all that prices rest on, "" where changes of it are not kept
    converter   serial number in the calibration record, "" for any;  samples_per_s, gain: as set there, 0 for any
    level_ug    what the accelerometer's level parts read on a level floor: no such chip is mounted, or made, exactly
    made_ms     Unix time at which the calibration was made
    expires_ms  and from which it no longer holds, 0 for never;  while the clock cannot be right, nobody knows
    """

    instrument: Instrument = SINGLE
    software: str = ""
    parameters: str = ""
    converter: str = ""
    samples_per_s: int = 0
    gain: int = 0
    level_ug: tuple[int, int] = (0, 0)
    expires_ms: int = 0
    made_ms: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """What trade weighing must be told of the rest of the cart.

    rolling   wheels move;  jammed: something carries the platform, or holds it
    session: a trip is open;  goods: something is known to be in the cart
    storable  the disk takes records;  wall_ms: Unix time, 0 where it is not known
    """

    t_ns: int
    rolling: bool = False
    jammed: bool = False
    session: bool = False
    goods: bool = False
    storable: bool = True
    wall_ms: int = 0


@dataclass(frozen=True, slots=True)
class Tare:
    """A tare in force: the load at the tap, unrounded.

    lean       tilt at the tap, None without a sensor
    landed_mg  the net load that came to rest first
    preset     typed in or known beforehand, not weighed
    """

    mass_mg: int
    t_ns: int
    lean: tuple[int, int] | None = None
    landed_mg: int | None = None
    preset: bool = False


@dataclass(frozen=True, slots=True)
class LegalState:
    """All that trade weighing keeps between two events.

    values_mg  latest values of the load before zero, oldest first
    zero_mg    how far the zero is from the calibrated one
    voided     what ended the last tare, "" after a new one
    """

    readings: Readings = Readings()  # noqa: RUF009 (a frozen value)
    converter: str = ""
    values_mg: tuple[int, ...] = ()
    zero_mg: int = 0
    confirmed: bool = False
    tare: Tare | None = None
    voided: str = ""
    leaned: bool = False


@dataclass(frozen=True, slots=True)
class Indication:
    """What may be shown. The masses are None while there is no weight; `state` then says why.

    state   "weight", or the code of the row that blanks it
    stable  in equilibrium;  zero: within a quarter of e of zero
    """

    state: str
    gross_mg: int | None = None
    tare_mg: int | None = None
    net_mg: int | None = None
    e_mg: int = 0
    stable: bool = False
    zero: bool = False


# -- what happens --------------------------------------------------------------------


def heard(
    state: LegalState,
    event: LoadSampled | CellAccelerated | CellIdentified,
    legal: Legal,
    scale: Scale,
    world: World,
) -> LegalState:
    """Return the state after something that the converter said."""
    if isinstance(event, CellIdentified):
        # At another rate the half second of rest is another time, and at another gain a count is another mass.
        alike = legal.samples_per_s in (0, event.samples_per_s) and legal.gain in (0, event.gain)
        return replace(state, converter=event.serial if alike else "")
    if isinstance(event, CellAccelerated):
        return _lean(replace(state, readings=reading.accelerated(state.readings, event)), legal, world)
    readings, values = reading.sampled(state.readings, event, scale)
    state = replace(state, readings=readings)
    if readings.fault:
        return _void(replace(state, values_mg=()), "fault")
    for value_mg in values:
        kept = legal.instrument.rules.stable_ms * reading.PARTS_PER_S // 1_000 + 1
        state = replace(state, values_mg=(*state.values_mg, value_mg)[-kept:])
        state = _landed(_tracked(_confirmed(state, legal, world), legal, world), legal, world)
    return _checked(state, legal, world)


def ticked(state: LegalState, legal: Legal, world: World) -> LegalState:
    """Return the state at the world's time: silence blanks, a tare grows old, wheels void it."""
    readings = reading.ticked(state.readings, world.t_ns)
    if readings is not state.readings:
        state = _void(replace(state, readings=readings, values_mg=()), "fault")
    return _checked(state, legal, world)


def lost(state: LegalState) -> LegalState:
    """Return the state after the port or the line failed: what answers next must say anew who it is."""
    return _void(replace(state, readings=reading.broken(state.readings), values_mg=(), converter=""), "fault")


# -- what is asked for ------------------------------------------------------------------


def facts(state: LegalState, legal: Legal, world: World) -> Facts:
    """Return what the table of rules is asked about, at the world's time: a tap may come before the tick."""
    state = ticked(state, legal, world)
    load_mg = state.values_mg[-1] - state.zero_mg if state.values_mg else None
    tilt = reading.tilt_ug(state.readings, world.t_ns)
    since_ns = state.readings.since_ns
    return Facts(
        instrument=legal.instrument,
        fault=state.readings.fault,
        converter=legal.converter in ("", state.converter),
        load_mg=load_mg,
        net_mg=(load_mg or 0) - (state.tare.mass_mg if state.tare else 0),
        zeroed_mg=state.zero_mg,
        warm_ms=0 if since_ns is None else (world.t_ns - since_ns) // NS_PER_MS,
        stable=_stable(state, legal),
        rolling=world.rolling,
        lean=None if tilt is None else reading.lean_permille(tilt, legal.level_ug),
        leaned=state.leaned,
        tared=state.tare is not None,
        confirmed=state.confirmed,
        session=world.session,
        storable=world.storable,
        jammed=world.jammed,
        expired=0 < legal.expires_ms <= world.wall_ms,
        dated=legal.expires_ms == 0 or is_dated(world.wall_ms, legal.made_ms),
    )


def is_dated(wall_ms: int, made_ms: int) -> bool:
    """Return True if the clock may be right: it was set, and is not before the calibration was made.

    A clock that starts in the past would let a calibration hold for ever.
    """
    return wall_ms >= max(CLOCK_MIN_MS, made_ms)


def refusal(state: LegalState, legal: Legal, world: World, act: str) -> str:
    """Return why the act is not allowed now, "" when it is."""
    return rules.refusal(facts(state, legal, world), act)


def zero(state: LegalState, legal: Legal, world: World) -> tuple[LegalState, str]:
    """Return the state with the present load as zero, by command, and why not ("" when done)."""
    why = refusal(state, legal, world, ZERO)
    if why:
        return state, why
    return replace(state, zero_mg=state.values_mg[-1], confirmed=True), ""


def tare(state: LegalState, legal: Legal, world: World) -> tuple[LegalState, str]:
    """Return the state with the present load as tare, by command, and why not ("" when done)."""
    why = refusal(state, legal, world, TARE)
    if why:
        return state, why
    mass_mg = state.values_mg[-1] - state.zero_mg
    lean = reading.tilt_ug(state.readings, world.t_ns)
    return replace(state, tare=Tare(mass_mg, world.t_ns, lean), voided=""), ""


def preset_tare(state: LegalState, legal: Legal, world: World, mass_mg: int) -> tuple[LegalState, str]:
    """Return the state with a known tare, and why not: at most Max1, in whole divisions, on an empty scale."""
    why = refusal(state, legal, world, TARE)
    if not why and facts(state, legal, world).shown_mg != 0:
        why = "not_empty"
    if not why and not 0 < mass_mg <= legal.instrument.preset_tare_max_mg:
        why = "preset_range"
    if why:
        return state, why
    shown_mg = profile.indicated_mg(legal.instrument, mass_mg)
    lean = reading.tilt_ug(state.readings, world.t_ns)
    return replace(state, tare=Tare(shown_mg, world.t_ns, lean, preset=True), voided=""), ""


def cleared(state: LegalState) -> LegalState:
    """Return the state without a tare."""
    return replace(state, tare=None, voided="")


def voided(state: LegalState, why: str) -> LegalState:
    """Return the state whose tare, if there is one, is void."""
    return _void(state, why)


def trade_weight(state: LegalState, legal: Legal, world: World) -> tuple[TradeWeight | None, str]:
    """Return the weight that may be priced, or None and why not."""
    now = facts(state, legal, world)
    why = rules.refusal(now, TRADE)
    if why:
        return None, why
    shown = indication(state, legal, world)
    assert shown.gross_mg is not None
    assert shown.tare_mg is not None
    assert shown.net_mg is not None
    return TradeWeight(shown.gross_mg, shown.tare_mg, shown.net_mg, shown.e_mg), ""


def price_minor(net_mg: int, unit_price_minor: int) -> int:
    """Return the price of an indicated net mass: mass x price per kilogram, halves up. A shopper can redo it."""
    assert net_mg >= 0
    return round_half_up(net_mg * unit_price_minor, MG_PER_KG)


def indication(state: LegalState, legal: Legal, world: World) -> Indication:
    """Return what may be shown now: each rounded from the unrounded, so shown net need not be shown gross less tare."""
    state = ticked(state, legal, world)
    now = facts(state, legal, world)
    why = rules.refusal(now, SHOW)
    if why:
        return Indication(why)
    assert now.load_mg is not None
    instrument = legal.instrument
    quarter = instrument.rules.zero_accuracy_permille_e * instrument.e_mg
    tare_mg = state.tare.mass_mg if state.tare else 0
    return Indication(
        state="weight",
        gross_mg=now.shown_mg,
        tare_mg=profile.indicated_mg(instrument, tare_mg),
        net_mg=now.shown_net_mg,
        e_mg=profile.division_mg(instrument, now.net_mg),
        stable=now.stable,
        zero=abs(now.net_mg) * 1_000 <= quarter,
    )


# -- inside -----------------------------------------------------------------------------


def _stable(state: LegalState, legal: Legal) -> bool:
    """Return True if the latest values lie close enough together to be the load at rest."""
    figures = legal.instrument.rules
    wanted = figures.stable_ms * reading.PARTS_PER_S // 1_000 + 1
    values = state.values_mg
    if len(values) < wanted:
        return False
    return (max(values) - min(values)) * 1_000 <= figures.stable_permille_e * legal.instrument.e_mg


def _confirmed(state: LegalState, legal: Legal, world: World) -> LegalState:
    """The calibrated zero is found right on an empty cart: nothing is changed by it."""
    if state.confirmed or world.goods:
        return state
    now = replace(facts(state, legal, world), confirmed=True, session=False)
    return replace(state, confirmed=True) if not rules.refusal(now, TRACK) else state


def _tracked(state: LegalState, legal: Legal, world: World) -> LegalState:
    """The one zero tracker: half an e a second, only at zero, at rest, and while nobody shops."""
    if refusal(state, legal, world, TRACK):
        return state
    most_mg = legal.instrument.rules.tracking_permille_e_per_s * legal.instrument.e_mg // 1_000 // reading.PARTS_PER_S
    off_mg = state.values_mg[-1] - state.zero_mg
    return replace(state, zero_mg=state.zero_mg + max(-most_mg, min(most_mg, off_mg)))


def _landed(state: LegalState, legal: Legal, world: World) -> LegalState:
    """The first load that comes to rest after the tare is the item; the next change of load voids the tare."""
    if state.tare is None or refusal(state, legal, world, SHOW) or not _stable(state, legal):
        return state
    net_mg = state.values_mg[-1] - state.zero_mg - state.tare.mass_mg
    landed_mg, e_mg = state.tare.landed_mg, legal.instrument.e_mg
    if landed_mg is None:
        if abs(net_mg) <= e_mg:
            return state
        return replace(state, tare=replace(state.tare, landed_mg=net_mg))
    return _void(state, "load") if abs(net_mg - landed_mg) > e_mg else state


def _checked(state: LegalState, legal: Legal, world: World) -> LegalState:
    """Return the state after what time, wheels and tilt did to the tare."""
    state = _lean(state, legal, world)
    why = _voids(state, legal, world)
    return _void(state, why) if why else state


def _voids(state: LegalState, legal: Legal, world: World) -> str:
    """Return what ends the tare now, "" when nothing does."""
    in_force, figures = state.tare, legal.instrument.rules
    if in_force is None:
        return ""
    tilt = reading.tilt_ug(state.readings, world.t_ns)
    if world.rolling:
        return "rolling"
    if in_force.lean is not None and (
        tilt is None or reading.lean_permille(tilt, in_force.lean) > figures.tare_tilt_permille
    ):
        return "tilt"
    return "age" if world.t_ns - in_force.t_ns > figures.tare_ms * NS_PER_MS else ""


def _lean(state: LegalState, legal: Legal, world: World) -> LegalState:
    tilt = reading.tilt_ug(state.readings, world.t_ns)
    if tilt is None:
        return state
    limit = legal.instrument.rules.tilt_permille
    lean = reading.lean_permille(tilt, legal.level_ug)
    back = limit - legal.instrument.rules.tilt_hysteresis_permille
    return replace(state, leaned=lean > limit or (state.leaned and lean > back))


def _void(state: LegalState, why: str) -> LegalState:
    return replace(state, tare=None, voided=why) if state.tare is not None else state
