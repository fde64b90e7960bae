"""The venue's dead-man switch: a countdown per symbol that cancels its orders unless it is set again in time. Pure.

    good      an engine is heard of and the book is valid: set again every third of the countdown
    claimed   an engine holds the symbol, but is silent or has no valid book: not touched, so it runs out
    neither   the engine has taken its leave: stopped, what it left resting stays

A refusal is tried again soon; the countdown that was set before goes on meanwhile.
Source: Binance docs, USDⓈ-M futures, "Auto-Cancel All Open Orders".
"""

from collections.abc import Collection
from typing import Final, final

import msgspec

from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.market import DeadManState

RETRY_NS: Final = 2 * NS_PER_S


class Countdown(msgspec.Struct, frozen=True):
    """Set a symbol's countdown; 0 ms stops it."""

    symbol: str
    countdown_ms: int


class _Entry(msgspec.Struct):
    is_armed: bool = False
    ends_ns: int = 0
    next_ns: int = 0
    is_asked: bool = False
    is_forbidden: bool = False


@final
class DeadMan:
    """The countdowns of one account.

    Args:
        countdown_ms: after which the orders go; 0 = the switch is not used.
    """

    def __init__(self, countdown_ms: int) -> None:
        self._countdown_ms = countdown_ms
        self._entries: dict[str, _Entry] = {}

    def state(self, symbol: str, now_ns: int) -> DeadManState:
        """Return what the switch of a symbol would do."""
        if not self._countdown_ms:
            return DeadManState.DISARMED
        entry = self._entries.get(symbol)
        if entry is None:
            return DeadManState.DISARMED
        if entry.is_armed and now_ns < entry.ends_ns:
            return DeadManState.ARMED
        return DeadManState.NEEDS_APPROVAL if entry.is_forbidden else DeadManState.DISARMED

    def armed(self, now_ns: int) -> frozenset[str]:
        """Return the symbols whose countdown runs."""
        return frozenset(symbol for symbol, entry in self._entries.items() if entry.is_armed and now_ns < entry.ends_ns)

    def due(self, good: Collection[str], claimed: Collection[str], now_ns: int) -> list[Countdown]:
        """Return what is to be sent now; each is answered by `done` or `failed`."""
        if not self._countdown_ms:
            return []
        found = []
        for symbol in good:
            entry = self._entries.setdefault(symbol, _Entry())
            if not entry.is_asked and now_ns >= entry.next_ns:
                entry.is_asked = True
                found.append(Countdown(symbol, self._countdown_ms))
        for symbol, entry in self._entries.items():
            is_left = symbol not in good and symbol not in claimed
            if is_left and entry.is_armed and not entry.is_asked and now_ns >= entry.next_ns:
                entry.is_asked = True
                found.append(Countdown(symbol, 0))
        return found

    def done(self, countdown: Countdown, now_ns: int) -> None:
        """Note that a countdown was set."""
        entry = self._entries[countdown.symbol]
        entry.is_asked = entry.is_forbidden = False
        entry.is_armed = countdown.countdown_ms > 0
        entry.ends_ns = now_ns + countdown.countdown_ms * NS_PER_MS
        entry.next_ns = now_ns + countdown.countdown_ms * NS_PER_MS // 3

    def failed(self, countdown: Countdown, now_ns: int, *, is_forbidden: bool = False) -> None:
        """Note that it was not, or that nobody knows; or that the venue does not allow it to this key."""
        entry = self._entries[countdown.symbol]
        entry.is_forbidden = is_forbidden
        entry.is_asked = False
        entry.next_ns = now_ns + RETRY_NS
