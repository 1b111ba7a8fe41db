"""List the charges that this cart keeps, and which of them still wait for the store's receipt.

States: waiting (no receipt yet), done (the store signed for it), rejected (the store signed that it will not book it:
staff must settle it). May run beside the daemon. Exits with 1 when charges were rejected, or when a damaged database
was set aside that may hold charges nobody has seen.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from cart import config
from cart.clock import SystemClock
from cart.commands.config import file_in_use
from cart.faults import EXIT_FAILED, EXIT_OK

MS_PER_MINUTE = 60_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart outbox` takes."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")
    parser.add_argument("--database", type=Path, metavar="FILE", help="look into this file instead, e.g. one set aside")
    parser.add_argument("--waiting", action="store_true", help="only charges without a receipt")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: one object a line")


def run(args: argparse.Namespace) -> int:
    """Print the charges, oldest first."""
    from cart.edge.database import files_set_aside, look_into

    clock = SystemClock()
    path = args.database or _database_of(args.config)
    aside = [str(file) for file in files_set_aside(path)]
    database = look_into(path, clock)
    lines = database.outbox_lines()
    database.close()
    shown = [line for line in lines if line.state == "waiting" or not args.waiting]
    counts = Counter(line.state for line in lines)
    if args.output == "json":
        for line in shown:
            print(json.dumps(line._asdict()))
    else:
        for line in shown:
            age_min = (clock.wall_ms() - line.wall_ms) // MS_PER_MINUTE
            print(f"{line.seq:>6}  {line.charge_id}  {line.total_minor:>9}  {line.state:<8}  {age_min} min ago")
        print(", ".join(f"{counts[state]} {state}" for state in ("waiting", "done", "rejected")))
        for file in aside:
            print(f"set aside as damaged, look into it with --database: {file}")
    return EXIT_FAILED if counts["rejected"] or aside else EXIT_OK


def _database_of(config_file: str | None) -> Path:
    return config.database_path(config.load(file_in_use(config_file)))
