import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.core.effects import Note, Save
from cart.core.events import Classified, ExitSeen, LoadSampled, Restored, Sighted, Tick
from cart.core.trip import Line, Trip
from cart.wire.codec import KINDS, decode, encode

st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))  # JSON of ours holds no wider ones


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_value_comes_back_as_it_was(kind):
    @settings(max_examples=25, deadline=None)
    @given(st.builds(kind))
    def comes_back(value):
        line = encode(value)
        back = decode(line)
        assert back == value
        assert type(back) is kind
        assert encode(back) == line
        assert b"\n" not in line

    comes_back()


def test_the_line_is_canonical():
    assert encode(Tick(t_ns=5, wall_ms=7)) == b'{"k":"Tick","v":{"t_ns":5,"wall_ms":7}}'
    assert encode(Note("X-1", "info", "Käse\n")) == (
        '{"k":"Note","v":{"code":"X-1","level":"info","text":"Käse\\n"}}'.encode()
    )


def test_tuples_come_back_as_tuples_and_integers_as_integers():
    sampled = LoadSampled(t_ns=1, seq=2, t_us=(3, 4), counts=(-5, 6), flags=(0, 0), channels=((1, 2), (3, 4)))
    back = decode(encode(sampled))
    assert back.channels == ((1, 2), (3, 4))
    assert isinstance(back.channels, tuple)
    assert isinstance(back.channels[0], tuple)
    assert hash(back) == hash(sampled)


def test_a_field_that_came_later_is_filled_with_its_default():
    old = b'{"k":"Sighted","v":{"t_ns":1,"t_frame_ns":1,"track":2,"symbology":"EAN13","text":"4","gtin":"04"}}'
    assert decode(old) == Sighted(1, 1, 2, "EAN13", "4", "04", votes=1, moved=True)


def test_an_anchor_may_be_absent_or_zero_and_the_two_differ():
    assert decode(encode(Trip(anchor_mg=None))).anchor_mg is None
    assert decode(encode(Trip(anchor_mg=0))).anchor_mg == 0


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b"\xff\xfe",
        b'{"k":"Tick"}',
        b'{"k":"Tick","v":{"t_ns":1,"wall_ms":2},"x":1}',
        b'{"k":"Gone","v":{}}',
        b'{"k":["Tick"],"v":{}}',
        b'{"k":"Line","v":{}}',
        b'{"k":"Tick","v":[1,2]}',
        b'{"k":"Tick","v":{"t_ns":1}}',
        b'{"k":"Tick","v":{"t_ns":1,"wall_ms":2,"later":3}}',
        b'{"k":"Tick","v":{"t_ns":1.5,"wall_ms":2}}',
        b'{"k":"Tick","v":{"t_ns":1.0,"wall_ms":2}}',
        b'{"k":"Tick","v":{"t_ns":true,"wall_ms":2}}',
        b'{"k":"Tick","v":{"t_ns":"1","wall_ms":2}}',
        b'{"k":"Tick","v":{"t_ns":null,"wall_ms":2}}',
        b'{"k":"Tick","v":{"t_ns":1,"wall_ms":2}}{"k":"Tick","v":{"t_ns":1,"wall_ms":2}}',
        b'{"k":"Classified","v":{"t_ns":1,"t_frame_ns":1,"track":1,"scores":[["a",1,2]],'
        b'"none_millinat":0,"rest_millinat":0}}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_a_line_is_a_value_error(line):
    with pytest.raises(ValueError, match=r"."):
        decode(line)


def test_an_unknown_field_is_found_at_any_depth():
    line = encode(Restored(1, 2, "0" * 16, Trip(lines=(Line(1, "p", "P", "piece", 1, 2, 3, "r"),))))
    with pytest.raises(ValueError, match=r"unknown field \$\.trip\.lines\[0\]\.colour"):
        decode(line.replace(b'"mass_mg":1', b'"mass_mg":1,"colour":"red"'))


@given(st.binary(max_size=200))
def test_noise_never_raises_anything_but_value_error(data):
    with pytest.raises(ValueError, match=r"."):
        decode(data)


def test_a_value_without_a_line_is_a_mistake_of_the_programmer():
    with pytest.raises(AssertionError):
        encode(Line(1, "p", "P", "piece", 1, 2, 3, "r"))  # type: ignore[arg-type]


def test_there_is_a_line_for_every_event_and_effect():
    assert {"Restored", "Tick", "Classified", "ExitSeen", "Save", "CommitSale", "Show", "Trip"} <= KINDS.keys()
    assert all(KINDS[kind.__name__] is kind for kind in (Classified, ExitSeen, Save))
