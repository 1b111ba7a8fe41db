"""The core against any order of any events: what must hold after each of them."""

import random
from dataclasses import replace

import pytest

from cart.core import basket, session, taps
from cart.core.catalog import Catalog, Product
from cart.core.effects import CloseCharge, CommitSale, Publish, Save, Show
from cart.core.events import (
    BrokerDown,
    BrokerUp,
    CellFault,
    Classified,
    Delivered,
    ExitSeen,
    MessageRefused,
    OutboxRow,
    PanelPressed,
    Receipted,
    Restored,
    Saved,
    SaveFailed,
    Sighted,
    SourceBack,
    SourceLost,
    Tapped,
    Tick,
    VisionAlive,
)
from cart.core.lives import LIVES_MAX
from cart.core.setup import Setup
from cart.core.step import initial, step
from cart.core.trip import Scan, Trip
from cart.core.weight import Calibration, LoadState, Standstill, Step
from cart.wire import codec

MILK = Product("milk", "Milk", "piece", 129, 1_040_000, 5_000, ("09521000000018",), label="Milk")
OATS = Product("oats", "Oats", "piece", 199, 520_000, 4_000, ("09521000000025",), label="Oats")
PEAR = Product("pear", "Pears", "weight", 299, 180_000, 20_000, label="Pear")
SETUP = Setup(Calibration(50_000, 0), Catalog("1", "EUR", [MILK, OATS, PEAR]))
MS = 1_000_000
SHA = "ab" * 32


