"""`cart scale read` before `cart scale simulate`, as a person tries them: two programs and a pseudo-terminal."""

import json
import subprocess
import sys

import pytest

from cart.__main__ import main
from cart.commands.scale_simulate import showing_of
from cart.sim.shop_scale import Showing
from cart.wire.shop_scales.indication import Kind
from cart.wire.shop_scales.protocols import PROTOCOLS


@pytest.fixture
def simulated(tmp_path):
    """Return a function that starts a simulated scale and gives (process, port)."""
    started = []

    def start(protocol, first="1.25 kg"):
        port = tmp_path / "scale"
        scale = subprocess.Popen(
            [sys.executable, "-m", "cart", "scale", "simulate", "--protocol", protocol, "--at", str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(scale)
        assert str(port) in scale.stdout.readline()
        scale.stdin.write(f"{first}\n")
        scale.stdin.flush()
        return scale, port

    yield start
    for scale in started:
        scale.communicate("quit\n", timeout=20)


def read(capsys, *words):
    code = main(["scale", "read", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("protocol", [p.name for p in PROTOCOLS])
def test_what_was_put_on_the_simulated_scale_is_read(simulated, capsys, protocol):
    _, port = simulated(protocol, "moving 1.25 kg")
    code, out, _ = read(capsys, "--protocol", protocol, "--count", 3, "-o", "json", port)
    said = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    # The first may still be the empty scale.
    assert {one["kind"] for one in said[1:]} == {"moving"}
    assert {one["mass_mg"] for one in said[1:]} <= {1_250_000, None}


def test_only_changes_are_printed_when_asked_for(simulated, capsys):
    scale, port = simulated("cas-22", "net 0.5 kg")
    scale.stdin.write("over\n")
    scale.stdin.flush()
    code, out, _ = read(capsys, "--protocol", "cas-22", "--count", 1, "--changes", port)
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "over" in out


def test_a_silent_scale_is_a_fault_that_says_what_to_try(simulated, capsys):
    _, port = simulated("sma", "silent")
    code, out, err = read(capsys, "--protocol", "sma", "--count", 2, port)
    assert code == 4
    assert out.count("silent") == 2
    assert "SHOP-SCALE-SILENT" in err
    assert "cart scale simulate" in err


def test_a_line_of_another_speed_is_a_fault_of_its_own(simulated, capsys):
    _, port = simulated("nci", "garbled")
    code, _, err = read(capsys, "--protocol", "nci", "--count", 1, port)
    assert code == 4
    assert "SHOP-SCALE-GARBLED" in err
    assert "9600 7E1" in err


def test_a_framing_that_is_not_the_scales_gives_no_weight(simulated, capsys):
    _, port = simulated("cas-22")
    code, out, err = read(capsys, "--protocol", "cas-22", "--framing", "7E1", "--count", 2, "-o", "json", port)
    assert code == 4
    assert {json.loads(line)["mass_mg"] for line in out.splitlines()} == {None}
    assert "SHOP-SCALE-GARBLED" in err


@pytest.mark.parametrize("verb", ["read", "simulate"])
def test_an_unknown_protocol_is_told_with_the_list(capsys, verb, tmp_path):
    device = [str(tmp_path / "none")] if verb == "read" else []
    assert main(["scale", verb, "--protocol", "toledo", *device]) == 2
    assert "toledo-8217, toledo-8217-lb, nci, mt-sics, cas-ecr, cas-22, sma" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--count", "-1"), ("--baud", "0"), ("--baud", "-9600")])
def test_a_count_or_a_speed_that_is_none_is_usage(capsys, tmp_path, words):
    with pytest.raises(SystemExit) as end:
        main(["scale", "read", "--protocol", "nci", str(tmp_path / "none"), *words])
    assert end.value.code == 2
    assert "a number above 0" in capsys.readouterr().err


def test_a_port_that_is_not_there_is_told_with_those_that_are(capsys, tmp_path):
    code, _, err = read(capsys, "--protocol", "sma", tmp_path / "none")
    assert code == 4
    assert "ports here" in err


@pytest.mark.parametrize("name", ["taken", "no-such-folder/scale"])
def test_the_simulated_port_takes_no_files_place(capsys, tmp_path, name):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(SystemExit) as end:
        main(["scale", "simulate", "--protocol", "sma", "--at", str(tmp_path / name)])
    assert end.value.code == 2
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    ("typed", "showing"),
    [
        ("1.25 kg", Showing(Kind.STABLE, 1_250_000)),
        ("net 1 lb", Showing(Kind.STABLE, 453_592, net=True)),
        ("negative 20 g", Showing(Kind.NEGATIVE, -20_000)),
        ("moving", Showing(Kind.MOVING)),
        ("over", Showing(Kind.OVER)),
        ("garbled", Showing(Kind.STABLE, garbled=True)),
        ("", None),
        ("1.25", None),
        ("1,25 kg", None),
        ("1.2.5 kg", None),
        ("heavy", None),
        ("net", None),
    ],
)
def test_what_a_person_types_is_what_the_scale_shows(typed, showing):
    assert showing_of(typed.split()) == showing
