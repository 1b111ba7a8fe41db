"""A sealed build: the jumper and the record, and never cart.toml; and the list of the legally relevant part."""

import argparse
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from cart import app, config
from cart.clock import ManualClock, SystemClock
from cart.commands import seal as command
from cart.core.effects import Save
from cart.core.legal_record import LegalEvent
from cart.core.trip import Trip
from cart.edge import seal as edge_seal
from cart.edge.calibration_file import append_calibration, read_calibration
from cart.edge.database import open_database
from cart.edge.keys import make_pair
from cart.edge.seal import SEAL_NAME, Software, read_seal, sealed, software
from cart.faults import Fault
from cart.wire import legal_manifest
from cart.wire.calibration import CalibrationRecord, Converter, Point, chained
from cart.wire.seal import Seal, decode_seal, encode_seal, unfit
from tools.write_texts import legal_manifest_bytes

HASH = "ab" * 32
YEAR_MS = 365 * 86_400_000
MADE_MS = 1_780_000_000_000
NOW_MS = MADE_MS + 1_000
POINTS = tuple(Point(mass_mg, mass_mg // 10, 0, 80) for mass_mg in (0, 5_000_000, 15_000_000, 5_000_000))


def calibrated(**changed):
    words = {
        "cart": "cart-1",
        "operator": "somebody",
        "wall_ms": MADE_MS,
        "converter": Converter("A1", "HX711", 128, 80),
        "points": POINTS,
        "counts_per_kg": 100_000,
        "zero_counts": 0,
        "residual_max_mg": 1_000,
        "max_mg": 15_000_000,
        "e_mg": 5_000,
        "corners_mg": (5_000_000, 5_001_000, 4_999_000, 5_000_000),
        "gravity_um_s2": 9_810_000,
        "level_ug": (21_000, -9_000),
    }
    return chained(CalibrationRecord(**words | changed), None)


def sealed_with(record, **changed):
    words = {"cart": "cart-1", "by": "the officer", "wall_ms": 2_000, "software": HASH, "calibration": record.sha256}
    return Seal(**words | {"profile": "R76", "ranges_mg": ((15_000_000, 5_000),), "pixel_pitch_um": 180} | changed)


@pytest.fixture
def unchanged(monkeypatch):
    monkeypatch.setattr(edge_seal, "software", lambda: Software(HASH, ()))
    monkeypatch.setattr(command, "software", lambda: Software(HASH, ()))


def test_the_manifest_is_that_of_these_files(repository):
    """If this fails: python -m tools.write_texts, and say in the commit that the legal hash changed."""
    manifest = (repository / "cart" / legal_manifest.NAME).read_bytes()
    assert manifest == legal_manifest_bytes()
    assert software() == Software(legal_manifest.sha256_of(manifest), ())


def test_every_module_of_the_core_that_weighs_for_trade_is_listed(repository):
    weighs = {path.name for path in (repository / "cart/core").glob("legal*.py")} | {"trade.py", "trade_view.py"}
    weighs -= {"legal_checks.py"}  # judges a calibration; makes no weight
    assert {f"core/{name}" for name in weighs} <= set(legal_manifest.MODULES)


@pytest.mark.parametrize("path", legal_manifest.MODULES)
def test_one_changed_byte_of_a_listed_file_is_named(path):
    manifest = (resources.files("cart") / legal_manifest.NAME).read_bytes()

    def read(name):
        return (resources.files("cart") / name).read_bytes() + (b" " if name == path else b"")

    assert legal_manifest.changed(manifest, read) == (path,)


def test_a_list_of_other_files_is_refused():
    short = legal_manifest.manifest_bytes(dict.fromkeys(legal_manifest.MODULES, b""), {})
    fewer = msgspec.json.decode(short)
    del fewer["package"]["core/legal.py"]
    with pytest.raises(ValueError, match="other files"):
        legal_manifest.changed(msgspec.json.encode(fewer), lambda path: b"")


def test_with_the_jumper_open_no_file_seals(tmp_path, unchanged):
    record = calibrated()
    (tmp_path / SEAL_NAME).write_bytes(encode_seal(sealed_with(record)))
    legal, for_trade = sealed(record, tmp_path / SEAL_NAME, "cart-1", 180, jumper_closed=False)
    assert (for_trade, legal.software) == (False, HASH)
    assert sealed(None, tmp_path / SEAL_NAME, "cart-1", 180, jumper_closed=False)[1] is False


def test_with_the_jumper_closed_and_all_as_verified_the_cart_weighs_for_trade(tmp_path, unchanged):
    record = calibrated()
    (tmp_path / SEAL_NAME).write_bytes(
        encode_seal(sealed_with(record, profile="HB44", ranges_mg=((6_000_000, 2_000), (15_000_000, 5_000))))
    )
    with pytest.raises(Fault, match="LEGAL-SEAL-BAD"):  # e2 < 2 e1 is no instrument... of these it is: 5 > 4
        sealed(record, tmp_path / "nothing.json", "cart-1", 180, jumper_closed=True)
    legal, for_trade = sealed(record, tmp_path / SEAL_NAME, "cart-1", 180, jumper_closed=True)
    assert (for_trade, legal.converter, legal.instrument.rules.name, legal.instrument.mobile) == (
        True, "A1", "HB44", True,
    )  # fmt: skip
    assert legal.expires_ms == record.expires_at_ms()
    assert (legal.samples_per_s, legal.gain, legal.level_ug) == (80, 128, (21_000, -9_000))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"software": "cd" * 32}, "LEGAL-HASH-DIFFERS"),
        ({"calibration": "cd" * 32}, "LEGAL-SEAL-BAD"),
        ({"cart": "cart-2"}, "LEGAL-SEAL-BAD"),
        ({"profile": "mine"}, "LEGAL-SEAL-BAD"),
        ({"ranges_mg": ((30_000_000, 10_000),)}, "LEGAL-SEAL-BAD"),
        ({"ranges_mg": ((15_000_000, 3_000),)}, "LEGAL-SEAL-BAD"),
        ({"format": 2}, "LEGAL-SEAL-BAD"),
        ({"pixel_pitch_um": 90}, "LEGAL-SEAL-BAD"),
    ],
)
def test_with_the_jumper_closed_anything_else_does_not_run(tmp_path, unchanged, changed, code):
    record = calibrated()
    (tmp_path / SEAL_NAME).write_bytes(encode_seal(sealed_with(record, **changed)))
    with pytest.raises(Fault, match=code):
        sealed(record, tmp_path / SEAL_NAME, "cart-1", 180, jumper_closed=True)


