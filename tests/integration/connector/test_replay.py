"""The paper venue on a recorded market: a valid book all the way, fills, funding at midnight, an honest end."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from models.connector_rig import SYMBOL, client_of, connector_config, limit_order, running_connector

from opensqt.domain.market import BookValidity
from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import types_pb2

pytestmark = [pytest.mark.captures, pytest.mark.slow]

PARTS = ("raw_ws_BTCUSDT_20240718T235701Z_part1.jsonl.gz", "raw_ws_BTCUSDT_20240719T000000Z_part2.jsonl.gz")


async def test_recorded_market_plays_to_its_end_and_says_so(tmp_path: Path, shared_dir: Path) -> None:
    files = tuple(shared_dir / "data" / "binance_usdm" / name for name in PARTS)
    config = connector_config(tmp_path, source="replay", files=files, speed=120)
    async with running_connector(config) as connector, client_of(connector) as client:
        feed = connector.core.feeds[SYMBOL]
        market = limit_order("m1", "", "0.05", type=types_pb2.ORDER_TYPE_MARKET,
                             time_in_force=types_pb2.TIME_IN_FORCE_IOC)  # fmt: skip
        await client.call("PlaceOrder", market)
        sequences = []
        for _ in range(200):
            await asyncio.sleep(0.05)
            sequences.append(feed.book.last_id)
            if feed.validity is not BookValidity.VALID:
                break
        assert sequences == sorted(sequences)
        assert feed.validity is BookValidity.STALE
        assert "the replay has ended" in feed.reason
        assert not connector.core.is_serving
        flows = (await client.call("GetCashFlows", pb.GetCashFlowsRequest())).cash_flows
        assert [flow.symbol for flow in flows] == [SYMBOL]
        assert Decimal(flows[0].amount.value) < 0, "a long position pays a positive rate at midnight"
        rate = await client.call("GetFundingRate", pb.GetFundingRateRequest(symbol=SYMBOL))
        assert rate.next_funding_time > rate.timestamp
        history = pb.GetHistoricalFundingRatesRequest(symbol=SYMBOL)
        assert len((await client.call("GetHistoricalFundingRates", history)).rates) == 1


async def test_replay_goes_on_where_it_stood_after_a_restart(tmp_path: Path, shared_dir: Path) -> None:
    files = tuple(shared_dir / "data" / "binance_usdm" / name for name in PARTS)
    config = connector_config(tmp_path, source="replay", files=files, speed=50)
    async with running_connector(config) as connector:
        await asyncio.sleep(1.0)
        stood_ns = connector.adapter.venue_time_ns()
        book_id = connector.core.feeds[SYMBOL].book.last_id
    async with running_connector(config) as connector:
        await asyncio.sleep(0.2)
        assert connector.core.feeds[SYMBOL].validity is BookValidity.VALID
        assert connector.core.feeds[SYMBOL].book.last_id >= book_id
        assert 0 < connector.adapter.venue_time_ns() - stood_ns < 60 * 10**9
