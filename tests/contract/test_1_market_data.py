"""Conformance, part 1: market data."""

import itertools
import struct
from decimal import Decimal
from typing import Any

import pytest
from models.book_replica import BookReplica

from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import market_data_pb2, types_pb2

# A venue that is polled tells of its book once per answer.
PATIENCE_S = 60.0


async def test_101_instrument_has_true_increments_and_a_revision(venue: Any) -> None:
    info = await venue.client.info(venue.symbol)
    assert Decimal(info.tick_size.value) > 0
    assert Decimal(info.step_size.value) > 0
    assert info.revision > 0
    assert info.status == types_pb2.INSTRUMENT_STATUS_TRADING
    assert info.symbol == venue.symbol
    assert (await venue.client.info(info.venue_symbol)) == info


@pytest.mark.parametrize("interval", ["1m", "5m"])
async def test_102_candles_are_contiguous_and_sound(venue: Any, interval: str) -> None:
    if interval not in venue.capabilities.kline_intervals:
        pytest.skip(f"{venue.capabilities.exchange} does not offer {interval}")
    request = pb.GetHistoricalKlinesRequest(symbol=venue.symbol, interval=interval, limit=20)
    candles = (await venue.client.call("GetHistoricalKlines", request)).candles
    assert 2 <= len(candles) <= 20
    steps = {b.timestamp - a.timestamp for a, b in itertools.pairwise(candles)}
    assert steps == {60_000 if interval == "1m" else 300_000}
    for candle in candles:
        low, high = Decimal(candle.low.value), Decimal(candle.high.value)
        assert 0 < low <= Decimal(candle.open.value) <= high
        assert low <= Decimal(candle.close.value) <= high
    assert all(candle.is_closed for candle in candles[:-1])


async def test_103_book_is_valid_sorted_and_never_crossed(venue: Any) -> None:
    request = market_data_pb2.SubscribeBookRequest(symbols=[venue.symbol], depth=20)
    replica = BookReplica()
    for batch in await venue.client.first("SubscribeBook", request, 20, PATIENCE_S):
        assert batch.session_epoch > 0
        for update in batch.updates:
            assert update.validity == types_pb2.BOOK_VALIDITY_VALID
            if update.kind == market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT:
                prices = [ticks for ticks, _lots in struct.iter_unpack("<qq", update.levels)]
                bids, asks = prices[: update.bid_count], prices[update.bid_count :]
                assert bids == sorted(bids, reverse=True)
                assert asks == sorted(asks)
                assert 0 < len(bids) <= 20
            replica.apply(update)
            assert replica.best(venue.symbol, True, 1)[0][0] < replica.best(venue.symbol, False, 1)[0][0]


async def test_104_trades_have_unique_ids_and_a_side(venue: Any) -> None:
    request = market_data_pb2.SubscribeTradesRequest(symbols=[venue.symbol])
    # A polled exchange is asked every other second, as its limiter lets polls go.
    trades = [t for batch in await venue.client.first("SubscribeTrades", request, 5, 20.0) for t in batch.trades]
    assert len({trade.trade_id for trade in trades}) == len(trades) > 0
    assert all(trade.price_ticks > 0 and trade.lots > 0 and trade.aggressor_side for trade in trades)


async def test_105_price_stream_is_near_the_book(venue: Any) -> None:
    (price,) = await venue.client.first("SubscribePrice", pb.SubscribePriceRequest(symbols=[venue.symbol]))
    info = await venue.client.info(venue.symbol)
    (batch,) = await venue.client.first("SubscribeBook", market_data_pb2.SubscribeBookRequest(symbols=[venue.symbol]))
    best_ticks = struct.unpack("<q", batch.updates[0].levels[:8])[0]
    ratio = Decimal(price.price.value) / (best_ticks * Decimal(info.tick_size.value))
    assert abs(ratio - 1) < Decimal("0.02")


async def test_106_forming_candle_comes_at_once(venue: Any) -> None:
    request = pb.SubscribeKlinesRequest(symbols=[venue.symbol], interval="1m")
    (candle,) = await venue.client.first("SubscribeKlines", request)
    assert candle.timestamp % 60_000 == 0


async def test_107_funding_terms_come_as_query_and_as_stream(venue: Any) -> None:
    rate = await venue.client.call("GetFundingRate", pb.GetFundingRateRequest(symbol=venue.symbol))
    (update,) = await venue.client.first("SubscribeFundingRate", pb.SubscribeFundingRateRequest(symbol=venue.symbol))
    assert update.next_funding_time == rate.next_funding_time
    assert abs(Decimal(rate.rate.value)) < Decimal("0.05")
