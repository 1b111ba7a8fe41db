"""Rules of udev: grammar, the stable name of the load cell, permissions."""

import re

import pytest

from cart import config
from tests.firmware.said import FOLDER

_RULE = re.compile(r'([A-Z]+)(\{[^}]+\})?(==|!=|\+=|-=|:=|=)"([^"]*)"')
_MATCHED = {"ACTION", "SUBSYSTEM", "SUBSYSTEMS", "KERNEL", "ATTR", "ATTRS", "ENV", "TEST"}
_ASSIGNED = {"SYMLINK", "GROUP", "MODE", "TAG", "ENV", "ATTR", "GOTO", "LABEL"}


def rules(text):
    """Return each rule as (key, attribute, operator, value) tuples; commented rules too, which people copy."""
    text = re.sub(r"^#\s+(?=SUBSYSTEM)", "", text, flags=re.MULTILINE)
    said = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = []
    for line in said:
        parts = [part.strip() for part in re.split(r",\s*(?=[A-Z])", line)]
        matches = [_RULE.fullmatch(part) for part in parts]
        assert all(matches), line
        found.append([match.groups("") for match in matches if match])
    return found


def rules_file():
    return (FOLDER / "udev" / "99-cart.rules").read_text(encoding="utf-8")


def test_rules_match_with_two_signs_and_assign_with_one():
    for rule in rules(rules_file()):
        for key, _, operator, _ in rule:
            allowed = _MATCHED if operator in ("==", "!=") else _ASSIGNED
            assert key in allowed, (key, operator)


def test_a_planted_fault_in_a_rule_is_found():
    with pytest.raises(AssertionError):
        rules('SUBSYSTEM=="tty" SYMLINK+="x"\n')
    (rule,) = rules('SUBSYSTEM="tty", SYMLINK+="x"\n')
    assert rule[0][2] == "="  # and SUBSYSTEM is not among what may be assigned
    assert "SUBSYSTEM" not in _ASSIGNED


def test_the_load_cell_has_the_name_of_the_configuration_and_no_modem_manager():
    named = [rule for rule in rules(rules_file()) if any(key == "SYMLINK" for key, *_ in rule)]
    device = config.default().scale.device.removeprefix("serial:")
    for rule in named:
        said = {(key, attribute): value for key, attribute, operator, value in rule if operator != "=="}
        assert f"/dev/{said['SYMLINK', '']}" == device
        assert (said["GROUP", ""], said["MODE", ""]) == ("dialout", "0660")
        assert said["ENV", "{ID_MM_PORT_IGNORE}"] == "1"


def test_a_rule_that_leaves_has_somewhere_to_go():
    said = [(key, value) for rule in rules(rules_file()) for key, _, _, value in rule]
    assert {value for key, value in said if key == "GOTO"} == {value for key, value in said if key == "LABEL"}
