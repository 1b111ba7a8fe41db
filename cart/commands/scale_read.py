"""Print what a shop scale says, as states: stable, moving, negative, under, over, faulty, silent.

  cart scale read --protocol mt-sics /dev/ttyUSB0
  cart scale read --protocol toledo-8217 --count 1 -o json /dev/serial/by-id/...

A number is printed only where the scale said one. Without a scale, try it on a simulated one: cart scale simulate.
"""

from __future__ import annotations

import argparse
import json
import threading

from cart.clock import SystemClock
from cart.faults import EXIT_OK, Fault
from cart.wire.shop_scales.indication import Indication, Kind
from cart.wire.shop_scales.line import FRAMINGS
from cart.wire.shop_scales.poller import GARBLED, LATE
from cart.wire.shop_scales.protocols import PROTOCOLS

LOOK_S = 0.02
MS_NS = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; protocols are listed with the speed and framing that scales are delivered with."""
    width = max(len(row.name) for row in PROTOCOLS)
    table = "\n".join(f"  {p.name:<{width}}  {p.baud} {p.framing}  {p.spoken_by}" for p in PROTOCOLS)
    parser.epilog = f"protocols:\n{table}"
    parser.add_argument("device", metavar="DEVICE", help="serial port, best a name in /dev/serial/by-id")
    parser.add_argument("--protocol", required=True, metavar="P", help="one of the protocols below")
    parser.add_argument("--baud", type=int, metavar="N", help="speed, where the scale is not set to the protocol's")
    parser.add_argument("--framing", choices=FRAMINGS, help="bits, parity and stop bits, likewise")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="stop after N lines; without it at Ctrl-C")
    parser.add_argument("--changes", action="store_true", help="print only what differs from the line before")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    parser.set_defaults(error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Print until --count is reached; a fault when nothing that came could be understood."""
    from cart.edge.shop_scale import ShopLine, ShopScale, find_protocol

    if args.count < 0 or (args.baud is not None and args.baud <= 0):
        args.error("--count and --baud: a number above 0")
    protocol = find_protocol(args.protocol)
    baud, framing = args.baud or protocol.baud, args.framing or protocol.framing
    clock = SystemClock()
    scale = ShopScale(lambda: ShopLine(args.device, baud), protocol, clock, framing)
    scale.open()
    start_ns, lines, understood, last = clock.monotonic_ns(), 0, False, None
    pause = threading.Event()
    try:
        while not args.count or lines < args.count:
            for said in scale.look():
                understood = understood or _understood(said)
                if args.changes and _same(said, last):
                    continue
                last, lines = said, lines + 1
                print(_line(said, (clock.monotonic_ns() - start_ns) // MS_NS, args.output), flush=True)
                if lines == args.count:
                    break
            pause.wait(LOOK_S)
    finally:
        scale.close()
    if not understood and last is not None:
        code = "SHOP-SCALE-SILENT" if last.kind == Kind.SILENT else "SHOP-SCALE-GARBLED"
        raise Fault(code, f"{protocol.name}, {baud} {framing}, {args.device}")
    return EXIT_OK


def _understood(said: Indication) -> bool:
    return said.kind != Kind.SILENT and said.why not in (GARBLED, LATE)


def _same(said: Indication, last: Indication | None) -> bool:
    if last is None:
        return False
    return (said.kind, said.mass_mg, said.net, said.why) == (last.kind, last.mass_mg, last.net, last.why)


def _line(said: Indication, t_ms: int, output: str) -> str:
    if output == "json":
        shown = {"kind": said.kind, "mass_mg": said.mass_mg, "shown": said.shown, "net": said.net, "why": said.why}
        return json.dumps({"t_ms": t_ms, **shown, "raw": said.raw.hex(" ")})
    net = {True: "net", False: "gross", None: ""}[said.net]
    raw = f" [{said.raw.hex(' ')}]" if said.kind == Kind.FAULTY else ""
    return f"{t_ms / 1000:8.2f} s  {said.kind:<8}  {said.shown:>12}  {net:<5}  {said.why}{raw}".rstrip()
