"""The account as it changes, by asking in turns: what a user stream would push.

One round asks for open orders, how those ended that are not listed any more, executions, positions and balances, and
pushes what changed, executions first, in one turn of the loop. A round that failed changes nothing and is told as a
session that is down.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, final

import msgspec
import structlog

from opensqt.connector.adapter import AdapterSink
from opensqt.connector.venues.ccxt_any.account_queries import MAX_PAGE, CcxtAccountQueries
from opensqt.connector.venues.ccxt_any.order_table import OrderTable
from opensqt.connector.venues.ccxt_any.pace import Lane, in_lane
from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, Clock
from opensqt.domain.errors import NotFoundError, OpensqtError, UnsupportedError
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState

DENIALS: Final = 2
"""How many rounds in a row the exchange must not know an order that was open before it counts as cancelled."""

FILLS_BEFORE_START_NS: Final = 3_600 * NS_PER_S
FILLS_OVERLAP_NS: Final = 60 * NS_PER_S
MAX_PAGES: Final = 20
MIN_PAUSE_S: Final = 0.05

_log = structlog.get_logger(__name__)


@final
class AccountPoll:
    """Asks for the account and pushes what changed; `on_status` is told whether that works."""

    def __init__(
        self,
        account: CcxtAccountQueries,
        instruments: Mapping[str, Instrument],
        table: OrderTable,
        clock: Clock,
        on_status: Callable[[bool, str], None],
    ) -> None:
        self._account = account
        self._instruments = instruments
        self._table = table
        self._clock = clock
        self._on_status = on_status
        self._wake = asyncio.Event()
        self._denials: dict[str, int] = {}
        self._positions: dict[str, Position] = {}
        self._accounts: dict[str, Account] = {}
        self._fills_since_ns = clock.now_ns() - FILLS_BEFORE_START_NS
        self._flows_since_ns = clock.now_ns()
        self._flows_seen: dict[str, None] = {}
        self._flows_due_ns = 0

    def hurry(self) -> None:
        """Ask soon: something was sent."""
        self._wake.set()

    async def run(self, sink: AdapterSink, period_ms: int, slow_period_ms: int) -> None:
        """Ask until cancelled, at most half of the time unless in a hurry."""
        with in_lane(Lane.POLL):
            await self._rounds(sink, period_ms, slow_period_ms)

    async def _rounds(self, sink: AdapterSink, period_ms: int, slow_period_ms: int) -> None:
        took_s = 0.0
        while True:
            try:
                async with asyncio.timeout(max(period_ms / 1_000, took_s)):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            # Commands that are sent together are looked at together.
            await asyncio.sleep(MIN_PAUSE_S)
            started_ns = self._clock.monotonic_ns()
            try:
                await self.once(sink)
                await self._cash_flows(sink, slow_period_ms)
            except OpensqtError as error:
                _log.warning("account_query_failed", why=str(error))
                self._on_status(False, str(error))
            else:
                self._on_status(True, "")
            took_s = (self._clock.monotonic_ns() - started_ns) / NS_PER_S

    async def once(self, sink: AdapterSink) -> None:
        """Ask once and push what changed.

        Raises:
            OpensqtError: something could not be asked.
        """
        asked_ns, now_ns = self._clock.monotonic_ns(), self._clock.now_ns()
        for symbol in self._instruments:
            listed = {order.exchange_order_id for order in await self._account.open_orders(symbol)}
            for order in self._table.open_orders(symbol):
                if order.exchange_order_id not in listed and self._table.touched_ns(order) < asked_ns:
                    await self._vanished(order)
        fills = await self._new_fills()
        positions = await self._account.positions()
        accounts = await self._account.accounts_with(positions)
        self._fills_since_ns = now_ns - FILLS_OVERLAP_NS
        self._push(sink, fills, positions, accounts)

    async def fills(self, symbol: str, sink: AdapterSink) -> None:
        """Ask for the newest executions of one symbol alone, and push them.

        Raises:
            OpensqtError: they could not be asked for.
        """
        found = (await self._account.fills(symbol, self._fills_since_ns, "", MAX_PAGE)).fills
        for fill in found:
            if self._table.add_fill(fill):
                sink.on_fill(fill)

    def _push(self, sink: AdapterSink, fills: list[Fill], positions: list[Position], accounts: list[Account]) -> None:
        for fill in fills:
            if self._table.add_fill(fill):
                sink.on_fill(fill)
        for order in self._table.take_changed():
            sink.on_order(order)
        for position in positions:
            if _differs(self._positions.get(position.symbol), position):
                self._positions[position.symbol] = position
                sink.on_position(position)
        for account in accounts:
            if _differs(self._accounts.get(account.asset), account):
                self._accounts[account.asset] = account
                sink.on_account(account)

    async def _vanished(self, order: Order) -> None:
        asked_ns = self._clock.monotonic_ns()
        key = order.exchange_order_id
        try:
            await self._account.order(order.symbol, "", key)
        except NotFoundError:
            # Some exchanges forget orders that were cancelled without a fill, some list with a delay.
            self._denials[key] = self._denials.get(key, 0) + 1
            if self._denials[key] < DENIALS:
                return
            self._table.report(msgspec.structs.replace(order, state=OrderState.CANCELED), asked_ns)
        self._denials.pop(key, None)

    async def _new_fills(self) -> list[Fill]:
        found: list[Fill] = []
        for symbol in self._instruments:
            since_ns = self._fills_since_ns
            for _ in range(MAX_PAGES):
                page = (await self._account.fills(symbol, since_ns, "", MAX_PAGE)).fills
                found += page
                if len(page) < MAX_PAGE or page[-1].venue_time_ns <= since_ns:
                    break
                since_ns = page[-1].venue_time_ns // NS_PER_MS * NS_PER_MS
        found.sort(key=lambda fill: fill.venue_time_ns)
        return found

    async def _cash_flows(self, sink: AdapterSink, period_ms: int) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._flows_due_ns:
            return
        self._flows_due_ns = now_ns + period_ms * NS_PER_MS
        flows: list[CashFlow] = []
        for symbol in self._instruments:
            try:
                flows += (await self._account.cash_flows(symbol, self._flows_since_ns, MAX_PAGE)).flows
            except UnsupportedError:
                return
        for flow in flows:
            if flow.id not in self._flows_seen:
                self._flows_seen[flow.id] = None
                sink.on_cash_flow(flow)
        if flows:
            # The newest are told again by the next answer; only their ids are needed.
            self._flows_since_ns = max(flow.venue_time_ns for flow in flows)
            self._flows_seen = dict.fromkeys(flow.id for flow in flows)


def _differs(known: Position | Account | None, told: Position | Account) -> bool:
    return known is None or msgspec.structs.replace(known, venue_time_ns=told.venue_time_ns) != told
