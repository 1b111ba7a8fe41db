"""The standing alarm: something happens to a load that stood, said before it is known what."""

from dataclasses import replace
from random import Random

import pytest

from cart.core import reminders
from cart.core.catalog import Product
from cart.core.effects import SetPanel
from cart.core.events import ExitSeen
from cart.core.weight_alarm import Watch, watched
from cart.core.weight_detector import Change, Detector
from cart.core.weight_values import ROLLING, STANDING, Alarm, Step
from cart.sim.physics import Params, Platform
from cart.sim.runner import Simulated
from cart.sim.weighing.feed import Feed
from tests.core.test_step import MS, World, locked

MILK = Product("milk", "Milk 1 l", "piece", 129, 1_035_000, 4_000, ("09521000000018",))


class Basket:
    def __init__(self, seed):
        self.random = Random(seed)
        self.platform = Platform(seed, Params(), 8_000_000)
        self.feed = Feed(self.platform)
        self.feed.run(5_000_000)

    def put(self, mass_mg, kind="place"):
        released_us = self.platform.add(mass_mg, kind, self.platform.now_us + self.random.randrange(450_000, 900_000))
        self.feed.run(6_000_000)
        return released_us // 1_000

    def alarms(self):
        return [h for h in self.feed.told if isinstance(h.event, Alarm)]

    def first_words(self):
        return [h for h in self.feed.told if isinstance(h.event, Step) and not h.event.final]


@pytest.mark.parametrize("mass_g", [10, 100, 2_000])
def test_it_comes_before_the_change_is_believed_and_within_a_quarter_of_a_second_of_the_hand_letting_go(mass_g):
    early_ms = []
    for seed in range(4):
        basket = Basket(seed)
        released_ms = basket.put(mass_g * 1_000)
        alarm, word = basket.alarms()[0], basket.first_words()[0]
        assert -600 < alarm.t_ms - released_ms < 300
        assert alarm.t_ms <= word.t_ms
        assert alarm.event.alarm == "up"
        early_ms.append(word.t_ms - alarm.t_ms)
    assert sorted(early_ms)[2] >= 100


def test_what_is_taken_out_goes_down():
    basket = Basket(3)
    basket.put(-700_000, "lift")
    assert basket.alarms()[0].event.alarm == "down"


def test_it_is_silent_for_ten_minutes_in_which_nothing_happens_and_while_the_cart_rolls():
    basket = Basket(5)
    basket.feed.run(600_000_000)
    assert basket.alarms() == []
    basket.platform.ground(1.0, 0.5, 6.0)
    basket.platform.push_to(1_000)
    basket.feed.run(3_000_000)
    told = len(basket.alarms())
    basket.feed.run(60_000_000)
    assert len(basket.alarms()) == told


def test_a_push_that_leaves_nothing_raises_it_once_and_it_is_armed_again():
    basket = Basket(6)
    for number in (1, 2):
        basket.platform.lean(800, 3_000_000)
        basket.feed.run(8_000_000)
        assert len([h for h in basket.alarms() if h.event.alarm == "up"]) == number


@pytest.mark.parametrize(
    ("motion", "alarmed", "said"), [(STANDING, False, 1), (STANDING, True, 0), (ROLLING, False, 0)]
)
def test_a_change_that_is_believed_first_raises_it_unless_it_was_said(motion, alarmed, said):
    change = Change(1, 4_600, 5_000, 400, 8_000_000_000, 90_000, -20_000, motion)
    watch, alarms = watched(Watch(alarmed=alarmed), Detector(change=change), [4_987, 5_000], 52_429)
    assert alarms == (Alarm(5_000, "down"),) * said
    assert watched(watch, Detector(change=change), [5_012, 5_025], 52_429)[1] == ()


def test_the_light_winks_before_there_is_a_line_and_is_green_again():
    cart = Simulated(catalog=[MILK]).settle()
    cart.scan(MILK)
    before = len(cart.cart.effects)
    cart.put(MILK).settle()
    lights = [x.light for x in cart.cart.effects[before:] if isinstance(x, SetPanel)]
    assert lights[0] == "off"
    assert lights[-1] == "green"


def test_while_something_happens_a_fixed_bill_is_open_and_is_fixed_again_when_nothing_came():
    world = locked()
    world.tell(Alarm(0, "up"))
    assert world.state.trip.phase == "closing"
    world.feed(ExitSeen(world.t_ns, "tap", "charge"))
    assert world.state.trip.charge_id == ""
    # Two seconds of rest, as after a change; `remind` is what each tick asks.
    phases = [reminders.remind(replace(world.state, t_ns=world.t_ns + ms * MS))[0].trip.phase for ms in (1_900, 2_000)]
    assert phases == ["closing", "locked"]


def test_an_alarm_changes_no_basket_and_nothing_of_an_idle_cart():
    world = locked()
    lines = world.state.trip.lines
    world.tell(Alarm(0, "down"))
    assert world.state.trip.lines == lines
    idle = World(1)
    idle.tell(Alarm(0, "up"))
    assert (idle.state.alarm_ns, idle.state.trip.phase) == (0, "idle")
