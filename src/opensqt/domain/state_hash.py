"""A hash of a bot's state that can be kept up to date element by element.

The hash of a state is the sum, modulo 2**64, of the hashes of its elements, so adding, changing or removing one element
costs one or two element hashes however large the state is. A replica that applies the same changes reaches the same
number; a replica that does not has lost something.
"""

from collections.abc import Iterable
from hashlib import blake2b

_MASK = (1 << 64) - 1


def element_hash(kind: str, key: str, *fields: int | str) -> int:
    """Return the 64-bit hash of one element.

    Args:
        kind: what it is (slot, order, position).
        key: its identity within the kind.
        fields: its values, in a fixed order.
    """
    text = "\x1f".join((kind, key, *map(str, fields)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def slot_hash(bot_id: str, slot: int, held_lots: int, cost_ticks_lots: int, cycles: int) -> int:
    """Return the hash of one slot."""
    return element_hash("slot", f"{bot_id}/{slot}", held_lots, cost_ticks_lots, cycles)


def order_hash(bot_id: str, client_order_id: str, price_ticks: int, lots: int, filled_lots: int, state: str) -> int:
    """Return the hash of one live order; `state` is the name of its OrderState."""
    return element_hash("order", f"{bot_id}/{client_order_id}", price_ticks, lots, filled_lots, state)


def position_hash(bot_id: str, lots: int) -> int:
    """Return the hash of the venue's position."""
    return element_hash("position", bot_id, lots)


def combine(hashes: Iterable[int]) -> int:
    """Return the hash of a state from the hashes of its elements."""
    return sum(hashes) & _MASK


def replace(state: int, old: int | None, new: int | None) -> int:
    """Return the state's hash after one element changed; None = it was not there, or is gone."""
    return (state - (old or 0) + (new or 0)) & _MASK
