"""`cart bench weigh`: all scenes of one seed in one world, and everything that was measured on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cart.sim.physics import Params
from cart.sim.physics.world_file import digest
from cart.sim.weighing.alarms import AlarmFigures, alarm_figures
from cart.sim.weighing.case_book import CASES, LINE_CASES
from cart.sim.weighing.cases import VERDICTS, WRONG, Judged, judged
from cart.sim.weighing.cost import Cost, cost
from cart.sim.weighing.figures import METHODS, PROMISED_MG, Quiet, Row, in_basket, quiet, rows, unaccounted
from cart.sim.weighing.items import MOTIONS, QUIET_PIECE_S, Scene, item_scene, quiet_scene
from cart.sim.weighing.landings import LandingRow, landings
from cart.sim.weighing.landings import rows as landing_rows

if TYPE_CHECKING:
    from cart.clock import SystemClock

COST_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    scenes       with items, in each class of motion; nine changes each
    quiet_s      without a change, in each class of motion
    case_rounds  how often each case is played
    landings     scenes on four cells, for the place at which things land; five items each
    motions      the classes of motion;  costs: whether to measure processor time
    accelerometer  whether the carts of scenes and quiet time have one
    rolled_s     for so long those of scenes rolled before, since their daemon began
    """

    scenes: int = 12
    quiet_s: int = 3_600
    case_rounds: int = 3
    landings: int = 12
    motions: tuple[str, ...] = tuple(MOTIONS)
    costs: bool = True
    accelerometer: bool = True
    rolled_s: int = 0


