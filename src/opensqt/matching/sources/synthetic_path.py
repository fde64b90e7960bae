"""The fair price of a synthetic market: a geometric random walk with drift, pulled back to where it began.

Everything that carries from step to step is an integer, so a path is the same on every machine: prices are ticks times
2**20, a standard normal number is the sum of twelve uniform ones (Irwin-Hall) times 2**16. Floats appear only where
the settings become integers, in operations that IEEE 754 defines to the last bit.
"""

from math import sqrt
from typing import Final, final

from opensqt.domain.market import Candle
from opensqt.matching.exact import SplitMix64

PRICE_BITS: Final = 20
_NORMAL_BITS: Final = 16
_RATE_BITS: Final = 44
_YEAR_MS: Final = 31_557_600_000
_MINUTE_MS: Final = 60_000
_PARTS: Final = 8


def normal(random: SplitMix64) -> int:
    """Return a normal number with mean 0 and standard deviation 2**16, within 6 deviations."""
    total = -6 * 65_536
    for _ in range(3):
        bits = random.next64()
        total += (bits & 65_535) + (bits >> 16 & 65_535) + (bits >> 32 & 65_535) + (bits >> 48)
    return total


@final
class PricePath:
    """Moves the fair price one step at a time."""

    def __init__(
        self, start_ticks: int, *, step_ms: int, annual_volatility: float, annual_drift: float, half_life_s: int
    ) -> None:
        self.anchor = start_ticks << PRICE_BITS
        self.fair = self.anchor
        share = step_ms / _YEAR_MS
        self._sigma = int(annual_volatility * sqrt(share) * (1 << _RATE_BITS))
        self._drift = int(annual_drift * share * (1 << _RATE_BITS))
        # ln 2 / half-life per step; small enough that the linear form is the exponential.
        self._pull = int(0.693147 * step_ms / (half_life_s * 1_000) * (1 << _RATE_BITS)) if half_life_s else 0
        self._floor = 1_000 << PRICE_BITS

    def step(self, random: SplitMix64) -> int:
        """Move once; return the fair price in whole ticks."""
        self.anchor += self.anchor * self._drift >> _RATE_BITS
        move = self.fair * self._sigma * normal(random) >> _RATE_BITS + _NORMAL_BITS
        move += self.fair * self._drift >> _RATE_BITS
        move += (self.anchor - self.fair) * self._pull >> _RATE_BITS
        # The floor keeps every level of the book above zero.
        self.fair = max(self._floor, self.fair + move)
        return self.fair >> PRICE_BITS


def history(
    symbol: str, random: SplitMix64, *, end_ticks: int, end_ms: int, minutes: int, annual_volatility: float,
    mean_minute_lots: int,
) -> tuple[Candle, ...]:  # fmt: skip
    """Return closed one-minute candles that end before `end_ms` at `end_ticks`, oldest first.

    The walk is made backwards from the end, so that the live market continues where the history stops.
    """
    sigma = int(annual_volatility * sqrt(_MINUTE_MS / _PARTS / _YEAR_MS) * (1 << _RATE_BITS))
    price = end_ticks << PRICE_BITS
    floor = 1_000 << PRICE_BITS
    open_time_ms = end_ms - end_ms % _MINUTE_MS - _MINUTE_MS
    candles: list[Candle] = []
    for _ in range(minutes):
        close_ticks = high = low = price >> PRICE_BITS
        activity = 0
        for _ in range(_PARTS):
            move = price * sigma * normal(random) >> _RATE_BITS + _NORMAL_BITS
            price = max(floor, price - move)
            ticks = price >> PRICE_BITS
            high, low = max(high, ticks), min(low, ticks)
            activity += abs(move)
        open_ticks = price >> PRICE_BITS
        # Minutes that move more trade more: between half and about twice the mean.
        share = 64 + random.below(64) + min(128, (activity << 7) // (price * sigma * _PARTS >> _RATE_BITS or 1))
        candles.append(
            Candle(
                symbol=symbol,
                interval_ms=_MINUTE_MS,
                open_time_ms=open_time_ms,
                open_ticks=open_ticks,
                high_ticks=high,
                low_ticks=low,
                close_ticks=close_ticks,
                volume_lots=max(1, mean_minute_lots * share // 192),
                is_closed=True,
            )
        )
        open_time_ms -= _MINUTE_MS
    return tuple(reversed(candles))
