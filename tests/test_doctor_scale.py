"""`cart doctor` on the scale: the record's age and corners, rate and noise of an idle port and of a running cart."""

import queue
import re

import msgspec
import pytest

from cart import config, scale_checks
from cart.clock import ManualClock, SystemClock
from cart.core.events import CellIdentified, LoadSampled
from cart.edge.calibration_file import append_calibration
from cart.edge.scale import ScaleReader, SerialLine
from cart.scale_checks import MS_PER_DAY
from cart.wire import recording
from cart.wire.calibration import CalibrationRecord, Converter, Point
from cart.wire.loadcell import Identity, encode
from tools.port_trial import Cable
from tools.port_trial import Converter as Voice

RECORD = CalibrationRecord(
    cart="cart-1",
    operator="tester",
    wall_ms=0,
    converter=Converter("E661", "HX711", 128, 80),
    points=tuple(Point(kg * 1_000_000, 335_432 + 52_429 * kg, 38_000, 400) for kg in (0, 2, 5, 2)),
    counts_per_kg=52_429,
    zero_counts=335_432,
    residual_max_mg=400,
    max_mg=10_000_000,
    e_mg=5_000,
    corners_mg=(5_001_000, 4_999_000, 5_000_000, 5_002_000),
)


@pytest.fixture
def cart(tmp_path):
    """Return a function that makes a cart's settings with a record made some days ago, changed as asked."""

    def make(days=10, device="simulated", **changes):
        settings = config.changed(config.simulated(tmp_path), scale={"device": device})
        wall_ms = SystemClock().wall_ms() - days * MS_PER_DAY
        record = msgspec.structs.replace(RECORD, wall_ms=wall_ms, **changes)
        append_calibration(tmp_path / "calibration.jsonl", record)
        return settings

    return make


def found(check, settings):
    return {finding.name: finding for finding in check(settings)}


@pytest.mark.parametrize("wall_ms", [0, 1_704_067_200_000, None])
def test_with_a_clock_that_was_never_set_or_is_before_the_record_nobody_knows_whether_it_expired(
    cart, monkeypatch, wall_ms
):
    settings, now_ms = cart(), SystemClock().wall_ms()
    early_ms = now_ms - 11 * MS_PER_DAY if wall_ms is None else wall_ms  # the record is ten days old
    monkeypatch.setattr(scale_checks, "SystemClock", lambda: ManualClock(0, early_ms))
    finding = found(scale_checks.calibration, settings)["validity"]
    assert finding.state == "x"
    assert finding.text.startswith("CLOCK-UNSET")
    assert "timedatectl" in finding.mend


def test_a_good_record_is_three_times_well(cart):
    findings = found(scale_checks.calibration, cart())
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert "10 days old" in findings["calibration"].text
    assert "off by 2000 mg at most at 5000 g" in findings["corners"].text


@pytest.mark.parametrize(
    ("days", "expires_in_days", "state", "word"),
    [
        (364, None, "!", "[01] days more"),
        (340, None, "!", "2[45] days more"),
        (366, None, "!", "CALIBRATION-EXPIRED"),
        (400, 100, "ok", "until"),
        (10, -1, "!", "CALIBRATION-EXPIRED"),
    ],
)
def test_the_expiry_is_that_of_the_record_or_a_year(cart, days, expires_in_days, state, word):
    expires_ms = None
    if expires_in_days is not None:
        expires_ms = SystemClock().wall_ms() + expires_in_days * MS_PER_DAY
    finding = found(scale_checks.calibration, cart(days, expires_ms=expires_ms))["validity"]
    assert finding.state == state
    assert re.search(word, finding.text)


def test_corners_that_were_not_tested_or_differ_are_said(cart):
    assert found(scale_checks.calibration, cart(corners_mg=()))["corners"].text == "were not tested"
    far = (5_000_000, 5_000_000, 5_000_000, 5_012_000)
    finding = found(scale_checks.calibration, cart(corners_mg=far))["corners"]
    assert (finding.state, "12000 mg at most at 5000 g; 5000 mg is permitted" in finding.text) == ("!", True)
    assert found(scale_checks.calibration, cart(corners_mg=far, corner_mass_mg=5_004_000))["corners"].state == "!"
    near = tuple(corner + 4_000 for corner in RECORD.corners_mg)
    assert found(scale_checks.calibration, cart(corners_mg=near, corner_mass_mg=5_004_000))["corners"].state == "ok"
    assert found(scale_checks.calibration, cart(corners_mg=near))["corners"].state == "!"


