"""Order events go ahead of market data that was there first, whatever the number of its readers."""

import asyncio
from typing import Any

import pytest
from models.connector_parts import BTC, GENEROUS, SYMBOL, order

from opensqt.connector.adapter import Capabilities
from opensqt.connector.core import ConnectorCore
from opensqt.connector.leases import Lease, VanishPolicy
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.servicer_streams import StreamServicer
from opensqt.connector.veto import VetoConfig
from opensqt.connector.wakeup import Wakeup
from opensqt.domain.clock import ManualClock
from opensqt.domain.order_state import OrderState
from opensqt.proto import market_data_pb2


def new_core() -> ConnectorCore:
    core = ConnectorCore(
        Capabilities(exchange="test", mode="paper"),
        ManualClock(10**18),
        session_epoch=7,
        veto=VetoConfig(),
        budget=RateBudget([GENEROUS]),
        command_timeout_ms=5_000,
        subscribe=lambda _channel: None,
        unsubscribe=lambda _channel: None,
    )
    core.on_instrument(BTC)
    core.book(SYMBOL)
    return core


@pytest.mark.parametrize("readers", [1, 16])
async def test_order_events_are_sent_before_books_that_changed_first(readers: int) -> None:
    core = new_core()
    adapter: Any = None
    streams = StreamServicer(core, adapter)
    said: list[str] = []

    async def read_books() -> None:
        request = market_data_pb2.SubscribeBookRequest(symbols=[SYMBOL])
        async for _message in streams.subscribe_book(request, None):
            said.append("book")  # noqa: PERF401  the order of what both say is the point

    wakeup = Wakeup()
    session = core.trade.open(wakeup.set)
    lease = Lease(
        engine_id="e", epoch=1, symbols=(SYMBOL,), bots={"ab": 1}, on_vanish=VanishPolicy.KEEP, grace_ns=10**9
    )
    core.trade.claim(session, lease)
    core.trade.attach(session, lease, 0, (), (), truncated=False, venue_time_ns=1)

    async def write_orders() -> None:
        while True:
            await wakeup.wait()
            if session.take(1):
                said.append("order")

    tasks = [asyncio.create_task(read_books()) for _ in range(readers)] + [asyncio.create_task(write_orders())]
    await asyncio.sleep(0.01)
    for number in range(1, 20):
        said.clear()
        core.feeds[SYMBOL].book.set_level(True, 600_000, number)
        core.feeds[SYMBOL].updated(number, number, 0, 0)
        core.on_order(order(f"a{number}", OrderState.LIVE))
        await asyncio.sleep(0.001)
        assert said == ["order", *["book"] * readers]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
