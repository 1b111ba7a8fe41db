"""What the guest's console says is waited for within limits, and what cannot end well is not waited for."""

import io
import os

import pytest

from cart.faults import Fault
from tools.booting import console
from tools.booting.console import Console


@pytest.fixture
def line():
    """A console whose other end the test holds."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as guest:
        yield Console(stream, io.StringIO()), guest
        guest.close()


def test_colours_and_control_characters_are_not_text():
    assert console.plain(b"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mcart.service\x1b[0m.\r\n") == (
        "[  OK  ] Started cart.service."
    )


def test_a_report_is_found_behind_whatever_else_stands_in_the_line():
    assert console.report('[   12.3] BOOT-TEST {"gpio": "polling"}') == {"gpio": "polling"}


@pytest.mark.parametrize("text", ["", "BOOT-TEST", 'BOOT-TEST {"gpio": ', "BOOT-TEST 7", "Started boot-test-report"])
def test_a_torn_or_foreign_line_is_no_report(text):
    assert console.report(text) is None


def test_the_line_that_is_waited_for_is_returned_and_those_before_are_passed_over(line):
    heard, guest = line
    guest.write(b"one\r\ntwo and more\r\nthree\r\n")
    assert heard.wait_for("two", 5) == "two and more"
    assert heard.wait_for("three", 5) == "three"


def test_a_report_of_something_else_is_passed_over(line):
    heard, guest = line
    guest.write(b'BOOT-TEST {"gpio": "begins"}\nBOOT-TEST {"cart": {"ActiveState": "active"}}\n')
    assert heard.wait_for_report("cart", 5) == {"cart": {"ActiveState": "active"}}


def test_what_does_not_come_in_time_is_a_fault_with_the_last_lines(line):
    heard, guest = line
    guest.write(b"something else\n")
    heard.wait_for("something", 5)
    with pytest.raises(Fault, match="something else") as caught:
        heard.wait_for("never", 0.05)
    assert caught.value.code == "BOOT-STUCK"


def test_a_report_that_need_not_come_is_none(line):
    heard, _ = line
    assert heard.report_within("crashed", 0.01) is None


def test_the_end_of_the_machine_ends_the_waiting_at_once_and_again(line):
    heard, guest = line
    guest.write(b"last words\n")
    guest.close()
    for _ in range(2):
        with pytest.raises(Fault, match="the machine ended"):
            heard.wait_for("never", 5)


@pytest.mark.parametrize(
    "words", [b"Kernel panic - not syncing: VFS", b"You are in emergency mode.", b"initrd: no ext4"]
)
def test_a_disaster_ends_the_waiting_at_once(line, words):
    heard, guest = line
    guest.write(words + b"\n")
    with pytest.raises(Fault) as caught:
        heard.wait_for("never", 5)
    assert caught.value.detail.startswith(words.decode())


def test_every_line_is_in_the_log_with_its_time():
    reading, writing = os.pipe()
    log = io.StringIO()
    with os.fdopen(reading, "rb") as stream:
        heard = Console(stream, log)
        os.write(writing, b"first\nsecond\n")
        heard.wait_for("second", 5)
        os.close(writing)
        with pytest.raises(Fault):
            heard.wait_for("never", 5)
    assert [row.split(maxsplit=1)[1] for row in log.getvalue().splitlines()] == ["first", "second"]
