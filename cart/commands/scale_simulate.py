"""Be a shop scale on a pseudo-terminal, so that `cart scale read` can be tried without one.

  cart scale simulate --protocol mt-sics
  cart scale read --protocol mt-sics /tmp/shop-scale          (in another terminal)

Then type what is on the scale: `1.25 kg`, `moving 0.4 kg`, `negative 0.2 kg`, `net 0.5 kg`, `over`, `under`, `faulty`,
`silent`, `garbled`, `unplug`, `plug`, `quit`.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from cart.clock import SystemClock
from cart.faults import EXIT_OK, Fault
from cart.sim.cell_port import CellPort
from cart.sim.shop_scale import Showing, SimulatedShopScale
from cart.wire.shop_scales.indication import Kind
from cart.wire.shop_scales.mass import UNITS, milligrams
from cart.wire.shop_scales.protocols import PROTOCOLS, by_name

STEP_S = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--protocol", required=True, metavar="P", help=", ".join(row.name for row in PROTOCOLS))
    parser.add_argument(
        "--at", type=Path, default=Path(tempfile.gettempdir()) / "shop-scale", metavar="PATH", help="name of the port"
    )
    parser.set_defaults(error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Answer until `quit` or Ctrl-C; the end of standard input only ends the typing."""
    protocol = by_name(args.protocol)
    if protocol is None:
        raise Fault("SHOP-SCALE-PROTOCOL", f"{args.protocol!r} is none of {', '.join(row.name for row in PROTOCOLS)}")
    if not args.at.parent.is_dir() or (args.at.exists() and not args.at.is_symlink()):
        args.error(f"--at {args.at}: the folder is not there, or the name is taken by a file")
    scale, clock = SimulatedShopScale(protocol), SystemClock()
    port = CellPort(args.at.parent, args.at.name)
    print(f"{port.link}: {protocol.name}, {protocol.baud} {protocol.framing}", flush=True)
    typed = Typed()
    try:
        while True:
            for words in typed.within(STEP_S):
                if words == ["quit"]:
                    return EXIT_OK
                _do(words, scale, port)
            port.write(scale.step(clock.monotonic_ns(), port.read()))
    finally:
        port.unplug()


class Typed:
    """Lines of standard input, without waiting for them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = b""
        self._open = True

    def within(self, wait_s: float) -> list[list[str]]:
        """Return the words of each line that is there within `wait_s`."""
        ready, _, _ = select.select([sys.stdin] if self._open else [], [], [], wait_s)
        if not ready:
            return []
        data = os.read(sys.stdin.fileno(), 4_096)
        self._open = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace").split() for line in lines if line.strip()]


def _do(words: list[str], scale: SimulatedShopScale, port: CellPort) -> None:
    """Carry out one typed line; what is not understood is said, and changes nothing."""
    if words == ["plug"]:
        port.replug()
    elif words == ["unplug"]:
        port.unplug()
    elif (showing := showing_of(words)) is not None:
        scale.showing = showing
    else:
        print(f"not understood: {' '.join(words)}", file=sys.stderr)


def showing_of(words: list[str]) -> Showing | None:
    """Return what the scale is to show for "moving 0.4 kg" and the like, or None."""
    word = words[0] if words and words[0].isalpha() else "stable"
    rest = words[1:] if words and words[0] == word else words
    if word == "garbled" and not rest:
        return Showing(Kind.STABLE, garbled=True)
    if word not in {"net", *(kind.value for kind in Kind)}:
        return None
    showing = Showing(Kind.STABLE, net=True) if word == "net" else Showing(Kind(word))
    if not rest:
        return None if showing.kind in (Kind.STABLE, Kind.NEGATIVE) else showing
    if len(rest) != 2 or rest[1] not in UNITS or not rest[0].replace(".", "", 1).isdecimal():
        return None
    mass_mg = milligrams(rest[0], rest[1])
    return replace(showing, mass_mg=-mass_mg if word == "negative" else mass_mg)
