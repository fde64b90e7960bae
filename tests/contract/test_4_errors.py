"""Conformance, part 4: every refusal has its reason."""

from decimal import Decimal
from typing import Any

import pytest
from models.venue_orders import Maker

from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.proto import exchange_pb2 as pb


async def reason_of(venue: Any, rpc: str, request: Any) -> ErrorReason:
    with pytest.raises(OpensqtError) as raised:
        await venue.client.call(rpc, request)
    return raised.value.reason


async def test_401_off_tick_price(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    request.price.value = format(Decimal(request.price.value) + maker.tick / 2, "f")
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.FILTER_REJECTED


async def test_402_size_off_the_step_and_below_the_minimum(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    request.quantity.value = format(maker.step / 2, "f")
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.FILTER_REJECTED
    request.quantity.value = format(maker.step, "f")
    if Decimal(request.price.value) * maker.step < Decimal(maker.info.min_notional.value):
        assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.MIN_NOTIONAL


async def test_403_duplicate_client_id_in_any_state(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    await venue.client.call("PlaceOrder", request)
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.DUPLICATE_CLIENT_ID
    cancel = pb.CancelOrderRequest(symbol=venue.symbol, client_order_id=request.client_order_id)
    await venue.client.call("CancelOrder", cancel)
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.DUPLICATE_CLIENT_ID


async def test_404_post_only_that_would_cross(venue: Any) -> None:
    venue.needs("post_only")
    maker = await Maker.of(venue.client, venue.symbol)
    assert await reason_of(venue, "PlaceOrder", await maker.order("1.01")) is ErrorReason.POST_ONLY_WOULD_CROSS


async def test_405_unknown_order(venue: Any) -> None:
    query = pb.GetOrderRequest(symbol=venue.symbol, client_order_id="nobody1")
    assert await reason_of(venue, "GetOrder", query) is ErrorReason.UNKNOWN_ORDER
    cancel = pb.CancelOrderRequest(symbol=venue.symbol, client_order_id="nobody1")
    assert await reason_of(venue, "CancelOrder", cancel) is ErrorReason.UNKNOWN_ORDER


async def test_406_more_than_the_account_can_carry(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    account = await venue.client.call("GetAccount", pb.GetAccountRequest())
    price = await maker.price()
    worth = Decimal(account.available_balance.value) * account.account_leverage
    quantity = worth * Decimal("0.7") / price // maker.step * maker.step
    first, second = await maker.order(), await maker.order()
    first.quantity.value = second.quantity.value = format(quantity, "f")
    await venue.client.call("PlaceOrder", first)
    assert await reason_of(venue, "PlaceOrder", second) is ErrorReason.INSUFFICIENT_MARGIN
