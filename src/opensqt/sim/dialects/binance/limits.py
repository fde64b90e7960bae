"""The venue's rate limits: request weight per address, orders per account, in windows aligned to its clock.

Who goes on after a 429 is banned, longer every time (Binance "General Info", "IP Limits"). An order that was refused
counts too, a batch counts each order in the short window and once in the minute.
"""

from typing import Final, final

import msgspec

from opensqt.sim.dialects.binance.errors import ApiError

MINUTE_MS: Final = 60_000
TEN_SECONDS_MS: Final = 10_000
_STRIKES: Final = 10
_FIRST_BAN_MS: Final = 120_000
_LONGEST_BAN_MS: Final = 3 * 86_400_000


class LimitConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Limits, published in any case; `is_enforced` False counts and refuses none."""

    weight_1m: int = 2_400
    orders_10s: int = 300
    orders_1m: int = 1_200
    is_enforced: bool = True


@final
class Window:
    """Counts within one window of the clock."""

    __slots__ = ("_period_ms", "_started_ms", "count")

    def __init__(self, period_ms: int) -> None:
        self._period_ms = period_ms
        self._started_ms = -1
        self.count = 0

    def turn(self, now_ms: int) -> None:
        """Begin a new window if its time has come."""
        started = now_ms - now_ms % self._period_ms
        if started != self._started_ms:
            self._started_ms = started
            self.count = 0

    def ends_in_ms(self, now_ms: int) -> int:
        """Return how long this window still lasts."""
        return self._period_ms - now_ms % self._period_ms


@final
class AddressLimit:
    """One address: its weight, its strikes, its ban."""

    def __init__(self, config: LimitConfig) -> None:
        self._limit = config.weight_1m
        self._is_enforced = config.is_enforced
        self.window = Window(MINUTE_MS)
        self.banned_until_ms = 0
        self._strikes = 0
        self._next_ban_ms = _FIRST_BAN_MS

    def spend(self, weight: int, now_ms: int) -> None:
        """Count a request.

        Raises:
            ApiError: -1003 with status 429 (limit passed) or 418 (banned).
        """
        if now_ms < self.banned_until_ms:
            raise banned(self.banned_until_ms, now_ms)
        window = self.window
        before = window.count
        window.turn(now_ms)
        if window.count < before:
            self._strikes = 0
        window.count += weight
        if not self._is_enforced or window.count <= self._limit:
            return
        self._strikes += 1
        if self._strikes > _STRIKES:
            self.banned_until_ms = now_ms + self._next_ban_ms
            self._next_ban_ms = min(self._next_ban_ms * 2, _LONGEST_BAN_MS)
            self._strikes = 0
            raise banned(self.banned_until_ms, now_ms)
        raise ApiError(-1003, self._limit, retry_after_s=-(-window.ends_in_ms(now_ms) // 1_000))


@final
class OrderLimit:
    """One account's order counters."""

    def __init__(self, config: LimitConfig) -> None:
        self._config = config
        self.short = Window(TEN_SECONDS_MS)
        self.minute = Window(MINUTE_MS)

    def spend(self, short: int, minute: int, now_ms: int) -> None:
        """Count orders.

        Raises:
            ApiError: -1015, status 429.
        """
        rows = (
            (self.short, short, self._config.orders_10s, "10 SECOND"),
            (self.minute, minute, self._config.orders_1m, "1 MINUTE"),
        )
        for window, count, limit, name in rows:
            window.turn(now_ms)
            if self._config.is_enforced and window.count + count > limit:
                raise ApiError(-1015, limit, name, retry_after_s=-(-window.ends_in_ms(now_ms) // 1_000))
        for window, count, _, _ in rows:
            window.count += count


def banned(until_ms: int, now_ms: int) -> ApiError:
    """Build the reply to a banned address."""
    return ApiError(
        -1003,
        text=f"Way too many requests; IP banned until {until_ms}. Please use the websocket for live updates to avoid "
        "bans.",
        http=418,
        retry_after_s=max(1, -(-(until_ms - now_ms) // 1_000)),
    )
