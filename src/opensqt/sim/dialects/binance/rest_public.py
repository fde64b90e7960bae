"""Public endpoints: time, listing, book, klines, marks, trades, tickers."""

from collections.abc import Callable
from typing import Any, Final, final

from opensqt.sim.dialects.binance import encode_market as write
from opensqt.sim.dialects.binance.api_types import Call, Endpoint
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.klines import INTERVALS
from opensqt.sim.dialects.binance.limits import LimitConfig
from opensqt.sim.dialects.binance.market_data import SymbolData
from opensqt.sim.dialects.binance.market_streams import MarketStreams
from opensqt.sim.dialects.binance.params import Params
from opensqt.sim.dialects.binance.tickers import day_of

DEPTH_LIMITS: Final = (5, 10, 20, 50, 100, 500, 1000)
_END_OF_TIME: Final = 1 << 60


@final
class PublicRest:
    """Answers what needs no key.

    Args:
        exchange, streams: what is asked about.
        limits: as `exchangeInfo` publishes them.
        server_ms: the time the venue claims.
        funding: settled funding rates of a symbol, oldest first, as `fundingRate` lists them.
    """

    def __init__(
        self,
        exchange: Exchange,
        streams: MarketStreams,
        limits: LimitConfig,
        server_ms: Callable[[], int],
        funding: Callable[[str], list[dict[str, Any]]],
    ) -> None:
        self._exchange = exchange
        self._streams = streams
        self._limits = limits
        self._server_ms = server_ms
        self._funding = funding
        self.stale_snapshots: dict[str, dict[str, Any]] = {}
        """Books that are served instead of the real ones."""

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return (method, path) -> endpoint."""
        rows: dict[str, Endpoint] = {
            "/fapi/v1/ping": Endpoint(lambda _: {}),
            "/fapi/v1/time": Endpoint(lambda _: {"serverTime": self._server_ms()}),
            "/fapi/v1/exchangeInfo": Endpoint(self._exchange_info),
            "/fapi/v1/depth": Endpoint(self._depth, weight=_depth_weight),
            "/fapi/v1/klines": Endpoint(self._klines, weight=_klines_weight),
            "/fapi/v1/premiumIndex": Endpoint(self._premium, weight=_by_symbol(1, 10)),
            "/fapi/v1/fundingRate": Endpoint(self._funding_rate, weight=0),
            "/fapi/v1/fundingInfo": Endpoint(lambda _: [], weight=0),
            "/fapi/v1/ticker/bookTicker": Endpoint(self._book_ticker, weight=_by_symbol(2, 5)),
            "/fapi/v1/ticker/24hr": Endpoint(self._day, weight=_by_symbol(1, 40)),
            "/fapi/v1/ticker/price": Endpoint(self._price, weight=_by_symbol(1, 2)),
            "/fapi/v2/ticker/price": Endpoint(self._price, weight=_by_symbol(1, 2)),
            "/fapi/v1/aggTrades": Endpoint(self._agg_trades, weight=20),
            "/fapi/v1/trades": Endpoint(self._trades, weight=5),
        }
        return {("GET", path): endpoint for path, endpoint in rows.items()}

    def snapshot(self, data: SymbolData, limit: int, now_ms: int) -> dict[str, Any]:
        """Return a book as `depth` does."""
        return {
            "lastUpdateId": data.last_id,
            "E": now_ms,
            "T": data.book_time_ms,
            "bids": write.levels(data.rules, data.book.levels(True, limit)),
            "asks": write.levels(data.rules, data.book.levels(False, limit)),
        }

    def _exchange_info(self, _: Call) -> dict[str, Any]:
        limits = self._limits
        return {
            "timezone": "UTC",
            "serverTime": self._server_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                _limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_1m),
                _limit("ORDERS", "MINUTE", 1, limits.orders_1m),
                _limit("ORDERS", "SECOND", 10, limits.orders_10s),
            ],
            "exchangeFilters": [],
            "assets": [
                {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
                for asset in sorted({rules.instrument.settle_asset for rules in self._exchange.rules.values()})
            ],
            "symbols": [rules.listing() for rules in self._exchange.rules.values()],
        }

    def _depth(self, call: Call) -> dict[str, Any]:
        data = self._data(call)
        limit = call.params.integer("limit", 500)
        if limit not in DEPTH_LIMITS:
            raise ApiError(-4021, text=f"{limit} is not valid depth limit.")
        stale = self.stale_snapshots.get(data.rules.symbol)
        if stale is not None:
            return stale | {"bids": stale["bids"][:limit], "asks": stale["asks"][:limit], "E": call.now_ms}
        return self.snapshot(data, limit, call.now_ms)

    def _klines(self, call: Call) -> list[Any]:
        data = self._data(call)
        interval = call.params.text("interval")
        if interval not in INTERVALS:
            raise ApiError(-1120)
        limit = call.params.integer("limit", 500, 1, 1_500)
        bars = data.klines.bars(
            interval, call.params.integer("startTime", 0), call.params.integer("endTime", _END_OF_TIME), limit
        )
        return [write.kline_row(data.rules, interval, bar) for bar in bars]

    def _premium(self, call: Call) -> Any:
        return self._each(call, self._premium_row)

    def _premium_row(self, data: SymbolData, _: int) -> dict[str, Any]:
        mark = self._exchange.venue.view.mark(data.rules.instrument.symbol)
        if mark is None:
            raise ApiError(-1000)
        return write.premium_row(data.rules, mark)

    def _funding_rate(self, call: Call) -> list[dict[str, Any]]:
        limit = call.params.integer("limit", 100, 1, 1_000)
        start_ms = call.params.integer("startTime", 0)
        end_ms = call.params.integer("endTime", _END_OF_TIME)
        symbols = [self._data(call).rules.symbol] if call.params.has("symbol") else list(self._exchange.rules)
        rows = [row for symbol in symbols for row in self._funding(symbol) if start_ms <= row["fundingTime"] <= end_ms]
        rows.sort(key=_funding_time)
        return rows[:limit] if start_ms else rows[-limit:]

    def _book_ticker(self, call: Call) -> Any:
        return self._each(call, self._book_ticker_row)

    def _book_ticker_row(self, data: SymbolData, _: int) -> dict[str, Any]:
        bid, bid_lots, ask, ask_lots = data.best
        rules = data.rules
        return {
            "symbol": rules.symbol,
            "bidPrice": rules.price(bid),
            "bidQty": rules.quantity(bid_lots),
            "askPrice": rules.price(ask),
            "askQty": rules.quantity(ask_lots),
            "time": data.book_time_ms,
            "lastUpdateId": data.last_id,
        }

    def _day(self, call: Call) -> Any:
        return self._each(call, day_of)

    def _price(self, call: Call) -> Any:
        return self._each(call, _price_row)

    def _agg_trades(self, call: Call) -> list[dict[str, Any]]:
        data, params = self._data(call), call.params
        limit = params.integer("limit", 500, 1, 1_000)
        from_id = params.integer("fromId", 0)
        start_ms, end_ms = params.integer("startTime", 0), params.integer("endTime", _END_OF_TIME)
        found = [row for row in data.aggregates if row.id >= from_id and start_ms <= row.time_ms <= end_ms]
        chosen = found[:limit] if from_id or start_ms else found[-limit:]
        return [write.aggregate_row(data.rules, row) for row in chosen]

    def _trades(self, call: Call) -> list[dict[str, Any]]:
        data = self._data(call)
        limit = call.params.integer("limit", 500, 1, 1_000)
        return [write.trade_row(data.rules, row) for row in list(data.trades)[-limit:]]

    def _data(self, call: Call) -> SymbolData:
        return self._streams.data[self._exchange.rule(call.params.text("symbol")).symbol]

    def _each(self, call: Call, row: Callable[[SymbolData, int], dict[str, Any]]) -> Any:
        if call.params.has("symbol"):
            return row(self._data(call), call.now_ms)
        return [row(data, call.now_ms) for data in self._streams.data.values()]


def _price_row(data: SymbolData, now_ms: int) -> dict[str, Any]:
    time_ms = data.trades[-1].time_ms if data.trades else now_ms
    return {"symbol": data.rules.symbol, "price": data.rules.price(data.last_price_ticks), "time": time_ms}


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _funding_time(row: dict[str, Any]) -> int:
    return int(row["fundingTime"])


def _number(params: Params, name: str, default: int) -> int:
    text = params.get(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else default


def _depth_weight(params: Params) -> int:
    limit = _number(params, "limit", 500)
    return 2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20


def _klines_weight(params: Params) -> int:
    limit = _number(params, "limit", 500)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1_000 else 10


def _by_symbol(one: int, all_: int) -> Callable[[Params], int]:
    return lambda params: one if params.has("symbol") else all_
