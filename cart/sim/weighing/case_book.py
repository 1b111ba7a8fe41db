"""The cases that the weight must not be fooled by, and the faults that it must name."""

from __future__ import annotations

from functools import partial

from cart.sim.weighing import line_faults
from cart.sim.weighing.cases import Case, Stage
from cart.sim.weighing.feed import Spoil
from cart.sim.weighing.matching import Change

KG = 1_000_000
WALK, STROLL = 1_000, 500
RIM = (0.0, 1.0)
HANDLE = (-1.0, 0.0)
FAULT_S = 4.0


def _kicks(s: Stage) -> None:
    for _ in range(4):
        s.platform.lean(s.random.randrange(20_000, 80_000), 60_000, 20_000, HANDLE)
        s.wait(s.random.uniform(2, 4))


def _kerbs(s: Stage) -> None:
    s.platform.ground(s.params.smooth_roughness, 1.0, 2 * s.params.bump_m_s2)
    s.platform.push_to(WALK)
    s.wait(40)
    s.platform.push_to(0)
    s.wait(6)


def _stop_and_go(s: Stage) -> None:
    s.platform.ground(s.params.smooth_roughness)
    for _ in range(8):
        s.platform.push_to(WALK, 700_000)
        s.wait(s.random.uniform(2, 4))
        s.platform.push_to(0, 400_000)
        s.wait(s.random.uniform(2, 4))
    s.wait(4)


def _lean(s: Stage) -> None:
    for _ in range(2):
        duration_us = s.random.randrange(2_000_000, 6_000_000)
        s.platform.lean(s.random.randrange(8_000, 40_000), duration_us, 250_000, HANDLE)
        s.platform.fidget(1_500, duration_us, 3.0, HANDLE)
        s.wait(duration_us / 1e6 + 5)


def _pull_up(s: Stage) -> None:
    s.platform.lean(-15_000, 3_000_000, 300_000, RIM)
    s.platform.fidget(1_000, 3_000_000, 3.0, RIM)
    s.wait(9)


def _child(s: Stage) -> None:
    mass_mg = s.random.randrange(9 * KG, 16 * KG)
    s.platform.add(mass_mg, "place", where=HANDLE)
    s.platform.fidget(25_000, 30_000_000, 1.3, HANDLE)
    s.wait(30)
    s.platform.add(-mass_mg, "lift", where=HANDLE)
    s.wait(8)


def _ramp(s: Stage) -> None:
    s.platform.ground(s.params.smooth_roughness)
    s.platform.push_to(STROLL)
    s.wait(5)
    s.platform.tilt_to(60)
    s.wait(12)
    s.platform.tilt_to(0)
    s.wait(6)
    s.platform.push_to(0)
    s.wait(6)


def _parked_on_a_ramp(s: Stage) -> None:
    s.platform.tilt_to(60)
    s.wait(10)
    s.platform.tilt_to(0)
    s.wait(8)


def _freezer(s: Stage) -> None:
    s.platform.kelvin_per_s = -0.03
    s.wait(200)
    s.platform.kelvin_per_s = 0.015
    s.wait(200)


def _freezer_rolling(s: Stage) -> None:
    s.platform.ground(s.params.smooth_roughness)
    s.platform.kelvin_per_s = -0.03
    for _ in range(4):
        s.platform.push_to(STROLL)
        s.wait(25)
        s.platform.push_to(0)
        s.wait(15)


def _creep(s: Stage) -> None:
    s.put(12 * KG)
    s.wait(240)


def _pour(s: Stage, mass_mg: int, seconds: int) -> None:
    s.platform.pour(mass_mg, seconds * 1_000_000)
    s.wait(seconds)
    s.truth.append(Change(s.feed.now_ms, mass_mg))
    s.wait(8)


def _bottle(s: Stage) -> None:
    for _ in range(3):
        s.platform.roll(1_500_000)
        s.wait(9)


def _rim(s: Stage) -> None:
    s.platform.touch_rim(0.4)
    s.wait(2)
    s.put(KG)
    s.wait(8)


def _three_items(s: Stage) -> None:
    for mass_mg in (300_000, 500_000, -300_000):
        s.put(mass_mg)
        s.wait(6)


def _two_quick(s: Stage) -> None:
    s.put(300_000, where=(0.2, 0.2))
    s.wait(0.8)
    s.put(500_000, where=(-0.2, 0.1))
    s.wait(7)


def _hesitates(s: Stage) -> None:
    s.platform.pour(250_000, 150_000)
    s.wait(0.3)
    s.put(250_000)
    s.truth[-1] = Change(s.truth[-1].released_ms, 500_000, hand_ms=900)
    s.wait(7)


