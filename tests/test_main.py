"""The command line: verbs, faults with their next step, exit codes; and the log."""

import hashlib
import logging
import os
import sys
from pathlib import Path

import pytest

from cart import __version__, logs
from cart.__main__ import describe, main
from cart.clock import ManualClock, SystemClock
from cart.commands import version
from cart.faults import FAULTS, Fault


def test_a_fault_is_shown_with_its_causes_and_the_next_step():
    lines = describe(Fault("SCALE-PORT-MISSING", "/dev/x")).splitlines()
    assert lines[0] == "cart: SCALE-PORT-MISSING: the load cell's serial port does not exist: /dev/x"
    assert lines[1] == "  likely: the cable is unplugged"
    assert lines[-1].startswith("  next:   ")


def test_a_fault_ends_a_verb_with_its_exit_code(monkeypatch, capsys):
    def broken(args):
        raise Fault("MODEL-HASH", "backbone")

    monkeypatch.setattr(version, "run", broken)
    assert main(["version"]) == FAULTS["MODEL-HASH"].exit_code
    assert "cart: MODEL-HASH:" in capsys.readouterr().err


def test_an_unknown_code_is_a_programmers_mistake():
    with pytest.raises(AssertionError):
        Fault("NO-SUCH-CODE")


def test_the_table_of_faults_is_sorted_and_complete():
    assert list(FAULTS) == sorted(FAULTS)
    for code, text in FAULTS.items():
        assert code == code.upper(), code
        assert text.causes, code
        assert text.next_step, code
        assert text.exit_code in (1, 2, 3, 4), code


def test_usage_mistakes_exit_with_2(capsys):
    assert main([]) == 2
    for words in (["no-such-verb"], ["version", "--no-such-option"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2


def test_version_says_what_it_runs_on(capsys):
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith(f"cart {__version__}, Python 3.")


def test_version_shows_the_legal_hash_on_demand(capsys):
    manifest = (Path(version.__file__).parents[1] / "legal_manifest.json").read_bytes()
    assert main(["version", "-v"]) == 0
    assert hashlib.sha256(manifest).hexdigest() in capsys.readouterr().out
    assert main(["version"]) == 0
    assert "legal" not in capsys.readouterr().out


def test_a_manual_clock_moves_only_when_told():
    clock = ManualClock(t_ns=5, wall_ms=1_000)
    clock.advance_ms(2)
    assert (clock.monotonic_ns(), clock.wall_ms()) == (2_000_005, 1_002)
    clock.jump_wall_ms(-500)
    assert (clock.monotonic_ns(), clock.wall_ms()) == (2_000_005, 502)
    with pytest.raises(AssertionError):
        clock.advance_ns(-1)


def test_the_system_clock_never_goes_back():
    clock = SystemClock()
    assert 0 < clock.monotonic_ns() <= clock.monotonic_ns()


def test_under_journald_each_line_of_a_message_carries_its_level(monkeypatch, tmp_path):
    with (tmp_path / "journal").open("w+") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        logs.set_up(logging.INFO)
        logging.getLogger("cart.scale").warning("SCALE-PORT-MISSING: gone\nsecond line")
        stream.seek(0)
        assert stream.read() == "<4>cart.scale: SCALE-PORT-MISSING: gone\n<4>second line\n"
    monkeypatch.undo()
    logs.set_up()
