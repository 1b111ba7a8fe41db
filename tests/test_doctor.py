"""`cart doctor`: finds what is wrong, says how to mend it, and never lets one check hide the others."""

import json
import secrets
import socket

import pytest

from cart import checks, config
from cart.__main__ import main
from cart.clock import ManualClock
from cart.commands import doctor
from cart.edge.database import open_database
from cart.edge.keys import make_pair
from cart.faults import EXIT_CONFIGURATION, EXIT_HARDWARE, Fault


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a configuration of a simulated cart, changed as asked."""

    def write(changes=""):
        path = tmp_path / "cart.toml"
        (tmp_path / "state").mkdir(exist_ok=True)
        path.write_text(config.render(config.simulated(tmp_path / "state")), encoding="utf-8")
        for old, new in changes:
            text = path.read_text(encoding="utf-8")
            assert old in text
            path.write_text(text.replace(old, new), encoding="utf-8")
        return path

    return write


def findings(capsys, path):
    code = main(["doctor", "--config", str(path), "-o", "json"])
    found = json.loads(capsys.readouterr().out)
    return code, {(f["section"], f["name"]): f for f in found}


@pytest.fixture
def no_model(monkeypatch):
    """Leave the classifier out: its files may not be made yet, and loading it takes long."""
    kept = tuple(row for row in checks.CHECKS if row[1] is not checks.model)
    monkeypatch.setattr(doctor, "CHECKS", kept)


@pytest.mark.usefixtures("no_model")
def test_on_a_laptop_hardware_is_simulated_and_it_exits_0(capsys, file):
    code, found = findings(capsys, file())
    assert {found["scale", "port"]["state"], found["camera", "device"]["state"]} == {"simulated"}
    assert [f for f in found.values() if f["state"] == "x"] == []
    assert code == 0


@pytest.mark.usefixtures("no_model")
def test_a_missing_serial_port_says_what_is_likely_and_exits_with_the_hardware_code(capsys, file):
    code, found = findings(capsys, file([('device = "simulated"\n# speed', 'device = "serial:/dev/none"\n# speed')]))
    port = found["scale", "port"]
    assert (port["state"], port["text"].split(":")[0]) == ("x", "SCALE-PORT-MISSING")
    assert "cable" in port["mend"]
    assert code == EXIT_HARDWARE


@pytest.mark.usefixtures("no_model")
def test_a_faulty_configuration_is_a_finding_and_the_other_checks_still_run(capsys, file):
    code, found = findings(capsys, file([("port = 1883", "port = 0")]))
    assert "broker.port: 0 is outside" in found["configuration", "file"]["text"]
    assert ("storage", "state") in found
    assert code == EXIT_CONFIGURATION


@pytest.mark.usefixtures("no_model")
def test_a_broker_that_listens_is_found(capsys, file):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        path = file([('host = "localhost"', 'host = "127.0.0.1"'), ("port = 1883", f"port = {port}")])
        assert findings(capsys, path)[1]["store", "broker"]["state"] == "ok"
    assert findings(capsys, path)[1]["store", "broker"]["state"] == "simulated"


@pytest.mark.usefixtures("no_model")
def test_a_key_that_others_may_read_has_to_be_mended(capsys, file, tmp_path):
    path, folder = file(), tmp_path / "state" / "keys"
    make_pair(folder, "cart")
    make_pair(folder, "store")
    found = findings(capsys, path)[1]
    assert (found["storage", "cart's key"]["state"], found["storage", "store's keys"]["state"]) == ("ok", "ok")
    (folder / "cart.key").chmod(0o644)
    assert findings(capsys, path)[1]["storage", "keys"]["text"].startswith("KEY-OPEN")


@pytest.mark.usefixtures("no_model")
def test_a_torn_calibration_record_is_found(capsys, file, tmp_path):
    path = file()
    (tmp_path / "state" / "calibration.jsonl").write_text('{"cart": "cart-1", "oper')
    code, found = findings(capsys, path)
    assert found["scale", "calibration"]["text"].startswith("CALIBRATION-BAD")
    assert code == EXIT_CONFIGURATION


@pytest.mark.usefixtures("no_model")
def test_the_outbox_is_counted_and_a_damaged_database_is_told(capsys, file):
    path = file()
    database = config.database_path(config.load(path))
    open_database(database, ManualClock(), secrets.token_hex).close()
    database.with_name(f"{database.name}.damaged-1").touch()
    found = findings(capsys, path)[1]
    assert found["storage", "outbox"]["text"].startswith("0 charges wait")
    assert found["storage", "database"]["state"] == "!"


def test_both_barcode_engines_read_a_drawn_code():
    settings = config.default()
    assert {(f.name, f.state) for f in checks.barcodes(settings)} == {("zxing", "ok"), ("zbar", "ok")}


def test_an_engine_that_reads_something_else_is_found_out(monkeypatch):
    monkeypatch.setattr(checks, "drawn_code", lambda digits, draw=checks.drawn_code: draw("9521234500006"))
    assert {f.state for f in checks.barcodes(config.default())} == {"x"}


def test_a_check_that_breaks_is_a_finding_and_not_the_end():
    def broken(settings):
        raise ValueError("no such thing")
        yield

    def faulty(settings):
        raise Fault("MODEL-MISSING", "here")
        yield

    assert doctor.guarded(broken, config.default())[0].text == "the check itself failed: ValueError: no such thing"
    assert doctor.guarded(faulty, config.default())[0].exit_code == EXIT_CONFIGURATION
