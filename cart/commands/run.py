"""Run the cart's daemon: scale, panel, screen, database and broker around the core.

The camera runs in a process of its own: cart vision. SIGTERM or Ctrl-C ends the daemon in order; the open trip is
taken up again at the next start.
"""

import argparse
import signal

from cart import config
from cart.commands.config import file_in_use
from cart.faults import EXIT_OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart run` takes."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")


def run(args: argparse.Namespace) -> int:
    """Run until a signal; 0 then, else by the fault: 3 for the configuration, 4 for hardware, 1 for a crash."""
    from cart import app

    daemon = app.build(config.load(file_in_use(args.config)))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.loop.stop())
    daemon.run(started=lambda line: print(line, flush=True))
    return EXIT_OK
