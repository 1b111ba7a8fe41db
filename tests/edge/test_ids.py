import uuid

from hypothesis import given
from hypothesis import strategies as st

from cart.clock import ManualClock
from cart.edge.ids import RANDOM_BYTES, fresh_ids, uuid7


@given(st.integers(0, 2**48 - 1), st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_it_is_a_uuid_of_version_7_that_holds_the_time(wall_ms, random):
    made = uuid.UUID(uuid7(wall_ms, random))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == wall_ms


def test_the_example_of_the_standard():
    # RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    random = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(RANDOM_BYTES, "big")
    assert uuid7(0x017F22E279B0, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_ids_are_fresh_and_sort_by_time():
    clock = ManualClock()
    fresh = fresh_ids(clock)
    made = []
    for _ in range(50):
        made.append(fresh())
        clock.advance_ms(1)
    assert made == sorted(made)
    assert len({fresh() for _ in range(1000)}) == 1000, "ids of one millisecond differ"
