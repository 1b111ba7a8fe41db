"""kill -9 of the writer at 20 random points: no card that boots half written, and the next run finishes it."""

import json
import random
import subprocess
from pathlib import Path

import pytest

from tests.tools import loops

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(loops.why_none()), reason=loops.why_none() or "-"),
]
MIB = loops.MIB
ROOT = Path(__file__).resolve().parents[3]
POINTS = 20
IMAGE_BYTES = 33 * MIB
CARD_BYTES = 40 * MIB
SECTOR = 512
OLD = b"\x5a" * CARD_BYTES


@pytest.fixture(autouse=True, scope="module")
def _only_loops():
    loops.guard_disks()


def command(tmp_path, image, device):
    words = [
        "write",
        str(image),
        device,
        "--allow-loop",
        "--yes",
        device.removeprefix("/dev/"),
        "-o",
        "json",
        "--machine",
        "any",
    ]
    return loops.write_command(*words, "--results", str(tmp_path / "r"), steps=True)


def kill_after(lines, words):
    """Start the writer and kill it when it has printed so many steps; return the last one, None when it finished."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    last = None
    try:
        for number, line in enumerate(process.stdout):
            if line.startswith("{"):
                return None
            last = json.loads(line)
            if number == lines:
                process.kill()
                return last
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    return None


def test_a_killed_writer_leaves_no_card_that_boots_and_the_next_one_finishes_it(tmp_path):
    image = loops.make_image(tmp_path / "cart.img", IMAGE_BYTES, holes=0.2)
    wanted = image.read_bytes()
    draw = random.Random(11)
    # 10 steps of reading, 9 of writing, 9 of reading back; three in four kills fall into the last two.
    points = [draw.randrange(10) if index % 4 == 0 else draw.randrange(10, 29) for index in range(POINTS)]
    phases, resumed = [], []
    with loops.loop(tmp_path, CARD_BYTES) as device:
        for lines in points:
            Path(device).write_bytes(OLD)
            words = command(tmp_path, image, device)
            last = kill_after(lines, words)
            after = loops.contents(device)
            untouched = after == OLD
            complete = after[:IMAGE_BYTES] == wanted
            # The table's sector comes last of all: a kill just before it leaves the rest of the first MiB written.
            bootable = any(after[:SECTOR])
            assert untouched or complete or not bootable, f"bootable after {last}"
            done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=120)
            assert done.returncode == 0, done.stderr
            result = json.loads(done.stdout.splitlines()[-1])
            assert loops.contents(device)[:IMAGE_BYTES] == wanted, f"wrong after a kill at {last}"
            phases.append(last[0] if last else "finished")
            resumed.append(result["resumed_bytes"])
    assert {"writing", "reading back"} <= set(phases)
    assert any(resumed)
    assert len(points) == POINTS
