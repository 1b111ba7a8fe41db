"""Measures the serial driver over a pseudo-terminal: faults named, replugging, fuzzed bytes.

    python -m tools.measure_port [--rounds N] [--fuzz-bytes N] [-o json]

A converter of our own sends its lines in real time into a pseudo-terminal; the real driver reads them, and the core's
weight judges them. Nothing else of the cart runs. Exits 1 where a fault was not named, or gave a weight.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cart.core.weight_values import OK, Standstill, Step
from cart.wire.loadcell import COUNTS_MAX, Decoder, WeightLine
from tools.port_trial import Converter, Trial

AT_ONCE = 4

# -- faults ------------------------------------------------------------------------


def at_wrong_baud(data: bytes, sent: int, read: int) -> bytes:
    """Return what a receiver at `read` baud makes of 8N1 bytes sent at `sent` baud, bit by bit."""
    bits = [1, 1]
    for byte in data:
        bits += [0, *(byte >> n & 1 for n in range(8)), 1]
    out, at = bytearray(), 0.0
    step = sent / read

    def level(position: float) -> int:
        return bits[int(position)] if int(position) < len(bits) else 1

    while at < len(bits):
        if level(at):
            at += 0.25
            continue
        middle = at + step / 2  # the start bit's middle, then that of each bit
        value = sum(level(middle + step * (n + 1)) << n for n in range(8))
        at = middle + step * 9
        if level(at):  # a missing stop bit is a framing error, and the byte is dropped
            out.append(value)
        at += step / 2
    return bytes(out)


def _garbage(trial: Trial) -> None:
    noise = random.Random(5)
    trial.voice = lambda line: noise.randbytes(len(line))


def _rate(period_ns: int) -> Callable[[Trial], None]:
    def begin(trial: Trial) -> None:
        # A strap is read when the converter starts.
        trial.unplug()
        trial.converter.period_ns = period_ns
        trial.plug()
        trial.until(lambda: not trial.lost)

    return begin


def _second_writer(trial: Trial) -> None:
    other = Converter(load_mg=3_000_000, seq=30_000, t_us=123_456_789)
    trial.voice = lambda line: bytes(
        b for pair in zip(line.ljust(60), other.line().ljust(60), strict=True) for b in pair
    )


def _two_converters(trial: Trial) -> None:
    other = Converter(load_mg=3_000_000, seq=30_000, t_us=123_456_789)
    trial.voice = lambda line: line + other.line()


def _setting(**values: object) -> Callable[[Trial], None]:
    def begin(trial: Trial) -> None:
        for name, value in values.items():
            setattr(trial.converter, name, value)

    return begin


def _voice(change: Callable[[bytes], bytes]) -> Callable[[Trial], None]:
    def begin(trial: Trial) -> None:
        trial.voice = change

    return begin


FAULTS: dict[str, tuple[Callable[[Trial], None], frozenset[str]]] = {
    "silence": (_voice(lambda line: b""), frozenset({"no_data"})),
    "garbage": (_garbage, frozenset({"garbage", "no_data"})),
    "half the baud": (_voice(lambda line: at_wrong_baud(line, 115_200, 57_600)), frozenset({"garbage", "no_data"})),
    "twice the baud": (_voice(lambda line: at_wrong_baud(line, 115_200, 230_400)), frozenset({"garbage", "no_data"})),
    "10 a second": (_rate(100_000_000), frozenset({"wrong_rate"})),
    "2.5 % slow": (_rate(12_820_000), frozenset({"wrong_rate"})),
    "stuck": (_setting(stuck=True), frozenset({"stuck"})),
    "saturated": (_setting(counts=COUNTS_MAX, flags=0x01), frozenset({"saturated"})),
    "desync": (_setting(flags=0x02), frozenset({"garbage"})),
    "half lines": (_voice(lambda line: line[: len(line) // 2]), frozenset({"garbage", "no_data"})),
    "a second writer": (_second_writer, frozenset({"garbage", "no_data"})),
    "two converters": (_two_converters, frozenset({"garbage", "no_data"})),
    "unplugged": (lambda trial: trial.cable.unplug(), frozenset({"lost", "no_data"})),
}
"""Name -> how it begins, and the states that may name it."""


def name_fault(name: str, folder: Path) -> tuple[int, str, bool]:
    """Let one fault happen to a scale at rest with 2 kg.

    Returns how long it took until a state named it in ms (-1: never), the state, and whether anything wrong was
    weighed: a change was told, or a weight shown after the state was named.
    """
    begin, allowed = FAULTS[name]
    trial = Trial(folder)
    try:
        assert trial.rest(2_000_000)
        trial.last(300_000_000)
        begin(trial)
        since_ns = trial.clock.monotonic_ns()
        named_ns = trial.until(lambda: trial.state in allowed)
        state = trial.state
        shown = False
        for _ in range(10):
            trial.last(50_000_000)
            shown = shown or (trial.state != OK and trial.gross_mg is not None)
        wrong = shown or bool(trial.since(since_ns, Step))
        return named_ns // 1_000_000 if named_ns >= 0 else -1, state, wrong
    finally:
        trial.close()


def name_all(folder: Path) -> dict[str, tuple[int, str, bool]]:
    """Return `name_fault` of each of FAULTS; some at a time, since each mostly waits for its converter."""

    def one(number: int, name: str) -> tuple[int, str, bool]:
        own = folder / f"fault-{number}"
        own.mkdir()
        return name_fault(name, own)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(FAULTS, pool.map(one, range(len(FAULTS)), FAULTS), strict=True))


@dataclass(frozen=True)
class Replugged:
    """One replugging. ms since the plug went in, -1: never.

    readings_ms  until readings are usable again;  stood_ms: until the weight stands again
    delta_mg     what the weight told as changed meanwhile
    early        a weight was shown before it stood
    """

    readings_ms: int
    stood_ms: int
    delta_mg: int
    early: bool


def replug(folder: Path, away_ns: int, added_mg: int = 0, *, cut: int = 0) -> Replugged:
    """Unplug a scale at rest after `cut` bytes of a line, change the load by `added_mg`, and plug it in again."""
    trial = Trial(folder)
    try:
        assert trial.rest(2_000_000)
        trial.last(300_000_000)
        trial.cable.send(trial.converter.line()[:cut])
        trial.unplug()
        trial.cable.take_number()
        trial.last(away_ns)
        trial.converter.load_mg += added_mg
        trial.plug()
        plugged_ns = trial.clock.monotonic_ns()
        readings_ns = trial.until(lambda: trial.state == OK)

        def stands() -> bool:
            return bool(trial.since(plugged_ns, Standstill))

        trial.until(stands)
        stood_ns = next((t for t, told in trial.told if t >= plugged_ns and isinstance(told, Standstill)), None)
        finals = [step for step in trial.since(plugged_ns, Step) if step.final]
        early = any(isinstance(t, Standstill) and n < plugged_ns + readings_ns for n, t in trial.told if n > plugged_ns)
        return Replugged(
            readings_ms=readings_ns // 1_000_000 if readings_ns >= 0 else -1,
            stood_ms=(stood_ns - plugged_ns) // 1_000_000 if stood_ns else -1,
            delta_mg=sum(step.delta_mg for step in finals),
            early=early,
        )
    finally:
        trial.close()


def fuzz(total: int, seed: int) -> dict[str, int]:
    """Feed mutated lines to the decoder and count readings that were never sent.

    Each line is damaged in one of seven ways or left whole; exceptions are not caught.
    """
    chance = random.Random(seed)
    converter, decoder = Converter(random=random.Random(seed)), Decoder()
    sent: dict[tuple[int, int], tuple[int, int]] = {}
    fed = read = false = 0
    while fed < total:
        line = converter.line()
        sent[converter.seq, converter.t_us] = _counts_of(line)
        data = _damaged(line, chance)
        fed += len(data)
        for value in decoder.feed(data):
            if isinstance(value, WeightLine):
                read += 1
                false += sent.get((value.seq, value.t_us)) != (value.counts, value.flags)
    return {"bytes": fed, "read": read, "false": false, "refused": decoder.lines_bad}


def _counts_of(line: bytes) -> tuple[int, int]:
    fields = line.split(b"*")[0].split(b",")
    return int(fields[3]), int(fields[4], 16)


def _damaged(line: bytes, chance: random.Random) -> bytes:
    data, at = bytearray(line), chance.randrange(len(line))
    way = chance.randrange(8)
    if way == 0:
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif way == 1:
        del data[at : at + chance.randint(1, 6)]
    elif way == 2:
        data[at:at] = chance.randbytes(chance.randint(1, 6))
    elif way == 3:
        data = bytearray(chance.randbytes(len(line)))
    elif way == 4:
        data[at:] = b""  # cut, and glued to the next line
    elif way == 5:
        other = (at + 1) % len(data)
        data[at], data[other] = data[other], data[at]
    elif way == 6:
        data[at : at + 3] = bytes(chance.choice(b"0123456789,-*$ABCDEF\r\n") for _ in range(3))
    return bytes(data)


# -- the command ----------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 1 where something was not as it must be."""
    args = _arguments(argv)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), args.rounds, args.fuzz_bytes)
    if args.output == "json":
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(f"{name:<24}{value}" for name, value in found.items()))
    return 1 if found["fuzz_false"] or found["faults_unnamed"] or found["faults_weighed"] else 0


