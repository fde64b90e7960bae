"""Builders of market requests, with the weights the venue charges by size.

Source: Binance docs, USDⓈ-M futures, "Market Data" REST endpoints.
"""

from opensqt.connector.venues.binance.requests import Cost, Request
from opensqt.domain.errors import invalid_field

DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
MAX_KLINES = 1500
MAX_FUNDING_RATES = 1000

# Klines: up to this many, this weight.
_KLINE_WEIGHTS = ((99, 1), (499, 2), (1000, 5), (MAX_KLINES, 10))


def server_time() -> Request:
    """Ask for the venue's clock."""
    return Request(verb="GET", path="/fapi/v1/time", cost=Cost(1))


def exchange_info() -> Request:
    """Ask for the rules of every symbol."""
    return Request(verb="GET", path="/fapi/v1/exchangeInfo", cost=Cost(1))


def depth(venue_symbol: str, limit: int = 1000) -> Request:
    """Ask for the book's top levels.

    Raises:
        RequestError: `limit` is none of 5, 10, 20, 50, 100, 500, 1000.
    """
    weight = DEPTH_WEIGHTS.get(limit)
    if weight is None:
        raise invalid_field("limit", limit, f"must be one of {', '.join(map(str, DEPTH_WEIGHTS))}")
    return _market("/fapi/v1/depth", venue_symbol, (("limit", str(limit)),), weight)


def klines(venue_symbol: str, interval: str, limit: int = 500, *, start_ms: int = 0, end_ms: int = 0) -> Request:
    """Ask for candles, oldest first; times bound their open times.

    Raises:
        RequestError: `limit` is outside 1 to 1500.
    """
    if not 1 <= limit <= MAX_KLINES:
        raise invalid_field("limit", limit, f"must be 1 to {MAX_KLINES}")
    weight = next(weight for size, weight in _KLINE_WEIGHTS if limit <= size)
    times = tuple((name, str(value)) for name, value in (("startTime", start_ms), ("endTime", end_ms)) if value)
    return _market("/fapi/v1/klines", venue_symbol, (("interval", interval), *times, ("limit", str(limit))), weight)


def premium_index(venue_symbol: str) -> Request:
    """Ask for mark and index price and the funding that applies next."""
    return _market("/fapi/v1/premiumIndex", venue_symbol, (), 1)


def funding_rates(venue_symbol: str, limit: int = 100, *, start_ms: int = 0) -> Request:
    """Ask for settled funding rates, oldest first. Not weighed: 500 calls in 5 minutes are shared with funding_info.

    Raises:
        RequestError: `limit` is outside 1 to 1000.
    """
    if not 1 <= limit <= MAX_FUNDING_RATES:
        raise invalid_field("limit", limit, f"must be 1 to {MAX_FUNDING_RATES}")
    start = (("startTime", str(start_ms)),) if start_ms else ()
    return _market("/fapi/v1/fundingRate", venue_symbol, (*start, ("limit", str(limit))), 0)


def funding_info() -> Request:
    """Ask for symbols whose funding interval, cap or floor differs from the default."""
    return Request(verb="GET", path="/fapi/v1/fundingInfo", cost=Cost(0))


def book_ticker(venue_symbol: str) -> Request:
    """Ask for best bid and ask."""
    return _market("/fapi/v1/ticker/bookTicker", venue_symbol, (), 2)


def agg_trades(venue_symbol: str, *, from_id: int | None = None, limit: int = 500) -> Request:
    """Ask for aggregated trades, oldest first."""
    start = (("fromId", str(from_id)),) if from_id is not None else ()
    return _market("/fapi/v1/aggTrades", venue_symbol, (*start, ("limit", str(limit))), 20)


def _market(path: str, venue_symbol: str, params: tuple[tuple[str, str], ...], weight: int) -> Request:
    return Request(verb="GET", path=path, params=(("symbol", venue_symbol), *params), cost=Cost(weight))


def day_ticker(venue_symbol: str) -> Request:
    """Ask for the last 24 hours."""
    return _market("/fapi/v1/ticker/24hr", venue_symbol, (), 1)


def open_interest(venue_symbol: str) -> Request:
    """Ask for the open interest."""
    return _market("/fapi/v1/openInterest", venue_symbol, (), 1)