class World:
    """Feeds a core with random but possible events, and answers its effects as a database would."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.t_ns, self.number, self.step_id = 0, 0, 0
        self.gross_mg = 0
        self.pending, self.forgotten = [], set()
        self.state = initial(SETUP)
        self.sales = {}
        self.feed(Restored(0, 0, "0" * 16))

    def fresh_id(self):
        self.number += 1
        return f"id-{self.number}"

    def feed(self, event):
        """Step twice from the same state: a pure function gives the same result."""
        before = self.state
        self.state, effects = step(before, event)
        assert (self.state, effects) == step(before, event)
        self.check(before, event, effects)
        for effect in effects:
            if isinstance(effect, Save | CommitSale):
                self.pending.append(effect)
            if isinstance(effect, CommitSale):
                assert effect.charge.charge_id not in self.sales or self.sales[effect.charge.charge_id] == effect.charge
                self.sales[effect.charge.charge_id] = effect.charge

    def check(self, before, event, effects):
        trip = self.state.trip
        ids = [x.id for x in (*trip.lines, *trip.scans, *trip.doubts)]
        assert len(ids) == len(set(ids))
        assert all(number < trip.next_id for number in ids)
        assert self.state.screen.total_minor == sum(line.amount_minor for line in trip.lines)
        assert sum(row.amount_minor for row in self.state.screen.lines) == self.state.screen.total_minor
        open_ids = {doubt.id for doubt in trip.doubts if doubt.kind != "own"}
        assert trip.prompt is None or trip.prompt.doubt_id in open_ids
        if trip.phase in session.SHOPPING_PHASES:
            judged = {live.doubt_id for live in self.state.lives if live.doubt_id}
            missing = open_ids - judged
            # A doubt may lose its change only at the moment the oldest of LIVES_MAX is forgotten.
            assert missing <= self.forgotten or len(self.state.lives) == LIVES_MAX
            assert judged <= open_ids
            self.forgotten |= missing
        for effect in effects:
            assert codec.decode(codec.encode(effect)) == effect
            if isinstance(effect, CommitSale) and before.trip.phase == "locked":
                assert effect.charge.total_minor == before.screen.total_minor
            if isinstance(effect, CommitSale):
                assert isinstance(event, ExitSeen | Tick)
            if isinstance(effect, Show):
                assert effect.screen == self.state.screen
        assert sum(isinstance(x, Show) for x in effects) <= 1
        assert not any(isinstance(x, Publish) for x in effects) or self.state.sync.online

    def tell(self, value):
        """Let the weight say something, as `_told` would hear it from the load cell."""
        from cart.core import screen
        from cart.core import step as core

        before = self.state
        self.t_ns += self.random.randrange(1, 400) * MS
        state, effects = core._told(replace(before, t_ns=self.t_ns), (value,))
        state, saves = core._save(before.trip, state)
        self.state, shows = screen.shown(state)
        self.check(before, Tick(self.t_ns, 0), (*effects, *saves, *shows))
        self.pending += saves

    def random_event(self):
        pick = self.random.choice
        self.t_ns += self.random.randrange(0, 3_000) * MS
        t_ns = self.t_ns
        gtin = pick(["09521000000018", "09521000000025", "00000000000017", ""])
        track = self.random.randrange(1, 9)
        scores = tuple((label, self.random.randrange(-3_000, 5_000)) for label in ("Milk", "Oats", "Pear"))
        charge = pick([*self.sales, "id-unknown"])
        prompt = self.state.trip.prompt
        options = [o.value for o in prompt.options] if prompt else []
        answer = pick([*options, "own", "out", "help", "line:999", "yes:nothing", ""])
        return pick(
            [
                Tick(t_ns, t_ns // MS),
                Tick(t_ns, t_ns // MS),
                Sighted(t_ns, t_ns - 50 * MS, track, "EAN13", gtin[1:], gtin, moved=pick([True, True, False])),
                Classified(t_ns, t_ns - 80 * MS, track, scores, -1_000, -2_000, direction=pick(["in", "out", ""])),
                Tapped(t_ns, pick(sorted(taps.ACTIONS)), pick(["milk", "pear", "nothing"]), fresh_id=self.fresh_id()),
                Tapped(t_ns, taps.START, fresh_id=self.fresh_id()),
                Tapped(t_ns, taps.CHECKOUT),
                Tapped(t_ns, taps.ANSWER, answer, prompt.id if prompt else 0),
                ExitSeen(t_ns, pick(["tap", "gate", "lane"]), self.fresh_id()),
                VisionAlive(t_ns, 15, covered=pick([True, False])),
                PanelPressed(t_ns, "help"),
                SourceLost(t_ns, pick(["scale", "vision"]), "gone"),
                SourceBack(t_ns, pick(["scale", "vision"])),
                BrokerUp(t_ns),
                BrokerDown(t_ns, "gone"),
                Delivered(t_ns, charge),
                Receipted(t_ns, charge, SHA, pick(["accepted", "duplicate"]), 7),
                CellFault(t_ns, "ADC", "late"),
                MessageRefused(t_ns, "receipt", "forged"),
            ]
        )

    def random_weight(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return LoadState(self.random.choice(["ok", "ok", "no_data", "stuck"]), 0)
        if kind <= 3:
            return Standstill(0, self.gross_mg, 300)
        masses = [1_040_000, 520_000, 1_560_000, 180_000, 30_000, 4_000, 2_080_000]
        delta_mg = self.random.choice(masses) * self.random.choice([1, 1, -1])
        if kind <= 6 or not self.step_id:
            self.step_id += 1
            self.gross_mg += delta_mg
        return Step(self.step_id, 0, 300, delta_mg, 2_000, "standing", self.random.choice([True, False]))

    def honest(self):
        """Do what leads to a sale: undo what is unexplained, scan, put in, check out, pay."""
        for doubt in self.state.trip.doubts:
            self.settle_step(-doubt.delta_mg)
        self.t_ns += 3_000 * MS
        self.feed(Tapped(self.t_ns, taps.DONE))
        self.feed(Tapped(self.t_ns, taps.START, fresh_id=self.fresh_id()))
        self.feed(Tapped(self.t_ns, taps.RESUME))
        self.feed(Sighted(self.t_ns, self.t_ns, self.number + 10, "EAN13", "9521000000018", "09521000000018"))
        self.settle_step(1_040_000)
        self.feed(Tapped(self.t_ns, taps.CHECKOUT))
        self.t_ns += 4_000 * MS
        self.feed(Tick(self.t_ns, self.t_ns // MS))
        self.feed(ExitSeen(self.t_ns, "tap", self.fresh_id()))

    def settle_step(self, delta_mg):
        self.step_id += 1
        self.gross_mg += delta_mg
        self.tell(LoadState("ok", 0))
        self.tell(Step(self.step_id, 0, 300, delta_mg, 500, "standing", True))
        self.tell(Standstill(0, self.gross_mg, 300))

    def play(self, events=200):
        for _ in range(events):
            choice = self.random.random()
            if choice < 0.03:
                self.honest()
            elif choice < 0.35:
                self.tell(self.random_weight())
            else:
                self.feed(self.random_event())
            if self.random.random() < 0.7:
                self.answer_database()

    def answer_database(self):
        if not self.pending:
            return
        effect = self.pending.pop(0)
        if self.random.random() < 0.15:
            self.feed(SaveFailed(self.t_ns, effect.seq, "disk full"))
            self.pending.insert(0, effect)  # the writer tries again, in order
            return
        charge_id = effect.charge.charge_id if isinstance(effect, CommitSale) else ""
        self.feed(Saved(self.t_ns, effect.seq, charge_id, SHA if charge_id else ""))


PLAYED = {}


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_events_keeps_the_books_straight(seed):
    world = World(seed)
    world.play()
    PLAYED[seed] = (len(world.sales), world.state.decided)


def test_the_random_events_reach_sales_and_decisions():
    """Guards the test above: events that never lead anywhere would prove nothing."""
    if not PLAYED:
        pytest.skip("runs together with the random events")
    assert sum(sales for sales, _ in PLAYED.values()) >= 10
    assert sum(decided for _, decided in PLAYED.values()) >= 200


def shopping_with_milk():
    world = World(1)
    world.tell(Standstill(0, 0, 300))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    world.feed(Sighted(world.t_ns, world.t_ns, 1, "EAN13", "9521000000018", "09521000000018"))
    world.tell(Step(1, 0, 300, 1_041_000, 500, "standing", True))
    world.tell(Standstill(0, 1_041_000, 300))
    return world


def locked():
    world = shopping_with_milk()
    world.feed(Tapped(world.t_ns, taps.CHECKOUT))
    world.t_ns += 3_000 * MS
    world.feed(Tick(world.t_ns, 0))
    assert world.state.trip.phase == "locked"
    return world


def rolling_pears():
    """A lot of pears that was weighed while the cart rolled; the shopper wants to pay, and no rest was sharp yet."""
    world = World(1)
    world.tell(Standstill(0, 0, 300))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    world.tell(Step(1, 0, 300, 405_000, 4_000, "strolling", True))
    world.tell(Standstill(0, 409_000, 4_000))
    world.feed(Tapped(world.t_ns, taps.CHECKOUT))
    return world


def wait(world, ms):
    """Let time pass beside a scale that goes on weighing."""
    for _ in range(ms // 500):
        world.t_ns += 500 * MS
        world.state = replace(world.state, weight=replace(world.state.weight, heard_ns=world.t_ns))
        world.feed(Tick(world.t_ns, 0))


def test_a_lot_is_paid_for_by_a_sharp_standstill():
    world = rolling_pears()
    wait(world, 3_000)
    assert world.state.trip.phase == "closing"
    world.tell(Standstill(0, 410_000, 300))
    wait(world, 3_000)
    (line,) = world.state.trip.lines
    assert (world.state.trip.phase, line.mass_mg, line.settled, line.review) == ("locked", 410_000, True, False)


def test_a_scale_that_never_rests_sharply_holds_nobody_for_ever_and_staff_see_the_lot():
    world = rolling_pears()
    for _ in range(50):
        wait(world, 1_000)
        world.tell(Standstill(0, 409_000, 4_000))
    (line,) = world.state.trip.lines
    assert (world.state.trip.phase, line.mass_mg, line.review) == ("locked", 405_000, True)


def shopping(*more):
    """A cart in which nothing lies yet, in a shop that sells these products, too."""
    world = World(1)
    world.state = replace(world.state, setup=replace(SETUP, catalog=Catalog("1", "EUR", [MILK, OATS, PEAR, *more])))
    world.tell(Standstill(0, 0, 300))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    wait(world, 1_000)
    return world


def restarted(world, gross_mg):
    """The same cart after a restart and the first rest."""
    stored, seq = world.pending[-1].trip, world.pending[-1].seq
    after = World(2)
    after.state = initial(world.state.setup)
    after.feed(Restored(5, 6, "0" * 16, stored, save_seq=seq))
    after.tell(LoadState("ok", 0))
    after.tell(Standstill(0, gross_mg, 300))
    wait(after, 1_500)
    return after


def doubted(world):
    return [(doubt.delta_mg, doubt.product_id) for doubt in world.state.trip.doubts]


def billed(world):
    return [(line.product_id, line.mass_mg) for line in world.state.trip.lines]


def test_the_code_of_what_lands_next_is_not_taken_for_what_was_in_doubt_before():
    world = shopping()
    world.tell(Standstill(0, 521_000, 300))
    wait(world, 2_000)
    (doubt,) = world.state.trip.doubts
    assert not doubt.seen
    shown = Scan(0, "oats", "code", world.t_ns, 7, 1, True)  # as heavy as what is in doubt, on a thing that is not
    world.state = replace(world.state, trip=basket.add_scan(world.state.trip, shown))
    world.tell(Step(2, 0, 300, 1_300_000, 500, "standing", True))
    wait(world, 500)
    assert not world.state.trip.lines
    assert len(world.state.trip.doubts) == 2


def test_a_name_that_did_not_explain_a_change_before_a_restart_does_not_explain_it_after():
    world = World(1)
    world.tell(Standstill(0, 0, 300))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    looks = (("Milk", 6_000), ("Oats", -3_000), ("Pear", -3_000))
    world.feed(Classified(world.t_ns, world.t_ns, 3, looks, -1_000, -2_000, direction="in"))
    world.tell(Step(1, 0, 300, 1_037_000, 500, "standing", True))
    world.tell(Standstill(0, 1_037_000, 300))
    assert [doubt.delta_mg for doubt in world.state.trip.doubts] == [1_037_000]
    world = restarted(world, 1_037_000)
    world.feed(Tapped(world.t_ns, taps.PICK, "milk"))
    assert [line.product_id for line in world.state.trip.lines] == ["milk"]


def test_a_code_that_an_unseen_thing_was_taken_for_goes_to_what_lands_with_it():
    world = shopping()
    world.tell(Standstill(0, 521_000, 300))
    wait(world, 2_000)
    world.feed(Sighted(world.t_ns, world.t_ns, 7, "EAN13", "9521000000025", "09521000000025", votes=3))
    assert [line.mass_mg for line in world.state.trip.lines] == [521_000], "alone with the doubt, it explains it"
    world.tell(Step(2, 0, 300, 519_500, 500, "standing", True))
    assert [line.mass_mg for line in world.state.trip.lines] == [519_500]
    assert [doubt.delta_mg for doubt in world.state.trip.doubts] == [521_000]


def test_what_lands_under_a_code_of_its_own_takes_no_other_from_an_unseen_thing():
    world = shopping()
    world.tell(Standstill(0, 521_000, 300))
    wait(world, 2_000)
    world.feed(Sighted(world.t_ns, world.t_ns, 7, "EAN13", "9521000000025", "09521000000025", votes=3))
    wait(world, 1_000)
    world.feed(Sighted(world.t_ns, world.t_ns, 8, "EAN13", "9521000000018", "09521000000018", votes=3))
    world.tell(Step(2, 0, 300, 700_000, 500, "standing", True))  # a wrong label, and in doubt for that
    assert [line.product_id for line in world.state.trip.lines] == ["oats"]
    assert [doubt.delta_mg for doubt in world.state.trip.doubts] == [700_000]


def test_a_lot_that_is_named_only_after_a_restart_is_weighed_again():
    world = World(1)
    world.tell(Standstill(0, 0, 300))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    world.tell(Step(1, 0, 300, 1_037_000, 500, "standing", True))
    world.tell(Standstill(0, 1_037_000, 300))
    world = restarted(world, 1_037_000)
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    wait(world, 1_000)
    assert (world.state.trip.lines, world.state.trip.prompt.kind) == ((), "weigh_again")


def test_no_name_of_a_lot_that_waits_to_be_weighed_again_explains_another_change():
    world = shopping()
    world.tell(Step(1, 0, 300, 1_300_000, 500, "standing", True))
    world.tell(Standstill(0, 1_710_000, 300))
    wait(world, 2_000)
    for _ in range(2):  # touched twice: the list did not change
        world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
        wait(world, 500)
    assert world.state.trip.lines == ()
    assert [(doubt.delta_mg, doubt.product_id) for doubt in world.state.trip.doubts] == [
        (1_300_000, ""),
        (410_000, "pear"),
    ]


def test_what_a_line_did_not_weigh_of_what_left_unseen_stays_in_doubt():
    world = shopping_with_milk()
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    wait(world, 6_000)
    world.tell(LoadState("no_data", 0))
    world.tell(LoadState("ok", 0))
    world.tell(Standstill(0, 700_000, 300))  # the milk left while nobody weighed, and pears came
    wait(world, 20_000)
    prompt = world.state.trip.prompt
    (milk,) = world.state.trip.lines
    assert (prompt.kind, prompt.args) == ("what_removed", ("341",))
    world.feed(Tapped(world.t_ns, taps.ANSWER, f"line:{milk.id}", prompt.id))
    assert world.state.trip.lines == ()
    assert [doubt.delta_mg for doubt in world.state.trip.doubts] == [700_000]
    assert "mismatch" not in world.state.trip.flags


def test_a_late_look_leaves_a_lot_at_what_the_standstill_weighed():
    world = World(1)
    world.tell(Standstill(0, 0, 300))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    world.tell(Step(1, 0, 300, 405_000, 4_000, "strolling", True))
    world.tell(Standstill(0, 409_000, 300))
    looks = (("Pear", 4_000),)
    world.feed(Classified(world.t_ns, world.t_ns - 100 * MS, 3, looks, -1_000, -2_000, direction="in"))
    (line,) = world.state.trip.lines
    assert (line.mass_mg, line.settled) == (409_000, True)


def test_a_thing_that_shows_its_code_after_it_landed_says_nothing_of_what_leaves_next():
    rye = Product("rye", "Rye", "piece", 299, 522_000, 4_000, ("09521000000049",), label="Rye")
    world = shopping(rye)
    world.feed(Sighted(world.t_ns, world.t_ns, 1, "EAN13", "9521000000025", "09521000000025", votes=3))
    world.tell(Step(1, 0, 300, 520_000, 500, "standing", True))
    wait(world, 6_000)
    world.tell(Step(2, 0, 300, 522_000, 500, "standing", True))
    wait(world, 1_000)
    world.feed(Sighted(world.t_ns, world.t_ns, 7, "EAN13", "9521000000049", "09521000000049", votes=3))
    world.feed(Classified(world.t_ns, world.t_ns, 7, (("Rye", 6_000), ("Oats", -4_000)), -1_000, -2_000))
    assert [line.product_id for line in world.state.trip.lines] == ["oats", "rye"]
    wait(world, 1_000)
    world.tell(Step(3, 0, 300, -521_000, 500, "standing", True))
    assert [line.product_id for line in world.state.trip.lines] == ["oats", "rye"], "which of them left is asked"


def test_a_wrong_label_that_was_seen_through_explains_nothing_after_two_restarts():
    world = shopping()
    world.feed(Sighted(world.t_ns, world.t_ns, 3, "EAN13", "9521000000018", "09521000000018", votes=3))
    looks = (("Oats", 6_000), ("Milk", -6_000))
    world.feed(Classified(world.t_ns, world.t_ns, 3, looks, -1_000, -2_000, direction="in"))
    world.tell(Step(1, 0, 300, 1_053_000, 500, "standing", True))
    world.tell(Standstill(0, 1_053_000, 300))
    assert doubted(world) == [(1_053_000, "milk")]
    world = restarted(restarted(world, 1_053_000), 1_053_000)
    assert [scan.product_id for scan in world.state.trip.scans] == ["milk"]
    assert (billed(world), len(world.state.trip.doubts)) == ([], 1)


def test_a_wrong_label_is_seen_through_though_the_code_of_another_thing_was_shown_in_the_same_pass():
    wine = Product("wine", "Wine", "piece", 1_299, 1_053_000, 5_000, ("09521000000049",), label="Wine")
    world = shopping(wine)
    world.tell(Step(1, 0, 300, 520_000, 500, "standing", True))
    world.tell(Standstill(0, 520_000, 300))
    wait(world, 500)
    for gtin in ("09521000000025", "09521000000018"):
        world.feed(Sighted(world.t_ns, world.t_ns, 7, "EAN13", gtin[1:], gtin, votes=3))
    looks = (("Wine", 6_000), ("Milk", -6_000), ("Oats", -6_000))
    world.feed(Classified(world.t_ns, world.t_ns, 7, looks, -1_000, -6_000, direction="in"))
    world.tell(Step(2, 0, 300, 1_053_000, 500, "standing", True))
    assert doubted(world) == [(1_053_000, "milk")]


def test_looks_that_change_their_mind_leave_a_lot_at_what_the_standstill_weighed():
    world = shopping()
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    world.tell(Step(1, 0, 300, 405_000, 4_000, "strolling", True))
    world.tell(Standstill(0, 409_000, 300))
    seen_ns = world.t_ns - 100 * MS
    looks = (("Milk", 6_000), ("Pear", -6_000))
    world.feed(Classified(world.t_ns, seen_ns, 3, looks, -1_000, -2_000, direction="in"))
    assert doubted(world) == [(409_000, "pear")]
    world.feed(Classified(world.t_ns, seen_ns + 50 * MS, 3, (("Pear", 6_000),), -1_000, -2_000, direction="in"))
    assert [(line.mass_mg, line.settled) for line in world.state.trip.lines] == [(409_000, True)]


def test_pears_that_are_the_shoppers_own_keep_no_others_from_their_name():
    world = shopping()
    world.tell(Standstill(0, 410_000, 300))
    wait(world, 2_000)
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    wait(world, 1_000)
    world.feed(Tapped(world.t_ns, taps.ANSWER, "own", world.state.trip.prompt.id))
    assert [doubt.kind for doubt in world.state.trip.doubts] == ["own"]
    world.feed(Tapped(world.t_ns, taps.WITHDRAW, "pear"))
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    world.tell(Step(2, 0, 300, 700_000, 500, "standing", True))
    assert billed(world) == [("pear", 700_000)]


@pytest.mark.parametrize("way_ms", [500, 3_000, 4_500])
def test_a_thing_may_be_on_its_way_as_long_as_its_code_is_kept_for_it(way_ms):
    world = shopping()
    world.tell(Standstill(0, 521_000, 300))
    wait(world, 2_000)
    world.feed(Sighted(world.t_ns, world.t_ns, 7, "EAN13", "9521000000025", "09521000000025", votes=3))
    wait(world, way_ms)
    world.tell(Step(2, 0, 300, 519_500, 500, "standing", True))
    assert (billed(world), doubted(world)) == ([("oats", 519_500)], [(521_000, "")])


@pytest.mark.parametrize("masses_mg", [(411_000, 440_000), (440_000, 411_000), (851_000,)])
def test_two_lots_that_are_lifted_out_at_once_come_back_each_by_its_own_name_or_are_asked_about(masses_mg):
    world = shopping(Product("apple", "Apples", "weight", 199, 180_000, 20_000, label="Apple"))
    for gross_mg, name in ((411_000, "pear"), (851_000, "apple")):
        world.tell(Standstill(0, gross_mg, 300))
        wait(world, 2_000)
        world.feed(Tapped(world.t_ns, taps.PICK, name))
        wait(world, 1_000)
    assert doubted(world) == [(411_000, "pear"), (440_000, "apple")]
    world.tell(Step(1, 0, 300, -851_000, 500, "standing", True))
    assert doubted(world) == []
    for number, mass_mg in enumerate(masses_mg, 2):
        wait(world, 1_500)
        world.tell(Step(number, 0, 300, mass_mg, 500, "standing", True))
    each = [{411_000: ("pear", 411_000), 440_000: ("apple", 440_000)}.get(mass_mg) for mass_mg in masses_mg]
    assert billed(world) == [line for line in each if line]
    assert len(world.state.trip.doubts) == each.count(None)


def test_what_was_not_asked_to_be_lifted_out_comes_back_under_no_other_name():
    world = shopping()
    for gross_mg in (1_040_000, 1_450_000):  # milk and pears, and nobody saw them land
        world.tell(Standstill(0, gross_mg, 300))
        wait(world, 2_000)
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    wait(world, 1_000)
    assert world.state.trip.prompt.kind == "weigh_again"
    for step_id, delta_mg in ((1, -1_040_000), (2, 1_040_000)):
        world.tell(Step(step_id, 0, 300, delta_mg, 500, "standing", True))
        wait(world, 1_500)
    assert world.state.trip.lines == (), "the milk is no pears"


def test_a_restart_brings_the_trip_back_bit_for_bit():
    world = shopping_with_milk()
    world.feed(Sighted(world.t_ns, world.t_ns, 2, "EAN13", "9521000000025", "09521000000025"))
    stored = codec.decode(codec.encode(world.pending[-1].trip))
    state, _ = step(initial(SETUP), Restored(5, 6, "0" * 16, stored, save_seq=world.pending[-1].seq))
    scans = tuple(replace(x, t_ns=5) for x in stored.scans)
    assert state.trip == replace(stored, scans=scans)
    assert codec.encode(replace(state.trip, scans=())) == codec.encode(replace(world.state.trip, scans=()))
    assert state.screen.total_minor == 129


def test_a_lot_whose_weighing_was_cut_short_by_the_end_of_the_daemon_is_charged_by_no_difference():
    world = World(1)
    world.tell(Standstill(0, 0, 300))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    world.feed(Tapped(world.t_ns, taps.PICK, "pear"))
    world.tell(Step(1, 0, 300, 830_000, 9_000, "standing", False))
    stored = world.pending[-1].trip
    assert stored.lines[0].amount_minor == 248
    world = World(2)
    world.state, _ = step(initial(SETUP), Restored(5, 6, "0" * 16, stored))
    assert world.state.trip.lines == ()
    world.tell(Standstill(0, 851_000, 300))
    world.feed(Tick(world.t_ns + 1_500 * MS, 0))
    assert [(x.delta_mg, x.product_id, x.seen) for x in world.state.trip.doubts] == [(851_000, "pear", False)]


def test_what_landed_while_the_daemon_was_down_is_told_from_a_weighing_that_the_end_cut_short():
    world = World(1)
    world.tell(Standstill(0, 0, 300))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    world.feed(Sighted(world.t_ns, world.t_ns, 1, "EAN13", "9521000000018", "09521000000018"))
    world.tell(Step(1, 0, 300, 970_000, 40_000, "standing", False))
    stored = world.pending[-1].trip
    assert [line.settled for line in stored.lines] == [False]
    world = World(2)
    world.state, _ = step(initial(SETUP), Restored(5, 6, "0" * 16, stored))
    world.tell(Standstill(0, 1_041_000 + 850_000, 300))
    world.feed(Tick(world.t_ns + 1_500 * MS, 0))
    assert [x.delta_mg for x in world.state.trip.doubts] == [851_000]
    assert [line.mass_mg for line in world.state.trip.lines] == [1_040_000]


def test_a_code_read_again_after_a_restart_is_not_another_item():
    stored = shopping_with_milk().pending[-1].trip
    world = World(2)
    world.state, _ = step(initial(SETUP), Restored(5, 6, "0" * 16, stored))
    world.feed(Sighted(10, 9, 1, "EAN13", "9521000000018", "09521000000018"))
    assert world.state.trip.scans == ()
    world.feed(Sighted(20, 19, 2, "EAN13", "9521000000018", "09521000000018"))
    assert len(world.state.trip.scans) == 1


@pytest.mark.parametrize(("verdict", "shown"), [("", "saved"), ("accepted", "receipted"), ("rejected", "rejected")])
def test_a_restart_shows_what_the_store_said_of_the_charge(verdict, shown):
    trip = Trip(trip_id="t", phase="paid", charge_id="charge-1", receipt="saved")
    state, _ = step(initial(SETUP), Restored(5, 6, "0" * 16, trip, verdict=verdict))
    assert state.screen.receipt == shown


def test_goods_that_moved_while_the_daemon_was_down_are_found():
    stored = shopping_with_milk().pending[-1].trip
    world = World(2)
    world.state, _ = step(initial(SETUP), Restored(5, 6, "0" * 16, stored))
    world.tell(Standstill(0, 1_041_000 + 520_000, 300))
    world.feed(Tick(world.t_ns + 1_500 * MS, 0))
    assert [x.delta_mg for x in world.state.trip.doubts] == [520_000]


def test_a_locked_bill_is_fixed_again_after_a_restart():
    stored = locked().pending[-1].trip
    state, _ = step(initial(SETUP), Restored(5, 6, "0" * 16, stored))
    assert state.trip.phase == "closing"


def test_a_tap_with_the_same_key_acts_once():
    world = locked()
    for _ in range(3):
        world.feed(Tapped(world.t_ns, taps.PICK, "pear", key="once"))
    world.feed(Tapped(world.t_ns, taps.RESUME, key="k2"))
    for _ in range(3):
        world.feed(Tapped(world.t_ns, taps.PICK, "pear", key="pick"))
    assert [scan.product_id for scan in world.state.trip.scans] == ["pear"]


def test_two_exits_make_one_charge():
    world = locked()
    world.feed(ExitSeen(world.t_ns, "tap", "charge-1"))
    world.feed(ExitSeen(world.t_ns + MS, "gate", "charge-2"))
    assert [x.charge.charge_id for x in world.pending if isinstance(x, CommitSale)] == ["charge-1"]


def test_a_sale_that_the_disk_refuses_is_shown_as_unsaved_until_it_is_stored():
    world = locked()
    world.feed(ExitSeen(world.t_ns, "tap", "charge-1"))
    sale = world.pending[-1]
    world.feed(SaveFailed(world.t_ns, sale.seq, "disk full"))
    assert "saving_failed" in world.state.screen.notices
    assert world.state.screen.receipt == "saving"
    world.feed(Tapped(world.t_ns, taps.DONE))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="next"))
    assert world.state.trip.phase == "paid"
    assert world.state.sync.outbox == ()
    world.feed(Saved(world.t_ns, sale.seq, "charge-1", SHA))
    assert world.state.screen.receipt == "saved"
    assert "saving_failed" not in world.state.screen.notices
    assert [x.charge_id for x in world.state.sync.outbox] == ["charge-1"]


def test_a_receipt_closes_the_charge_that_it_names_and_no_other():
    world = locked()
    world.feed(ExitSeen(world.t_ns, "tap", "charge-1"))
    world.feed(Saved(world.t_ns, world.pending[-1].seq, "charge-1", SHA))
    world.feed(Receipted(world.t_ns, "charge-1", "cd" * 32, "accepted", 1))
    assert world.state.screen.receipt == "saved"
    state, effects = step(world.state, Receipted(world.t_ns, "charge-1", SHA, "accepted", 1))
    assert state.screen.receipt == "receipted"
    assert CloseCharge("charge-1", "accepted", 1) in effects
    assert state.sync.outbox == ()


def test_unreceipted_charges_survive_a_restart():
    row = OutboxRow("charge-1", 4, SHA, 129, 1)
    trip = Trip(trip_id="t", phase="paid", charge_id="charge-1", receipt="saving")
    state, _ = step(initial(SETUP), Restored(5, 6, "0" * 16, trip, outbox=(row,)))
    assert [x.charge_id for x in state.sync.outbox] == ["charge-1"]
    assert state.screen.receipt == "saved"


@pytest.mark.parametrize("source", ["gate", "lane"])
def test_leaving_with_goods_and_without_paying_is_flagged_and_never_charged(source):
    world = shopping_with_milk()
    world.feed(ExitSeen(world.t_ns, source, "charge-1"))
    assert world.sales == {}
    assert "exit_unpaid" in world.state.screen.flags
    assert world.state.panel == ("red", "attention")


def test_a_bill_over_the_limit_needs_staff():
    world = locked()
    limits = replace(SETUP.limits, charge_minor_max=128)
    world.state = replace(world.state, setup=replace(SETUP, limits=limits))
    world.feed(ExitSeen(world.t_ns, "tap", "charge-1"))
    assert world.sales == {}
    assert world.state.screen.help


def test_the_stored_lines_are_told_from_those_still_being_stored():
    world = shopping_with_milk()
    assert [row.state for row in world.state.screen.lines] == ["saving"]
    for effect in list(world.pending):
        world.feed(Saved(world.t_ns, effect.seq))
    assert [row.state for row in world.state.screen.lines] == ["saved"]


def test_a_cart_that_is_too_heavy_says_so_and_not_that_its_scale_is_silent():
    world = shopping_with_milk()
    world.tell(LoadState("over_range", 0))
    assert {"over_capacity", "scale_lost"} & set(world.state.screen.notices) == {"over_capacity"}


def test_no_trip_and_no_sale_begins_while_the_disk_takes_nothing():
    world = locked()
    world.feed(SaveFailed(world.t_ns, world.pending[-1].seq, "disk full"))
    world.feed(ExitSeen(world.t_ns, "tap", "charge-1"))
    assert world.state.trip.phase == "locked"
    assert world.sales == {}
    assert world.state.panel == ("red", "attention")
    idle = World(3)
    idle.tell(Standstill(0, 0, 300))
    idle.state = replace(idle.state, save_failed=True)
    idle.feed(Tapped(1, taps.START, fresh_id="trip"))
    assert idle.state.trip.phase == "idle"


@pytest.mark.parametrize("lost", [LoadState("stuck", 0), SourceLost(0, "scale", "unplugged")])
def test_nothing_is_paid_while_nobody_can_weigh(lost):
    world = locked()
    if isinstance(lost, LoadState):
        world.tell(lost)
    else:
        world.feed(replace(lost, t_ns=world.t_ns))
    world.feed(ExitSeen(world.t_ns, "gate", "charge-1"))
    assert world.state.trip.phase == "closing"
    assert world.sales == {}
    assert "exit_unpaid" in world.state.trip.flags


def test_a_trip_begins_only_when_the_empty_cart_was_weighed():
    world = World(1)
    world.feed(Tapped(1, taps.START, fresh_id="trip"))
    assert world.state.trip.phase == "idle"
    assert "hands_off" in world.state.screen.notices
    world.tell(Standstill(0, 0, 300))
    world.tell(LoadState("no_data", 0))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    assert world.state.trip.phase == "shopping"
    world.tell(LoadState("ok", 0))
    world.tell(Standstill(0, 850_000, 300))
    world.feed(Tick(world.t_ns + 1_500 * MS, 0))
    assert [x.delta_mg for x in world.state.trip.doubts] == [850_000]


def test_a_trip_without_a_scale_is_known_to_staff():
    world = World(1)
    world.tell(LoadState("no_data", 0))
    world.feed(Tapped(world.t_ns, taps.START, fresh_id="trip"))
    assert world.state.trip.phase == "shopping"
    assert world.state.trip.flags == ("unweighed_start",)
