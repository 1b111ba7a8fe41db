"""The configuration: typed, strict, every fault at once, and one statement of each key."""

import dataclasses
import json
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from cart import config
from cart.__main__ import main
from cart.core import weight
from cart.core.weight_values import Calibration, Limits
from cart.faults import EXIT_CONFIGURATION, Fault
from tools import write_texts


def faults_of(tmp_path, text):
    file = tmp_path / "cart.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(config.ConfigFault) as caught:
        config.load(file)
    return caught.value.lines


def test_the_shipped_file_says_what_the_code_says(repository):
    shipped = repository / "firmware_config" / "cart.toml"
    assert shipped.read_text(encoding="utf-8") == write_texts.config_text()
    assert config.load(shipped) == config.default()


def test_every_key_of_the_shipped_file_has_a_comment_with_its_unit_or_range(repository):
    lines = (repository / "firmware_config" / "cart.toml").read_text(encoding="utf-8").splitlines()
    for text in config.key_texts():
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{text.key} = ") and _section(lines, i) == text)
        assert lines[at - 1] == f"# {text.meaning}; {text.limits}"


def _section(lines, at):
    header = next(line for line in reversed(lines[:at]) if line.startswith("["))
    return next(t for t in config.key_texts() if f"[{t.section}]" == header and lines[at].startswith(f"{t.key} = "))


def test_a_key_that_holds_a_quantity_names_its_unit():
    suffixes = {"pixels": "_px", "microseconds": "_us", "seconds": "_s", "milliseconds": "_ms", "megabytes": "_mb",
                "milligrams": "_mg", "minor units": "_minor", "BCM number": "_pin", "percent": "_pct"}  # fmt: skip
    for text in config.key_texts():
        if text.unit in suffixes:
            assert text.key.endswith(suffixes[text.unit]), text.key


def test_all_faults_are_listed_at_once_with_line_and_suggestion(tmp_path):
    assert faults_of(
        tmp_path,
        """\
[cart]
id = "Cart 1"

[scale]
baud = 5
[wieght]
x = 1
[weight]
step_mgs = 3
[broker]
port = "abc"
keepalive_s = 1.5
[classifier]
threads = true
""",
    ) == [
        "cart.toml:2: cart.id: 'Cart 1' is not 1 to 32 of a-z, 0-9 and -",
        "cart.toml:5: scale.baud: 5 is outside 9600 to 921600 baud",
        "cart.toml:6: wieght: unknown section; did you mean [weight]?",
        "cart.toml:9: weight.step_mgs: unknown key; did you mean 'step_mg'?",
        "cart.toml:11: broker.port: must be a whole number (1 to 65535 TCP port), not a text",
        "cart.toml:12: broker.keepalive_s: must be a whole number (5 to 600 seconds), not a number with a point",
        "cart.toml:14: classifier.threads: must be a whole number (1 to 8 threads), not true or false",
    ]


def test_a_dotted_key_has_its_line_too(tmp_path):
    assert faults_of(tmp_path, "\nscale.baud = 1\n") == ["cart.toml:2: scale.baud: 1 is outside 9600 to 921600 baud"]


def test_a_section_that_is_a_value_is_told_apart(tmp_path):
    assert faults_of(tmp_path, "kiosk = 3\n") == ["cart.toml:1: kiosk: must be a section, written [kiosk]"]


def test_two_keys_may_not_claim_one_pin(tmp_path):
    assert faults_of(tmp_path, "[panel]\nhelp_pin = 23\n") == ["cart.toml:2: panel.red_pin: pin 23 is already help_pin"]


def test_broken_toml_names_the_line(tmp_path):
    assert faults_of(tmp_path, '[cart]\nid = "a\n') == ["cart.toml:2: not TOML: Illegal character '\\n' (column 8)"]


def test_a_file_without_an_end_is_refused():
    with pytest.raises(config.ConfigFault, match="larger than"):
        config.load(Path("/dev/zero"))


