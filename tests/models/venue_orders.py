"""Orders that fit any venue: prices and sizes made from its own filters."""

import itertools
import time
from decimal import Decimal
from typing import Any

from models.connector_rig import Client

from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import resources_pb2, trade_pb2, types_pb2

_numbers = itertools.count(1)
_run = f"{time.time_ns() // 1_000_000:x}"


def new_id() -> str:
    """Return a client id that was never used, in the charset every venue takes."""
    return f"t{_run}n{next(_numbers)}"


class Maker:
    """Makes orders of one symbol."""

    def __init__(self, client: Client, info: resources_pb2.SymbolInfo) -> None:
        self._client = client
        self.info = info
        self.tick = Decimal(info.tick_size.value)
        self.step = Decimal(info.step_size.value)

    @classmethod
    async def of(cls, client: Client, symbol: str) -> "Maker":
        return cls(client, await client.info(symbol))

    async def last(self) -> Decimal:
        reply = await self._client.call("GetLatestPrice", pb.GetLatestPriceRequest(symbol=self.info.symbol))
        return Decimal(reply.price.value)

    async def price(self, factor: str = "0.98") -> Decimal:
        """Return a price on the tick, away from the last by a factor."""
        return (await self.last() * Decimal(factor)) // self.tick * self.tick

    def quantity(self, price: Decimal, times: int = 3) -> Decimal:
        """Return a size of a few times the smallest notional."""
        smallest = max(Decimal(self.info.min_quantity.value), Decimal(self.info.min_notional.value) / price)
        return (smallest * times // self.step + 1) * self.step

    async def order(self, factor: str = "0.98", **changes: Any) -> resources_pb2.PlaceOrderRequest:
        """Return a post-only buy that rests below the market."""
        price = await self.price(factor)
        fields: dict[str, Any] = {
            "symbol": self.info.symbol,
            "side": types_pb2.ORDER_SIDE_BUY,
            "type": types_pb2.ORDER_TYPE_LIMIT,
            "time_in_force": types_pb2.TIME_IN_FORCE_GTX,
            "client_order_id": new_id(),
            **changes,
        }
        message = resources_pb2.PlaceOrderRequest(**fields)
        if not message.quantity.value:
            message.quantity.value = format(self.quantity(price), "f")
        if not message.price.value and message.type == types_pb2.ORDER_TYPE_LIMIT:
            message.price.value = format(price, "f")
        return message

    async def market(self, side: types_pb2.OrderSide.ValueType, **changes: Any) -> resources_pb2.PlaceOrderRequest:
        """Return a market order."""
        return await self.order(
            side=side, type=types_pb2.ORDER_TYPE_MARKET, time_in_force=types_pb2.TIME_IN_FORCE_IOC, **changes
        )

    async def command(self, client_order_id: str, factor: str = "0.98") -> trade_pb2.Command:
        """Return a placement for the Trade stream."""
        price = await self.price(factor)
        return trade_pb2.Command(
            place=trade_pb2.PlaceCommand(
                symbol=self.info.symbol,
                instrument_revision=self.info.revision,
                side=types_pb2.ORDER_SIDE_BUY,
                type=types_pb2.ORDER_TYPE_LIMIT,
                time_in_force=types_pb2.TIME_IN_FORCE_GTX,
                price_ticks=int(price / self.tick),
                lots=int(self.quantity(price) / self.step),
                client_order_id=client_order_id,
            )
        )
