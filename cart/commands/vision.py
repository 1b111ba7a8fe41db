"""Run the camera process: barcodes and the classifier; sightings go to the daemon.

A service of its own (cart-vision.service), so that a wedged camera can be restarted without touching the basket.
"""

import argparse
import os

from cart import config
from cart.commands.config import file_in_use
from cart.edge.memory import give_back_large_blocks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cart vision` takes."""
    parser.add_argument("--config", metavar="FILE", help="default: $CART_CONFIG, then /etc/cart/cart.toml")


def run(args: argparse.Namespace) -> int:
    """Watch until SIGTERM; 0 then, 4 when the camera cannot be had."""
    give_back_large_blocks()
    settings = config.load(file_in_use(args.config))
    # One core is for the daemon: numpy's products here are too small to gain from threads. Set before numpy loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cart.vision import process

    return process.run(settings)