def test_text_that_is_not_utf8_names_the_line(tmp_path):
    file = tmp_path / "cart.toml"
    file.write_bytes(b"[cart]\n# caf\xe9\n")
    with pytest.raises(config.ConfigFault) as caught:
        config.load(file)
    assert caught.value.lines == ["cart.toml:2: not UTF-8 text"]


def test_a_trailing_newline_does_not_slip_through_a_pattern(tmp_path):
    assert faults_of(tmp_path, '[cart]\nid = "a\\n"\n')


def test_a_file_that_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(Fault) as caught:
        config.load(tmp_path / "cart.toml")
    assert caught.value.code == "CONFIG-MISSING"


@pytest.mark.parametrize("text", config.key_texts(), ids=lambda t: f"{t.section}.{t.key}")
def test_the_limits_of_each_number_are_inclusive(tmp_path, text):
    if not isinstance(text.default, int):
        assert config.load(_one_key(tmp_path, text, json.dumps(text.default)))
        return
    outside = (text.lo - 1, text.hi + 1)
    for value in outside:
        with pytest.raises(config.ConfigFault):
            config.load(_one_key(tmp_path, text, value))
    for value in (text.lo, text.hi):
        config.load(_one_key(tmp_path, text, value))


def _one_key(tmp_path, text, value):
    file = tmp_path / "cart.toml"
    # The limits of a pin meet the default of another one: move that out of the way.
    moved = "help_pin = 5\n" if text.key.endswith("_pin") and text.key != "help_pin" else ""
    file.write_text(f"[{text.section}]\n{moved}{text.key} = {value}\n", encoding="utf-8")
    return file


def test_what_is_shown_can_be_loaded_again(tmp_path, capsys):
    changed = config.simulated(tmp_path / 'a "quoted" place')
    file = tmp_path / "cart.toml"
    file.write_text(config.render(changed), encoding="utf-8")
    assert config.load(file) == changed
    assert main(["config", "show", str(file)]) == 0
    assert tomllib.loads(capsys.readouterr().out) == config.to_dict(changed)


def test_check_exits_with_the_configuration_code(tmp_path, capsys):
    file = tmp_path / "cart.toml"
    file.write_text("[cart]\nnme = 1\n", encoding="utf-8")
    assert main(["config", "check", str(file)]) == EXIT_CONFIGURATION
    assert "cart.toml:2: cart.nme: unknown key" in capsys.readouterr().out
    assert main(["config", "check", str(file), "-o", "json"]) == EXIT_CONFIGURATION
    assert len(json.loads(capsys.readouterr().out)["faults"]) == 1


def test_the_schema_knows_every_key():
    definitions = config.json_schema()["$defs"]
    for text in config.key_texts():
        assert text.key in definitions[text.section.capitalize()]["properties"]


@pytest.mark.parametrize(
    ("section", "module", "name"),
    [("decision", "cart.core.setup", "Costs"), ("weight", "cart.core.weight_values", "Limits")],
)
def test_what_the_core_takes_is_configured_whole_with_the_same_defaults(section, module, name):
    ours = {text.key: text.default for text in config.key_texts() if text.section == section}
    assert ours == dataclasses.asdict(getattr(import_module(module), name)())


@pytest.mark.parametrize("text", ["x = " + "[" * 40_000, "x = " + "9" * 5_000])
def test_text_that_the_parser_cannot_hold_is_a_fault(tmp_path, text):
    (told,) = faults_of(tmp_path, text)
    assert told.startswith("cart.toml:1: not TOML: ")


def test_every_rate_that_is_taken_is_one_the_weight_can_use(tmp_path):
    (file := tmp_path / "cart.toml").write_text("[weight]\nsamples_per_s = 100\n", encoding="utf-8")
    with pytest.raises(config.ConfigFault, match=r"weight\.samples_per_s: 100 is outside 80 to 640 in steps of 80"):
        config.load(file)
    for samples_per_s in (80, 160, 320, 640):
        file.write_text(f"[weight]\nsamples_per_s = {samples_per_s}\n", encoding="utf-8")
        limits = Limits(**config.to_dict(config.load(file))["weight"])
        assert weight.initial(Calibration(1, 0), limits).limits.samples_per_s == samples_per_s
