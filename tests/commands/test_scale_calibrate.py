"""`cart scale calibrate` at a practice cell whose time the test owns: led to its end, stopped, resumed, refused."""

import argparse
import json
import queue
import random
import re
import resource
import signal
import termios
from contextlib import contextmanager
from pathlib import Path

import pytest

from cart import config
from cart.__main__ import main
from cart.clock import ManualClock
from cart.commands import scale_calibrate
from cart.commands.scale_calibrate import calibrate
from cart.core import calibration_plan
from cart.core.calibration_refusals import REFUSALS
from cart.core.calibration_rest import Mean
from cart.core.events import SourceLost
from cart.edge import operator as people
from cart.edge.calibration_desk import Desk
from cart.edge.calibration_file import Journal, append_calibration, read_records
from cart.edge.scale import SerialLine
from cart.faults import EXIT_HARDWARE, EXIT_USAGE, Fault
from cart.sim.physics import Params
from cart.sim.practice_cell import PracticeCell
from cart.wire import calibration_journal
from cart.wire.cell_events import CellEvents
from cart.wire.loadcell import Identity, decode_line, encode, encode_weight
from tests.terminal_window import Window
from tools.port_trial import Cable

TASKS = 11


class Played:
    """The driver's queue with the practice cell behind it; waiting for an event lets simulated time pass."""

    def __init__(self, clock, cell):
        self.clock, self.cell = clock, cell
        self.decoder = CellEvents(16, 40_000_000)
        self.ready = []
        self.silent = False
        self.changed = lambda line: line

    def get(self, block=True, timeout=None):
        end_ns = self.clock.monotonic_ns() + round((timeout or 0) * 1e9)
        while not self.ready and self.clock.monotonic_ns() < end_ns:
            self.clock.advance_ms(40)
            data = b"" if self.silent else self.changed(self.cell.read())
            self.ready = self.decoder.feed(data, self.clock.monotonic_ns())
        if not self.ready:
            raise queue.Empty
        return self.ready.pop(0)


class Ideal:
    """A cell of our own without physics, for tests that are about the operator: mass in, lines out, at once."""

    def __init__(self, clock):
        self.clock, self.chance = clock, random.Random(3)
        self.mass_mg = self.sent = 0

    def hold(self, mass_mg, place="middle"):
        self.mass_mg = mass_mg

    def read(self):
        lines = []
        while self.sent * 12_500_000 <= self.clock.monotonic_ns():
            if self.sent % 400 == 0:
                lines.append(encode(Identity(1, "test", "SIM-0001", "HX711", 128, 80, "0000")))
            counts = Params().zero_counts + self.mass_mg * Params().counts_per_kg // 1_000_000
            counts += round(self.chance.gauss(0, 38))
            self.sent += 1
            lines.append(encode_weight(self.sent % 65_536, self.sent * 12_500, counts, 0))
        return b"".join(lines)


class Told:
    """An operator who answers from a list, and hears everything."""

    def __init__(self, words=()):
        self.words, self.said = list(words), []

    def word(self, timeout_s):
        if not self.words:
            raise AssertionError(f"asked once more: {self.said[-1]}")
        word = self.words.pop(0)
        if word == "ctrl-c":
            raise KeyboardInterrupt
        return word

    def waves(self):
        return False

    def live(self, at, counts):
        assert people.live_words(at, counts)

    def say(self, fact, text, **more):
        json.dumps(more)
        self.said.append((fact, text, more))

    def facts(self, name):
        return [more for fact, _, more in self.said if fact == name]


class Bench:
    """A cell, a record in a folder, and the words of the operator. params: of a practice cell; None: an ideal one."""

    def __init__(self, folder, params=None):
        self.path = folder / "calibration.jsonl"
        self.clock = ManualClock(wall_ms=1_780_000_000_000)
        self.cell = PracticeCell(self.clock, 3, params) if params else Ideal(self.clock)
        self.events = Played(self.clock, self.cell)

    def calibrate(self, words, *options):
        parser = argparse.ArgumentParser()
        scale_calibrate.add_arguments(parser)
        args = parser.parse_args(["--operator-id", "tester", *options])
        who = Told(words)
        settings = config.simulated(self.path.parent)
        try:
            calibrate(args, settings, self.path, Desk(self.events, self.clock, self.cell), who)
        finally:
            self.said = who.said
        return who


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


ALL = ["ready"] * TASKS


