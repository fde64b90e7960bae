"""A simulated Binance that is slow: late answers are no refusals, and late data is no data."""

import asyncio
import time
from pathlib import Path

import pytest
from models.binance_rig import trading, until

from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.domain.market import BookValidity
from opensqt.domain.order_state import OrderState


async def test_late_requests_are_waited_for_and_answered_once(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        rig.sim.fault("latency", route="ws-api order.place", ms=400)
        began = time.monotonic()
        placed = await rig.place()
        assert time.monotonic() - began >= 0.4
        assert rig.state(placed.client_order_id) is OrderState.LIVE
        assert rig.core.mirror.open_count(placed.symbol) == 1


async def test_f17_reply_that_comes_too_late_is_an_unknown_outcome_that_evidence_settles(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        rig.sim.fault("reply_latency", route="ws-api order.place", ms=5_000, count=1)
        rig.sim.fault("delay_frame", route="private", ms=4_000, for_ms=3_000)
        request = await (await rig.maker()).order()
        with pytest.raises(OpensqtError) as raised:
            await rig.client.call("PlaceOrder", request)
        assert raised.value.reason is ErrorReason.OUTCOME_UNKNOWN
        await until(lambda: rig.state(request.client_order_id) is OrderState.LIVE)
        await until(lambda: len(rig.core.gateway.unsettled) == 0)
        await asyncio.sleep(3.0)
        assert rig.state(request.client_order_id) is OrderState.LIVE, "the late reply changes nothing"


@pytest.mark.parametrize("order_entry", ["websocket", "rest"])
async def test_request_that_is_never_answered_is_asked_for(tmp_path: Path, order_entry: str) -> None:
    async with trading(tmp_path, order_entry=order_entry) as rig:
        route = "ws-api order.place" if order_entry == "websocket" else "POST /fapi/v1/order"
        rig.sim.fault("hang", route=route, count=1, executed=False)
        request = await (await rig.maker()).order()
        with pytest.raises(OpensqtError) as raised:
            await rig.client.call("PlaceOrder", request)
        assert raised.value.reason is ErrorReason.OUTCOME_UNKNOWN
        await until(lambda: rig.state(request.client_order_id) is OrderState.REJECTED)
        assert len(rig.core.gateway.unsettled) == 0


async def test_f04_data_that_stays_away_makes_the_book_stale_and_its_return_valid(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        rig.sim.fault("delay_frame", route="public", ms=8_000, for_ms=7_000)
        await until(lambda: rig.validity is BookValidity.STALE)
        assert "no market data" in rig.core.feeds[rig.symbol].reason
        assert not rig.core.is_serving
        await until(lambda: rig.validity is BookValidity.VALID, timeout_s=25)
