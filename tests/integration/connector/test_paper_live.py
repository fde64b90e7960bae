"""Paper trading on a venue's live public market: no key, the venue's books and trades, our own account."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from models.binance_sim import BinanceSim, running_sim
from models.connector_rig import SYMBOL, Client, client_of, running_connector
from models.venue_orders import Maker

from opensqt.connector.app import Connector
from opensqt.domain.errors import ErrorReason, OpensqtError, UnavailableError
from opensqt.domain.market import BookValidity
from opensqt.domain.order_state import OrderState
from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.runtime.config import ConfigError

WAIT_S = 12.0


async def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  states are looked at, nothing announces them
            await asyncio.sleep(0.01)


class Rig:
    def __init__(self, sim: BinanceSim, connector: Connector, client: Client) -> None:
        self.sim = sim
        self.core = connector.core
        self.client = client

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
async def connected(sim: BinanceSim, folder: Path, **paper: Any) -> AsyncIterator[Rig]:
    async with running_connector(sim.paper_config(folder, **paper)) as connector:
        await until(lambda: connector.core.is_serving)
        async with client_of(connector) as client:
            yield Rig(sim, connector, client)


@asynccontextmanager
async def paper(folder: Path, *options: str, **changes: Any) -> AsyncIterator[Rig]:
    with running_sim("--symbols", "BTCUSDT", *options) as sim:
        async with connected(sim, folder, **changes) as rig:
            yield rig


async def test_orders_work_on_the_real_book_and_the_venue_hears_of_none(tmp_path: Path) -> None:
    async with paper(tmp_path) as rig:
        capabilities = await rig.client.call("GetCapabilities", pb.GetCapabilitiesRequest())
        assert (capabilities.exchange, capabilities.mode) == ("binance", "paper")
        placed = await rig.place()
        assert rig.state(placed.client_order_id) is OrderState.LIVE
        bought = await rig.client.call("PlaceOrder", await (await rig.maker()).market(types_pb2.ORDER_SIDE_BUY))
        await until(lambda: rig.state(bought.client_order_id) is OrderState.FILLED)
        (fill,) = [fill for fill in rig.core.mirror.fills if fill.client_order_id == bought.client_order_id]
        book = rig.core.feeds[SYMBOL].book
        assert book.best_ask_ticks is not None
        assert abs(fill.price_ticks - book.best_ask_ticks) < 0.01 * fill.price_ticks
        assert rig.core.mirror.position_lots(SYMBOL) == fill.lots
        # Neither the account's stream nor the order entry was ever opened.
        assert {link["route"] for link in rig.sim.status()["connections"]} == {"public", "market"}


async def test_candles_funding_and_ticker_are_the_venues_own(tmp_path: Path) -> None:
    async with paper(tmp_path) as rig:
        terms = await rig.client.call("GetFundingRate", pb.GetFundingRateRequest(symbol=SYMBOL))
        assert terms.exchange == "binance"
        assert terms.next_funding_time % (8 * 3_600_000) == 0
        request = pb.SubscribeKlinesRequest(symbols=[SYMBOL], interval="1m")
        (candle,) = await rig.client.first("SubscribeKlines", request)
        assert candle.symbol == SYMBOL


async def test_f01_market_stream_that_drops_stops_matching_until_the_book_is_valid_again(tmp_path: Path) -> None:
    async with paper(tmp_path) as rig:
        rig.sim.fault("refuse_connection", route="public", for_ms=1_500)
        rig.sim.fault("disconnect", route="public")
        await until(lambda: rig.validity is BookValidity.STALE)
        assert not rig.core.is_serving
        with pytest.raises(OpensqtError) as raised:
            await rig.client.call("PlaceOrder", await (await rig.maker()).market(types_pb2.ORDER_SIDE_BUY))
        assert raised.value.reason in (ErrorReason.VENUE_UNAVAILABLE, ErrorReason.FEED_STALE)
        await until(lambda: rig.core.is_serving)
        assert rig.validity is BookValidity.VALID
        placed = await rig.place()
        assert rig.state(placed.client_order_id) is OrderState.LIVE


async def test_f05_gap_in_the_feed_is_a_lost_book_and_heals_by_itself(tmp_path: Path) -> None:
    async with paper(tmp_path) as rig:
        seen: list[BookValidity] = []
        feed = rig.core.feeds[SYMBOL]
        take = feed.set_validity

        def watch(validity: BookValidity, reason: str = "") -> None:
            seen.append(validity)
            take(validity, reason)

        feed.set_validity = watch  # type: ignore[method-assign]
        rig.sim.fault("sequence_gap", symbol="BTCUSDT")
        await until(lambda: BookValidity.SYNCING in seen)
        await until(lambda: rig.validity is BookValidity.VALID)


async def test_market_route_that_drops_stops_trading_although_books_go_on(tmp_path: Path) -> None:
    async with paper(tmp_path) as rig:
        rig.sim.fault("refuse_connection", route="market", for_ms=1_500)
        rig.sim.fault("disconnect", route="market")
        await until(lambda: rig.validity is BookValidity.STALE)
        assert "market stream is down" in rig.core.feeds[SYMBOL].reason
        assert rig.core.session.private_stream_up
        await until(lambda: rig.core.is_serving)


async def test_account_outlives_the_connector(tmp_path: Path) -> None:
    with running_sim("--symbols", "BTCUSDT") as sim:
        async with connected(sim, tmp_path) as rig:
            placed = await rig.place()
            bought = await rig.client.call("PlaceOrder", await (await rig.maker()).market(types_pb2.ORDER_SIDE_BUY))
            await until(lambda: rig.state(bought.client_order_id) is OrderState.FILLED)
            lots = rig.core.mirror.position_lots(SYMBOL)
        async with connected(sim, tmp_path) as rig:
            assert rig.state(placed.client_order_id) is OrderState.LIVE
            assert rig.core.mirror.position_lots(SYMBOL) == lots > 0


async def test_changed_limits_are_taken_and_orders_go_on(tmp_path: Path) -> None:
    async with paper(tmp_path) as rig:
        rig.sim.fault("filters", symbol="BTCUSDT", min_notional="200")
        await until(lambda: rig.core.mirror.instruments[SYMBOL].min_notional == 200)
        placed = await placed_when_the_book_is_back(rig)
        assert rig.state(placed.client_order_id) is OrderState.LIVE
        await until(lambda: rig.validity is BookValidity.VALID)


async def placed_when_the_book_is_back(rig: Rig) -> Any:
    """Place as soon as the venue takes it: its book starts over with new limits, a moment after they are known."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(UnavailableError):
                return await rig.place()
            await asyncio.sleep(0.05)


async def test_f39_changed_tick_stops_the_symbol_and_the_account_is_refused_in_other_units(tmp_path: Path) -> None:
    with running_sim("--symbols", "BTCUSDT") as sim:
        async with connected(sim, tmp_path) as rig:
            sim.fault("filters", symbol="BTCUSDT", tick_size="0.05")
            await until(lambda: "other units" in rig.core.feeds[SYMBOL].reason)
            assert rig.validity is BookValidity.STALE
            assert rig.core.mirror.instruments[SYMBOL].tick_size == Decimal("0.1")
            with pytest.raises(OpensqtError):
                await rig.place()
        with pytest.raises(ConfigError, match="units"):
            async with connected(sim, tmp_path):
                pass
