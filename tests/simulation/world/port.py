"""How the connector's machine reaches the venue, and the questions it asks there."""

from collections.abc import Callable
from typing import TypeVar

from simulation.world.exchange import ACCOUNT, Exchange
from simulation.world.timeline import SECOND, Answer, Process
from simulation.world.wires import Wire

from opensqt.connector.adapter import CashFlowPage, FillPage
from opensqt.connector.commands import VenueCommand
from opensqt.connector.rate_budget import Lane, RateBudget
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason, LimitError, NotFoundError, OpensqtError, UnavailableError
from opensqt.domain.order import Order

T = TypeVar("T")

QUERY_TIMEOUT_NS = 3 * SECOND


class VenuePort:
    """How the connector's machine reaches the venue: one wire per purpose, so that each can fail alone."""

    def __init__(self, exchange: Exchange, wires: dict[str, Wire]) -> None:
        self.exchange = exchange
        self.wires = wires
        self.budget: RateBudget | None = None
        self.on_never: Callable[[VenueCommand], None] = lambda _command: None
        """Told of a command that did not and will never take effect."""

    def told(self, value: T) -> T:
        """Return what the venue tells as it tells it."""
        told: T = self.exchange.listed.told(value)
        return told

    def query(self, process: Process, name: str, read: Callable[[], T]) -> "Answer[T]":
        """Ask; `read` looks at the venue when the question arrives there. What it finds travels back."""
        answer: Answer[T] = Answer()
        exchange, wire = self.exchange, self.wires["query"]
        if self.budget is not None:
            try:
                self.budget.take(Lane.QUERY, process.monotonic_ns(), {})
            except LimitError as error:
                answer.fail(error)  # the circuit is open: no request leaves
                return answer

        def arrived() -> None:
            exchange.requests += 1
            mood, now_ns = exchange.mood, exchange.timeline.now_ns
            bad = now_ns < mood.maintenance_until_ns or now_ns < mood.banned_until_ns
            if bad or (mood.query_error and wire._rng.random() < mood.query_error):
                error = UnavailableError(ErrorReason.VENUE_UNAVAILABLE, "the venue answered 503 to a question")
                wire.send(f"query.{name} error", process, answer.fail, error)
                return
            try:
                found = read()
            except OpensqtError as error:
                wire.send(f"query.{name} no", process, answer.fail, error)
                return
            wire.send(f"query.{name} reply", process, answer.give, found)

        wire.send(f"query.{name}", None, arrived)
        late = UnavailableError(ErrorReason.VENUE_UNAVAILABLE, f"the venue did not answer the question {name}")
        process.after(QUERY_TIMEOUT_NS, f"query.{name} timeout", answer.fail, late)
        return answer


class SimQueries:
    """The account as the venue has it when the question arrives."""

    def __init__(self, port: VenuePort, process: Process) -> None:
        self._port = port
        self._process = process
        self.book: AccountBook | None = None

    async def order(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        view = self._port.exchange.view

        def read() -> Order:
            found = view.order(
                ACCOUNT,
                symbol,
                client_order_id=client_order_id,
                exchange_order_id="" if client_order_id else exchange_order_id,
            )
            if found is None:
                name = client_order_id or exchange_order_id
                raise NotFoundError(ErrorReason.UNKNOWN_ORDER, f"the venue has no order {name!r} in {symbol}")
            return self._port.told(found)

        return await self._port.query(self._process, "order", read)

    async def open_orders(self, symbol: str = "") -> list[Order]:
        view = self._port.exchange.view
        told = self._port.told
        return await self._port.query(
            self._process, "open_orders", lambda: [told(one) for one in view.open_orders(ACCOUNT, symbol or None)]
        )

    async def accounts(self) -> list[Account]:
        view = self._port.exchange.view
        return await self._port.query(self._process, "accounts", lambda: [view.balances(ACCOUNT)])

    async def positions(self, symbol: str = "") -> list[Position]:
        assert self.book is not None, "asked before the start"
        view, name = self._port.exchange.view, symbol or self._port.exchange.symbol
        known = self.book.asking()
        found = await self._port.query(
            self._process, "positions", lambda: [self._port.told(view.position(ACCOUNT, name))]
        )
        self.book.on_positions(found, known)
        return found

    async def fills(
        self, symbol: str, since_time_ns: int, after_trade_id: str, limit: int, page_token: str = ""
    ) -> FillPage:
        view = self._port.exchange.view
        after = page_token or after_trade_id

        def read() -> FillPage:
            since = 0 if after_trade_id else since_time_ns
            found = view.fills(ACCOUNT, symbol or None, since_ns=since, after_trade_id=after, limit=limit + 1)
            page = [self._port.told(fill) for fill in found[:limit]]
            return FillPage(page, page[-1].trade_id if len(found) > limit else "")

        return await self._port.query(self._process, "fills", read)

    async def cash_flows(self, symbol: str, since_time_ns: int, limit: int, page_token: str = "") -> CashFlowPage:
        view = self._port.exchange.view

        def read() -> CashFlowPage:
            flows = [f for f in view.cash_flows(ACCOUNT, since_ns=since_time_ns) if not symbol or f.symbol == symbol]
            return CashFlowPage(flows)

        return await self._port.query(self._process, "cash_flows", read)
