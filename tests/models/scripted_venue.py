"""A venue whose replies the test decides: lost, late, or with a session that breaks. Everything else is canned."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from models.connector_parts import BTC, GENEROUS, MARK, SYMBOL

from opensqt.connector.adapter import AdapterSink, Capabilities, CashFlowPage, FillPage, SessionStatus
from opensqt.connector.commands import Cancel, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.connector.market_types import Channel, FundingSettlement, FundingTerms, TickerStats
from opensqt.connector.rate_budget import RateWindow
from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason, NotFoundError, UnavailableError, UnsupportedError
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity, Candle
from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState


class ScriptedVenue:
    """One object in all roles. `sent` is what reached it; `book` what orders it really has."""

    def __init__(self, window: RateWindow = GENEROUS) -> None:
        self.capabilities = Capabilities(exchange="scripted", mode="paper")
        self.instruments: Mapping[str, Instrument] = {SYMBOL: BTC}
        self.rate_windows: Sequence[RateWindow] = (window,)
        self.tls_hosts: Sequence[str] = ()
        self.market = self
        self.account = self
        self.sent: list[VenueCommand] = []
        self.orders_there: dict[str, Order] = {}
        self.answers = True
        self.executes = True
        self.position = Position(symbol=SYMBOL, lots=0)
        self.queries_fail = False
        self.queries = 0
        self.channels: list[tuple[str, Channel]] = []
        self._sink: AdapterSink | None = None

    @property
    def orders(self) -> "ScriptedVenue":
        return self

    @property
    def sink(self) -> AdapterSink:
        assert self._sink is not None
        return self._sink

    async def start(self, sink: AdapterSink) -> None:
        self._sink = sink
        sink.on_instrument(BTC)
        writer = sink.book(SYMBOL)
        writer.book.set_level(True, 599_999, 5)
        writer.book.set_level(False, 600_001, 5)
        writer.updated(1, 1, 1, 1)
        writer.set_validity(BookValidity.VALID)
        sink.on_mark(MARK)
        sink.on_account((await self.accounts())[0])
        sink.on_position((await self.positions())[0])
        self.session(up=True)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        pass

    def session(self, *, up: bool) -> None:
        self.sink.on_session(
            SessionStatus(market_stream_up=True, private_stream_up=up, reason="" if up else "reset by peer")
        )

    def venue_time_ns(self) -> int:
        return 1

    def watch_engines(self, attended: frozenset[str], claimed: frozenset[str]) -> None:
        self.engines = (attended, claimed)

    def subscribe(self, channel: Channel) -> None:
        self.channels.append(("open", channel))

    def unsubscribe(self, channel: Channel) -> None:
        self.channels.append(("close", channel))

    # ---- orders

    def submit(self, commands: Sequence[VenueCommand]) -> None:
        self.sent.extend(commands)
        for command in commands:
            asyncio.get_running_loop().call_soon(self._execute, command)

    def _execute(self, command: VenueCommand) -> None:
        order = None
        if isinstance(command, Place) and self.executes:
            order = self._order(command)
            self.orders_there[order.client_order_id] = order
        elif isinstance(command, Cancel) and self.executes:
            import msgspec

            order = msgspec.structs.replace(
                self.orders_there[command.client_order_id], state=OrderState.CANCELED, updated_time_ns=9
            )
            self.orders_there[command.client_order_id] = order
        if self.answers:
            self.sink.on_outcome(OutcomeReport(token=command.token, outcome=Outcome.CONFIRMED, order=order))

    def _order(self, command: Place) -> Order:
        request = command.request
        return Order(
            symbol=request.symbol,
            client_order_id=request.client_order_id,
            exchange_order_id=str(1_000 + command.token),
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            price_ticks=request.price_ticks,
            lots=request.lots,
            state=OrderState.LIVE,
            updated_time_ns=5,
            instrument_revision=1,
        )

    async def set_leverage(self, symbol: str, leverage: int) -> Position:
        return Position(symbol=symbol, lots=0, leverage=leverage)

    # ---- queries

    async def order(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        self.queries += 1
        if self.queries_fail:
            raise UnavailableError(ErrorReason.VENUE_UNAVAILABLE, "503")
        if client_order_id not in self.orders_there:
            raise NotFoundError(ErrorReason.UNKNOWN_ORDER, "no such order")
        return self.orders_there[client_order_id]

    async def open_orders(self, symbol: str = "") -> list[Order]:
        if self.queries_fail:
            raise UnavailableError(ErrorReason.VENUE_UNAVAILABLE, "the venue answered 503 Service Unavailable")
        return [order for order in self.orders_there.values() if not order.state.is_terminal]

    async def accounts(self) -> list[Account]:
        money = Decimal(1_000)
        return [Account(asset="USDT", wallet_balance=money, available_balance=money, margin_balance=money)]

    async def positions(self, symbol: str = "") -> list[Position]:
        return [self.position]

    async def fills(
        self, symbol: str, since_time_ns: int, after_trade_id: str, limit: int, page_token: str = ""
    ) -> FillPage:
        return FillPage([])

    async def cash_flows(self, symbol: str, since_time_ns: int, limit: int, page_token: str = "") -> CashFlowPage:
        return CashFlowPage([])

    async def refresh_instruments(self) -> None:
        pass

    async def candles(self, symbol: str, interval_ms: int, limit: int, end_time_ms: int) -> list[Candle]:
        return []

    async def ticker(self, symbol: str) -> TickerStats:
        return TickerStats(
            symbol=symbol, last_ticks=600_000, open_ticks=0, volume_lots=0, turnover_ticks_lots=0, venue_time_ms=1
        )

    async def funding(self, symbol: str) -> FundingTerms:
        raise UnavailableError(ErrorReason.FEED_STALE, "no mark yet")

    async def funding_history(self, symbol: str, limit: int) -> list[FundingSettlement]:
        return []

    async def open_interest_lots(self, symbol: str) -> int:
        raise UnsupportedError(ErrorReason.NOT_SUPPORTED, "this venue publishes no open interest")
