"""Times the writing and the reading back of a card against dd, by turns, on a loop device.

    sudo .venv/bin/python -m tools.time_card
    sudo .venv/bin/python -m tools.time_card --mb 3000 --rounds 5 -o json

The loop device passes the page cache (--direct-io), as a card reader does: otherwise both would measure copying in
memory. What is timed of ours is everything from the first zeroed byte to the last flush: probe, journal and mark
included; of dd what it says itself.

Both run in a session of their own with a raised share of the processors: what else this machine does would be measured
otherwise, the more so with ours, whose hashing takes half a processor.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.imaging import journal, writer
from tools.imaging.card import Card
from tools.imaging.progress import Progress
from tools.imaging.source import Image, examine

MIB = 1 << 20
SPARE_BYTES = 16 * MIB
NICER = 10
QUIET = Progress(quiet=True)


def main(argv: list[str] | None = None) -> int:
    """Measure, print and return 0; 1 where no loop device can be made."""
    args = _arguments(argv)
    if os.geteuid() != 0:
        print("time_card: loop devices take root: sudo", file=sys.stderr)
        return 1
    if os.getsid(0) != os.getpid():
        return _in_own_session(sys.argv[1:] if argv is None else argv)
    _raise_share()
    with tempfile.TemporaryDirectory(prefix="time-card-", dir=args.folder) as folder:
        found = measure(Path(folder), args.mb * MIB, args.rounds)
    if args.output == "json":
        print(json.dumps(found))
    else:
        for phase in ("write", "read"):
            ours, theirs = found[f"{phase}_mb_s"], found[f"dd_{phase}_mb_s"]
            print(f"{phase:<6} {ours:7.0f} MB/s   dd {theirs:7.0f} MB/s   {found[f'{phase}_percent']:.1f} % of dd")
    return 0


def measure(folder: Path, size_bytes: int, rounds: int) -> dict[str, float]:
    """Return the median rates of `rounds` alternating runs, and ours in percent of dd's."""
    image = _image(folder / "image", size_bytes)
    times: dict[str, list[float]] = {"dd_write": [], "write": [], "dd_read": [], "read": []}
    with _loop(folder, size_bytes + SPARE_BYTES) as device:
        _ours(image, device, folder)  # once for nothing: the file behind the device gets its blocks
        for number in range(rounds):
            steps = [lambda: _dd_round(image, device, times), lambda: _our_round(image, device, folder, times)]
            for step in steps if number % 2 == 0 else reversed(steps):
                step()
    found = {f"{name}_mb_s": size_bytes / statistics.median(taken) / 1e6 for name, taken in times.items()}
    for phase in ("write", "read"):
        found[f"{phase}_percent"] = 100 * found[f"{phase}_mb_s"] / found[f"dd_{phase}_mb_s"]
    return {name: round(value, 1) for name, value in found.items()} | {"rounds": rounds, "mb": size_bytes // MIB}


def _our_round(image: Image, device: str, folder: Path, times: dict[str, list[float]]) -> None:
    done = _ours(image, device, folder)
    times["write"].append(done.write_ms / 1_000)
    times["read"].append(done.read_back_ms / 1_000)


def _dd_round(image: Image, device: str, times: dict[str, list[float]]) -> None:
    times["dd_write"].append(_dd(f"if={image.path}", f"of={device}", "bs=4M", "oflag=direct", "conv=fsync"))
    count = f"count={image.size_bytes // (4 * MIB)}"
    times["dd_read"].append(_dd(f"if={device}", "of=/dev/null", "bs=4M", "iflag=direct", count))


def _ours(image: Image, device: str, folder: Path) -> writer.Written:
    with Card(device) as card:
        fresh = journal.begin("trial", card.size_bytes, image.plan_sha256)
        return writer.write_image(card, image, fresh, folder / "results", QUIET)


def _dd(*words: str) -> float:
    """Return the seconds that dd says it took."""
    done = subprocess.run(["dd", *words], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"})
    found = re.search(r"copied, ([0-9.e+-]+) s", done.stderr)
    assert found, done.stderr
    return float(found[1])


def _image(path: Path, size_bytes: int) -> Image:
    """Make an image in which no piece is zero, so that all of it has to be written as by dd."""
    with path.open("wb") as file:
        for _ in range(0, size_bytes, 4 * MIB):
            file.write(os.urandom(4 * MIB))
    return examine(path)


def _in_own_session(words: list[str]) -> int:
    """Run the same once more in a session of its own; return its exit code."""
    child = subprocess.Popen([sys.executable, "-m", "tools.time_card", *words], start_new_session=True)
    try:
        return child.wait()
    except KeyboardInterrupt:  # the terminal's Ctrl-C does not reach another session
        child.send_signal(signal.SIGINT)
        child.wait()
        return 130


def _raise_share() -> None:
    """Let this session, with the dd that it starts, go first: Linux shares out by session before it looks at nice."""
    os.nice(-NICER)
    with suppress(OSError):  # a kernel without groups
        Path("/proc/self/autogroup").write_text(f"{-NICER}", encoding="ascii")


@contextmanager
def _loop(folder: Path, size_bytes: int) -> Iterator[str]:
    backing = folder / "card"
    with backing.open("wb") as file:
        file.truncate(size_bytes)
    command = ["losetup", "--find", "--show", "--direct-io=on", str(backing)]
    device = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.time_card", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mb", type=int, default=1000, help="size of the image in MiB (default 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run (default 5)")
    parser.add_argument("--folder", type=Path, help="where the files lie for the time being (default: the temporary)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