def test_led_to_its_end_there_is_a_record_that_weighs_right(tmp_path):
    bench = Bench(tmp_path, Params())
    who = bench.calibrate(ALL, "--latitude", "48.1", "--altitude", "520")
    (record,) = read_records(bench.path)
    assert abs(record.counts_per_kg - Params().counts_per_kg) < 20
    assert abs(record.zero_counts - Params().zero_counts) < 50
    assert (record.operator, record.converter.serial, record.event_counter) == ("tester", "SIM-0001", 1)
    assert [point.mass_mg for point in record.points] == [0, 1_000_000, 2_000_000, 5_000_000, 2_000_000, 0]
    assert all(abs(corner - 5_000_000) < 5_000 for corner in record.corners_mg)
    assert (record.max_mg, record.e_mg, record.corner_mass_mg) == (10_000_000, 5_000, 5_000_000)
    assert len(record.level_ug) == 2
    assert max(map(abs, record.level_ug)) < 1_000
    assert abs(record.gravity_um_s2 - 9_807_400) < 1_000
    assert record.temperature_centi_c == 2_150
    assert len(who.facts("ask")) == len(who.facts("taken")) == TASKS
    assert who.facts("done")[0]["sha256"] == record.sha256
    assert not bench.path.with_name("calibration.jsonl.journal").exists()


def test_a_cart_that_leans_is_not_calibrated(tmp_path):
    bench = Bench(tmp_path, Params())
    bench.cell._platform.tilt_to(80, 1)
    with pytest.raises(Fault, match=r"CALIBRATION-STOPPED.*the cart leans by \d+/1000"):
        bench.calibrate(ALL)
    assert bench.said == []
    assert not bench.path.exists()
    bench.cell._platform.tilt_to(0, 1)
    bench.clock.advance_ms(10_000)
    bench.calibrate(ALL, "--restart")
    assert len(read_records(bench.path)) == 1


def test_a_second_calibration_is_chained_to_the_first(bench):
    bench.calibrate(ALL)
    bench.calibrate(ALL)
    first, second = read_records(bench.path)
    assert second.prev_sha256 == first.sha256
    assert second.event_counter == 2


