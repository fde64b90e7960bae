"""The kill switch's long arm: only the venue's answers count, and nothing that is not ours is touched."""

import asyncio
from decimal import Decimal
from typing import Any

import grpc
import pytest
from grpc import aio
from models.manual_time import ManualTime

from opensqt.domain.client_id import ClientOrderId, parse_client_order_id
from opensqt.domain.order import Side
from opensqt.engine.kill_switch import KillSwitch, KillTarget, describe, is_clean
from opensqt.proto import exchange_pb2, resources_pb2, types_pb2

SYMBOL = "ETH/USDT:USDT"
TARGET = KillTarget("eth", SYMBOL, "eth1", 7)


def own(slot: int) -> str:
    return str(ClientOrderId("eth1", 7, slot, Side.BUY, slot + 1))


def broken(code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> aio.AioRpcError:
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), "broken")


class Stub:
    """The connector's unary calls over a little account; `fail` makes the next calls of a name fail."""

    def __init__(self, ids: list[str], position: str = "0") -> None:
        self.open = list(ids)
        self.position = Decimal(position)
        self.fail: dict[str, int] = {}
        self.stubborn = False
        self.depth = Decimal(10)
        self.placed: list[resources_pb2.PlaceOrderRequest] = []
        self.cancelled: list[str] = []
        self.lose_replies = 0
        self.late: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def method(request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109  gRPC's own signature
            if self.fail.get(name):
                self.fail[name] -= 1
                raise broken()
            return getattr(self, f"_{name}")(request)

        if name.startswith("_"):
            raise AttributeError(name)
        return method

    def _GetOpenOrders(self, request: exchange_pb2.GetOpenOrdersRequest) -> exchange_pb2.GetOpenOrdersResponse:
        assert request.symbol == SYMBOL
        shown = [resources_pb2.Order(client_order_id=one, exchange_order_id=f"x{one}") for one in self.open]
        if self.late:
            self.open.append(self.late.pop())
        return exchange_pb2.GetOpenOrdersResponse(orders=shown)

    def _BatchCancelOrders(self, request: Any) -> exchange_pb2.BatchCancelOrdersResponse:
        for one in request.client_order_ids:
            self.cancelled.append(one)
            if not self.stubborn and one in self.open:
                self.open.remove(one)
        return exchange_pb2.BatchCancelOrdersResponse()

    def _GetPositions(self, _request: Any) -> exchange_pb2.GetPositionsResponse:
        position = resources_pb2.Position(symbol=SYMBOL)
        position.size.value = str(self.position)
        position.mark_price.value = "3000"
        return exchange_pb2.GetPositionsResponse(positions=[position])

    def _GetSymbolInfo(self, _request: Any) -> resources_pb2.SymbolInfo:
        info = resources_pb2.SymbolInfo(symbol=SYMBOL)
        info.tick_size.value = "0.01"
        info.max_quantity.value = "100"
        return info

    def _PlaceOrder(self, request: resources_pb2.PlaceOrderRequest) -> resources_pb2.Order:
        self.placed.append(request)
        sign = 1 if request.side == types_pb2.ORDER_SIDE_BUY else -1
        self.position += sign * min(Decimal(request.quantity.value), self.depth, abs(self.position))
        if self.lose_replies:
            self.lose_replies -= 1
            raise broken(grpc.StatusCode.DEADLINE_EXCEEDED)
        return resources_pb2.Order(client_order_id=request.client_order_id)

    def _GetOrder(self, request: exchange_pb2.GetOrderRequest) -> resources_pb2.Order:
        return resources_pb2.Order(client_order_id=request.client_order_id, status=types_pb2.ORDER_STATUS_EXPIRED)


async def kill(stub: Stub, *, flatten: bool = False, everything: bool = False) -> tuple[Any, bool]:
    time = ManualTime()
    arm = KillSwitch(stub, time.clock, patience_s=3, collar_bps=100)  # type: ignore[arg-type]
    with time.sleeping():
        killed = await arm.kill(TARGET, flatten=flatten, everything=everything)
    return killed, is_clean([killed], flatten=flatten, everything=everything)


async def test_only_our_own_orders_are_cancelled_and_that_is_verified() -> None:
    other = str(ClientOrderId("eth2", 1, 0, Side.BUY, 1))
    stub = Stub([own(0), own(1), "manual", other])
    killed, clean = await kill(stub)
    assert clean
    assert set(stub.cancelled) == {own(0), own(1)}
    assert (killed.cancelled, killed.own_orders_left, killed.foreign_orders_left) == (2, 0, 2)


async def test_everything_cancels_orders_of_others_too() -> None:
    stub = Stub([own(0), "manual"])
    _killed, clean = await kill(stub, everything=True)
    assert clean
    assert stub.open == []


async def test_an_order_that_lands_after_the_first_empty_read_is_found() -> None:
    stub = Stub([])
    stub.late = [own(5)]
    killed, clean = await kill(stub)
    assert clean
    assert stub.cancelled == [own(5)]
    assert killed.cancelled == 1


async def test_cancels_and_queries_that_fail_are_repeated() -> None:
    stub = Stub([own(0)])
    stub.fail = {"GetOpenOrders": 2, "BatchCancelOrders": 2}
    _killed, clean = await kill(stub)
    assert clean


async def test_a_venue_that_does_not_answer_is_not_verified() -> None:
    stub = Stub([own(0)])
    stub.fail = {"GetOpenOrders": 10_000}
    killed, clean = await kill(stub)
    assert not clean
    assert not killed.is_verified
    assert "NOT verified" in describe(killed)


async def test_orders_that_stay_open_are_said_to_be_left() -> None:
    stub = Stub([own(0)])
    stub.stubborn = True
    killed, clean = await kill(stub)
    assert not clean
    assert killed.is_verified
    assert killed.own_orders_left == 1


@pytest.mark.parametrize(("position", "side", "price"), [("2.5", "SELL", "2970.00"), ("-2.5", "BUY", "3030.00")])
async def test_flattening_closes_either_side_reduce_only_inside_the_collar(
    position: str, side: str, price: str
) -> None:
    stub = Stub([own(0)], position)
    stub.depth = Decimal(1)
    killed, clean = await kill(stub, flatten=True)
    assert clean
    assert stub.position == 0
    assert [request.quantity.value for request in stub.placed] == ["2.5", "1.5", "0.5"]
    for request in stub.placed:
        assert request.reduce_only
        assert request.type == types_pb2.ORDER_TYPE_LIMIT
        assert request.time_in_force == types_pb2.TIME_IN_FORCE_IOC
        assert types_pb2.OrderSide.Name(request.side) == f"ORDER_SIDE_{side}"
        assert Decimal(request.price.value) == Decimal(price)
        parsed = parse_client_order_id(request.client_order_id)
        assert parsed is not None
        assert parsed.bot_tag == "eth1"
    assert len({request.client_order_id for request in stub.placed}) == 3
    assert Decimal(killed.position_left.value) == 0


async def test_a_lost_reply_is_settled_by_asking_and_never_sent_again() -> None:
    stub = Stub([], "1")
    stub.lose_replies = 1
    _killed, clean = await kill(stub, flatten=True)
    assert clean
    assert len(stub.placed) == 1


async def test_without_flatten_the_position_stays() -> None:
    stub = Stub([own(0)], "1")
    killed, clean = await kill(stub)
    assert clean
    assert stub.placed == []
    assert killed.position_left.value == "1"


async def test_a_position_that_cannot_be_closed_is_said_to_be_left() -> None:
    stub = Stub([], "1")
    stub.depth = Decimal(0)
    killed, clean = await kill(stub, flatten=True)
    assert not clean
    assert killed.position_left.value == "1"


async def test_nothing_is_closed_while_orders_of_ours_are_open() -> None:
    stub = Stub([own(0)], "1")
    stub.stubborn = True
    await kill(stub, flatten=True)
    assert stub.placed == []
    await asyncio.sleep(0)