def test_a_sealed_build_with_a_changed_file_does_not_run(tmp_path, monkeypatch):
    record = calibrated()
    (tmp_path / SEAL_NAME).write_bytes(encode_seal(sealed_with(record)))
    monkeypatch.setattr(edge_seal, "software", lambda: Software(HASH, ("core/legal.py",)))
    with pytest.raises(Fault, match=r"LEGAL-HASH-DIFFERS: core/legal\.py"):
        sealed(record, tmp_path / SEAL_NAME, "cart-1", 180, jumper_closed=True)
    assert sealed(record, tmp_path / SEAL_NAME, "cart-1", 180, jumper_closed=False)[0].software == ""


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"format":1}', b"[" * 10_000])
def test_a_record_that_cannot_be_read_is_no_seal(data):
    with pytest.raises((ValueError, RecursionError)):
        decode_seal(data)


@pytest.mark.parametrize(("read", "code"), [(read_seal, "LEGAL-SEAL-BAD"), (read_calibration, "CALIBRATION-BAD")])
def test_an_endless_file_is_refused(read, code):
    with pytest.raises(Fault, match=f"{code}.*larger"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize("device", ["simulated", "file:an-hour.lines"])
def test_a_sealed_cart_weighs_with_the_cell_on_its_port_only(tmp_path, unchanged, monkeypatch, device):
    monkeypatch.setattr("cart.edge.gpio.seal_jumper_closed", lambda: True)
    record = calibrated()
    (tmp_path / SEAL_NAME).write_bytes(encode_seal(sealed_with(record)))
    place = {"calibration": str(tmp_path / "calibration.jsonl")}

    def legal(device):
        settings = config.changed(config.simulated(tmp_path), cart={"id": "cart-1"}, scale={"device": device, **place})
        return app._legal(settings, record)

    assert legal("serial:/dev/cart-loadcell")[1]
    with pytest.raises(Fault, match=r"LEGAL-SEAL-BAD.*not the cell"):
        legal(device)


def test_a_sealed_cart_draws_its_digits_as_high_as_verified_and_no_key_of_cart_toml_changes_that(
    tmp_path, unchanged, monkeypatch
):
    monkeypatch.setattr("cart.edge.gpio.seal_jumper_closed", lambda: True)
    record = calibrated()
    (tmp_path / SEAL_NAME).write_bytes(encode_seal(sealed_with(record)))

    def legal(pitch_um):
        scale = {"device": "serial:/dev/cart-loadcell", "calibration": str(tmp_path / "calibration.jsonl")}
        settings = config.changed(config.simulated(tmp_path), cart={"id": "cart-1"}, scale=scale)
        return app._legal(config.changed(settings, kiosk={"pixel_pitch_um": pitch_um}), record)

    assert legal(180)[1]
    with pytest.raises(Fault, match=r"LEGAL-SEAL-BAD.*pixel_pitch_um is 181, verified was 180"):
        legal(181)


@pytest.mark.parametrize("now_ms", [0, 1_704_067_200_000, MADE_MS - 1])
def test_a_clock_that_was_never_set_or_is_before_the_calibration_makes_none_fit(now_ms):
    record = calibrated()
    assert "the clock was never set" in "; ".join(unfit(sealed_with(record), record, now_ms=now_ms))


def test_no_key_of_cart_toml_has_to_do_with_the_seal():
    assert not [text.key for text in config.key_texts() if "seal" in text.key or "trade" in text.key]


def test_what_prices_rest_on_has_another_fingerprint_after_every_change(tmp_path, unchanged):
    def fingerprint(record, seal=None):
        if seal:
            (tmp_path / SEAL_NAME).write_bytes(encode_seal(seal))
        return sealed(record, tmp_path / SEAL_NAME, "cart-1", 180, jumper_closed=bool(seal))[0].parameters

    record, again = calibrated(), calibrated(zero_counts=1)
    found = [
        fingerprint(record),
        fingerprint(again),
        fingerprint(record, sealed_with(record)),
        fingerprint(record, sealed_with(record, profile="HB44")),
    ]
    assert len(set(found)) == 4
    assert fingerprint(record) == found[0]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"converter": Converter("", "HX711", 128, 80)}, "no converter"),
        ({"gravity_um_s2": None}, "no gravity"),
        ({"expires_ms": MADE_MS + 500}, "expired"),
        ({"wall_ms": NOW_MS + 1}, "the clock"),
        ({"level_ug": ()}, "level floor"),
        ({"corners_mg": ()}, "corners"),
        ({"corners_mg": (5_000_000, 5_000_000, 5_000_000, 5_006_000)}, "corner 4"),
        ({"corners_mg": (5_003_000,) * 4, "corner_mass_mg": 4_997_000}, "corner 4"),
        # 1 kg read as 1,002 g: within the MPE of Max, and not within half of its own.
        ({"points": (*POINTS[:1], Point(1_000_000, 100_200, 0, 80), *POINTS[1:])}, "half of the MPE"),
        ({"points": (*POINTS, Point(1_000_000, 100_260, 0, 80))}, "more than the MPE"),
    ],
)
def test_a_scale_that_is_not_fit_is_not_put_forward(changed, words):
    record = calibrated(**changed)
    assert words in "; ".join(unfit(sealed_with(record), record, now_ms=NOW_MS))


