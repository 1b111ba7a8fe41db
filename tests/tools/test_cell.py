"""tools/cell.py: settings are refused by name, nothing is flashed without the tool, and a wrong cell is found."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from tests.firmware.said import FOLDER
from tests.firmware.unix_port import Plugged
from tools.cellboard import cli, flash
from tools.cellboard.refused import CONFIGURATION, DONE, FAILED, HARDWARE, USAGE


@pytest.fixture
def cell(tmp_path):
    plugged = Plugged(tmp_path, read=False)
    yield plugged
    plugged.unplug()


def settings_file(tmp_path, text):
    path = tmp_path / "loadcell.toml"
    path.write_text(text)
    return str(path)


# -- render ---------------------------------------------------------------------


def test_the_repository_s_settings_can_be_rendered(capsys):
    assert cli.main(["render"]) == DONE
    crc, document = capsys.readouterr().out.splitlines()
    assert len(crc) == 4
    assert '"adc.samples_per_s":80' in document


@pytest.mark.parametrize(
    ("text", "said"),
    [("[adc]\nchip = 'HX999'", "adc.chip"), ("[adc", "loadcell.toml"), ("[adc]\nspeed = 3", "adc.speed")],
)
def test_wrong_settings_are_refused_by_name(tmp_path, capsys, text, said):
    assert cli.main(["render", "--settings", settings_file(tmp_path, text)]) == CONFIGURATION
    assert said in capsys.readouterr().err


def test_it_runs_as_a_program():
    tool = FOLDER.parent / "tools" / "cell.py"
    done = subprocess.run([sys.executable, str(tool), "render"], capture_output=True, text=True, check=False)
    assert done.returncode == DONE, done.stderr


# -- flash ------------------------------------------------------------------------


def program(folder, text):
    """Make a program of a shell script, where flash looks first."""
    path = folder / "mpremote"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_without_mpremote_nothing_is_touched(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert cli.main(["flash", "--port", str(tmp_path / "none")]) == USAGE
    assert "pip install mpremote" in capsys.readouterr().err


def test_without_a_board_nothing_is_flashed(tmp_path, monkeypatch, capsys):
    program(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert cli.main(["flash", "--port", str(tmp_path / "none")]) == HARDWARE
    assert "is not there" in capsys.readouterr().err


def test_a_fresh_board_gets_every_module_and_main_last(tmp_path, monkeypatch, cell):
    program(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/asked')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(flash, "ANSWER_S", 0.2)
    assert cli.main(["flash", "--port", cell.name]) == DONE
    asked = (tmp_path / "asked").read_text().splitlines()
    copied = {word.rpartition("/")[2] for word in asked if word.endswith(".py")}
    assert copied == {path.name for path in (FOLDER / "loadcell" / "firmware").rglob("*.py")} | {":main.py"}
    assert asked[-4:] == [str(FOLDER / "loadcell" / "firmware" / "main.py"), ":main.py", "+", "reset"]
    assert ":loadcell.cfg" in asked


def test_a_failure_of_mpremote_is_told(tmp_path, monkeypatch, cell, capsys):
    program(tmp_path, "exit 7")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(flash, "ANSWER_S", 0.2)
    assert cli.main(["flash", "--port", cell.name]) == HARDWARE
    assert "7" in capsys.readouterr().err


def test_a_running_board_is_asked_to_stop_and_waited_for(tmp_path, monkeypatch, cell):
    """The port goes while the board restarts, and comes back: a link stands for it."""
    program(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    link = tmp_path / "cart-loadcell"
    link.symlink_to(cell.name)
    cell.power(ms=60_000, real=True)

    def restart():
        cell.gone()
        link.unlink()
        back.wait(0.3)
        link.symlink_to(cell.name)

    back = threading.Event()
    thread = threading.Thread(target=restart)
    thread.start()
    assert cli.main(["flash", "--port", str(link)]) == DONE
    thread.join()


# -- check ------------------------------------------------------------------------------


def test_a_cell_as_it_should_be_passes(cell, capsys):
    cell.power(ms=60_000, real=True)
    assert cli.main(["check", "--port", cell.name]) == DONE
    assert "80.0 conversions/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ({"faults": [["slow", 0, 60_000_000]]}, "rate strap"),
        ({"faults": [["saturated", 0, 60_000_000]]}, "flags 01: saturated"),
        ({"faults": [["unplugged", 0, 60_000_000]]}, "ADC-SILENT"),
        ({"sections": {"adc": {"gain": 64}}}, "are not those of loadcell.toml"),
        ({"supply_mv": 4_000}, "power_low"),
    ],
)
def test_what_is_wrong_is_said(cell, capsys, scenario, said):
    cell.power(ms=60_000, real=True, **scenario)
    assert cli.main(["check", "--port", cell.name]) == FAILED
    assert said in capsys.readouterr().out


def test_a_port_where_nothing_speaks_is_named(cell, monkeypatch, capsys):
    from tools.cellboard import check

    monkeypatch.setattr(check, "LISTEN_S", 0.2)
    assert cli.main(["check", "--port", cell.name]) == HARDWARE
    assert "nothing there" in capsys.readouterr().err
