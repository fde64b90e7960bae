"""A connector that trades on a simulated Binance in a process of its own, and what it thinks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from models.binance_sim import BinanceSim, running_sim
from models.connector_rig import SYMBOL, Client, client_of, running_connector
from models.venue_orders import Maker

from opensqt.connector.adapter import SessionStatus
from opensqt.connector.app import Connector
from opensqt.connector.venues.binance.adapter import BinanceAdapter
from opensqt.connector.venues.binance.book_sync import BookSync
from opensqt.domain.market import BookValidity
from opensqt.domain.order_state import OrderState

WAIT_S = 12.0


async def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  states are looked at, nothing announces them
            await asyncio.sleep(0.01)


class Rig:
    """A connector that trades on a simulated Binance, and what it thinks."""

    def __init__(self, sim: BinanceSim, connector: Connector, client: Client) -> None:
        self.sim = sim
        self.connector = connector
        self.client = client
        self.core = connector.core
        self.symbol = SYMBOL
        assert isinstance(connector.adapter, BinanceAdapter)
        self.adapter = connector.adapter
        self.private_was_down = False
        take = self.core.on_session

        def watch(status: SessionStatus) -> None:
            self.private_was_down |= not status.private_stream_up
            take(status)

        self.core.on_session = watch  # type: ignore[method-assign]

    @property
    def sync(self) -> BookSync:
        return self.adapter.feeds[SYMBOL].sync

    @property
    def validity(self) -> BookValidity:
        return self.core.feeds[SYMBOL].validity

    async def maker(self) -> Maker:
        return await Maker.of(self.client, SYMBOL)

    async def place(self, **changes: Any) -> Any:
        return await self.client.call("PlaceOrder", await (await self.maker()).order(**changes))

    def state(self, client_order_id: str) -> OrderState | None:
        order = self.core.mirror.order(client_order_id)
        return None if order is None else order.state


@asynccontextmanager
async def trading(folder: Path, *options: str, **changes: Any) -> AsyncIterator[Rig]:
    with running_sim("--symbols", "BTCUSDT", *options) as sim:
        async with running_connector(sim.connector_config(folder, **changes)) as connector:
            await until(lambda: connector.core.is_serving)
            if changes.get("order_entry") != "rest":
                await until(lambda: connector.adapter.is_order_api_up)  # type: ignore[attr-defined]
            async with client_of(connector) as client:
                yield Rig(sim, connector, client)