def test_a_cell_with_four_channels_is_trimmed_and_the_weight_uses_the_trims(tmp_path):
    skew = {"corner_1_ppm": 20_000.0, "corner_2_ppm": -15_000.0, "corner_3_ppm": 0.0, "corner_4_ppm": 0.0}
    bench = Bench(tmp_path, Params(cells=4, counts_per_kg=209_716, zero_counts=1_341_728, **skew))
    bench.calibrate(ALL)
    record = read_records(bench.path)[-1]
    assert record.trims_ppm[0] < 985_000 < 1_010_000 < record.trims_ppm[1]
    assert all(abs(corner - 5_000_000) < 2_000 for corner in record.corners_mg)
    weighs = record.calibration()
    bench.cell.hold(5_000_000, "front left")
    bench.events.get(timeout=1)
    bench.clock.advance_ms(8_000)
    bench.cell.read()
    bench.clock.advance_ms(4_000)
    lines = [decode_line(line) for line in bench.cell.read().split(b"\n") if line.startswith(b"$W")]
    masses = [weighs.mass_mg(weighs.summed(line.counts, line.channels)) for line in lines]
    raw = [weighs.mass_mg(line.counts) for line in lines]
    assert abs(sum(masses) // len(masses) - 5_000_000) < 2_500
    assert abs(sum(raw) // len(raw) - 5_000_000) > 20_000


def test_stopped_at_any_task_and_resumed_it_ends_as_if_it_had_not_been_stopped(bench):
    for number in range(1, TASKS + 1):
        with pytest.raises(Fault, match="CALIBRATION-STOPPED"):
            bench.calibrate(["ready", "ctrl-c"], *(["--resume"] if number > 1 else []))
        if number == TASKS - 1:
            break
    who = bench.calibrate(["ready"], "--resume")
    assert who.facts("resumed") == [{"points": TASKS - 1, "of": TASKS}]
    assert len(read_records(bench.path)) == 1


def test_what_was_stopped_is_offered_and_left_alone_when_refused(bench):
    with pytest.raises(Fault, match="CALIBRATION-STOPPED"):
        bench.calibrate(["ready", "ready", "quit"])
    with pytest.raises(Fault, match=r"CALIBRATION-JOURNAL.*2 of 11 points"):
        bench.calibrate(["quit"])
    assert bench.calibrate(["ready", *ALL[2:]]).facts("kept") == [{"points": 2, "of": TASKS}]


def test_restart_forgets_what_was_kept(bench):
    with pytest.raises(Fault, match="CALIBRATION-STOPPED"):
        bench.calibrate(["ready", "quit"])
    assert bench.calibrate(ALL, "--restart").facts("ask")[0]["number"] == 1


def test_points_of_another_converter_are_not_gone_on_with(bench):
    with pytest.raises(Fault, match="CALIBRATION-STOPPED"):
        bench.calibrate(["ready", "quit"])
    journal = bench.path.with_name("calibration.jsonl.journal")
    head, _ = calibration_journal.decode(journal.read_bytes())
    other = calibration_journal.Head(
        head.cart, head.operator, head.wall_ms, type(head.converter)("OTHER", "HX711", 128, 80), head.plan
    )
    journal.write_bytes(calibration_journal.encode(other))
    with pytest.raises(Fault, match=r"CALIBRATION-JOURNAL.*OTHER"):
        bench.calibrate(ALL, "--resume")


def test_a_calibration_that_was_left_before_its_first_point_is_no_question(bench):
    with pytest.raises(Fault, match="CALIBRATION-STOPPED"):
        bench.calibrate(["quit"])
    assert bench.calibrate(ALL).facts("kept") == []


@contextmanager
def disk_full_after(size):
    """Let no file of this process grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 50, 450, 700])
def test_a_full_disk_ends_it_with_a_name_and_what_was_kept_is_gone_on_with(bench, size):
    with disk_full_after(size), pytest.raises(Fault, match="CALIBRATION-UNSAVED"):
        bench.calibrate(ALL)
    journal = bench.path.with_name("calibration.jsonl.journal")
    kept = journal.read_bytes().count(b"\n") - 1
    if kept >= 0:
        who = bench.calibrate(ALL[kept:], "--resume")
        assert who.facts("resumed") == [{"points": kept, "of": TASKS}]
    else:
        bench.calibrate(ALL, "--restart")
    assert len(read_records(bench.path)) == 1


def test_a_record_that_the_disk_does_not_take_leaves_the_old_one_and_all_points(bench):
    bench.calibrate(ALL)
    before = bench.path.read_bytes()
    with disk_full_after(len(before) + 10), pytest.raises(Fault, match="CALIBRATION-UNSAVED"):
        append_calibration(bench.path, read_records(bench.path)[-1])
    assert bench.path.read_bytes() == before


def test_a_place_that_is_none_is_named(tmp_path):
    with pytest.raises(Fault, match=r"CALIBRATION-UNSAVED.*No such file"):
        Journal(tmp_path / "missing" / "calibration.jsonl")


@pytest.mark.parametrize("altitude", ["nan", "inf", "1e300", "-501"])
def test_an_altitude_that_is_none_is_refused_before_a_mass_is_lifted(altitude, capsys):
    with pytest.raises(SystemExit):
        main(["scale", "calibrate", "--device", "simulated", "--latitude", "48", f"--altitude={altitude}"])
    assert "--altitude" in capsys.readouterr().err


def test_a_power_cut_between_record_and_journal_does_not_write_the_record_twice(bench, monkeypatch):
    monkeypatch.setattr(Journal, "close", lambda journal, finished: None)
    bench.calibrate(ALL)
    monkeypatch.undo()
    assert bench.path.with_name("calibration.jsonl.journal").exists()
    # The file's lock went with the process that was cut off.
    kept = bench.path.with_name("calibration.jsonl.journal").read_bytes()
    bench.path.with_name("calibration.jsonl.journal").unlink()
    bench.path.with_name("calibration.jsonl.journal").write_bytes(kept)
    bench.calibrate([], "--resume")
    assert len(read_records(bench.path)) == 1


def test_a_wrong_mass_is_refused_with_what_to_do_and_asked_for_again(bench):
    who = bench.calibrate(["ready", "ready", "wrong", *ALL[2:]])
    (refused,) = who.facts("refused")
    assert refused["code"] == "wrong_mass"
    assert (refused["meaning"], refused["mend"]) == REFUSALS["wrong_mass"]
    assert [ask["number"] for ask in who.facts("ask")][:5] == [1, 2, 3, 3, 4]
    assert len(read_records(bench.path)) == 1


def test_masses_that_are_all_wrong_by_one_factor_show_against_the_calibration_before(bench):
    assert not bench.calibrate(ALL).facts("otherwise")
    assert not bench.calibrate(ALL).facts("otherwise")
    hold = bench.cell.hold
    bench.cell.hold = lambda mass_mg, place: hold(mass_mg * 97 // 100, place)
    assert bench.calibrate(ALL).facts("otherwise") == [{"permille": -30}]


def test_back_takes_a_point_back_and_the_journal_knows(bench):
    with pytest.raises(Fault, match="CALIBRATION-STOPPED"):
        bench.calibrate(["ready", "ready", "ready", "back", "back", "quit"])
    _, points = calibration_journal.decode(bench.path.with_name("calibration.jsonl.journal").read_bytes())
    assert len(points) == 1
    bench.calibrate(ALL[1:], "--resume")


def test_silence_while_reading_is_a_refusal_and_it_goes_on_when_the_line_is_back(bench):
    class Unplugged(Told):
        def word(self, timeout_s):
            bench.events.silent = len(self.facts("ask")) == 3
            if bench.events.silent:
                bench.events.ready = []
            return super().word(timeout_s)

    who = Unplugged([*ALL, "ready"])
    parser = argparse.ArgumentParser()
    scale_calibrate.add_arguments(parser)
    desk = Desk(bench.events, bench.clock, bench.cell)
    calibrate(parser.parse_args([]), config.simulated(bench.path.parent), bench.path, desk, who)
    assert [refused["code"] for refused in who.facts("refused")] == ["silent"]


def test_a_port_that_is_gone_from_the_start_is_its_own_fault(bench):
    bench.events.ready = [SourceLost(0, "scale", "SCALE-PORT-DENIED: /dev/x: not allowed")]
    with pytest.raises(Fault, match="SCALE-PORT-DENIED: /dev/x"):
        bench.calibrate(ALL)


def test_a_converter_that_never_says_who_it_is_cannot_be_calibrated(bench):
    bench.events.changed = lambda data: re.sub(rb"\$H[^\n]*\n", b"", data)
    with pytest.raises(Fault, match=r"SCALE-SILENT.*never says who it is"):
        bench.calibrate(ALL)


def test_a_record_that_was_tampered_with_is_named_and_not_appended_to(bench, tmp_path):
    bench.calibrate(ALL)
    bench.calibrate(ALL)
    data = bench.path.read_bytes()
    bench.path.write_bytes(data.replace(b'"operator":"tester"', b'"operator":"nobody"', 1))
    with pytest.raises(Fault, match=r"CALIBRATION-BAD.*line 1: sha256 does not fit"):
        bench.calibrate(ALL)
    bench.path.write_bytes(data.split(b"\n", 1)[1])
    with pytest.raises(Fault, match=r"CALIBRATION-BAD.*line 1: event_counter is 2"):
        append_calibration(bench.path, read_records_raw(data))


def read_records_raw(data):
    from cart.wire.calibration import decode

    return decode(data)[0]


def test_an_append_keeps_owner_and_mode_and_leaves_nothing_beside(bench):
    bench.calibrate(ALL)
    bench.path.chmod(0o600)
    bench.calibrate(ALL)
    assert bench.path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in bench.path.parent.iterdir()) == ["calibration.jsonl"]


@pytest.mark.parametrize(
    ("options", "day"),
    [((), "2027-05-28"), (("--valid-months", "3"), "2026-08-28"), (("--valid-until", "2026-12-24"), "2026-12-24")],
)
def test_the_record_says_until_when_it_is_valid(bench, options, day):
    bench.calibrate(ALL, *options)  # on 2026-05-28
    assert scale_calibrate._day(read_records(bench.path)[0].expires_at_ms()) == day


def journal_bytes(points=5):
    converter = calibration_journal.Converter("E1", "HX711", 128, 80)
    plan = calibration_plan.Plan((1, 2, 3), 3, 10_000, 5, 8, 80)
    head = calibration_journal.Head("cart-1", "tester", 1, converter, plan)
    mean = Mean(1, 2, 3, 400)
    entries = [calibration_journal.Entry(n, mean) for n in range(points)]
    return b"".join(calibration_journal.encode(line) for line in (head, *entries))


def test_a_journal_torn_at_any_byte_keeps_every_whole_point():
    data = journal_bytes()
    head_end = data.index(b"\n") + 1
    for cut in range(head_end, len(data) + 1):
        _, points = calibration_journal.decode(data[:cut])
        assert len(points) == data[:cut].count(b"\n") - 1


def test_a_torn_end_is_cut_off_before_more_is_written(tmp_path):
    path = tmp_path / "calibration.jsonl.journal"
    path.write_bytes(journal_bytes()[:-7])
    journal = Journal(tmp_path / "calibration.jsonl")
    _, points = journal.kept()
    journal.take(len(points), Mean(9, 9, 9, 400))
    assert journal.kept()[1][-1].counts == 9
    journal.close(finished=False)


def test_a_damaged_journal_is_a_fault_with_its_line():
    data = bytearray(journal_bytes())
    data[data.index(b"\n") + 20] ^= 1
    with pytest.raises(ValueError, match="line 2: damaged"):
        calibration_journal.decode(bytes(data))
    for bad in (b"", b"\n", b"nonsense\n", journal_bytes()[:20]):
        with pytest.raises(ValueError, match="line 1"):
            calibration_journal.decode(bad)


def test_two_calibrations_at_once_are_refused(tmp_path):
    journal = Journal(tmp_path / "calibration.jsonl")
    with pytest.raises(Fault, match=r"CALIBRATION-JOURNAL.*under way"):
        Journal(tmp_path / "calibration.jsonl")
    journal.close(finished=True)


def test_the_refusals_of_the_page_are_those_of_the_code():
    page = (Path(__file__).resolve().parents[2] / "docs" / "OPERATING.md").read_text(encoding="utf-8")
    table = page.partition("<!-- refusals")[2].partition("<!-- end of refusals -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    assert rows == [(code, *texts) for code, texts in REFUSALS.items()]


# -- on the command line --------------------------------------------------------------------


def test_while_a_daemon_has_the_port_it_says_so_and_what_to_do(tmp_path, capsys):
    cable = Cable(tmp_path)
    daemon = SerialLine(str(cable.name), 115_200, tmp_path)
    path = tmp_path / "cart.toml"
    path.write_text(config.render(config.simulated(tmp_path)), encoding="utf-8")
    code = main(["scale", "calibrate", "--config", str(path), "--device", f"serial:{cable.name}"])
    daemon.close()
    cable.close()
    assert code == EXIT_HARDWARE
    told = capsys.readouterr().err
    assert "SCALE-PORT-BUSY" in told
    assert "systemctl stop cart.service" in told


@pytest.mark.parametrize(
    "options",
    [
        ["--masses", "1000,2000"],
        ["--masses", "1000,x"],
        ["--masses", "0,1,2"],
        ["--max-kg", "4"],
        ["--max-kg", "11"],
        ["--e-g", "100"],
        ["--e-g", "4"],
        ["--gravity", "3.7"],
        ["--latitude", "91"],
        ["--corner-mass", "1"],
        ["--valid-months", "0"],
        ["--valid-until", "2001-01-01"],
        ["--valid-until", "soon"],
        ["--operator-id", "x" * 65],
        ["--resume", "--restart"],
    ],
)
def test_options_that_make_no_sense_end_with_the_usage(options, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as end:
        main(["scale", "calibrate", "--device", "simulated", *options])
    assert end.value.code == EXIT_USAGE
    assert "usage: cart scale calibrate" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_person_at_a_terminal_who_is_interrupted_finds_his_points_again(tmp_path, number):
    window = Window(["scale", "calibrate", "--device", "simulated"], XDG_STATE_HOME=str(tmp_path))
    try:
        window.until(r"\[1/11\] empty the basket, then press Enter")
        window.until(r"now 33\d,\d\d\d counts")
        window.press(b"\n")
        window.until(r"reading: .* of 5 s")
        window.until(r"\[2/11\] put on until 1,000 g")
        window.press(b"\n")
        window.until(r"reading: 3[3-9]")
        window.process.send_signal(number)
        window.end()
        if number != signal.SIGKILL:
            assert termios.tcgetattr(window.slave) == window.before
    finally:
        window.close()
    folder = tmp_path / "cart"
    assert [path.name for path in folder.iterdir()] == ["practice-calibration.jsonl.journal"]
    _, points = calibration_journal.decode(next(folder.iterdir()).read_bytes())
    assert len(points) == 1


@pytest.mark.parametrize("device", ["file:/etc/hostname", "nonsense", "serial:"])
def test_what_is_no_load_cell_is_refused(device, capsys):
    assert main(["scale", "calibrate", "--device", device]) == EXIT_USAGE
    assert "SCALE-DEVICE" in capsys.readouterr().err