class Speaking(SerialLine):
    """The serial line of a pseudo-terminal into which a converter speaks whenever it is read."""

    def __init__(self, cable, voice, serial):
        super().__init__(str(cable.name), 115_200, cable.name.parent)
        self.cable, self.voice, self.serial = cable, voice, serial
        self.said = False

    def read(self):
        if not self.said:
            self.said = True
            self.cable.send(encode(Identity(1, "1.0", self.serial, "HX711", 128, 80, "0000")))
        self.cable.send(self.voice.line())
        return super().read()


@pytest.fixture
def port(tmp_path, monkeypatch):
    """Return a function that listens to a converter on a pseudo-terminal, through the real driver."""
    cable = Cable(tmp_path)

    def listen(settings, voice, serial="E661"):
        settings = config.changed(settings, scale={"device": f"serial:{cable.name}"})

        def listened(settings):
            heard = scale_checks.Heard("in a moment")
            events = queue.SimpleQueue()
            reader = ScaleReader(lambda: Speaking(cable, voice, serial), SystemClock())
            reader.start(events.put)
            while len(heard.counts) < 100:
                heard.take(events.get(timeout=10))
            reader.stop()
            return heard

        monkeypatch.setattr(scale_checks, "_listened", listened)
        return found(scale_checks.readings, settings)

    yield listen
    cable.close()


def test_rate_and_noise_of_an_idle_scale(cart, port):
    findings = port(cart(), Voice())
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert findings["rate"].text.startswith("80.0 readings a second")
    assert "0.7 g" in findings["noise"].text or "0.8 g" in findings["noise"].text


@pytest.mark.parametrize(
    ("voice", "name", "state", "word"),
    [
        (Voice(period_ns=100_000_000), "rate", "x", "80 are configured"),
        (Voice(stuck=True), "noise", "x", "stuck"),
        (Voice(flags=0x10), "flags", "x", "10"),
    ],
)
def test_what_is_wrong_with_the_readings_is_said(cart, port, voice, name, state, word):
    finding = port(cart(), voice)[name]
    assert (finding.state, word in finding.text) == (state, True)


def test_noise_is_judged_by_that_of_the_calibration(cart, port):
    quiet = tuple(Point(p.mass_mg, p.counts_mean, 9_000, 400) for p in RECORD.points)
    finding = port(cart(points=quiet), Voice())["noise"]
    assert (finding.state, "9 counts when it was calibrated" in finding.text) == ("!", True)


def test_a_converter_that_is_not_the_records_is_found(cart, port):
    finding = port(cart(), Voice(), serial="OTHER")["converter"]
    assert finding.text.startswith("CALIBRATION-FOREIGN")
    assert "E661" in finding.text
    assert "OTHER" in finding.text


def test_a_silent_port_is_said(cart, tmp_path, monkeypatch):
    monkeypatch.setattr(scale_checks, "HELLO_NS", 300_000_000)
    cable = Cable(tmp_path)
    findings = found(scale_checks.readings, cart(device=f"serial:{cable.name}"))
    cable.close()
    assert findings["readings"].text.startswith("SCALE-SILENT")


def test_a_missing_port_is_left_to_its_own_check(cart):
    assert found(scale_checks.readings, cart(device="serial:/dev/none")) == {}


def recorded(folder, age_ns=0, cut=0):
    """Write the recording of a cart that runs now, or ran `age_ns` ago; `cut` bytes of its end are in writing."""
    folder.mkdir(parents=True)
    voice, now_ns = Voice(), SystemClock().monotonic_ns() - age_ns
    lines = [recording.event_line(1, CellIdentified(now_ns - 4 * 10**9, 1, "1.0", "E661", "HX711", 128, 80, "0"))]
    for n in range(80):
        fields = [voice.line().split(b"*")[0].split(b",") for _ in range(4)]
        t_us, counts = tuple(int(f[2]) for f in fields), tuple(int(f[3]) for f in fields)
        event = LoadSampled(now_ns - (80 - n) * 50_000_000, voice.seq, t_us, counts, (0,) * 4)
        lines.append(recording.event_line(n + 2, event))
    data = b"".join(lines)
    (folder / "run-1.rec").write_bytes(data[: len(data) - cut])


@pytest.mark.parametrize("cut", [0, 30])
def test_a_running_cart_is_looked_at_through_its_recording(cart, cut):
    settings = cart()
    recorded(scale_checks.Path(settings.recording.dir), cut=cut)
    findings = found(scale_checks.readings, settings)
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert findings["rate"].text == "80.0 readings a second of the running cart, 0 lost"


def test_an_old_recording_is_no_running_cart(cart):
    settings = cart()
    recorded(scale_checks.Path(settings.recording.dir), age_ns=60 * 10**9)
    assert found(scale_checks.readings, settings)["readings"].state == "simulated"
