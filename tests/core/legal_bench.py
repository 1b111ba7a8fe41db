"""A scale on a bench for the tests of trade weighing: loads in grams go in as readings, taps as words.

No physics: what lies on the scale is what the converter reads, so that each case sets exactly what it is about.
"""

from dataclasses import replace

from cart.core import legal
from cart.core.events import CellAccelerated, LoadSampled
from cart.core.legal import Legal, LegalState, Scale, World
from cart.core.legal_profile import HB44, MULTI, R76, SINGLE, Instrument

MG_PER_COUNT = 5
SCALE = Scale(counts_per_kg=1_000_000 // MG_PER_COUNT, zero_counts=0)
PERIOD_US = 12_500
BATCH = 8
BATCH_NS = BATCH * PERIOD_US * 1_000

SINGLE_R76, MULTI_R76 = SINGLE, MULTI
SINGLE_HB44, MULTI_HB44 = replace(SINGLE, rules=HB44), replace(MULTI, rules=HB44)
INSTRUMENTS = {"R76": SINGLE_R76, "R76-multi": MULTI_R76, "HB44": SINGLE_HB44, "HB44-multi": MULTI_HB44}
assert SINGLE_R76.rules is R76


class Bench:
    """One scale and its world.

    load_g   what lies on it now;  lean_permille: how far it leans, None without a sensor
    flags    of every reading from now on
    """

    def __init__(self, instrument: Instrument = SINGLE, *, warm: bool = True, **legal_words: object) -> None:
        self.legal = Legal(instrument, **legal_words)  # type: ignore[arg-type]
        self.state = LegalState()
        self.world = World(t_ns=0)
        self.load_mg = 0
        self.lean_permille: int | None = 0
        self.flags = 0
        self.dropped = 0
        self.seq, self.t_us = 0, 0
        if warm:
            self.wait(7_000)

    # -- the world -----------------------------------------------------------------------

    def put(self, grams: float, wait_ms: int = 2_500) -> "Bench":
        """Let so many grams in all lie on the scale, and wait until they rest."""
        self.load_mg = round(grams * 1_000)
        return self.wait(wait_ms)

    def wait(self, ms: int, slope_g_per_s: float = 0.0) -> "Bench":
        """Let time pass in tenths of a second, the load changing evenly."""
        start_mg = self.load_mg
        for number in range(1, ms // 100 + 1):
            self.load_mg = start_mg + round(slope_g_per_s * number * 100)
            self.batch()
        return self

    def batch(self) -> None:
        """Read eight times: a tenth of a second."""
        self.world = replace(self.world, t_ns=self.world.t_ns + BATCH_NS)
        times = tuple((self.t_us + (n + 1) * PERIOD_US) % (1 << 32) for n in range(BATCH))
        self.seq, self.t_us = (self.seq + BATCH) % (1 << 16), times[-1]
        if self.lean_permille is not None:
            zeros = (0,) * BATCH
            lean = (self.lean_permille * 1_000,) * BATCH
            self._hear(CellAccelerated(self.world.t_ns, times, lean, zeros, (1_000_000,) * BATCH))
        counts = (self.load_mg // MG_PER_COUNT,) * BATCH
        self._hear(LoadSampled(self.world.t_ns, self.seq, times, counts, (self.flags,) * BATCH, self.dropped))
        self.state = legal.ticked(self.state, self.legal, self.world)

    def silence(self, ms: int) -> "Bench":
        """Let time pass without a reading."""
        for _ in range(ms // 100):
            self.world = replace(self.world, t_ns=self.world.t_ns + BATCH_NS)
            self.state = legal.ticked(self.state, self.legal, self.world)
        return self

    def set(self, **world: bool) -> "Bench":
        """Change the world: rolling, session, goods, storable."""
        self.world = replace(self.world, **world)
        return self

    def _hear(self, event: LoadSampled | CellAccelerated) -> None:
        self.state = legal.heard(self.state, event, self.legal, SCALE, self.world)

    # -- taps: each returns "" when done, else the code of the row that forbids it -----------

    def zero(self) -> str:
        """Set zero."""
        self.state, why = legal.zero(self.state, self.legal, self.world)
        return why

    def tare(self) -> str:
        """Tare."""
        self.state, why = legal.tare(self.state, self.legal, self.world)
        return why

    def preset(self, grams: int) -> str:
        """Give a known tare."""
        self.state, why = legal.preset_tare(self.state, self.legal, self.world, grams * 1_000)
        return why

    # -- what is seen ------------------------------------------------------------------------

    @property
    def shown(self) -> legal.Indication:
        """The indication."""
        return legal.indication(self.state, self.legal, self.world)

    @property
    def net_g(self) -> int | str:
        """The net load as shown, in grams, or why there is none."""
        shown = self.shown
        return shown.state if shown.net_mg is None else shown.net_mg // 1_000

    @property
    def refused(self) -> str:
        """Why nothing may be priced now, "" when it may."""
        return legal.trade_weight(self.state, self.legal, self.world)[1]

    @property
    def weight(self) -> legal.TradeWeight | None:
        """The trade weight."""
        return legal.trade_weight(self.state, self.legal, self.world)[0]
