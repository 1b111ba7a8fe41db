"""Listens to a cell and says what is not as loadcell.toml has it."""

import argparse
from collections import Counter
from collections.abc import Iterator

from cart.wire.loadcell import CellError, Decoder, Identity, Value, WeightLine, frame
from tools.cellboard.port import heard, opened
from tools.cellboard.refused import DONE, FAILED, HARDWARE, Refused
from tools.cellboard.render import VERSION, rendered

LISTEN_S = 3
FLAGS = {1: "saturated", 2: "desync", 4: "overrun", 8: "first", 16: "power_low", 32: "temperature", 64: "config"}
FLAGS_IN_ORDER = 0x28
"""First and temperature say nothing bad."""


def run(args: argparse.Namespace) -> int:
    """Print who the cell is and how it does, and return 0 where all is as the settings say."""
    decoder = Decoder()
    with opened(args.port) as line:
        line.write(frame("Q,ID"))
        values = heard(line, LISTEN_S, decoder)
    identity = next((value for value in values if isinstance(value, Identity)), None)
    if identity is None:
        raise Refused(f"{args.port}: nothing there says who it is", HARDWARE)
    complaints = list(_complaints(identity, values, decoder, rendered(args.settings)[:4]))
    print(
        f"{identity.chip} gain {identity.gain}, firmware {identity.firmware}, serial {identity.serial},"
        f" settings {identity.config_crc}: {rate(values):.1f} conversions/s"
    )
    for complaint in complaints:
        print(f"  {complaint}")
    return FAILED if complaints else DONE


def rate(values: list[Value]) -> float:
    """Return conversions a second by the converter's own clock, 0 for fewer than two."""
    lines = [value for value in values if isinstance(value, WeightLine)]
    if len(lines) < 2:
        return 0.0
    elapsed_us = (lines[-1].t_us - lines[0].t_us) % (1 << 32)
    return (lines[-1].seq - lines[0].seq) % 65_536 * 1e6 / max(1, elapsed_us)


def _complaints(identity: Identity, values: list[Value], decoder: Decoder, crc: str) -> Iterator[str]:
    """Yield what is not as it should be."""
    measured = rate(values)
    if not measured:
        yield "no conversions come: see the faults below, and the wiring"
    elif abs(measured - identity.samples_per_s) > 0.02 * identity.samples_per_s:
        yield f"{identity.samples_per_s} conversions/s are set: adc.samples_per_s in loadcell.toml, and the rate strap"
    if identity.config_crc != crc:
        yield f"its settings are not those of loadcell.toml ({crc}): ./tools/cell.py flash"
    if identity.firmware != VERSION:
        yield f"its firmware is not the one here ({VERSION}): ./tools/cell.py flash"
    flags = Counter(value.flags & ~FLAGS_IN_ORDER for value in values if isinstance(value, WeightLine))
    for byte, count in sorted(flags.items()):
        if byte:
            names = ", ".join(name for bit, name in FLAGS.items() if byte & bit)
            yield f"{count} readings with flags {byte:02X}: {names}"
    for fault in sorted({(value.code, value.text) for value in values if isinstance(value, CellError)}):
        yield f"it says {fault[0]}: {fault[1]}"
    # The first line may be half a line: the port was opened in the middle of it.
    if decoder.lines_bad > 1:
        yield f"{decoder.lines_bad} lines were damaged: cable, or something else writes to the port"
