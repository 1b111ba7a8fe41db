"""docs/PROTOCOL.md says of the shop scales what the code says: protocols, states, framings."""

import re

import pytest

from cart.wire.shop_scales.indication import NUMBERED, Kind
from cart.wire.shop_scales.line import FRAMINGS
from cart.wire.shop_scales.protocols import PROTOCOLS


@pytest.fixture(scope="module")
def section(repository):
    document = (repository / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
    return document.partition("## Shop scales\n")[2].partition("\n## ")[0]


def test_the_table_of_protocols_is_that_of_the_code(section):
    table = section.partition("what finds a damaged byte |\n|---|---|---|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in table.splitlines()]
    assert rows == [
        (p.name, p.spoken_by, f"{p.baud} {p.framing}", asked_with(p), f"{p.timeout_ms} ms", p.checked)
        for p in PROTOCOLS
    ]  # fmt: skip


def asked_with(protocol):
    return f"`{protocol.poll.hex(' ')}`" if protocol.poll else "-"


def test_every_state_is_named_with_what_it_may_say(section):
    rows = re.findall(r"^\| (\w+) \| (.+) \| .+ \|$", section.partition("| state | number |")[2], re.MULTILINE)
    assert {name for name, _ in rows} == {kind.value for kind in Kind}
    assert {Kind(name) for name, number in rows if number != "never"} == NUMBERED


def test_every_framing_is_named(section):
    assert all(framing in section for framing in FRAMINGS)