def test_a_fit_one_is():
    record = calibrated(points=(*POINTS, Point(1_000_000, 100_240, 0, 80)))
    assert unfit(sealed_with(record), record, now_ms=NOW_MS) == ()


def test_the_command_makes_a_record_that_only_the_jumper_brings_to_life(tmp_path, unchanged, monkeypatch, capsys):
    settings = config.simulated(tmp_path)
    (tmp_path / "cart.toml").write_text(config.render(settings))
    record = append_calibration(tmp_path / "calibration.jsonl", calibrated(wall_ms=SystemClock().wall_ms()))
    words = ["--config", str(tmp_path / "cart.toml")]

    def parsed(*more):
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        return parser.parse_args(more)

    def run(*more):
        return command.run(parsed(*words, *more))

    for options in (["--drift", "-5001"], ["--drift=-5001"], ["--drift", "0", "--range", "15"], ["--drift", "0.5"]):
        with pytest.raises(SystemExit):
            run("make", "--by", "the officer", *options)
    assert command.run(parsed("show", "--config", words[1])) == 0
    assert run("show") == 0
    assert "not for trade" in capsys.readouterr().out
    with pytest.raises(Fault, match="LEGAL-UNFIT: the zero drifts too far: e must be 10 g"):
        run("make", "--by", "the officer", "--drift", "5001")
    assert run("make", "--by", "the officer", "--drift", "3000") == 0
    assert sealed(record, tmp_path / SEAL_NAME, settings.cart.id, 180, jumper_closed=True)[1]
    assert app._legal(settings, record)[1] is False  # this machine has no jumper
    database = open_database(config.database_path(settings), ManualClock(), lambda count: "0" * 2 * count)
    database.save(Save(1, (), Trip(), (), (LegalEvent(1, 5, "", "x"),)), make_pair(tmp_path / "keys", "cart"))
    database.close()
    capsys.readouterr()
    assert run("log") == 0
    assert '{"kind": "LegalEvent", "counter": 1' in capsys.readouterr().out
    monkeypatch.setattr(command, "seal_jumper_closed", lambda: True)
    with pytest.raises(Fault, match="LEGAL-SEAL-BAD: the jumper is closed"):
        run("make", "--by", "somebody else", "--drift", "0")
