"""Levels as packed bytes: little-endian int64 pairs (ticks, lots)."""

from collections.abc import Sequence
from struct import pack, unpack


def pack_levels(levels: Sequence[tuple[int, int]]) -> bytes:
    """Pack (ticks, lots) pairs."""
    return pack(f"<{2 * len(levels)}q", *(number for level in levels for number in level))


def unpack_levels(packed: bytes) -> list[tuple[int, int]]:
    """Unpack to (ticks, lots) pairs."""
    numbers = unpack(f"<{len(packed) // 8}q", packed)
    return list(zip(numbers[::2], numbers[1::2], strict=True))