USUAL = Plan()
QUICK = Plan(scenes=3, quiet_s=300, case_rounds=1, landings=4)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured: tables, and the scenes they were made of."""

    seed: int
    world: str
    plan: Plan
    rows: tuple[Row, ...]
    quiet: tuple[Quiet, ...]
    cases: tuple[Judged, ...]
    landings: tuple[LandingRow, ...]
    costs: tuple[Cost, ...]
    scenes: tuple[Scene, ...]
    quiet_scenes: tuple[Scene, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, without the scenes, as JSON knows them; `summary` has one flat table a motion."""
        return {
            "simulated": True,
            "seed": self.seed,
            "world": self.world,
            "plan": asdict(self.plan),
            "summary": {motion: self.summary(motion) for motion in self.plan.motions},
            "rows": [asdict(row) for row in self.rows],
            "quiet": [asdict(q) for q in self.quiet],
            "cases": [
                {
                    "case": j.case,
                    "number": j.number,
                    "of_line": j.case in LINE_CASES,
                    "verdict": j.verdict,
                    "told": j.told,
                    "named_ms": j.named_ms,
                    "names": j.names,
                }
                for j in self.cases
            ],
            "alarm": asdict(self.alarm()),
            "landings": {str(row.mass_mg // 1_000): asdict(row) for row in self.landings},
            "verdicts": {verdict: sum(j.verdict == verdict for j in self.cases) for verdict in VERDICTS},
            "faults": self.faults(),
            "costs": [asdict(c) for c in self.costs],
            "cpu_percent": {str(c.lines_per_s): c.permille / 10 for c in self.costs},
        }

    def faults(self) -> dict[str, int | None]:
        """Return how the faults of the line were named: how many wrongly, and the longest time to a name in ms.

        A fault that was never named has no time, and then there is no longest one.
        """
        judged_faults = [j for j in self.cases if j.case in LINE_CASES]
        times = [j.named_ms for j in judged_faults if LINE_CASES[j.case]]
        never = not times or None in times
        return {
            "played": len(judged_faults),
            "wrong": sum(j.verdict == WRONG for j in judged_faults),
            "named_ms_max": None if never else max(t for t in times if t is not None),
            "others_wrong": sum(j.verdict == WRONG and j.case not in LINE_CASES for j in self.cases),
        }

    def alarm(self) -> AlarmFigures:
        """Return what came of the standing alarm."""
        return alarm_figures(
            [scene for scene in self.scenes if scene.motion == "standing"],
            [scene for scene in self.quiet_scenes if scene.motion == "standing"],
        )

    def summary(self, motion: str) -> dict[str, float | None]:
        """Return what the bars ask of one class of motion, over the masses that it promises."""
        rows = [r for r in self.rows if (r.motion, r.method) == (motion, "weight")]
        row = next(r for r in rows if r.mass_mg == 0)
        scenes = [scene for scene in self.scenes if scene.motion == motion]
        still = next(q for q in self.quiet if (q.motion, q.method) == (motion, "weight"))
        false = [claim for scene in scenes for claim in scene.weight.false]
        hours = still.hours + sum(scene.seconds for scene in scenes) / 3_600
        return {
            "promised_from_mg": PROMISED_MG[motion],
            "changes": row.changes,
            "missed": row.missed + row.together + row.held,
            "unconfirmed": sum(r.missed for r in rows if 0 < r.mass_mg < PROMISED_MG[motion]),
            "delay_ms_median": row.delay_ms.value,
            "delay_ms_p95": row.delay_ms_p95.value,
            "error_mg_median": row.error_mg.value,
            "error_mg_p95": row.error_mg_p95.value,
            "false_beside_items": len(false),
            "false_quiet": still.false,
            "false": len(false) + still.false,
            "false_per_hour": (len(false) + still.false) / hours if hours else None,
            "hours": hours,
            "false_in_basket": len(in_basket(false)) + still.in_basket,
            "standstills": sum(len(scene.standstills) for scene in scenes),
            "unaccounted": len(unaccounted(scenes)),
        }


def run(plan: Plan, seed: int, params: Params, clock: SystemClock, progress: Callable[[str], None]) -> Report:
    """Play all scenes of the plan and return what came of them; `progress` is told what is being done."""
    scenes: list[Scene] = []
    still: list[Scene] = []
    for motion in plan.motions:
        for number in range(plan.scenes):
            progress(f"{motion}: items, scene {number + 1} of {plan.scenes}")
            as_planned = {"accelerometer": plan.accelerometer, "rolled_s": plan.rolled_s}
            scenes.append(item_scene(motion, number, seed, params, **as_planned))
        pieces = _pieces(plan.quiet_s)
        for number, seconds in enumerate(pieces):
            progress(f"{motion}: nothing happens, cart {number + 1} of {len(pieces)}")
            still.append(quiet_scene(motion, number, seed, seconds, params, accelerometer=plan.accelerometer))
    cases = []
    for case in CASES:
        for number in range(plan.case_rounds):
            progress(f"cases, {case.name}, {number + 1} of {plan.case_rounds}")
            cases.append(judged(case, number, seed, params))
    landed = []
    for number in range(plan.landings if "standing" in plan.motions else 0):
        progress(f"places, cart {number + 1} of {plan.landings}")
        landed += landings(number, seed, params)
    return Report(
        seed,
        digest(params),
        plan,
        tuple(row for motion in plan.motions for row in rows(motion, [s for s in scenes if s.motion == motion])),
        tuple(
            quiet(motion, [s for s in still if s.motion == motion], method)
            for motion in plan.motions
            for method in METHODS
        ),
        tuple(cases),
        tuple(landing_rows(landed)) if landed else (),
        _costs(clock, progress) if plan.costs else (),
        tuple(scenes),
        tuple(still),
    )


def worst_first(report: Report) -> list[Scene | Judged]:
    """Return what a report shows: wrong cases and scenes with misses or false changes first, then the others."""
    shown: list[Scene | Judged] = [*report.cases, *report.scenes, *(s for s in report.quiet_scenes if s.weight.false)]
    return sorted(shown, key=lambda scene: -_badness(scene))


def _badness(scene: Scene | Judged) -> int:
    if isinstance(scene, Judged):
        return 3 if scene.verdict == WRONG else 0
    promised = PROMISED_MG[scene.motion]
    missed = sum(o.how != "at once" and abs(o.change.delta_mg) >= promised for o in scene.weight.outcomes)
    return 4 * bool(missed) + 2 * bool(scene.weight.false) + bool(unaccounted([scene]))


def _pieces(quiet_s: int) -> list[int]:
    whole, rest = divmod(quiet_s, QUIET_PIECE_S)
    return [QUIET_PIECE_S] * whole + ([rest] if rest else [])


def _costs(clock: SystemClock, progress: Callable[[str], None]) -> tuple[Cost, ...]:
    found = []
    for samples_per_s, with_imu in ((80, False), (320, False), (80, True)):
        progress(f"processor time, at {samples_per_s} conversions a second")
        found.append(cost(samples_per_s, clock, with_imu=with_imu, seconds=COST_SECONDS))
    return tuple(found)
