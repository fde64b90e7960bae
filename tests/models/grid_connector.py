"""A scripted connector: the model venue behind a real gRPC server, with the faults a session can have."""

import asyncio
import struct
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import grpc
from grpc import aio
from models.grid_venue import SYMBOL, Venue

from opensqt.domain import convert_trade as convert
from opensqt.domain.account import Account, Position
from opensqt.domain.convert_exchange import order_message
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.order import Order
from opensqt.domain.wire_enum import reason_to_wire
from opensqt.engine.commands import Cancel, Place, Query, SetLeverage
from opensqt.engine.events import Event, Result
from opensqt.proto import exchange_pb2, market_data_pb2, resources_pb2, trade_pb2, types_pb2
from opensqt.proto.exchange_pb2_grpc import ExchangeServiceServicer, add_ExchangeServiceServicer_to_server


def item_of(event: Event) -> trade_pb2.TradeItem:
    if isinstance(event, Order):
        return trade_pb2.TradeItem(order=convert.order_to_wire(event))
    if isinstance(event, Fill):
        return trade_pb2.TradeItem(fill=convert.fill_to_wire(event))
    if isinstance(event, Position):
        return trade_pb2.TradeItem(position=convert.position_to_wire(event))
    if isinstance(event, Account):
        return trade_pb2.TradeItem(account=convert.account_to_wire(event))
    if isinstance(event, CashFlow):
        return trade_pb2.TradeItem(cash_flow=convert.cash_flow_to_wire(event))
    assert isinstance(event, Result), event
    return trade_pb2.TradeItem(
        result=trade_pb2.CommandResult(
            command_id=event.command_id,
            client_order_id=event.client_order_id,
            outcome=trade_pb2.CommandOutcome.ValueType(event.outcome.value),
            reason=reason_to_wire(event.reason),
            message=event.message,
            order=convert.order_to_wire(event.order) if event.order else None,
        )
    )


