import re
from dataclasses import fields

from cart.wire.recording import Head
from tests.conftest import REPOSITORY

SECTION = (REPOSITORY / "docs" / "PROTOCOL.md").read_text(encoding="utf-8").partition("## Recordings")[2]


def test_the_head_in_the_document_is_the_head_in_the_code():
    row = next(line for line in SECTION.splitlines() if line.startswith("| H "))
    named = re.findall(r"\w+", row.partition("head: ")[2])
    assert sorted(named) == sorted(field.name for field in fields(Head))


def test_every_letter_is_explained():
    assert re.findall(r"^\| ([A-Z]) \|", SECTION, re.MULTILINE) == ["H", "E", "F", "G", "Z"]
