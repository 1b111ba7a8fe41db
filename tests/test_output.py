"""What is printed and does not get through: one clear line and an exit code, for every verb, and never a traceback."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cart import output
from cart.__main__ import VERBS, main
from cart.backoffice.__main__ import main as backoffice
from cart.commands import version

FULL = Path("/dev/full")
DEMO = "scale watch --device simulated --seconds 1"
VERBS_THAT_PRINT = ["--help", "version -v", "doctor", "scale detect --counts-per-kg 1 --zero 0 -", DEMO]


def cart(words, stdout):
    command = [sys.executable, "-m", "cart", *words.split()]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)


def cart_lines(stderr):
    return [line for line in stderr.decode().splitlines() if "TensorFlow" not in line]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", VERBS_THAT_PRINT)
def test_a_full_disk_is_one_clear_line_with_its_next_step(words):
    with FULL.open("wb") as full:
        done = cart(words, full)
    said = cart_lines(done.stderr)
    assert said[0].startswith("cart: OUTPUT-LOST: standard output takes nothing more"), said
    assert said[0].endswith("No space left on device")
    assert said[-1].startswith("  next:")
    assert done.returncode == 1
    assert not any("Traceback" in line or "Exception ignored" in line for line in said)


@pytest.mark.parametrize("words", VERBS_THAT_PRINT)
def test_a_reader_that_has_read_enough_is_told_nothing(words):
    reading, writing = os.pipe()
    os.close(reading)
    done = cart(words, writing)
    os.close(writing)
    assert (done.returncode, cart_lines(done.stderr)) == (1, [])


class Lost(io.StringIO):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, "gone")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_goes_through_the_one_place(verb, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Lost(28))
    assert main([verb, "--help"]) == 1
    assert "cart: OUTPUT-LOST: " in capsys.readouterr().err


def test_the_stores_side_says_it_too(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Lost(28))
    assert backoffice(["--help"]) == 1
    assert "cart-backoffice: OUTPUT-LOST: " in capsys.readouterr().err


def test_an_error_of_a_verbs_own_files_is_not_taken_for_it(monkeypatch):
    def broken(args):
        raise OSError(28, "No space left on device", "ledger")

    monkeypatch.setattr(version, "run", broken)
    with pytest.raises(OSError, match="ledger"):
        main(["version"])


def test_afterwards_standard_output_is_what_it_was():
    before = sys.stdout
    with output.guarded():
        assert sys.stdout is not before
        assert sys.stdout.isatty() == before.isatty()
    assert sys.stdout is before
