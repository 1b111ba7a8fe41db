"""`cart scale watch`: what it shows, and that it leaves a terminal as it found it."""

import json
import re
import signal
import termios

import pytest

from cart import config
from cart.__main__ import main
from cart.commands import scale_watch
from cart.core.events import CellFault, LoadSampled, SourceBack, SourceLost
from cart.core.weight_values import Calibration, Limits
from cart.edge import terminal
from cart.edge.scale import SerialLine
from cart.edge.scale_view import FLAG_NAMES, View, flags_named
from cart.faults import EXIT_HARDWARE
from cart.wire.loadcell import encode_weight
from tests.terminal_window import Window
from tools.port_trial import Cable, Converter

CALIBRATION = Calibration(52_429, 335_432)


class Scale:
    """A view that is given readings, at 80 a second of its own time."""

    def __init__(self, calibration=CALIBRATION):
        self.view = View(calibration, Limits(), 0)
        self.converter = Converter()
        self.t_ns = 0

    def stand(self, seconds, load_mg=0, flags=0, stuck=False):
        self.converter.load_mg, self.converter.stuck = load_mg, stuck
        for _ in range(seconds * 10):
            batch = [self.converter.line().split(b"*")[0].split(b",") for _ in range(8)]
            self.t_ns += 100_000_000
            event = LoadSampled(
                self.t_ns,
                self.converter.seq,
                tuple(int(fields[2]) for fields in batch),
                tuple(int(fields[3]) for fields in batch),
                (flags,) * 8,
            )
            self.view.take(event)
            self.view.tick(self.t_ns)

    def wait(self, seconds):
        for _ in range(seconds * 10):
            self.t_ns += 100_000_000
            self.view.tick(self.t_ns)

    def line(self):
        return json.loads(scale_watch._json_line(self.view, 1))

    def picture(self, width=80):
        return scale_watch._lines(self.view, width, practice=True)


def test_a_load_at_rest_is_shown_with_its_noise_and_rate():
    scale = Scale()
    scale.stand(4, 2_000_000)
    line = scale.line()
    assert line["state"] == "ok"
    assert abs(line["gross_mg"] - 2_000_000) < 500
    assert abs(line["noise_counts_milli"] - 38_000) < 10_000
    assert abs(line["noise_mg"] - 725) < 200
    assert line["rate_milli"] == 80_000
    assert "2,000." in scale.picture()[0]
    assert "stands" in scale.picture()[0]


def test_an_event_is_told_when_it_happens():
    scale = Scale()
    scale.stand(3)
    scale.view.unread.clear()
    scale.stand(4, 500_000)
    finals = [event for event in scale.line()["events"] if event.get("final")]
    assert abs(finals[0]["delta_mg"] - 500_000) < 1_500
    assert any(re.search(r"\+\d+\.\d g \+-", line) for line in scale.picture())


@pytest.mark.parametrize(
    ("spoil", "state"),
    [
        (lambda scale: scale.wait(1), "no_data"),
        (lambda scale: scale.stand(1, 2_000_000, stuck=True), "stuck"),
        (lambda scale: scale.stand(1, 2_000_000, flags=0x01), "saturated"),
        (lambda scale: scale.view.take(CellFault(scale.t_ns, "GARBAGE")), "garbage"),
        (lambda scale: scale.view.take(SourceLost(scale.t_ns, "scale", "SCALE-PORT-MISSING: x")), "unplugged"),
    ],
)
def test_a_fault_has_its_name_and_no_number(spoil, state):
    scale = Scale()
    scale.stand(4, 2_000_000)
    spoil(scale)
    line = scale.line()
    assert line["state"] == state
    assert (line["gross_mg"], line["about_mg"]) == (None, None)
    assert scale.picture()[0] == f"weight   none: {state}"


def test_after_a_loss_the_weight_is_unknown_until_it_stands():
    scale = Scale()
    scale.stand(4, 2_000_000)
    scale.view.take(SourceLost(scale.t_ns, "scale", "gone"))
    scale.wait(2)
    scale.view.take(SourceBack(scale.t_ns, "scale"))
    scale.stand(1, 2_000_000)
    assert scale.line()["gross_mg"] is None
    scale.stand(3, 2_000_000)
    assert abs(scale.line()["gross_mg"] - 2_000_000) < 500


def test_after_a_silence_too():
    scale = Scale()
    scale.stand(4, 2_000_000)
    scale.wait(2)
    scale.stand(1, 2_000_000)
    assert (scale.line()["state"], scale.line()["gross_mg"]) == ("ok", None)


