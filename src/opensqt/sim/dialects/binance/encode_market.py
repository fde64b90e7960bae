"""How public market data is written, in streams and in replies; member order and padding as recorded.

`extra` adds `st` (1 = USDT-M) and `ps` (pair), which some streams carry since June 2026; clients must ignore them.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.domain.market import MarkPrice
from opensqt.domain.money import plain
from opensqt.matching.ticker import Ticker
from opensqt.sim.dialects.binance.klines import Kline, bounds
from opensqt.sim.dialects.binance.market_data import AggregateTrade, PublicPrint
from opensqt.sim.dialects.binance.rules import SymbolRules

Levels = Iterable[tuple[int, int]]


def levels(rules: SymbolRules, rows: Levels) -> list[list[str]]:
    """Write levels as [price, size]."""
    return [[rules.price(ticks), rules.quantity(lots)] for ticks, lots in rows]


def depth_event(
    rules: SymbolRules,
    *,
    event_ms: int,
    time_ms: int,
    first_id: int,
    last_id: int,
    previous_id: int,
    bids: Levels,
    asks: Levels,
    extra: bool,
) -> dict[str, Any]:
    """Return depthUpdate."""
    event = {
        "e": "depthUpdate",
        "E": event_ms,
        "T": time_ms,
        "s": rules.symbol,
        "U": first_id,
        "u": last_id,
        "pu": previous_id,
        "b": levels(rules, bids),
        "a": levels(rules, asks),
    }
    return event | {"ps": rules.symbol, "st": 1} if extra else event


def book_ticker_event(
    rules: SymbolRules, best: tuple[int, int, int, int], *, update_id: int, event_ms: int, time_ms: int, extra: bool
) -> dict[str, Any]:
    """Return bookTicker."""
    bid, bid_lots, ask, ask_lots = best
    event = {
        "e": "bookTicker",
        "u": update_id,
        "s": rules.symbol,
        "b": rules.price(bid),
        "B": rules.quantity(bid_lots),
        "a": rules.price(ask),
        "A": rules.quantity(ask_lots),
        "T": time_ms,
        "E": event_ms,
    }
    return event | {"ps": rules.symbol, "st": 1} if extra else event


def trade_event(rules: SymbolRules, trade: PublicPrint, event_ms: int) -> dict[str, Any]:
    """Return trade."""
    return {
        "e": "trade",
        "E": event_ms,
        "T": trade.time_ms,
        "s": rules.symbol,
        "t": trade.id,
        "p": rules.price(trade.ticks),
        "q": rules.quantity(trade.lots),
        "X": "MARKET",
        "m": trade.is_buyer_maker,
    }


def aggregate_event(rules: SymbolRules, trade: AggregateTrade, event_ms: int, *, extra: bool) -> dict[str, Any]:
    """Return aggTrade."""
    quantity = rules.quantity(trade.lots)
    event = {
        "e": "aggTrade",
        "E": event_ms,
        "a": trade.id,
        "s": rules.symbol,
        "p": rules.price(trade.ticks),
        "q": quantity,
        "nq": quantity,
        "f": trade.first_id,
        "l": trade.last_id,
        "T": trade.time_ms,
        "m": trade.is_buyer_maker,
    }
    return event | {"st": 1} if extra else event


def aggregate_row(rules: SymbolRules, trade: AggregateTrade) -> dict[str, Any]:
    """Return one entry of `aggTrades`."""
    return {
        "a": trade.id,
        "p": rules.price(trade.ticks),
        "q": rules.quantity(trade.lots),
        "f": trade.first_id,
        "l": trade.last_id,
        "T": trade.time_ms,
        "m": trade.is_buyer_maker,
    }


def trade_row(rules: SymbolRules, trade: PublicPrint) -> dict[str, Any]:
    """Return one entry of `trades`."""
    return {
        "id": trade.id,
        "price": rules.price(trade.ticks),
        "qty": rules.quantity(trade.lots),
        "quoteQty": plain(rules.notional(trade.ticks * trade.lots)),
        "time": trade.time_ms,
        "isBuyerMaker": trade.is_buyer_maker,
        "isRPITrade": False,
    }


def mark_event(rules: SymbolRules, mark: MarkPrice, event_ms: int, *, extra: bool) -> dict[str, Any]:
    """Return markPriceUpdate."""
    event = {
        "e": "markPriceUpdate",
        "E": event_ms,
        "s": rules.symbol,
        "p": f"{mark.mark_price:.8f}",
        "ap": f"{mark.mark_price:.8f}",
        "P": f"{mark.index_price:.8f}",
        "i": f"{mark.index_price:.8f}",
        "r": f"{mark.funding_rate:.8f}",
        "T": mark.next_funding_time_ms,
    }
    return event | {"st": 1} if extra else event


def premium_row(rules: SymbolRules, mark: MarkPrice) -> dict[str, Any]:
    """Return one entry of `premiumIndex`."""
    return {
        "symbol": rules.symbol,
        "markPrice": f"{mark.mark_price:.8f}",
        "indexPrice": f"{mark.index_price:.8f}",
        "estimatedSettlePrice": f"{mark.index_price:.8f}",
        "lastFundingRate": f"{mark.funding_rate:.8f}",
        "interestRate": "0.00010000",
        "nextFundingTime": mark.next_funding_time_ms,
        "time": mark.venue_time_ns // 1_000_000,
    }


def kline_event(rules: SymbolRules, interval: str, bar: Kline, event_ms: int, *, is_closed: bool) -> dict[str, Any]:
    """Return kline."""
    return {
        "e": "kline",
        "E": event_ms,
        "s": rules.symbol,
        "k": {
            "t": bar.open_ms,
            "T": bounds(interval, bar.open_ms)[1],
            "s": rules.symbol,
            "i": interval,
            "f": bar.first_id,
            "L": bar.last_id,
            "o": rules.price(bar.open),
            "c": rules.price(bar.close),
            "h": rules.price(bar.high),
            "l": rules.price(bar.low),
            "v": rules.quantity(bar.lots),
            "n": bar.count,
            "x": is_closed,
            "q": _quote(rules, bar.turnover),
            "V": rules.quantity(bar.buy_lots),
            "Q": _quote(rules, bar.buy_turnover),
            "B": "0",
        },
    }


def kline_row(rules: SymbolRules, interval: str, bar: Kline) -> list[Any]:
    """Return one entry of `klines`."""
    return [
        bar.open_ms,
        rules.price(bar.open),
        rules.price(bar.high),
        rules.price(bar.low),
        rules.price(bar.close),
        rules.quantity(bar.lots),
        bounds(interval, bar.open_ms)[1],
        _quote(rules, bar.turnover),
        bar.count,
        rules.quantity(bar.buy_lots),
        _quote(rules, bar.buy_turnover),
        "0",
    ]


def day_row(rules: SymbolRules, ticker: Ticker, bars: list[Kline], now_ms: int) -> dict[str, Any]:
    """Return one entry of `ticker/24hr`."""
    change = ticker.last_ticks - ticker.open_ticks
    percent = Decimal(change * 100) / ticker.open_ticks if ticker.open_ticks else Decimal(0)
    ids = [bar for bar in bars if bar.first_id >= 0]
    return {
        "symbol": rules.symbol,
        "priceChange": rules.price(change),
        "priceChangePercent": f"{percent:.3f}",
        "weightedAvgPrice": _weighted(rules, ticker),
        "lastPrice": rules.price(ticker.last_ticks),
        "lastQty": rules.quantity(0),
        "openPrice": rules.price(ticker.open_ticks),
        "highPrice": rules.price(ticker.high_ticks),
        "lowPrice": rules.price(ticker.low_ticks),
        "volume": rules.quantity(ticker.volume_lots),
        "quoteVolume": _quote(rules, ticker.turnover_ticks_lots),
        "openTime": bars[0].open_ms if bars else now_ms,
        "closeTime": now_ms,
        "firstId": ids[0].first_id if ids else -1,
        "lastId": ids[-1].last_id if ids else -1,
        "count": ticker.trade_count,
    }


def ticker_event(row: dict[str, Any], event_ms: int) -> dict[str, Any]:
    """Return 24hrTicker of a `ticker/24hr` entry."""
    return {
        "e": "24hrTicker",
        "E": event_ms,
        "s": row["symbol"],
        "p": row["priceChange"],
        "P": row["priceChangePercent"],
        "w": row["weightedAvgPrice"],
        "c": row["lastPrice"],
        "Q": row["lastQty"],
        "o": row["openPrice"],
        "h": row["highPrice"],
        "l": row["lowPrice"],
        "v": row["volume"],
        "q": row["quoteVolume"],
        "O": row["openTime"],
        "C": row["closeTime"],
        "F": row["firstId"],
        "L": row["lastId"],
        "n": row["count"],
    }


def mini_ticker_event(row: dict[str, Any], event_ms: int) -> dict[str, Any]:
    """Return 24hrMiniTicker of a `ticker/24hr` entry."""
    return {
        "e": "24hrMiniTicker",
        "E": event_ms,
        "s": row["symbol"],
        "c": row["lastPrice"],
        "o": row["openPrice"],
        "h": row["highPrice"],
        "l": row["lowPrice"],
        "v": row["volume"],
        "q": row["quoteVolume"],
    }


def _quote(rules: SymbolRules, ticks_lots: int) -> str:
    return f"{rules.notional(ticks_lots):.{rules.price_decimals + rules.quantity_decimals}f}"


def _weighted(rules: SymbolRules, ticker: Ticker) -> str:
    average = rules.average(ticker.turnover_ticks_lots, ticker.volume_lots)
    return f"{average:.{rules.price_decimals}f}"
