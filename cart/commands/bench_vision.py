"""measure how well codes and things are recognised, beside other readers, and what it costs

The photos are those of the shared data folder (CART_SHARED, or --data DIR); without it the generated frames are still
measured. It measures and does not judge: ./tools/bars holds its figures against the bars. Exits 1 when a part that
was named with --only could not be measured, 130 after Ctrl-C, which ends it with what was measured until then.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cart.arguments import MILLION, whole

if TYPE_CHECKING:
    from cart.vision.bench.sections import Section

SEED_MAX = (1 << 32) - 1
"""What every generator takes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `cart bench vision` takes."""
    parser.epilog = "parts:\n" + "\n".join(f"  {section.name:<9}{section.what}" for section in _sections())
    parser.add_argument("--only", nargs="+", choices=_names(), metavar="PART", help=f"of {', '.join(_names())}")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with barcodes/ and grocery/")
    parser.add_argument(
        "--frames", type=whole(1, MILLION), metavar="N", help="generated frames near the limit (2000; quick: 200)"
    )
    parser.add_argument("--ours", action="store_true", help="codes by our reader alone, beside no other: faster")
    parser.add_argument("--seed", type=whole(0, SEED_MAX), default=1, help="of the generated frames (default 1)")
    parser.add_argument("--quick", action="store_true", help="a minute's worth: every sixth photo, few frames")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="also write a page with the misses")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for programs")


def run(args: argparse.Namespace) -> int:
    """Measure; see cart.vision.bench.command."""
    from cart.vision.bench.command import run as run_vision

    return run_vision(args)


def _sections() -> tuple["Section", ...]:
    from cart.vision.bench.sections import SECTIONS

    return SECTIONS


def _names() -> list[str]:
    return [section.name for section in _sections()]
