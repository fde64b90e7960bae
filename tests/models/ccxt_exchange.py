"""An exchange as ccxt's async classes are, without ccxt: answers are set by tests, calls are counted."""

from collections.abc import Callable
from typing import Any

import msgspec

from opensqt._core.book import OrderBook
from opensqt.connector.book_feed import BookFeed
from opensqt.connector.commands import OutcomeReport
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.venues.ccxt_any.client import METHODS, CcxtClient
from opensqt.connector.venues.ccxt_any.config import CcxtConfig
from opensqt.connector.venues.ccxt_any.library import Library
from opensqt.domain.clock import ManualClock
from opensqt.domain.latency import Hop, LatencyBoard

SYMBOL = "BTC/USDT:USDT"
NOW_MS = 1_700_000_000_000


class BaseError(Exception):
    """Root of what this exchange raises, named as ccxt's."""


def ccxt_error(name: str, *ancestors: str) -> type[BaseError]:
    """Return an exception class named as one of ccxt's, under ancestors named nearest first."""
    base: type[BaseError] = BaseError
    for ancestor in reversed(ancestors):
        base = type(ancestor, (base,), {})
    return type(name, (base,), {})


def market(**changes: Any) -> dict[str, Any]:
    return {
        "id": "BTCUSDT",
        "symbol": SYMBOL,
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "swap": True,
        "linear": True,
        "active": True,
        "contractSize": "0.01",
        "precision": {"price": "0.1", "amount": "1"},
        "limits": {"amount": {"min": "1", "max": "1000"}, "cost": {"min": "5"}, "leverage": {"max": "50"}},
        "maker": 0.0002,
        "taker": 0.0005,
        **changes,
    }


def order_row(order_id: str = "77", **changes: Any) -> dict[str, Any]:
    return {
        "id": order_id,
        "clientOrderId": "a1",
        "symbol": SYMBOL,
        "side": "buy",
        "type": "limit",
        "timeInForce": "PO",
        "postOnly": True,
        "price": "60000.1",
        "amount": "3",
        "filled": "0",
        "status": "open",
        "timestamp": NOW_MS,
        **changes,
    }


def trade_row(trade_id: str = "t1", **changes: Any) -> dict[str, Any]:
    return {
        "id": trade_id,
        "order": "77",
        "symbol": SYMBOL,
        "side": "buy",
        "price": "60000.1",
        "amount": "1",
        "takerOrMaker": "maker",
        "fee": {"cost": "0.12", "currency": "USDT"},
        "timestamp": NOW_MS,
        **changes,
    }


class FakeExchange:
    """Every method is `answers[name]`: a value, an exception to raise, or a function of the arguments."""

    def __init__(self, **answers: Any) -> None:
        self.has: dict[str, Any] = dict.fromkeys(METHODS, True)
        self.timeframes: dict[str, Any] | None = {"1m": "1m", "8h": "8h"}
        self.markets: dict[str, Any] | None = None
        self.precisionMode = 4
        self.features: dict[str, Any] | None = None
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.answers: dict[str, Any] = {
            "loadMarkets": {SYMBOL: market()},
            "fetchTime": NOW_MS,
            "fetchOpenOrders": [],
            "fetchMyTrades": [],
            "fetchOrders": [],
            "fetchPositions": [],
            "fetchFundingRate": {"fundingRate": "0.0001", "markPrice": "60000.05"},
            "fetchBalance": {"USDT": {"free": "90", "used": "10", "total": "100"}},
            "fetchFundingHistory": [],
            **answers,
        }
        for name, method in METHODS.items():
            setattr(self, method, self._answering(name))

    def count(self, name: str) -> int:
        return sum(called == name for called, _ in self.calls)

    async def close(self) -> None:
        self.calls.append(("close", ()))

    def _answering(self, name: str) -> Callable[..., Any]:
        async def method(*arguments: Any) -> Any:
            self.calls.append((name, arguments))
            answer = self.answers[name]
            if callable(answer) and not isinstance(answer, type):
                answer = answer(*arguments)
            if hasattr(answer, "__await__"):
                answer = await answer
            if isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, Exception)):
                raise answer
            return answer

        return method


class Sink:
    """Keeps what is pushed, as (method, value)."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, Any]] = []
        self.budget = RateBudget([])
        self.feeds: dict[str, BookFeed] = {}

    def book(self, symbol: str, book: OrderBook | None = None) -> BookFeed:
        if symbol not in self.feeds:
            self.feeds[symbol] = BookFeed(
                symbol,
                1,
                book or OrderBook(),
                now_ns=lambda: 0,
                monotonic_ns=lambda: 0,
                on_validity=lambda _feed: None,
                latency=LatencyBoard(Hop, lambda: 0),
            )
        return self.feeds[symbol]

    def of(self, method: str) -> list[Any]:
        return [value for name, value in self.pushed if name == method]

    @property
    def reports(self) -> list[OutcomeReport]:
        return self.of("on_outcome")

    def __getattr__(self, name: str) -> Callable[[Any], None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda value: self.pushed.append((name, value))


def config(**changes: Any) -> CcxtConfig:
    return msgspec.structs.replace(CcxtConfig(exchange_id="fake", request_timeout_ms=200), **changes)


def client_of(exchange: FakeExchange, clock: ManualClock | None = None) -> CcxtClient:
    return CcxtClient(Library(exchange, BaseError), 200, clock or ManualClock(NOW_MS * 1_000_000))
