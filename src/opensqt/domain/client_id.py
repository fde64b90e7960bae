"""Client order ids that describe themselves: whose they are, which run, which slot, which side.

After a crash, ownership and attribution come from the venue's open orders and fills alone, so the id carries all of it:

    oq  abZZZ  0007  00002S  B  000001F
    |   |      |     |       |  └ sequence within the run, base 36, 7 digits
    |   |      |     |       └ B buys, S sells
    |   |      |     └ slot index k, zigzag, base 36, 6 digits
    |   |      └ epoch: the number of the run, durable before its first order, base 36, 4 digits
    |   └ bot tag, padded with Z
    └ ours

25 characters of [0-9A-Za-z], which every named venue accepts (the tightest: OKX takes only letters and digits, Gate 28
characters after its prefix). Nothing is ever truncated: a field that does not fit is an error.
"""

import re
from functools import lru_cache
from typing import final

import msgspec

from opensqt.domain.errors import invalid_field
from opensqt.domain.order import Side

PREFIX = "oq"
TAG_LENGTH = 5
EPOCH_LENGTH = 4
PREFIX_LENGTH = len(PREFIX) + TAG_LENGTH
LENGTH = PREFIX_LENGTH + EPOCH_LENGTH + 6 + 1 + 7

MAX_EPOCH = 36**4 - 1
MAX_SLOT = 36**6 // 2 - 1
MAX_SEQUENCE = 36**7 - 1

_TAG = re.compile(r"[a-z][a-z0-9]{0,4}")
_ID = re.compile(r"oq([a-z][a-z0-9]{0,4}Z{0,4})([0-9A-Z]{4})([0-9A-Z]{6})([BS])([0-9A-Z]{7})")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PAIRS = [high + low for high in _DIGITS for low in _DIGITS]
_SIDES = {"B": Side.BUY, "S": Side.SELL}


@final
class ClientOrderId(msgspec.Struct, frozen=True):
    """The parts of one of our ids."""

    bot_tag: str
    epoch: int
    slot: int
    side: Side
    sequence: int

    def __str__(self) -> str:
        return (
            f"{bot_prefix(self.bot_tag)}{epoch_text(self.epoch)}{_slot_text(self.slot)}"
            f"{'B' if self.side is Side.BUY else 'S'}{_base36('sequence', self.sequence, 7)}"
        )


# An id is written for every order: of its parts only the sequence is new each time.
@lru_cache(maxsize=1_024)
def bot_prefix(bot_tag: str) -> str:
    """Return how every client order id of a bot starts; no two tags share a prefix.

    Raises:
        RequestError: the tag is not one to five of [a-z0-9], starting with a letter.
    """
    if not _TAG.fullmatch(bot_tag):
        raise invalid_field("bot tag", repr(bot_tag), "must be 1 to 5 of a-z and 0-9, starting with a letter")
    return PREFIX + bot_tag.ljust(TAG_LENGTH, "Z")


@lru_cache(maxsize=1_024)
def epoch_text(epoch: int) -> str:
    """Return an epoch as it stands in ids, after the prefix; these texts sort as the epochs do.

    Raises:
        RequestError: it fits no id.
    """
    return _base36("epoch", epoch, EPOCH_LENGTH)


def parse_client_order_id(text: str) -> ClientOrderId | None:
    """Read one of our ids; None when it is somebody else's."""
    match = _ID.fullmatch(text) if len(text) == LENGTH else None
    if match is None:
        return None
    tag, epoch, zigzag_text, side, sequence = match.groups()
    zigzag = int(zigzag_text, 36)
    slot = zigzag // 2 if zigzag % 2 == 0 else -(zigzag + 1) // 2
    return ClientOrderId(tag.rstrip("Z"), int(epoch, 36), slot, _SIDES[side], int(sequence, 36))


@lru_cache(maxsize=16_384)
def _slot_text(slot: int) -> str:
    return _base36("slot", slot * 2 if slot >= 0 else -slot * 2 - 1, 6)


def _base36(name: str, value: int, width: int) -> str:
    if not 0 <= value < 36**width:
        raise invalid_field(f"client order id {name}", value, f"must fit {width} base-36 digits")
    text = ""
    while value:
        value, pair = divmod(value, 1296)
        text = _PAIRS[pair] + text
    return text[-width:].rjust(width, "0")