def test_without_a_calibration_there_are_counts_and_no_weight():
    scale = Scale(calibration=None)
    scale.stand(3, 2_000_000)
    line = scale.line()
    assert line["counts"] > 400_000
    assert (line["gross_mg"], line["about_mg"], line["noise_mg"]) == (None, None, None)
    assert scale.picture()[0] == "weight   none: uncalibrated"


def test_each_of_four_cells_is_shown():
    scale = Scale()
    event = LoadSampled(0, 1, (12_500,), (1_003_000,), (0,), 0, ((250_000, 251_000, 252_000, 250_000),))
    scale.view.take(event)
    assert scale.line()["cells"] == [250_000, 251_000, 252_000, 250_000]
    assert "cells 250,000  251,000  252,000  250,000" in scale.picture()[1]


def test_flags_are_named():
    assert flags_named(0) == "none"
    assert flags_named(0x03) == "saturated, desync"
    assert set(FLAG_NAMES) == {1 << n for n in range(7)}


def test_a_trace_spans_its_least_and_most_and_is_ascii_where_it_must():
    class Screen:
        encoding = "ascii"

    assert terminal.spark([0, 5, 10], Screen()) == ".+@"[:1] + terminal.spark([0, 5, 10], Screen())[1] + "@"
    assert terminal.spark([], Screen()) == ""
    Screen.encoding = "utf-8"
    assert terminal.spark([0, 10, 0], Screen()) == "▁█▁"
    assert len(terminal.spark([7] * 9, Screen())) == 9


# -- the program ---------------------------------------------------------------------------


def lines_file(folder, count=800):
    path = folder / "lines.txt"
    path.write_bytes(b"".join(encode_weight(n, n * 12_500, 335_432 + n % 7, 0) for n in range(count)))
    return path


def configured(folder):
    path = folder / "cart.toml"
    path.write_text(config.render(config.simulated(folder)), encoding="utf-8")
    return path


def test_no_terminal_gets_one_line_a_second(tmp_path, capsys):
    code = main(
        [
            "scale",
            "watch",
            "--config",
            str(configured(tmp_path)),
            "--device",
            f"file:{lines_file(tmp_path)}",
            "--seconds",
            "2",
            "-o",
            "json",
        ]
    )
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [line["t_s"] for line in printed] == [1, 2]
    assert printed[1]["readings"] > 100


def test_a_port_that_a_daemon_has_is_refused_with_what_to_do(tmp_path, capsys):
    cable = Cable(tmp_path)
    daemon = SerialLine(str(cable.name), 115_200, tmp_path)
    code = main(["scale", "watch", "--config", str(configured(tmp_path)), "--device", f"serial:{cable.name}"])
    daemon.close()
    cable.close()
    assert code == EXIT_HARDWARE
    told = capsys.readouterr().err
    assert "SCALE-PORT-BUSY" in told
    assert "systemctl stop cart.service" in told


def test_a_scale_that_is_not_there_ends_with_1_and_a_state(tmp_path, capsys):
    code = main(
        [
            "scale",
            "watch",
            "--config",
            str(configured(tmp_path)),
            "--device",
            "serial:/dev/none",
            "--seconds",
            "1",
            "-o",
            "json",
        ]
    )
    assert code == 1
    assert json.loads(capsys.readouterr().out)["state"] == "unplugged"


@pytest.fixture
def window(tmp_path):
    opened = []

    def open_window(width=100):
        words = ["scale", "watch", "--config", str(configured(tmp_path)), "--device", "simulated"]
        opened.append(Window(words, width))
        return opened[-1]

    yield open_window
    for each in opened:
        each.close()


@pytest.mark.slow
def test_keys_put_things_in_and_end_it_and_the_terminal_is_as_it_was(window):
    w = window(60)
    w.until(r"stands")
    assert termios.tcgetattr(w.slave)[3] & termios.ECHO == 0
    w.press(b"+")
    w.until(r"\+\d+\.\d g \+-")
    w.press(b"q")
    assert w.end() == 0
    assert termios.tcgetattr(w.slave) == w.before
    drawn = [re.sub(r"\x1b\[\d*[A-Z]", "", line).strip("\r") for line in w.seen.split("\n")]
    assert max(len(line) for line in drawn) <= 59


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_the_terminal_is_as_it_was(window, number, code):
    w = window()
    w.until(r"rate     [78]\d\.")
    w.process.send_signal(number)
    assert w.end() == code
    assert termios.tcgetattr(w.slave) == w.before
