"""Questions about the account over REST. A failed question is an error, never an empty list."""

from collections.abc import Mapping
from typing import final

import structlog

from opensqt.connector.adapter import CashFlowPage, FillPage
from opensqt.connector.venues.binance import requests_account as ask
from opensqt.connector.venues.binance import requests_orders as ask_orders
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.listing import Listing
from opensqt.connector.venues.binance.parse_account import parse_account, parse_positions
from opensqt.connector.venues.binance.parse_history import parse_income
from opensqt.connector.venues.binance.parse_orders import UserTradeList, parse_order, parse_orders, parse_user_trades
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import invalid_field
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order

_log = structlog.get_logger(__name__)


@final
class BinanceAccountQueries:
    """What the venue says of the account when asked; orders, executions and positions pass through the account's book.

    So whoever asks for a position brings everybody's view up to date, where the stream has lost an update.
    """

    def __init__(self, queries: BinanceQueries, book: AccountBook) -> None:
        self._q = queries
        self._book = book

    async def order(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        """Return one order in whatever state."""
        listing = self._q.listing(symbol)
        ref = ask_orders.OrderRef(client_order_id, exchange_order_id)
        request = ask_orders.query(listing.instrument.venue_symbol, ref)
        report = await self._q.ask(request, "query order", lambda body: parse_order(body, self._q.listings))
        return self._book.orders.report(report.order)

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Return the open orders; symbol by symbol, which is cheaper than asking for all of the account."""
        found: list[Order] = []
        for listing in self._chosen(symbol):
            request = ask.open_orders(listing.instrument.venue_symbol)
            orders = await self._q.ask(request, "query open orders", lambda body: parse_orders(body, self._q.listings))
            for unread in orders.unread:
                _log.error("open_order_unreadable", symbol=unread.venue_symbol, why=unread.why)
            found.extend(self._book.orders.report(report.order) for report in orders.orders)
        return [order for order in found if not order.state.is_terminal]

    async def accounts(self) -> list[Account]:
        """Return the balances, the settle asset of our instruments first."""
        report = await self._q.ask(ask.account(), "query account", parse_account)
        ours = {listing.instrument.settle_asset for listing in self._chosen("")}
        return sorted(report.accounts, key=lambda account: (account.asset not in ours, account.asset))

    async def positions(self, symbol: str = "") -> list[Position]:
        """Return positions; what the venue does not name is flat."""
        chosen = self._chosen(symbol)
        name = chosen[0].instrument.venue_symbol if symbol else ""
        known = self._book.asking()
        listed = await self._q.ask(
            ask.position_risk(name),
            "query positions",
            lambda body: parse_positions(body, self._q.listings, self._q.configs),
        )
        named = {report.position.symbol: report.position for report in listed.positions}
        found = [named.get(listing.instrument.symbol) or self._flat(listing, known) for listing in chosen]
        self._book.on_positions(found, known)
        return found

    async def fills(
        self, symbol: str, since_time_ns: int, after_trade_id: str, limit: int, page_token: str = ""
    ) -> FillPage:
        """Return executions, oldest first; trade ids count per symbol, so the token names one for each."""
        if after_trade_id and not symbol:
            raise invalid_field("after_trade_id", after_trade_id, "counts per symbol here: name the symbol too")
        after = _read_token(page_token)
        pages: list[Fill] = []
        has_more = False
        for listing in self._chosen(symbol):
            name = listing.instrument.venue_symbol
            start = after.get(name) or _trade_number(after_trade_id)
            found = await self._trades(listing, start, since_time_ns, min(ask.MAX_USER_TRADES, limit + 1))
            has_more = has_more or len(found) > limit
            pages.extend(found)
        pages.sort(key=lambda fill: (fill.venue_time_ns, fill.symbol, int(fill.trade_id)))
        page = pages[:limit]
        for fill in page:
            after[self._q.listing(fill.symbol).instrument.venue_symbol] = int(fill.trade_id)
        return FillPage(page, _write_token(after) if has_more or len(pages) > limit else "")

    async def cash_flows(self, symbol: str, since_time_ns: int, limit: int, page_token: str = "") -> CashFlowPage:
        """Return funding and transfers, oldest first; the token is the time from which to read on, and what was read.

        The venue's history holds profits and fees too, so a page may have fewer entries than were asked for.
        """
        start_ms, _, seen = page_token.partition("|")
        if start_ms and not start_ms.isdecimal():
            raise invalid_field("page_token", repr(page_token), "must be the next_page_token of an earlier answer")
        name = self._q.listing(symbol).instrument.venue_symbol if symbol else ""
        # Without a start the venue answers the last seven days.
        request = ask.income(start_ms=int(start_ms or 0) or since_time_ns // NS_PER_MS, venue_symbol=name)
        page = await self._q.ask(request, "query income", lambda body: parse_income(body, self._q.listings))
        known = set(seen.split(",")) if seen else set()
        flows = [flow for flow in page.flows if flow.id not in known and flow.venue_time_ns >= since_time_ns]
        if page.count < ask.MAX_INCOME or str(page.last_ms) == start_ms:
            return CashFlowPage(flows[:limit])
        last = ",".join(flow.id for flow in page.flows if flow.venue_time_ns == page.last_ms * NS_PER_MS)
        return CashFlowPage(flows, f"{page.last_ms}|{last}")

    # ---- inside

    async def _trades(self, listing: Listing, after_id: int, since_time_ns: int, limit: int) -> list[Fill]:
        name = listing.instrument.venue_symbol
        if after_id:
            request = ask.user_trades(name, from_id=after_id + 1, limit=limit)
        else:
            request = ask.user_trades(name, start_ms=-(-since_time_ns // NS_PER_MS), limit=limit)

        def parse(body: bytes) -> UserTradeList:
            return parse_user_trades(body, self._q.listings, self._book.orders.client_ids, self._q.own_prefix)

        listed = await self._q.ask(request, "query fills", parse)
        if listed.unattributed:
            await self._attribute(listing, listed.unattributed)
            listed = await self._q.ask(request, "query fills", parse)
        for unread in listed.unread:
            _log.error("fill_unreadable", symbol=unread.venue_symbol, why=unread.why)
        return [trade.fill for trade in listed.trades if after_id or trade.fill.venue_time_ns >= since_time_ns]

    async def _attribute(self, listing: Listing, order_ids: frozenset[str]) -> None:
        """Learn the client ids of orders that only executions have named.

        The venue lists orders in ascending order of their ids, the cancelled ones between them, a page at a time: each
        page begins at the oldest order that is still unknown. One that its page does not show is not kept by the venue,
        and stays without a client id.
        """
        wanted = sorted(map(int, order_ids))
        name = listing.instrument.venue_symbol
        while wanted:
            request = ask.all_orders(name, from_id=wanted[0], limit=ask.MAX_USER_TRADES)
            orders = await self._q.ask(request, "query orders", lambda body: parse_orders(body, self._q.listings))
            for report in orders.orders:
                self._book.orders.report(report.order)
            if len(orders.orders) + len(orders.unread) < ask.MAX_USER_TRADES:
                return
            last = max((int(report.order.exchange_order_id) for report in orders.orders), default=wanted[0])
            wanted = [order_id for order_id in wanted if order_id > max(last, wanted[0])]

    def _chosen(self, symbol: str) -> list[Listing]:
        names = [symbol] if symbol else sorted(self._q.listings.instruments)
        return [self._q.listing(name) for name in names]

    def _flat(self, listing: Listing, positions: Mapping[str, Position]) -> Position:
        """Return a position the venue did not name: as old as what was known when it was asked for.

        What the stream told until the answer came may be newer than the answer.
        """
        config = self._q.configs.get(listing.instrument.venue_symbol)
        known = positions.get(listing.instrument.symbol)
        return Position(
            symbol=listing.instrument.symbol,
            lots=0,
            leverage=config.leverage if config else 1,
            margin_type="isolated" if config and config.is_isolated else "cross",
            venue_time_ns=known.venue_time_ns if known is not None else 0,
        )


def _read_token(token: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in token.split(",") if token else ():
        name, _, number = part.partition(":")
        if not name or not number.isdecimal():
            raise invalid_field("page_token", repr(token), "must be the next_page_token of an earlier answer")
        found[name] = int(number)
    return found


def _write_token(after: Mapping[str, int]) -> str:
    return ",".join(f"{name}:{number}" for name, number in sorted(after.items()))


def _trade_number(trade_id: str) -> int:
    if trade_id and not trade_id.isdecimal():
        raise invalid_field("after_trade_id", repr(trade_id), "must be a trade id of the venue, a number")
    return int(trade_id or 0)
