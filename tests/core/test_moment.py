"""Which pass of the camera belongs to a change, also when the change is told long after it happened."""

from cart.core import lives
from cart.core.catalog import Catalog
from cart.core.evidence import Look, look_at
from cart.core.setup import Setup
from cart.core.state import Live
from cart.core.step import initial
from cart.core.trip import Scan
from cart.core.weight import Calibration

S = 1_000_000_000


def state(*others):
    return lives.with_live(initial(Setup(Calibration(50_000, 0), Catalog("1", "EUR", []))), *others)


def live(number, start_s, told_s):
    return Live(number, 40_000, 900, True, True, round(start_s * S), round(told_s * S))


def passed(track, first_s, last_s):
    return Look(track, round(first_s * S), round(last_s * S), (("Gum", 4_000),), -2_000, -3_000)


def test_what_is_told_soon_happened_until_it_was_told():
    moment = lives.moment_of(state(live(1, 10, 11)), live(1, 10, 11))
    assert (moment.t_start_ns, moment.t_accept_ns) == (10 * S, 11 * S)


def test_what_was_held_in_motion_keeps_its_own_pass():
    held, other = live(2, 9.9, 40), live(1, 21, 21.6)
    looks = (passed(1, 8, 8.6), passed(2, 20.2, 20.8))
    moment = lives.moment_of(lives.with_live(state(other), held), held)
    assert look_at(looks, moment).track == 1
    assert look_at(looks, moment, Scan(1, "gum", "code", 8 * S, track=1)).track == 1


def test_what_was_told_before_it_began_has_had_its_pass():
    held, other = live(2, 12, 40), live(1, 10, 11)
    moment = lives.moment_of(lives.with_live(state(other), held), held)
    assert moment.after_ns == 11 * S
    assert look_at((passed(1, 9, 10.5),), moment) is None
