"""Brings the account's book up to date from replies: at the start, after a break, and now and then for certainty.

What was open before and is not listed any more has ended while nobody listened: each such order is asked for, so that
it ends with the venue's word. Executions are read on from the last trade id that was seen.
"""

from typing import Final, final

import structlog

from opensqt.connector.adapter import AdapterSink
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.account_queries import BinanceAccountQueries
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import NotFoundError

PAGE: Final = 500
LOOK_BACK_NS: Final = 60 * NS_PER_S
"""Without a known trade id, executions are read from so long before the break."""
INCOME_LOOK_BACK_NS: Final = 3_600 * NS_PER_S

_log = structlog.get_logger(__name__)


@final
class Takeover:
    """Reads the account and pushes what is new."""

    def __init__(self, account: BinanceAccountQueries, book: AccountBook, sink: AdapterSink) -> None:
        self._account = account
        self._book = book
        self._sink = sink

    async def everything(self, since_ns: int) -> None:
        """Read open orders, executions, positions and balances; `since_ns` is the venue's time of the last certainty.

        Raises:
            OpensqtError: one of the questions failed; what was read before it is in the book.
        """
        before = {(order.symbol, order.exchange_order_id): order for order in self._book.orders.open_orders()}
        if since_ns:
            await self.fills(since_ns)
        listed = await self._account.open_orders()
        for order in listed:
            self._book.on_order(order)
            before.pop((order.symbol, order.exchange_order_id), None)
        for order in before.values():
            try:
                self._book.on_order(await self._account.order(order.symbol, "", order.exchange_order_id))
            except NotFoundError:
                _log.error("open_order_vanished", symbol=order.symbol, client_order_id=order.client_order_id)
        await self.balances()

    async def balances(self) -> None:
        """Read positions and balances.

        Raises:
            OpensqtError: the question failed.
        """
        self._book.needs_refresh = False
        await self._account.positions()  # they pass through the book by themselves
        self._book.on_accounts(await self._account.accounts())

    async def fills(self, since_ns: int) -> None:
        """Read the executions that were missed.

        Raises:
            OpensqtError: the question failed.
        """
        for symbol in sorted(self._book.positions):
            last = self._book.last_trade_id.get(symbol, 0)
            token = ""
            while True:
                after = str(last) if last else ""
                page = await self._account.fills(symbol, max(0, since_ns - LOOK_BACK_NS), after, PAGE, token)
                for fill in page.fills:
                    self._book.on_fill(fill)
                token = page.next_token
                if not token:
                    break

    async def income(self, now_ns: int) -> int:
        """Read the cash flows of the last hour and return how many there were.

        Raises:
            OpensqtError: the question failed.
        """
        page = await self._account.cash_flows("", now_ns - INCOME_LOOK_BACK_NS, 1000)
        for flow in page.flows:
            self._sink.on_cash_flow(flow)
        return len(page.flows)
