"""Questions to the paper venue: its view, as the adapter protocol asks them."""

from typing import final

from opensqt.connector.adapter import CashFlowPage, FillPage
from opensqt.connector.market_types import FundingSettlement, FundingTerms, TickerStats
from opensqt.connector.venues.paper.market import ACCOUNT
from opensqt.connector.venues.paper.store import PaperStore
from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, NotFoundError, UnavailableError, invalid_field
from opensqt.domain.market import Candle
from opensqt.domain.money import parse_decimal
from opensqt.domain.order import Order
from opensqt.matching.view import VenueView

MAX_CANDLES = 1_500


@final
class PaperAccountQueries:
    """The account as the venue has it now."""

    def __init__(self, view: VenueView) -> None:
        self._view = view

    async def order(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        """Return one order; NotFoundError when the venue has none."""
        found = self._view.order(ACCOUNT, symbol, client_order_id=client_order_id, exchange_order_id=exchange_order_id)
        if found is None:
            name = client_order_id or exchange_order_id
            raise NotFoundError(
                ErrorReason.UNKNOWN_ORDER,
                f"the venue has no order {name!r} in {symbol}; check the id and the symbol",
                metadata={"symbol": symbol, "order": name},
            )
        return found

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Return the working orders."""
        return self._view.open_orders(ACCOUNT, symbol or None)

    async def accounts(self) -> list[Account]:
        """Return the one account's balances."""
        return [self._view.balances(ACCOUNT)]

    async def positions(self, symbol: str = "") -> list[Position]:
        """Return positions, flat ones included."""
        symbols = [symbol] if symbol else [item.symbol for item in self._view.instruments()]
        return [self._view.position(ACCOUNT, name) for name in symbols]

    async def fills(
        self, symbol: str, since_time_ns: int, after_trade_id: str, limit: int, page_token: str = ""
    ) -> FillPage:
        """Return executions, oldest first; a page's token is its last trade id."""
        if page_token and not page_token.isdecimal():
            raise invalid_field("page_token", repr(page_token), "must be the next_page_token of an earlier answer")
        after = page_token or after_trade_id
        since = 0 if after_trade_id else since_time_ns
        found = self._view.fills(ACCOUNT, symbol or None, since_ns=since, after_trade_id=after, limit=limit + 1)
        page = found[:limit]
        return FillPage(page, page[-1].trade_id if len(found) > limit else "")

    async def cash_flows(self, symbol: str, since_time_ns: int, limit: int, page_token: str = "") -> CashFlowPage:
        """Return cash flows, oldest first; a page's token is how many came before."""
        if page_token and not page_token.isdecimal():
            raise invalid_field("page_token", repr(page_token), "must be the next_page_token of an earlier answer")
        start = int(page_token or 0)
        flows = [f for f in self._view.cash_flows(ACCOUNT, since_ns=since_time_ns) if not symbol or f.symbol == symbol]
        end = start + limit
        return CashFlowPage(flows[start:end], str(end) if len(flows) > end else "")


@final
class PaperMarketQueries:
    """The market as the venue has it now."""

    def __init__(self, view: VenueView, store: PaperStore) -> None:
        self._view = view
        self._store = store

    async def refresh_instruments(self) -> None:
        """Do nothing: this venue's filters do not change while it runs."""

    async def candles(self, symbol: str, interval_ms: int, limit: int, end_time_ms: int) -> list[Candle]:
        """Return candles that opened before a time, oldest first."""
        if not end_time_ms:
            return self._view.candles(symbol, interval_ms, limit)
        candles = self._view.candles(symbol, interval_ms, MAX_CANDLES)
        return [candle for candle in candles if candle.open_time_ms < end_time_ms][-limit:]

    async def ticker(self, symbol: str) -> TickerStats:
        """Return the last 24 hours."""
        ticker = self._view.ticker(symbol)
        return TickerStats(
            symbol=symbol,
            last_ticks=ticker.last_ticks,
            open_ticks=ticker.open_ticks,
            volume_lots=ticker.volume_lots,
            turnover_ticks_lots=ticker.turnover_ticks_lots,
            venue_time_ms=ticker.time_ns // NS_PER_MS,
        )

    async def funding(self, symbol: str) -> FundingTerms:
        """Return the terms of the mark; UnavailableError before the first."""
        mark = self._view.mark(symbol)
        if mark is None:
            raise UnavailableError(ErrorReason.FEED_STALE, f"{symbol} has no mark price yet; try again in a moment")
        return FundingTerms(
            symbol=symbol,
            rate=mark.funding_rate,
            predicted_rate=mark.funding_rate,
            next_funding_time_ms=mark.next_funding_time_ms,
            venue_time_ms=mark.venue_time_ns // NS_PER_MS,
        )

    async def funding_history(self, symbol: str, limit: int) -> list[FundingSettlement]:
        """Return the rates that this venue has settled since its state file began."""
        settled = [entry for entry in self._store.funding_settlements() if entry[0] == symbol]
        return [
            FundingSettlement(symbol=symbol, rate=parse_decimal(rate, "rate"), settled_time_ms=settled_ms)
            for _symbol, settled_ms, rate in settled[-limit:]
        ]

    async def open_interest_lots(self, symbol: str) -> int:
        """Return what this venue's accounts hold; nobody else is on it."""
        return sum(max(0, abs(self._view.position(name, symbol).lots)) for name in self._view.accounts())
