"""Codes on generated frames near the limit of what can be read, one hardship at a time and several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cart.vision.bench.comparing import Sample, compared
from cart.vision.bench.readers import Code
from cart.vision.bench.render import Hardship, frame
from cart.vision.bench.sections import Plan, Progress, Result
from cart.wire.gtin import check_digit
from cart.wire.upce import upca_to_upce

FRAMES, FRAMES_QUICK = 2_000, 200
PART = 500
ALL = "all generated"

Draw = Callable[[np.random.Generator], Hardship]


def _turn(rng: np.random.Generator) -> float:
    """Return an angle near upright in half of the frames, any in the others."""
    return float(rng.uniform(-10, 10) if rng.random() < 0.5 else rng.uniform(0, 360))


def _several(rng: np.random.Generator) -> Hardship:
    """Return two or three hardships at once, each somewhat below its own limit, in any direction."""
    chosen = set(rng.choice(7, int(rng.integers(2, 4)), replace=False).tolist())

    def among(number: int, low: float, high: float, without: float = 0.0) -> float:
        return float(rng.uniform(low, high)) if number in chosen else without

    return Hardship(
        module_px=float(rng.uniform(1.3, 3.0)),
        turn_deg=_turn(rng),
        smear_modules=among(0, 0.3, 1.6),
        smear_deg=float(rng.uniform(0, 180)),
        defocus_modules=among(1, 0.3, 0.7, 0.25),
        noise=among(2, 5, 20, 3.0),
        contrast=among(3, 0.15, 0.6, 1.0),
        glare=among(4, 0.3, 0.8),
        thumb=among(4, 0.2, 0.8) if rng.random() < 0.5 else 0.0,
        arc_deg=among(5, 60, 130),
        tilt_deg=among(6, 15, 50),
        level_tilt_deg=among(6, 10, 50),
        ink_modules=float(rng.uniform(-0.2, 0.3)),
        quiet_modules=(int(rng.integers(4, 12)), int(rng.integers(4, 8))),
        height_modules=int(rng.integers(18, 60)),
    )


KINDS: dict[str, Draw] = {
    "45 deg, 1.5 px/module": lambda rng: Hardship(1.5, float(rng.choice([45, 135, 225, 315]) + rng.uniform(-5, 5))),
    "45 deg, 2 px/module": lambda rng: Hardship(2.0, float(rng.choice([45, 135, 225, 315]) + rng.uniform(-5, 5))),
    "any angle, 1.5 px/module": lambda rng: Hardship(1.5, float(rng.uniform(0, 360))),
    "1.2 px/module": lambda rng: Hardship(1.2, float(rng.uniform(-10, 10))),
    "motion 1 to 2 modules": lambda rng: Hardship(2.0, _turn(rng), smear_modules=float(rng.uniform(1.0, 2.0))),
    "defocus 0.5 to 0.9": lambda rng: Hardship(2.0, _turn(rng), defocus_modules=float(rng.uniform(0.5, 0.9))),
    "noise 15 to 30": lambda rng: Hardship(2.0, _turn(rng), noise=float(rng.uniform(15, 30))),
    "contrast 0.06 to 0.2": lambda rng: Hardship(2.0, _turn(rng), contrast=float(rng.uniform(0.06, 0.2))),
    "glare 0.5 to 0.9": lambda rng: Hardship(2.0, _turn(rng), glare=float(rng.uniform(0.5, 0.9))),
    "thumb 0.7 to 0.93": lambda rng: Hardship(2.0, _turn(rng), thumb=float(rng.uniform(0.7, 0.93))),
    "can, 100 to 150 deg": lambda rng: Hardship(2.0, _turn(rng), arc_deg=float(rng.uniform(100, 150))),
    "tilt 40 to 60 deg": lambda rng: Hardship(2.5, _turn(rng), tilt_deg=float(rng.uniform(40, 60))),
    "several at once": _several,
}
"""What is near its limit; half of all frames have several hardships at once."""


def measure(plan: Plan, progress: Progress) -> Result:
    """Return the table of the generated frames."""
    count = plan.frames or (FRAMES_QUICK if plan.quick else FRAMES)
    comparison = compared(samples(plan.seed, count, progress), ours=plan.ours)
    return Result(
        (comparison.table("Codes on generated frames near the limit"),),
        comparison.figures(),
        tuple(comparison.pictures),
    )


def samples(seed: int, count: int, progress: Progress, kinds: dict[str, Draw] = KINDS) -> Iterator[Sample]:
    """Yield `count` frames, half of them of the last kind, the others of each kind in turn."""
    *single, several = kinds
    for number in range(count):
        # A log has a line for each part.
        progress(f"generated frames from {number - number % PART + 1} on, {number + 1} of {count}")
        kind = several if number % 2 or not single else single[number // 2 % len(single)]
        yield drawn(seed, number, kind, kinds[kind])


def drawn(seed: int, number: int, kind: str, draw: Draw) -> Sample:
    """Return one frame, the same for the same seed, number and kind."""
    rng = np.random.default_rng((seed, number))
    code = random_code(rng)
    pixels = frame(code, draw(rng), rng)
    return Sample(f"{kind}, frame {number}", (kind, ALL), pixels, code)


def random_code(rng: np.random.Generator) -> Code:
    """Return a valid retail code: half EAN-13, a quarter UPC-A, an eighth each EAN-8 and UPC-E."""
    digits = "".join(map(str, rng.integers(0, 10, 12)))
    kind = rng.integers(8)
    if kind < 4:
        # A leading zero would make it a UPC-A.
        body = f"{rng.integers(1, 10)}{digits[1:]}"
        return Code("EAN13", body + check_digit(body))
    if kind < 6:
        return Code("UPCA", digits[:11] + check_digit(digits[:11]))
    if kind == 6:
        return Code("EAN8", digits[:7] + check_digit(digits[:7]))
    body = f"0{digits[1:6]}0000{rng.integers(5, 10)}"
    short = upca_to_upce(body + check_digit(body))
    return Code("UPCE", short) if short else Code("UPCA", body + check_digit(body))
