"""Lines of the load cell that any implementation must take, or refuse."""

import pytest

from cart.wire import loadcell
from tests.firmware.said import FOLDER, lines


def vectors(kind):
    said = lines(FOLDER / "loadcell" / "vectors.txt")
    return [line.partition(":")[2] for line in said if line.startswith(f"{kind}:")]


@pytest.mark.parametrize("line", vectors("good"))
def test_a_good_line_is_taken_and_comes_back_the_same(line):
    value = loadcell.decode_line(line.encode())
    assert value is not None
    assert loadcell.encode(value) == line.encode() + b"\r\n"


@pytest.mark.parametrize("line", vectors("bad"))
def test_a_bad_line_is_refused(line):
    assert loadcell.decode_line(line.encode()) is None


@pytest.mark.parametrize("line", vectors("command"))
def test_a_command_is_what_the_host_frames(line):
    assert loadcell.frame(line[1:-5]) == line.encode() + b"\r\n"
    assert loadcell.decode_line(line.encode()) is None


def test_the_vectors_hold_every_kind_of_line():
    assert {line[1] for line in vectors("good")} == set("WITHEAN")
    assert {line[1] for line in vectors("command")} == set("QCB")
    kinds = ("good", "bad", "command", "nocommand")
    assert sum(len(vectors(kind)) for kind in kinds) == len(lines(FOLDER / "loadcell" / "vectors.txt"))