class FakeConnector(ExchangeServiceServicer):
    """Serves the model venue. `hellos` and `batches` say what was asked; `skip_sequence` makes a hole."""

    def __init__(self, venue: Venue, address: str) -> None:
        self.venue = venue
        self.address = address
        self.server: aio.Server | None = None
        self.session_epoch = 0
        self.hellos: list[trade_pb2.TradeHello] = []
        self.batches: list[trade_pb2.CommandBatch] = []
        self.flows: list[CashFlow] = []
        self.read_orders: Any = None
        self.heartbeats = 0
        self.orderly_leaves = 0
        self._echoes: list[trade_pb2.TradeItem] = []
        self.skip_sequence = False
        self.mute = False
        self.stubborn = False
        self.candles: dict[str, list[resources_pb2.Candle]] = {}
        self.candle_news: asyncio.Queue[resources_pb2.Candle] = asyncio.Queue()
        self.histories: list[str] = []
        self.unary_cancels: list[str] = []
        self.truncate_fills = False
        self.refuse_hello: Exception | None = None
        self._wake = asyncio.Event()
        self._sessions = 0
        self._book_wake = asyncio.Event()
        self._book_sequence = 0

    async def start(self) -> None:
        self.session_epoch += 1
        self.server = aio.server()
        add_ExchangeServiceServicer_to_server(self, self.server)
        self.server.add_insecure_port(self.address)
        await self.server.start()

    async def stop(self) -> None:
        assert self.server is not None
        await self.server.stop(0)
        self.server = None

    def changed(self) -> None:
        """Tell the streams that the venue has news."""
        self._wake.set()
        self._book_wake.set()

    def move_price(self, bid: int) -> None:
        self.venue.move_price(bid)
        self.changed()

    def _snapshot(self, since_ns: int) -> trade_pb2.TradeSnapshot:
        state = self.venue.snapshot(self.session_epoch, since_ns)
        fills = state.fills[-1:] if self.truncate_fills else state.fills
        return trade_pb2.TradeSnapshot(
            exchange="model",
            mode="paper",
            instruments=[convert.instrument_to_wire(item) for item in state.instruments],
            open_orders=[convert.order_to_wire(order) for order in state.open_orders],
            positions=[convert.position_to_wire(position) for position in state.positions],
            accounts=[convert.account_to_wire(account) for account in state.accounts],
            fills=[convert.fill_to_wire(fill) for fill in fills],
            venue_time_ns=state.venue_time_ns,
            fills_truncated=self.truncate_fills and len(state.fills) > 1,
        )

    async def Trade(self, requests: Any, context: Any) -> AsyncIterator[trade_pb2.TradeEvent]:
        first = await anext(aiter(requests))
        self.hellos.append(first.hello)
        if self.refuse_hello is not None:
            await context.abort(*self.refuse_hello.args)
        self.venue.events.clear()
        self._sessions += 1
        session = self._sessions
        self.changed()
        snapshot = trade_pb2.TradeItem(snapshot=self._snapshot(first.hello.since_time_ns))
        yield trade_pb2.TradeEvent(session_epoch=self.session_epoch, first_sequence=1, items=[snapshot])
        sequence = 2
        reader = asyncio.create_task(self._read(requests))
        try:
            while True:
                await self._wake.wait()
                if session != self._sessions:
                    return  # an engine that attached again has only its newest session
                self._wake.clear()
                items = [item_of(event) for event in self.venue.events]
                items.extend(self._echoes)
                self._echoes.clear()
                self.venue.events.clear()
                if not items or self.mute:
                    continue
                if self.skip_sequence:
                    self.skip_sequence = False
                    sequence += 1
                yield trade_pb2.TradeEvent(session_epoch=self.session_epoch, first_sequence=sequence, items=items)
                sequence += len(items)
        finally:
            reader.cancel()

    async def _read(self, requests: Any) -> None:
        async for request in requests:
            kind = request.WhichOneof("request")
            if kind == "heartbeat":
                self.heartbeats += 1
                self._echoes.append(trade_pb2.TradeItem(heartbeat=request.heartbeat))
            elif kind == "set_leverage":
                self.venue.execute(SetLeverage(request.set_leverage.symbol, request.set_leverage.leverage))
            elif kind == "commands":
                self.batches.append(request.commands)
                for command in request.commands.commands:
                    self._execute(command)
            self.changed()
        # An engine that vanishes ends its requests, too; the cancellation of this task comes right behind.
        await asyncio.sleep(0.1)
        self.orderly_leaves += 1
        self._sessions += 1
        self.changed()

    def _execute(self, command: trade_pb2.Command) -> None:
        kind = command.WhichOneof("command")
        if kind == "place":
            self.venue.execute(Place(command.command_id, convert.place_from_wire(command.place)))
        elif kind == "cancel":
            asked = command.cancel
            self.venue.execute(Cancel(command.command_id, asked.symbol, asked.client_order_id, asked.exchange_order_id))
        else:
            self.venue.execute(Query(command.command_id, command.query.symbol, command.query.client_order_id))

    async def SubscribeBook(self, request: Any, context: Any) -> AsyncIterator[market_data_pb2.BookUpdates]:
        while True:
            self._book_sequence += 1
            venue = self.venue
            update = market_data_pb2.BookUpdate(
                symbol=SYMBOL,
                kind=market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT,
                validity=types_pb2.BOOK_VALIDITY_VALID,
                last_sequence=self._book_sequence,
                bid_count=1,
                levels=struct.pack("<4q", venue.bid, 100, venue.ask, 100),
            )
            yield market_data_pb2.BookUpdates(session_epoch=self.session_epoch, updates=[update])
            await self._book_wake.wait()
            self._book_wake.clear()

    async def SubscribeTrades(self, request: Any, context: Any) -> AsyncIterator[market_data_pb2.PublicTrades]:
        trade = market_data_pb2.PublicTrade(symbol=SYMBOL, price_ticks=(self.venue.bid + self.venue.ask) // 2, lots=1)
        yield market_data_pb2.PublicTrades(session_epoch=self.session_epoch, trades=[trade])
        await asyncio.Event().wait()

    async def GetOpenOrders(self, request: Any, context: Any) -> exchange_pb2.GetOpenOrdersResponse:
        if self.read_orders is not None:
            return await self.read_orders(request, context)  # type: ignore[no-any-return]
        return exchange_pb2.GetOpenOrdersResponse(
            orders=[order_message(order, self.venue.spec) for order in self.venue.open_orders]
        )

    async def GetPositions(self, request: Any, context: Any) -> exchange_pb2.GetPositionsResponse:
        size = self.venue.spec.lots_to_quantity(self.venue.position)
        position = resources_pb2.Position(
            symbol=SYMBOL,
            size=convert.decimal_message(Decimal(size)),
            entry_price=convert.decimal_message(self.venue.position_record().entry_price),
            leverage=self.venue.leverage,
        )
        return exchange_pb2.GetPositionsResponse(positions=[position])

    async def BatchCancelOrders(self, request: Any, context: Any) -> exchange_pb2.BatchCancelOrdersResponse:
        for client_id in request.client_order_ids:
            self.unary_cancels.append(client_id)
            if not self.stubborn:
                self.venue.execute(Cancel(0, request.symbol, client_id, ""))
        # What unary callers do reaches the stream as news of the order, not as a result.
        results = [event for event in self.venue.events if isinstance(event, Result) and event.command_id == 0]
        for result in results:
            self.venue.events.remove(result)
            if result.order is not None:
                self.venue.events.append(result.order)
        self.changed()
        return exchange_pb2.BatchCancelOrdersResponse()

    async def GetHistoricalKlines(self, request: Any, context: Any) -> exchange_pb2.GetHistoricalKlinesResponse:
        self.histories.append(request.symbol)
        if request.symbol not in self.candles:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{request.symbol} is not served")
        return exchange_pb2.GetHistoricalKlinesResponse(candles=self.candles[request.symbol][-request.limit :])

    async def SubscribeKlines(self, request: Any, context: Any) -> AsyncIterator[resources_pb2.Candle]:
        while True:
            yield await self.candle_news.get()

    async def GetFills(self, request: Any, context: Any) -> exchange_pb2.GetFillsResponse:
        start = int(request.page_token or "0")
        fills = [fill for fill in self.venue.fills if fill.venue_time_ns >= request.since_time_ns]
        page = fills[start : start + 2]
        token = str(start + 2) if start + 2 < len(fills) else ""
        return exchange_pb2.GetFillsResponse(fills=[convert.fill_to_wire(f) for f in page], next_page_token=token)

    async def GetBalance(self, request: Any, context: Any) -> exchange_pb2.GetBalanceResponse:
        return exchange_pb2.GetBalanceResponse(balance=convert.decimal_message(self.venue.wallet))

    async def GetCashFlows(self, request: Any, context: Any) -> exchange_pb2.GetCashFlowsResponse:
        flows = [flow for flow in self.flows if flow.venue_time_ns >= request.since_time_ns]
        return exchange_pb2.GetCashFlowsResponse(cash_flows=[convert.cash_flow_to_wire(flow) for flow in flows])
