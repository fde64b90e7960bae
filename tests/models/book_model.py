"""Naive model of the book kernel: one dict per side, sorted whenever someone asks."""

import struct


class ModelBook:
    """Hold levels as {ticks: lots}; everything is computed from scratch."""

    def __init__(self) -> None:
        self.sides: dict[bool, dict[int, int]] = {True: {}, False: {}}

    def clear(self) -> None:
        self.sides = {True: {}, False: {}}

    def set_level(self, is_bid: bool, ticks: int, lots: int) -> None:
        if lots:
            self.sides[is_bid][ticks] = lots
        else:
            self.sides[is_bid].pop(ticks, None)

    def levels(self, is_bid: bool) -> list[tuple[int, int]]:
        return sorted(self.sides[is_bid].items(), reverse=is_bid)

    def best(self, is_bid: bool) -> tuple[int, int] | None:
        ordered = self.levels(is_bid)
        return ordered[0] if ordered else None

    def depth_lots(self, is_bid: bool, limit_ticks: int) -> int:
        return sum(
            lots
            for ticks, lots in self.sides[is_bid].items()
            if (ticks >= limit_ticks if is_bid else ticks <= limit_ticks)
        )


def pack(levels: list[tuple[int, int]]) -> bytes:
    """Pack (ticks, lots) pairs as the wire does."""
    return b"".join(struct.pack("<qq", ticks, lots) for ticks, lots in levels)


def unpack(packed: bytes) -> list[tuple[int, int]]:
    """Unpack what `pack` made."""
    return [(ticks, lots) for ticks, lots in struct.iter_unpack("<qq", packed)]
