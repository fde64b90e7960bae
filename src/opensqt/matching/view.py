"""Questions to the simulated exchange. Nothing here changes it; figures are as of the venue's clock."""

from typing import final

from opensqt._core.book import OrderBook
from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, RequestError, invalid_field
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity, Candle, MarkPrice
from opensqt.domain.order import Order
from opensqt.matching.account import AccountState
from opensqt.matching.candles import INTERVALS_MS
from opensqt.matching.market import SymbolMarket
from opensqt.matching.records import Records
from opensqt.matching.ticker import Ticker, ticker_of
from opensqt.matching.valuation import balances_of, position_of


@final
class VenueView:
    """Read access to markets and accounts. An unknown symbol or account is a RequestError, never an empty answer."""

    def __init__(self, records: Records) -> None:
        self._records = records

    # ---- market

    def instruments(self) -> tuple[Instrument, ...]:
        """Return what is traded."""
        return tuple(market.instrument for market in self._records.markets.values())

    def book(self, symbol: str) -> OrderBook:
        """Return the venue's own book of a symbol: read it, never write it.

        One reader may use its `take_changes` for publication; the venue itself does not.
        """
        return self._market(symbol).book

    def validity(self, symbol: str) -> tuple[BookValidity, str]:
        """Return whether the book may price, and why not."""
        market = self._market(symbol)
        return market.validity, market.validity_reason

    def last_trade_ticks(self, symbol: str) -> int:
        """Return the price of the last public trade, 0 before the first."""
        return self._market(symbol).last_trade_ticks

    def mark(self, symbol: str) -> MarkPrice | None:
        """Return mark price and funding terms, None before the first."""
        return self._market(symbol).mark.current

    def candles(self, symbol: str, interval_ms: int, limit: int) -> list[Candle]:
        """Return up to `limit` candles, oldest first, the forming one last; 1m, 3m, 5m, 15m and 1h are on offer."""
        if interval_ms not in INTERVALS_MS:
            offered = ", ".join(map(str, INTERVALS_MS))
            raise invalid_field("interval", f"{interval_ms} ms", f"must be one of {offered} ms")
        return self._market(symbol).candles.last(interval_ms, limit)

    def ticker(self, symbol: str) -> Ticker:
        """Return statistics of the last 24 hours."""
        market = self._market(symbol)
        series = market.candles
        bars = series.closed if series.forming is None else (*series.closed, series.forming)
        return ticker_of(
            symbol,
            bars,
            market.last_trade_ticks,
            market.book.best_bid_ticks or 0,
            market.book.best_ask_ticks or 0,
            self._records.clock_ns,
        )

    # ---- account

    def accounts(self) -> tuple[str, ...]:
        """Return the names of the accounts."""
        return tuple(self._records.accounts)

    def balances(self, account: str) -> Account:
        """Return an account's balances at the mark."""
        return balances_of(self._records, self._account(account))

    def position(self, account: str, symbol: str) -> Position:
        """Return one position at the mark; a flat one has 0 lots."""
        return position_of(self._records, self._account(account), self._market(symbol))

    def positions(self, account: str) -> list[Position]:
        """Return the positions that are not flat."""
        state = self._account(account)
        return [
            position_of(self._records, state, market)
            for symbol, market in self._records.markets.items()
            if state.lots(symbol)
        ]

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Return working orders, oldest first; of one symbol or of all."""
        self._account(account)
        symbols = list(self._records.markets) if symbol is None else [self._market(symbol).instrument.symbol]
        found = [row for name in symbols for row in self._records.orders.working(account, name)]
        return [stored.order for _, stored in sorted(found, key=lambda row: row[0])]

    def order(
        self, account: str, symbol: str, *, client_order_id: str = "", exchange_order_id: str = ""
    ) -> Order | None:
        """Return an order by client id (the newest that used it) or exchange id, working or ended; None if unknown."""
        self._account(account)
        orders = self._records.orders
        if client_order_id:
            stored = orders.by_client_id(account, client_order_id)
        elif exchange_order_id.isascii() and exchange_order_id.isdigit():
            stored = orders.get(int(exchange_order_id))
        else:
            return None
        if stored is None or stored.account != account or stored.order.symbol != self._market(symbol).instrument.symbol:
            return None
        return stored.order

    def ended_orders(self, account: str, symbol: str, limit: int) -> list[Order]:
        """Return the orders that ended last, newest first."""
        self._account(account)
        found: list[Order] = []
        for stored in self._records.orders.ended():
            if len(found) >= limit:
                break
            if stored.account == account and stored.order.symbol == symbol:
                found.append(stored.order)
        return found

    def fills(
        self, account: str, symbol: str | None = None, *, since_ns: int = 0, after_trade_id: str = "",
        limit: int = 1_000,
    ) -> list[Fill]:  # fmt: skip
        """Return up to `limit` fills, oldest first, at or after a venue time and after a trade id."""
        self._account(account)
        if after_trade_id and not (after_trade_id.isascii() and after_trade_id.isdigit()):
            raise invalid_field("after_trade_id", repr(after_trade_id), "must be a trade id of this venue, a number")
        after = int(after_trade_id) if after_trade_id else 0
        found: list[Fill] = []
        for number in reversed(self._records.fills):
            if number <= after:
                break
            row = self._records.fills[number]
            fill = row.fill
            if fill.venue_time_ns < since_ns:
                break
            if row.account == account and (symbol is None or fill.symbol == symbol):
                found.append(fill)
        return found[::-1][:limit]

    def cash_flows(self, account: str, *, since_ns: int = 0) -> list[CashFlow]:
        """Return cash flows at or after a venue time, oldest first."""
        self._account(account)
        return [
            flow
            for owner, flow in self._records.cash_flows.values()
            if owner == account and flow.venue_time_ns >= since_ns
        ]

    @property
    def clock_ns(self) -> int:
        """Return the venue's time in ns."""
        return self._records.clock_ns

    @property
    def clock_ms(self) -> int:
        """Return the venue's time in ms."""
        return self._records.clock_ns // NS_PER_MS

    def _market(self, symbol: str) -> SymbolMarket:
        market = self._records.markets.get(symbol)
        if market is None:
            raise RequestError(
                ErrorReason.UNKNOWN_SYMBOL,
                f"{symbol or 'an empty symbol'} is not traded here; this venue has {', '.join(self._records.markets)}",
                metadata={"symbol": symbol},
            )
        return market

    def _account(self, name: str) -> AccountState:
        account = self._records.accounts.get(name)
        if account is None:
            raise invalid_field("account", name, f"must be one of {', '.join(self._records.accounts)}")
        return account
