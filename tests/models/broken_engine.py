"""An engine that does everything wrong: a seeded client with a `trade` token that tries to get past the caps.

It speaks the real gRPC, on Trade streams and by unary calls: absurd prices and sizes, floods, duplicates, amendments
upward, batches, wrong revisions, streams opened and dropped, several engines with one tag, bytes that are no message.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import grpc

from opensqt.domain.client_id import ClientOrderId
from opensqt.domain.errors import OpensqtError
from opensqt.domain.order import Side
from opensqt.proto import exchange_pb2, exchange_pb2_grpc, resources_pb2, trade_pb2, types_pb2
from opensqt.runtime.grpc_client import to_typed_error

SYMBOL = "BTC/USDT:USDT"
MAX_INT64 = 2**63 - 1
TICK, STEP = 0.1, 0.001
CALL_S = 5.0
CAPPED_ORDERS = 15
"""More than a connector lets rest at once here."""
_BUY, _SELL = types_pb2.ORDER_SIDE_BUY, types_pb2.ORDER_SIDE_SELL


class BrokenEngine:
    """One attacker.

    Args:
        address: of the connector.
        token: with the role `trade`.
        seed: of everything it does.
        name: of the engine it pretends to be.
    """

    def __init__(self, address: str, token: str, seed: int, name: str) -> None:
        self._address = address
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._rng = Random(seed)
        self._name = name
        self._tag = f"e{seed % 100}"
        self._mark_ticks = 0
        self._ids: list[str] = []
        self._live: list[str] = []
        self._sequence = 0
        self._epoch = 1
        self.counts: Counter[str] = Counter()
        self.vetoes: Counter[str] = Counter()
        self.unexpected: list[str] = []

    async def rage(self, seconds: float) -> None:
        """Attack for a while."""
        async with grpc.aio.insecure_channel(self._address) as channel:
            self._stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            self._channel = channel
            await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while True:
                        ways = (self._stream, self._stream, self._stream, self._unary, self._unary, self._garbage)
                        await self._rng.choice(ways)()

    async def grow(self) -> None:
        """Try to make one resting order larger and larger by small amendments."""
        async with self._alone():
            price_ticks = int(self._mark_ticks * 1.01)
            place = resources_pb2.PlaceOrderRequest(
                symbol=SYMBOL, side=_SELL, type=types_pb2.ORDER_TYPE_LIMIT, time_in_force=1, client_order_id="grows"
            )
            place.quantity.value, place.price.value = "0.002", f"{price_ticks * TICK:.1f}"
            await self._call("PlaceOrder", place)
            for lots in range(3, 12):
                amend = exchange_pb2.AmendOrderRequest(symbol=SYMBOL, client_order_id="grows")
                amend.quantity.value, amend.price.value = f"{lots * STEP:.3f}", place.price.value
                await self._call("AmendOrder", amend)

    async def turn(self) -> None:
        """Try to open on the room that a position the other way seems to make, and then close that position."""
        async with self._alone():
            for _ in range(20):  # whatever the position is, it gets as short as the cap allows
                await self._call("PlaceOrder", self._market_message(_SELL, lots=5))
                await asyncio.sleep(0.1)
            price = f"{int(self._mark_ticks * 0.99) * TICK:.1f}"
            for _ in range(CAPPED_ORDERS):
                buy = self._market_message(_BUY, lots=6)
                buy.type, buy.time_in_force, buy.price.value = types_pb2.ORDER_TYPE_LIMIT, 1, price
                await self._call("PlaceOrder", buy)
            for _ in range(10):
                await self._call("PlaceOrder", self._market_message(_BUY, lots=5, reduce_only=True))
                await asyncio.sleep(0.1)

    async def crowd(self) -> None:
        """Try to let more orders rest than may: small ones, apart in time, on the side that has room and the other."""
        async with self._alone():
            for side, away in ((_BUY, 0.9975), (_SELL, 1.0025)):
                for _ in range(CAPPED_ORDERS):
                    order = self._market_message(side, lots=2)
                    order.type, order.time_in_force = types_pb2.ORDER_TYPE_LIMIT, 1
                    order.price.value = f"{int(self._mark_ticks * away) * TICK:.1f}"
                    await self._call("PlaceOrder", order)
                    await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Be connected, with the mark known, no order left and the rate's second over."""
        async with grpc.aio.insecure_channel(self._address) as channel:
            self._stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            await self._look()
            await self._call("CancelAllOrders", exchange_pb2.CancelAllOrdersRequest(symbol=SYMBOL))
            await asyncio.sleep(1.5)
            yield

    # ---- ways

    async def _stream(self) -> None:
        """Hold a Trade stream for a while, or drop it at once."""
        await self._look()
        call = self._stub.Trade(metadata=self._metadata)
        reader = asyncio.ensure_future(self._read(call))
        try:
            await call.write(trade_pb2.TradeRequest(hello=self._hello()))
            for _ in range(self._rng.choice((0, 1, 5, 20, 40))):
                if reader.done():
                    break
                await call.write(self._request())
                await asyncio.sleep(self._rng.choice((0.0, 0.0, 0.01, 0.05)))
            if self._rng.random() < 0.3:
                await call.done_writing()
                await asyncio.sleep(0.05)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            self.counts["stream broke"] += 1
        finally:
            call.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            self.counts["streams"] += 1

    async def _read(self, call: Any) -> None:
        try:
            async for event in call:
                for item in event.items:
                    if item.HasField("result"):
                        self._note(item.result)
        except grpc.aio.AioRpcError as error:
            self._judge(error)

    async def _unary(self) -> None:
        rng = self._rng
        await self._look()
        calls: list[Any] = []
        for _ in range(rng.choice((1, 1, 5, 30))):
            kind = rng.random()
            if kind < 0.55:
                calls.append(self._call("PlaceOrder", self._place_message()))
            elif kind < 0.75:
                batch = [self._place_message() for _ in range(rng.choice((1, 5, 40, 201)))]
                calls.append(self._call("BatchPlaceOrders", exchange_pb2.BatchPlaceOrdersRequest(orders=batch)))
            elif kind < 0.88:
                calls.append(self._call("AmendOrder", self._amend_message()))
            else:
                request = exchange_pb2.CancelOrderRequest(symbol=SYMBOL, client_order_id=self._known())
                calls.append(self._call("CancelOrder", request))
        await asyncio.gather(*calls)

    async def _garbage(self) -> None:
        """Send bytes that are no message, or are one of another kind."""
        rpc = self._rng.choice(("PlaceOrder", "BatchPlaceOrders", "AmendOrder", "CancelAllOrders"))
        method = self._channel.unary_unary(
            f"/opensqt.market_maker.v1.ExchangeService/{rpc}",
            request_serializer=bytes,
            response_deserializer=bytes,
        )
        data = self._rng.randbytes(self._rng.choice((0, 1, 20, 3_000)))
        self.counts["garbage"] += 1
        try:
            await method(data, metadata=self._metadata, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            self._judge(error)

    async def _call(self, rpc: str, request: Any) -> None:
        self.counts[rpc] += 1
        try:
            reply = await getattr(self._stub, rpc)(request, metadata=self._metadata, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            self._judge(error)
            return
        if isinstance(reply, resources_pb2.Order):
            self._live = [*self._live[-20:], reply.client_order_id]
        for problem in getattr(reply, "errors", ()):
            self._veto(problem.error_message)

    async def _look(self) -> None:
        """Learn the mark, so that some of what is sent is nearly sensible."""
        request = exchange_pb2.GetLatestPriceRequest(symbol=SYMBOL)
        with contextlib.suppress(grpc.aio.AioRpcError):
            reply = await self._stub.GetLatestPrice(request, metadata=self._metadata, timeout=CALL_S)
            self._mark_ticks = round(float(reply.price.value) / TICK)

    # ---- what is sent

    def _hello(self) -> trade_pb2.TradeHello:
        rng = self._rng
        self._epoch += rng.choice((0, 0, 1))
        fields: dict[str, Any] = {
            "engine_id": self._name,
            "lease_epoch": self._epoch,
            "symbols": [SYMBOL],
            "on_vanish": rng.choice((1, 2, 2, 2, 3)),
            "vanish_grace_ms": rng.choice((0, 1_000, 60_000)),
            "bots": [trade_pb2.BotLease(bot_tag=self._tag, epoch=self._epoch)],
        }
        if rng.random() < 0.4:
            odd: dict[str, tuple[Any, ...]] = {
                "engine_id": ("engine-1", "", "x" * 100),
                "lease_epoch": (0, -1, MAX_INT64, max(1, self._epoch - 1)),
                "symbols": ([SYMBOL, SYMBOL], [], ["NOPE"]),
                "on_vanish": (0, 9),
                "vanish_grace_ms": (-1, MAX_INT64),
                "bots": (
                    [trade_pb2.BotLease(bot_tag="good", epoch=rng.choice((1, 2, self._epoch)))],
                    [trade_pb2.BotLease(bot_tag="!", epoch=1)],
                    [trade_pb2.BotLease(bot_tag=self._tag, epoch=rng.choice((0, MAX_INT64)))],
                    [],
                ),
            }
            name = rng.choice(list(odd))
            fields[name] = rng.choice(odd[name])
        return trade_pb2.TradeHello(**fields)

    def _request(self) -> trade_pb2.TradeRequest:
        rng = self._rng
        if rng.random() < 0.03:
            request = trade_pb2.SetLeverageRequest(symbol=SYMBOL, leverage=rng.choice((0, 1, 5, 10, 126, -3)))
            return trade_pb2.TradeRequest(set_leverage=request)
        if rng.random() < 0.05:
            return trade_pb2.TradeRequest(heartbeat=trade_pb2.Heartbeat(sent_ns=rng.choice((0, -1, MAX_INT64))))
        commands = [self._command() for _ in range(rng.choice((1, 1, 2, 10, 60)))]
        return trade_pb2.TradeRequest(commands=trade_pb2.CommandBatch(commands=commands))

    def _command(self) -> trade_pb2.Command:
        rng = self._rng
        kind, name = rng.random(), self._known()
        command = trade_pb2.Command(command_id=rng.choice((0, 1, rng.randrange(MAX_INT64))))
        self.counts["commands"] += 1
        if kind < 0.5:
            command.place.CopyFrom(self._place())
        elif kind < 0.75:
            command.amend.CopyFrom(
                trade_pb2.AmendCommand(
                    symbol=SYMBOL,
                    instrument_revision=rng.choice((1, 1, 1, 1, 2)),
                    client_order_id=name,
                    price_ticks=self._price() if rng.random() < 0.5 else int(self._mark_ticks * 0.997),
                    total_lots=self._size() if rng.random() < 0.5 else rng.choice((2, 3, 4, 5, 6)),
                )
            )
        elif kind < 0.97:
            command.cancel.CopyFrom(trade_pb2.CancelCommand(symbol=SYMBOL, client_order_id=name))
        elif kind < 0.98:
            command.cancel_all.CopyFrom(
                trade_pb2.CancelAllCommand(symbol=SYMBOL, bot_tag=rng.choice((self._tag, "#", "")))
            )
        elif kind < 0.99:
            command.query.CopyFrom(trade_pb2.QueryCommand(symbol=SYMBOL, client_order_id=name))
        return command

    def _place(self) -> trade_pb2.PlaceCommand:
        rng = self._rng
        is_market = rng.random() < 0.15
        return trade_pb2.PlaceCommand(
            symbol=rng.choice((SYMBOL,) * 20 + ("", "NOPE")),
            instrument_revision=rng.choice((1,) * 10 + (0, 2, -1)),
            side=rng.choice((_BUY, _BUY, _BUY, _SELL)),
            type=types_pb2.ORDER_TYPE_MARKET if is_market else types_pb2.ORDER_TYPE_LIMIT,
            time_in_force=rng.choice((2, 2, 1)) if is_market else rng.choice((1, 1, 1, 2, 3, 4, 0)),
            price_ticks=0 if is_market else self._price(),
            lots=self._size(),
            reduce_only=rng.random() < 0.05,
            post_only=rng.random() < 0.05,
            client_order_id=self._new_id(),
        )

    def _place_message(self) -> resources_pb2.PlaceOrderRequest:
        place = self._place()
        message = resources_pb2.PlaceOrderRequest(
            symbol=place.symbol,
            side=place.side,
            type=place.type,
            time_in_force=place.time_in_force,
            reduce_only=place.reduce_only,
            client_order_id=place.client_order_id,
        )
        message.quantity.value = self._text(place.lots * STEP)
        if place.price_ticks:
            message.price.value = self._text(place.price_ticks * TICK)
        return message

    def _market_message(self, side: int, lots: int, *, reduce_only: bool = False) -> resources_pb2.PlaceOrderRequest:
        message = resources_pb2.PlaceOrderRequest(
            symbol=SYMBOL,
            side=side,
            type=types_pb2.ORDER_TYPE_MARKET,
            time_in_force=2,
            reduce_only=reduce_only,
            client_order_id=self._new_id(),
        )
        message.quantity.value = f"{lots * STEP:.3f}"
        return message

    def _amend_message(self) -> exchange_pb2.AmendOrderRequest:
        message = exchange_pb2.AmendOrderRequest(symbol=SYMBOL, client_order_id=self._known())
        message.quantity.value = self._text(self._size() * STEP)
        message.price.value = self._text(self._price() * TICK)
        return message

    def _text(self, number: float) -> str:
        odd = ("NaN", "Infinity", "1e308", "-1", "", "0", "one", "1" * 300)
        return self._rng.choice(odd) if self._rng.random() < 0.05 else f"{number:.3f}"

    def _price(self) -> int:
        rng = self._rng
        if rng.random() < 0.05:
            return rng.choice((0, -1, 1, MAX_INT64, -MAX_INT64))
        return max(1, self._mark_ticks + int(rng.gauss(0, 0.004) * self._mark_ticks))

    def _size(self) -> int:
        rng = self._rng
        return rng.choice((0, -1, MAX_INT64, 10**6)) if rng.random() < 0.05 else rng.choice((1, 1, 2, 3, 5, 7, 8, 12))

    def _new_id(self) -> str:
        rng = self._rng
        if self._ids and rng.random() < 0.1:
            return rng.choice(self._ids)
        if rng.random() < 0.03:
            return rng.choice(("", "no blanks please", "x" * 200, "\u20ac", "oqgoodZ"))
        self._sequence += 1
        made = ClientOrderId(
            rng.choice((self._tag, "good")), self._epoch, 1, Side.BUY, rng.randrange(10**6) * 1000 + self._sequence
        )
        name = rng.choice((str(made), f"free{rng.randrange(10**9)}"))
        self._ids = [*self._ids[-200:], name]
        return name

    # ---- what comes back

    def _note(self, result: trade_pb2.CommandResult) -> None:
        self.counts[f"outcome {trade_pb2.CommandOutcome.Name(result.outcome)[16:].lower()}"] += 1
        if result.outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED:
            self._live = [*self._live[-20:], result.client_order_id]
        self._veto(result.message)

    def _known(self) -> str:
        """Return an id: mostly of an order that was accepted."""
        ids = self._live if self._live and self._rng.random() < 0.8 else self._ids
        return self._rng.choice(ids) if ids else "nobody"

    def _veto(self, message: str) -> None:
        if message.startswith("the connector's cap "):
            self.vetoes[message.split()[3]] += 1

    def _judge(self, error: grpc.aio.AioRpcError) -> None:
        if error.code() is grpc.StatusCode.CANCELLED or error.details() == "Internal error from Core":
            return  # our own side: the call was dropped while it was used
        typed = to_typed_error(error)
        self.counts[f"error {typed.reason.value}"] += 1
        self._veto(typed.message)
        is_internal = error.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)
        if not isinstance(typed, OpensqtError) or is_internal:
            self.unexpected.append(f"{error.code()}: {error.details()}")
