"""What a run of the core is given before its first event, and never changes."""

from __future__ import annotations

from dataclasses import dataclass, field

from cart.core.catalog import Catalog
from cart.core.legal import Legal
from cart.core.weight_values import Calibration
from cart.core.weight_values import Limits as WeightLimits


@dataclass(frozen=True, slots=True)
class Costs:
    """What each outcome costs the store, in minor units: the table that decides.

    A change of load is settled without a question when the best explanation's
    expected cost of being wrong is below the price of asking.
    """

    wrong_charge_minor: int = 1_000
    ask_minor: int = 30
    review_minor: int = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """Times and masses of the trip's rules.

    unscanned_mg           lightest load that is worth a question
    residual_mg            what a standstill may differ by before it counts as a missed change
    priced_mg_min          lightest load that may be priced by weight: Min = 20 e at e = 5 g
    division_mg            scale division e: prices follow the indicated net mass
    own_mg_max             heaviest thing that may be declared one's own
    own_ms                 how long "my own thing" waits for it to land
    scan_wait_ms           how long a scan waits for its item
    ask_after_ms           how long an unexplained thing may be scanned before anything is asked
    ask_doubt_ms           the same where mass or look contradict what was scanned
    ask_again_ms           and before it is asked a second and last time
    flag_after_ms          and before staff must see it
    evidence_ms            how long after a change its evidence may still arrive
    hands_off_ms           rest before the bill is fixed
    charge_minor_max       largest bill that is accepted without staff
    unreceipted_minor_max  most money that may wait for the store's signature
    """

    unscanned_mg: int = 10_000
    residual_mg: int = 15_000
    priced_mg_min: int = 100_000
    division_mg: int = 5_000
    own_mg_max: int = 5_000_000
    own_count_max: int = 5
    own_ms: int = 20_000
    scan_wait_ms: int = 45_000
    ask_after_ms: int = 5_000
    ask_doubt_ms: int = 700
    ask_again_ms: int = 20_000
    flag_after_ms: int = 45_000
    evidence_ms: int = 3_000
    hands_off_ms: int = 2_000
    charge_minor_max: int = 50_000
    unreceipted_minor_max: int = 200_000


@dataclass(frozen=True, slots=True)
class Setup:
    """The calibration, the catalogue, the costs and the limits of this run.

    not_for_trade  prices by weight come from an unsealed scale: watermark them
    converter      serial number in the calibration record, "" for any: what another one weighs is off, and it is told
    legal          what trade weighing, by tare and then weigh, is set up with
    """

    calibration: Calibration
    catalog: Catalog
    costs: Costs = field(default_factory=Costs)
    limits: Limits = field(default_factory=Limits)
    weight: WeightLimits = field(default_factory=WeightLimits)
    not_for_trade: bool = True
    converter: str = ""
    legal: Legal = field(default_factory=Legal)

    @property
    def sealed(self) -> bool:
        """Whether this build weighs for trade: then nothing is priced by a change of load."""
        return not self.not_for_trade
