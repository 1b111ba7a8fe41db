import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.core.catalog import PIECE, Catalog, Product
from cart.core.effects import Note, SetPanel
from cart.core.events import SourceLost, Tick
from cart.core.setup import Costs, Limits, Setup
from cart.core.weight import Calibration
from cart.wire import recording
from cart.wire.recording import DAMAGED, LOST, TORN, Ending, Head, Step

MILK = Product("milk", "Milk", PIECE, 129, 1_030_000, 10_000, gtins=("09521234543213",))
SETUP = Setup(Calibration(counts_per_kg=400_000, zero_counts=12_345), Catalog("1", "EUR", [MILK]))
HEAD = Head("run-1", 1, 1, 5, 6, "0.1.0", "cart-1", "service", "[cart]\n", "", recording.setup_to_dict(SETUP))

STEPS = (
    Step(1, Tick(1, 10), (Note("A", "info", "one"), SetPanel("green", "ok"))),
    Step(2, SourceLost(2, "scale", "gone"), ()),
    Step(3, Tick(3, 30), (Note("B", "info", "two\nlines"),)),
)


def lines_of(steps, ending="stopped"):
    lines = []
    for step in steps:
        lines.append(recording.event_line(step.number, step.event))
        lines += [recording.effect_line(step.number, effect) for effect in step.effects]
    return [*lines, recording.end_line(len(steps), ending)] if ending else lines


def test_what_was_recorded_is_read():
    assert list(recording.read_steps(lines_of(STEPS))) == [*STEPS, Ending("stopped", 3)]


def test_the_head_is_read():
    line = recording.head_line(HEAD)
    assert recording.read_head(line) == HEAD
    assert line.count(b"\n") == 1


@given(st.data())
def test_a_torn_tail_costs_nothing_but_the_tail(data):
    whole = b"".join(lines_of(STEPS, ending=None))
    torn = whole[: data.draw(st.integers(0, len(whole)))]
    *steps, ending = recording.read_steps(torn.splitlines(keepends=True))
    assert ending.reason == TORN
    assert steps[:-1] == list(STEPS[: len(steps)][:-1]), "every step but the last is as it was"
    if steps:
        last = steps[-1]
        assert not last.whole
        assert last.event == STEPS[len(steps) - 1].event
        assert last.effects == STEPS[len(steps) - 1].effects[: len(last.effects)]


@given(st.data())
def test_no_changed_byte_passes(data):
    lines = lines_of(STEPS)
    where = data.draw(st.integers(0, len(lines) - 1))
    line = bytearray(lines[where])
    line[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
    *steps, ending = recording.read_steps(b"".join([*lines[:where], bytes(line), *lines[where + 1 :]]).splitlines(True))
    assert ending.reason in (DAMAGED, TORN)
    for read, true in zip(steps, STEPS, strict=False):
        assert read.event == true.event
        assert read.effects == true.effects[: len(read.effects)]


@pytest.mark.parametrize("missing", range(1, 6))
def test_a_line_that_is_missing_is_noticed_unless_it_is_an_effect(missing):
    lines = lines_of(STEPS)
    removed = lines.pop(missing)
    *_, ending = recording.read_steps(lines)
    assert (ending.reason == DAMAGED) == (b" E " in removed)


def test_records_that_were_lost_end_what_can_be_compared():
    lines = [*lines_of(STEPS[:2], ending=None), recording.lost_line(40, 37), recording.event_line(40, Tick(9, 9))]
    *steps, ending = recording.read_steps(lines)
    assert ending == Ending(LOST, 2)
    assert [step.whole for step in steps] == [True, False]


def test_a_later_part_begins_where_the_first_ended():
    lines = [recording.event_line(70, Tick(1, 1)), recording.end_line(70, "stopped")]
    assert list(recording.read_steps(lines)) == [Step(70, Tick(1, 1), ()), Ending("stopped", 70)]


@pytest.mark.parametrize("line", [b"", b"not a recording\n", recording.event_line(1, Tick(1, 1)), b"\x00" * 99 + b"\n"])
def test_what_is_not_a_head_is_a_value_error(line):
    with pytest.raises(ValueError, match=r"head|torn"):
        recording.read_head(line)


def test_a_later_format_is_refused():
    from dataclasses import replace

    with pytest.raises(ValueError, match="format 1"):
        recording.read_head(recording.head_line(replace(HEAD, format=2)))


@settings(max_examples=30)
@given(st.builds(Costs), st.builds(Limits), st.lists(st.builds(Product), max_size=3), st.booleans())
def test_the_setup_comes_back_as_it_was(costs, limits, products, not_for_trade):
    named = {product.id: product for product in products}.values()
    plain = [Product(p.id, p.name, p.sold_by, p.price_minor, p.mass_mg, p.mass_sd_mg) for p in named]
    setup = Setup(Calibration(-5, 7), Catalog("v", "EUR", plain), costs, limits, not_for_trade=not_for_trade)
    back = recording.setup_from_dict(recording.setup_to_dict(setup))
    assert back.catalog.products == setup.catalog.products
    assert recording.setup_to_dict(back) == recording.setup_to_dict(setup)


def test_a_large_catalogue_is_named_by_its_hash(monkeypatch):
    monkeypatch.setattr(recording, "CATALOG_BYTES_MAX", 10)
    told = recording.setup_to_dict(SETUP)
    assert "products" not in told["catalog"]
    with pytest.raises(ValueError, match="needs the catalogue 1"):
        recording.setup_from_dict(told)
    with pytest.raises(ValueError, match="needs the catalogue 1"):
        recording.setup_from_dict(told, Catalog("1", "EUR", []))
    assert recording.setup_from_dict(told, SETUP.catalog).catalog is SETUP.catalog


def test_a_setup_with_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="'zeal'"):
        recording.setup_from_dict({**HEAD.setup, "zeal": {}})
    with pytest.raises(ValueError, match="unknown field"):
        recording.setup_from_dict({**HEAD.setup, "costs": {"zeal_minor": 1}})