def measure(folder: Path, rounds: int, fuzz_bytes: int) -> dict[str, object]:
    """Return all figures by name."""
    named = name_all(folder)
    chance = random.Random(3)
    plugs = [
        replug(folder, away_ns=chance.randint(100, 3_000) * 1_000_000, cut=chance.randrange(30)) for _ in range(rounds)
    ]
    fuzzed = fuzz(fuzz_bytes, seed=1)
    return {
        "faults": {name: {"ms": ms, "state": state} for name, (ms, state, _) in named.items()},
        "faults_unnamed": sum(ms < 0 for ms, _, _ in named.values()),
        "faults_weighed": sum(wrong for _, _, wrong in named.values()),
        "named_ms_max": max(ms for ms, _, _ in named.values()),
        "replugs": rounds,
        "replug_readings_ms_max": max(plug.readings_ms for plug in plugs),
        "replug_stood_ms_max": max(plug.stood_ms for plug in plugs),
        "replug_changes": sum(abs(plug.delta_mg) > 0 for plug in plugs),
        "fuzz_bytes": fuzzed["bytes"],
        "fuzz_read": fuzzed["read"],
        "fuzz_false": fuzzed["false"],
    }


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.measure_port", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="repluggings (default 5)")
    parser.add_argument("--fuzz-bytes", type=int, default=1_000_000, help="damaged bytes (default 1,000,000)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