def _put_and_taken(s: Stage) -> None:
    s.put(400_000)
    s.wait(1.5)
    s.put(-400_000)
    s.wait(7)


def _line(s: Stage, fault: Spoil) -> None:
    s.wait(s.random.random())
    s.break_line(fault, FAULT_S)
    s.wait(5)


def _frozen(s: Stage) -> None:
    _line(s, line_faults.frozen())


def _slow(s: Stage) -> None:
    _line(s, line_faults.slow())


def _garbage(s: Stage) -> None:
    _line(s, line_faults.garbage(s.random))


def _noisy(s: Stage) -> None:
    s.fault_ms = [s.feed.now_ms, s.feed.now_ms + 20_000]
    s.feed.spoil = line_faults.flipped(s.random, 0.03)
    s.put(200_000)
    s.wait(20)


def _gaps(s: Stage) -> None:
    s.fault_ms = [s.feed.now_ms, s.feed.now_ms + 20_000]
    s.feed.spoil = line_faults.gaps(s.random, 0.1)
    s.put(200_000)
    s.wait(20)


def _replugged(s: Stage) -> None:
    s.fault_ms = [s.feed.now_ms]
    s.feed.spoil = line_faults.silent
    s.wait(1)
    s.stale = s.feed.weight.gross_mg is not None
    s.platform.add(350_000)
    s.wait(4)
    s.feed.reboot()
    s.feed.spoil = line_faults.restarted()
    s.fault_ms.append(s.feed.now_ms)
    s.wait(6)
    # What was put in while nobody weighed is told when there is a weight again.
    s.truth.append(Change(s.fault_ms[1], 350_000))


CASES = (
    Case("kicks", "someone kicks the cart", ("bump",), _kicks),
    Case("kerbs", "1 m/s over kerbs", ("bump",), _kerbs),
    Case("stop and go", "sudden stops at 1 m/s", (), _stop_and_go),
    Case("leaning", "an arm on the handle for 2 to 6 s", ("lean",), _lean),
    Case("pulling", "a hand lifts the rim", ("lean",), _pull_up),
    Case("child", "a child sits in the seat for 30 s", ("child",), _child),
    Case("ramp", "rolling over a ramp of 60/1000", ("tilt", "ramp"), _ramp),
    Case("parked on a ramp", "tilted by 60/1000 for 8 s", ("tilt", "ramp"), _parked_on_a_ramp),
    Case("freezer", "standing, 6 K colder in 200 s and warmer again", (), _freezer),
    Case("freezer, rolling", "the same with a cart that is pushed on", (), _freezer_rolling),
    Case("creep", "12 kg put in, then 4 minutes", (), _creep),
    Case("pour", "500 g in 60 s", (), partial(_pour, mass_mg=500_000, seconds=60), sum_within_mg=25_000),
    Case("slow pour", "200 g in 200 s", (), partial(_pour, mass_mg=200_000, seconds=200), sum_within_mg=70_000),
    Case("bottle", "1.5 kg roll to and fro", (), _bottle),
    Case("rim", "the rim touches: 40 % of 1 kg are not felt", ("jam", "rim"), _rim),
    Case("three items", "put, put, take within 20 s", (), _three_items),
    Case("two quick", "two items, 0.8 s apart", (), _two_quick),
    Case("hesitating", "one item in two goes, 0.3 s apart", (), _hesitates),
    Case("put and taken", "put in, and out again 1.5 s later", (), _put_and_taken),
    Case("silence", "no line for 4 s", ("no_data",), partial(_line, fault=line_faults.silent)),
    Case("desync", "the converter is read out of step", ("garbage",), partial(_line, fault=line_faults.desync)),
    Case("saturation", "the bridge is broken", ("saturated",), partial(_line, fault=line_faults.saturated)),
    Case("low supply", "the converter starves", ("garbage",), partial(_line, fault=line_faults.starved)),
    Case("stuck", "always the same counts", ("stuck",), _frozen),
    Case("wrong rate", "10 conversions a second", ("wrong_rate",), _slow),
    Case("garbage", "noise on the line", ("garbage",), _garbage),
    Case("bit errors", "a wrong bit in 3 % of the lines", (), _noisy),
    Case("gaps", "10 % of the conversions are lost", (), _gaps),
    Case("replugged", "unplugged for 5 s; 350 g come meanwhile", ("no_data",), _replugged),
)

LINE_CASES = {case.name: case.names for case in CASES[[case.name for case in CASES].index("silence") :]}
"""The faults of the line, with the names that each must have within a second; none where it must be borne."""
