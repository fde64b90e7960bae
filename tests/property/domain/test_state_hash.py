"""The state hash: kept up to date element by element it equals the hash of the whole."""

from hypothesis import given
from hypothesis import strategies as st

from opensqt.domain.state_hash import combine, order_hash, position_hash, replace, slot_hash

CHANGES = st.lists(st.tuples(st.integers(-3, 3), st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9))))


@given(CHANGES)
def test_incremental_hash_equals_the_hash_of_the_whole(changes: list[tuple[int, tuple[int, int] | None]]) -> None:
    state, elements = 0, dict[int, int]()
    for slot, values in changes:
        new = None if values is None else slot_hash("bot", slot, values[0], values[1], 0)
        state = replace(state, elements.get(slot), new)
        if new is None:
            elements.pop(slot, None)
        else:
            elements[slot] = new
        assert state == combine(elements.values())


def test_kinds_bots_and_fields_do_not_mix() -> None:
    hashes = {
        slot_hash("a", 1, 2, 3, 4),
        slot_hash("b", 1, 2, 3, 4),
        slot_hash("a", 12, 3, 4, 0),
        order_hash("a", "1", 2, 3, 4, "LIVE"),
        order_hash("a", "1", 2, 3, 4, "UNKNOWN"),
        position_hash("a", 1),
        position_hash("a", -1),
    }
    assert len(hashes) == 7
