"""`cart scale detect` on files and pipes: one JSON line a finding, and a name for everything that is no weight."""

import io
import json
from random import Random

import msgspec
import pytest

from cart.__main__ import main
from cart.edge.calibration_file import append_calibration
from cart.sim.physics import Platform
from cart.wire.calibration import CalibrationRecord, Converter, Point
from cart.wire.loadcell import Identity, encode, encode_acceleration, encode_weight

BY_HAND = ["--counts-per-kg", "52429", "--zero", "335432"]


def scene(imu=False):
    """Return the lines of 12 s in which 250 g come and go."""
    platform = Platform(7, load_mg=5_000_000, start_us=2**32 - 5_000_000)
    samples = platform.advance(4_000_000)
    for kind, delta_mg in (("drop", 250_000), ("lift", -250_000)):
        platform.add(delta_mg, kind)
        samples += platform.advance(4_000_000)
    out = encode(Identity(1, "1.0", "E661", "HX711", 128, 80, "1A2B"))
    for s in samples:
        out += encode_weight(s.seq, s.t_us, s.counts, s.flags)
        if imu:
            out += encode_acceleration(s.seq, s.t_us, s.ax_ug, s.ay_ug, s.az_ug)
    return out


def detect(capsys, *args):
    code = main(["scale", "detect", *map(str, args)])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def file(tmp_path):
    def written(data):
        path = tmp_path / "lines.txt"
        path.write_bytes(data)
        return path

    return written


@pytest.mark.parametrize("imu", [False, True])
def test_each_change_is_printed_provisional_and_final(capsys, file, imu):
    code, found = detect(capsys, file(scene(imu)), *BY_HAND)
    assert code == 0
    assert [(event["id"], event["final"]) for event in found] == [(1, False), (1, True), (2, False), (2, True)]
    keys = ["id", "t_start_ms", "t_accept_ms", "delta_mg", "sigma_mg", "motion", "final"]
    assert all(list(event) == keys for event in found)
    assert [event["delta_mg"] for event in found if event["final"]] == pytest.approx([250_000, -250_000], abs=3_000)


def test_a_pipe_is_read_as_a_file_is(capsys, file, monkeypatch):
    _, from_file = detect(capsys, file(scene()), *BY_HAND)

    class Pipe:
        buffer = io.BufferedReader(io.BytesIO(scene()))

    monkeypatch.setattr("sys.stdin", Pipe)
    assert detect(capsys, "-", *BY_HAND) == (0, from_file)


def test_the_calibration_may_come_from_its_record(capsys, file, tmp_path):
    points = tuple(Point(0, 0, 0, 80) for _ in range(4))
    converter = Converter("E661", "HX711", 128, 80)
    record = CalibrationRecord("c", "o", 0, converter, points, 52_429, 335_432, 0, 15_000_000, 5_000)
    append_calibration(tmp_path / "calibration.jsonl", msgspec.structs.replace(record))
    code, found = detect(capsys, file(scene()), "--calibration", tmp_path / "calibration.jsonl")
    assert (code, len(found)) == (0, 4)


@pytest.mark.parametrize(
    ("data", "states"),
    [
        (b"", ["no_data"]),
        (b"hello\n", ["garbage"]),
        (b"\x00" * 100_000, ["garbage"]),
        (Random(1).randbytes(200_000), ["garbage"]),
        (b"$W,1,2,3,00*0000\r\n" * 1_000, ["garbage"]),
    ],
)
def test_what_holds_no_weight_is_named_and_fails(capsys, file, data, states):
    code, found = detect(capsys, file(data), *BY_HAND)
    assert code == 1
    assert [event["state"] for event in found] == states


def test_garbage_between_right_lines_is_named_and_over_when_it_is_over(capsys, file):
    data = scene()
    code, found = detect(capsys, file(data[:20_000] + b"\xaa\n" * 4_000 + data[20_000:]), *BY_HAND)
    states = [event["state"] for event in found if "state" in event]
    assert (code, states) == (0, ["garbage", "ok"])


def test_a_hole_in_time_is_no_data(capsys, file):
    lines = scene().splitlines(keepends=True)
    _, found = detect(capsys, file(b"".join(lines[:200] + lines[240:])), *BY_HAND)
    states = [event for event in found if "state" in event]
    assert [event["state"] for event in states] == ["no_data", "ok"]
    assert states[0]["t_ms"] == 2_775


def test_a_missing_file_is_a_fault(capsys, tmp_path):
    assert main(["scale", "detect", str(tmp_path / "none"), *BY_HAND]) == 1
    assert "SCALE-FILE-UNREADABLE" in capsys.readouterr().err


def test_a_folder_is_a_fault(capsys, tmp_path):
    assert main(["scale", "detect", str(tmp_path), *BY_HAND]) == 1
    assert "SCALE-FILE-UNREADABLE" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--zero", "5"],
        ["--counts-per-kg", "5"],
        ["--counts-per-kg", "0", "--zero", "5"],
        [*BY_HAND, "--calibration", "x"],
    ],
)
def test_half_a_calibration_is_a_usage_error(args, file):
    with pytest.raises(SystemExit) as usage:
        main(["scale", "detect", str(file(b"")), *args])
    assert usage.value.code == 2
