"""Asking the connector, beside the ordered stream, for what the venue lists; and for the last resort on a symbol.

An answer that failed, or that cannot be read, is an error and never an empty list.
"""

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, final

import structlog

from opensqt.domain.account import Position
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.convert_trade import read_decimal
from opensqt.domain.errors import OpensqtError
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.domain.wire_enum import read_enum
from opensqt.engine.commands import Ask, AskKind
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Event, VenueRead
from opensqt.proto import exchange_pb2, resources_pb2
from opensqt.runtime.grpc_client import call

if TYPE_CHECKING:
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

ANSWER_S = 5.0

_log = structlog.get_logger(__name__)


@final
class VenueReader:
    """Carries asks out, each at most once at a time.

    Args:
        core: knows the instruments.
        stub: the connector's unary calls.
        take: hands the answers to the core.
    """

    def __init__(self, core: EngineCore, stub: "ExchangeServiceAsyncStub", take: Callable[[list[Event]], None]) -> None:
        self._core = core
        self._stub = stub
        self._take = take
        self._under_way: dict[Ask, asyncio.Task[None]] = {}

    def ask(self, asks: Iterable[Ask]) -> None:
        """Begin what is not under way yet."""
        for ask in asks:
            if ask not in self._under_way:
                task = asyncio.get_running_loop().create_task(self._carry_out(ask))
                self._under_way[ask] = task
                task.add_done_callback(lambda _task, ask=ask: self._under_way.pop(ask, None))  # type: ignore[misc]

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry_out(self, ask: Ask) -> None:
        if ask.kind is AskKind.READ:
            self._take([await self.read(ask.symbol)])
            return
        request = exchange_pb2.CancelAllOrdersRequest(symbol=ask.symbol)
        try:
            await call(self._stub.CancelAllOrders, request, timeout_s=ANSWER_S)
        except OpensqtError as error:
            _log.warning("cancel_all_failed", symbol=ask.symbol, error=str(error))

    async def read(self, symbol: str) -> VenueRead:
        """Return open orders and position of a symbol, or why they could not be read."""
        bot = self._core.by_symbol.get(symbol)
        instrument = bot.instrument if bot is not None else None
        if instrument is None:
            return VenueRead(symbol=symbol, error="the instrument is not known")
        try:
            orders = await call(
                self._stub.GetOpenOrders, exchange_pb2.GetOpenOrdersRequest(symbol=symbol), timeout_s=ANSWER_S
            )
            positions = await call(
                self._stub.GetPositions, exchange_pb2.GetPositionsRequest(symbol=symbol), timeout_s=ANSWER_S
            )
            return VenueRead(
                symbol=symbol,
                orders=tuple(order_of_message(item, instrument) for item in orders.orders if item.symbol == symbol),
                position=_position(positions.positions, instrument),
            )
        except OpensqtError as error:
            return VenueRead(symbol=symbol, error=f"{error.reason.value}: {error.message}")


def order_of_message(message: resources_pb2.Order, instrument: Instrument) -> Order:
    """Read an open order. Raises RequestError."""
    filled = read_decimal(message.executed_qty, "executed_qty") if message.executed_qty.value else Decimal(0)
    filled_lots = instrument.quantity_to_lots(filled) if filled else 0
    price = read_decimal(message.price, "price") if message.price.value else Decimal(0)
    return Order(
        symbol=message.symbol,
        client_order_id=message.client_order_id,
        exchange_order_id=message.exchange_order_id or (str(message.order_id) if message.order_id else ""),
        side=read_enum(Side, message.side, "side"),
        type=read_enum(OrderType, message.type, "type"),
        time_in_force=read_enum(TimeInForce, message.time_in_force or int(TimeInForce.GTC), "time_in_force"),
        price_ticks=instrument.price_to_ticks(price) if price > 0 else 0,
        lots=instrument.quantity_to_lots(read_decimal(message.quantity, "quantity")),
        filled_lots=filled_lots,
        reduce_only=message.reduce_only,
        state=OrderState.PARTIALLY_FILLED if filled_lots else OrderState.LIVE,
        updated_time_ns=message.update_time * NS_PER_MS,
        instrument_revision=instrument.revision,
    )


def _position(positions: Iterable[resources_pb2.Position], instrument: Instrument) -> Position:
    """Return the symbol's position; one that is left out is flat."""
    for item in positions:
        if item.symbol == instrument.symbol:
            size = read_decimal(item.size, "size") if item.size.value else Decimal(0)
            lots = instrument.quantity_to_lots(abs(size)) if size else 0
            return Position(
                symbol=item.symbol,
                lots=lots if size >= 0 else -lots,
                entry_price=read_decimal(item.entry_price, "entry_price") if item.entry_price.value else Decimal(0),
                leverage=item.leverage,
                margin_type=item.margin_type or "cross",
                venue_time_ns=item.update_time * NS_PER_MS,
            )
    return Position(symbol=instrument.symbol, lots=0, leverage=0)
