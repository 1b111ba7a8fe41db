"""Hard use of the weighing path: a line full of errors, and hours of readings. The outcome must be true and bounded."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import dataclass
from random import Random

from cart.core.events import LoadSampled
from cart.core.weight import Calibration, Step, initial, sampled, ticked
from cart.sim.physics import Params, Platform
from cart.sim.wire_out import Converter
from cart.wire.cell_events import CellEvents
from cart.wire.loadcell import Decoder, WeightLine, decode_line
from cart.wire.weighing_stream import WeighingStream

CHUNK = 512
WRONG_IN = 4
"""One line in so many is spoilt."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of spoilt bytes: readings that were never sent, changes of a load that lay still, exceptions."""

    bytes_fed: int
    lines_spoilt: int
    readings: int
    readings_false: int
    changes_false: int
    exceptions: int


def fuzzed(bytes_wanted: int, seed: int) -> Fuzzed:
    """Feed the lines of a resting cart, every fourth of them spoilt in some way, and count what is wrong."""
    random = Random(seed)
    params = Params()
    converter = Converter(Platform(seed, params, 5_000_000))
    data, sent, spoilt = bytearray(), set(), 0
    while len(data) < bytes_wanted:
        lines, _ = converter.advance_to(converter.platform.now_us + 1_000_000)
        for line in lines.splitlines(keepends=True):
            sent.add(decode_line(line.rstrip()))
            bad = random.randrange(WRONG_IN) == 0
            spoilt += bad
            data += _spoilt(line, random) if bad else line
    data = data[:bytes_wanted]
    decoder, stream = Decoder(), WeighingStream(Calibration(params.counts_per_kg, params.zero_counts))
    readings = false = changes = exceptions = 0
    at = 0
    while at < len(data):
        # Pieces of any length, as a port gives them.
        piece = bytes(data[at : at + random.randrange(1, CHUNK)])
        at += len(piece)
        try:
            values = [v for v in decoder.feed(piece) if isinstance(v, WeightLine)]
            told = stream.feed(piece)
        except Exception:  # whatever it is, it is what is counted here
            exceptions += 1
            continue
        readings += len(values)
        false += sum(WeightLine(v.seq, v.t_us, v.counts, v.flags, v.channels) not in sent for v in values)
        changes += sum(isinstance(event, Step) for event in told)
    return Fuzzed(len(data), spoilt, readings, false, changes, exceptions)


def _spoilt(line: bytes, random: Random) -> bytes:
    """Return a line with a bit flipped, a burst, a piece missing, doubled or exchanged, noise in it, or cut short."""
    at = random.randrange(len(line))
    end = min(len(line), at + random.randrange(1, 12))
    match random.randrange(8):
        case 0:
            return line[:at] + bytes([line[at] ^ 1 << random.randrange(8)]) + line[at + 1 :]
        case 1:
            return line[:at] + random.randbytes(2) + line[at + 2 :]
        case 2:
            return line[:at] + line[end:]
        case 3:
            return line[:end] + line[at:]
        case 4:
            return line[:at] + line[at:end][::-1] + line[end:]
        case 5:
            return line[:at] + random.randbytes(random.randrange(1, 300)) + line[at:]
        case 6:
            return line[:at]
    return line[:at] + b"$" * random.randrange(1, 200) + line[at:]


def memory_growth_bytes(seconds: int, seed: int) -> int:
    """Return by how much the memory of decoder and weight grew in the second half of so many seconds (at least 40).

    A change every 5 s, and noise without a line end for a second in each minute. All buffers are full by the half.
    """
    params = Params()
    data = _eventful(seconds, seed, params)
    events, weight = CellEvents(), initial(Calibration(params.counts_per_kg, params.zero_counts))
    half = 0
    tracemalloc.start()
    try:
        for second, piece in enumerate(data):
            t_ns = second * 1_000_000_000
            for at in range(0, len(piece), CHUNK):
                for event in events.feed(piece[at : at + CHUNK], t_ns):
                    if isinstance(event, LoadSampled):
                        weight, _ = sampled(weight, event)
            weight, _ = ticked(weight, t_ns)
            if second == seconds // 2:
                half = _held()
        return _held() - half
    finally:
        tracemalloc.stop()


def _eventful(seconds: int, seed: int, params: Params) -> list[bytes]:
    """Return what the line carries in each second."""
    platform, random = Platform(seed, params, 5_000_000), Random(seed)
    converter = Converter(platform)
    data = []
    for second in range(seconds):
        if second % 5 == 0:
            platform.add(-200_000 if second % 10 else 200_000, "drop")
        lines, _ = converter.advance_to(platform.now_us + 1_000_000)
        data.append(random.randbytes(6_000).replace(b"\n", b" ") if second % 60 == 30 else lines)
    return data


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
