"""Binance decoders on frames as the venue sends them."""

import pytest

from opensqt._core.book import OrderBook
from opensqt._core.decode.binance import (
    Kind,
    classify,
    decode_agg_trade,
    decode_book_ticker,
    decode_kline,
    decode_mark_price,
    decode_trade,
    symbol_of,
)
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment

TICK, LOT = Increment("0.10"), Increment("0.001")

DEPTH = (
    b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1721347022504,"T":1721347022503,"s":"BTCUSDT",'
    b'"U":4984028367545,"u":4984028370730,"pu":4984028367494,"b":[["1000.00","569.567"],["63939.80","0.100"]],'
    b'"a":[["63947.40","0.109"],["63951.10","0.000"]]}}'
)
SNAPSHOT = (
    b'{"lastUpdateId":4984028384061,"E":1721347022759,"T":1721347022750,'
    b'"bids":[["63943.90","46.372"],["63943.80","0.007"]],"asks":[["63944.00","0.095"],["63951.10","3"]]}'
)
TICKER = (
    b'{"e":"bookTicker","u":4984028370881,"s":"BTCUSDT","b":"63943.90","B":"46.371","a":"63944.00","A":"0.095",'
    b'"T":1721347022507,"E":1721347022508}'
)
TRADE = (
    b'{"e":"trade","E":1721347022957,"T":1721347022956,"s":"BTCUSDT","t":5182005737,"p":"63943.90","q":"0.003",'
    b'"X":"MARKET","m":true}'
)
AGG_TRADE = (
    b'{"e":"aggTrade","E":1626992741424,"a":5933014,"s":"BTCUSDT","p":"0.1","q":"100","nq":"99","f":100,"l":105,'
    b'"T":1626992741123,"m":false,"st":1}'
)
KLINE = (
    b'{"stream":"ctkusdt@kline_1m","data":{"e":"kline","E":1626992741424,"s":"CTKUSDT","k":{"t":1626992700000,'
    b'"T":1626992759999,"s":"CTKUSDT","i":"1m","f":-1,"L":-1,"o":"1.0100","c":"1.0110","h":"1.0120","l":"1.0100",'
    b'"v":"3917","n":48,"x":false,"q":"3957.89900","V":"1729","Q":"1748.01900","B":"0"}}}'
)
MARK_PRICE = (
    b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1680652701000,"s":"BTCUSDT",'
    b'"p":"28147.27373413","P":"28142.15563565","i":"28159.75642857","r":"-0.00002754","T":1680652800000}}'
)


def depth_decoder() -> DepthDecoder:
    return DepthDecoder(TICK, LOT)


def test_a_depth_diff_shows_its_header_and_packs_its_levels() -> None:
    decoder = depth_decoder()
    decoder.decode(DEPTH)
    assert (decoder.event_time_ms, decoder.transaction_time_ms) == (1721347022504, 1721347022503)
    assert (decoder.first_id, decoder.last_id, decoder.prev_id) == (4984028367545, 4984028370730, 4984028367494)
    assert decoder.symbol == b"BTCUSDT"
    book = OrderBook()
    book.apply_packed(decoder.bids, decoder.asks)
    assert book.levels(True) == [(639398, 100), (10000, 569567)]
    assert book.levels(False) == [(639474, 109)]


def test_a_snapshot_replaces_the_book_and_a_diff_changes_it() -> None:
    decoder, book = depth_decoder(), OrderBook()
    book.set_level(True, 1, 1)
    decoder.decode_snapshot(SNAPSHOT)
    assert decoder.is_snapshot
    decoder.apply(book)
    assert book.levels(True) == [(639439, 46372), (639438, 7)]
    assert (book.first_id, book.last_id) == (4984028384061, 4984028384061)
    decoder.decode_and_apply(DEPTH, book)
    assert not decoder.is_snapshot
    assert book.levels(False) == [(639440, 95), (639474, 109)]
    assert (book.first_id, book.last_id) == (4984028367545, 4984028370730)


def test_a_spot_diff_has_no_previous_id() -> None:
    decoder = depth_decoder()
    decoder.decode(b'{"e":"depthUpdate","E":5,"s":"NEXOUSDT","U":1,"u":2,"b":[],"a":[["1.5","3",[]]]}')
    assert (decoder.prev_id, decoder.transaction_time_ms) == (-1, 0)


def test_apply_is_refused_until_something_was_decoded() -> None:
    decoder, book = depth_decoder(), OrderBook()
    with pytest.raises(ValueError, match="no message is decoded"):
        decoder.apply(book)
    decoder.decode(DEPTH)
    with pytest.raises(DecodeError):
        decoder.decode(DEPTH[:-1])
    with pytest.raises(ValueError, match="no message is decoded"):
        decoder.apply(book)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"63939.80", b"63939.85", "not a multiple"),
        (b"63939.80", b"0.00", "out of range"),
        (b"63939.80", b"-1.00", "out of range"),
        (b"63939.80", b"9" * 40, "out of range"),
        (b"63939.80", b"NaN", "not a plain decimal"),
        (b"63939.80", b"6.4e4", "not a plain decimal"),
        (b'"63939.80"', b"63939.80", "another JSON type"),
        (b'"U":4984028367545', b'"U":4984028367545.5', "another JSON type"),
        (b'"U":4984028367545', b'"U":99999999999999999999', "out of range"),
        (b'"U":4984028367545', b'"V":4984028367545', "missing"),
        (b"depthUpdate", b"kline", "another event"),
        (b'"BTCUSDT"', b'"BTC\\u0055SDT"', "escape"),
        (b'"T":1721347022503', b'"x":' + b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b"}}", b"}}}", "not JSON"),
        (b"}}", b"}", "not JSON"),
        (b"}}", b'},"data":{}}', "not JSON"),
    ],
)
def test_a_broken_diff_is_refused_with_its_reason_and_leaves_the_book_alone(
    old: bytes, new: bytes, reason: str
) -> None:
    decoder, book = depth_decoder(), OrderBook()
    with pytest.raises(DecodeError, match=reason):
        decoder.decode_and_apply(DEPTH.replace(old, new, 1), book)
    assert book.level_count(True) == book.level_count(False) == 0


def test_unknown_members_spacing_and_order_do_not_matter() -> None:
    frame = (
        b' {"data" : { "a":[ [ "63947.40" , "0.109" , null ] ] ,"new":{"deep":[1,-2.5e3,{"x":"\\"}"}]},\n"b":[],'
        b'"u":2,"U":1,"s":"BTCUSDT","T":null_,"E":3,"pu":0,"e":"depthUpdate"}, "stream" : "btcusdt@depth" }\r\n'
    ).replace(b'"T":null_', b'"t":null')
    decoder = depth_decoder()
    decoder.decode(frame)
    assert (decoder.first_id, decoder.last_id, decoder.prev_id) == (1, 2, 0)
    assert len(decoder.asks) == 16


def test_the_last_of_a_repeated_member_wins() -> None:
    decoder = depth_decoder()
    decoder.decode(DEPTH.replace(b'"pu":', b'"u":7,"b":[],"pu":'))
    assert (decoder.last_id, len(decoder.bids)) == (7, 32)


def test_a_book_ticker() -> None:
    ticker = decode_book_ticker(TICKER, TICK, LOT)
    assert (ticker.symbol, ticker.update_id) == (b"BTCUSDT", 4984028370881)
    assert (ticker.event_time_ms, ticker.transaction_time_ms) == (1721347022508, 1721347022507)
    assert (ticker.bid_ticks, ticker.bid_lots, ticker.ask_ticks, ticker.ask_lots) == (639439, 46371, 639440, 95)


def test_a_spot_book_ticker_without_name_and_times() -> None:
    ticker = decode_book_ticker(b'{"u":4,"s":"X","b":"1.0","B":"2","a":"1.1","A":"3"}', TICK, LOT)
    assert (ticker.event_time_ms, ticker.ask_ticks) == (0, 11)


def test_a_trade_tells_its_aggressor_and_whether_the_market_made_it() -> None:
    trade = decode_trade(TRADE, TICK, LOT)
    assert (trade.symbol, trade.trade_id, trade.price_ticks, trade.lots) == (b"BTCUSDT", 5182005737, 639439, 3)
    assert trade.is_buyer_maker
    assert trade.is_market
    assert not decode_trade(TRADE.replace(b"MARKET", b"INSURANCE_FUND"), TICK, LOT).is_market
    assert decode_trade(TRADE.replace(b'"X":"MARKET",', b""), TICK, LOT).is_market
    assert not decode_trade(TRADE.replace(b"MARKET", b""), TICK, LOT).is_market


def test_an_aggregated_trade() -> None:
    trade = decode_agg_trade(AGG_TRADE, TICK, LOT)
    assert (trade.agg_id, trade.first_trade_id, trade.last_trade_id) == (5933014, 100, 105)
    assert (trade.price_ticks, trade.lots, trade.is_buyer_maker) == (1, 100_000, False)


def test_a_candle() -> None:
    candle = decode_kline(KLINE, Increment("0.001"), Increment("1"))
    assert (candle.symbol, candle.interval, candle.is_closed) == (b"CTKUSDT", b"1m", False)
    assert (candle.open_time_ms, candle.close_time_ms) == (1626992700000, 1626992759999)
    assert (candle.open_ticks, candle.high_ticks, candle.low_ticks, candle.close_ticks) == (1010, 1012, 1010, 1011)
    assert (candle.volume_lots, candle.trade_count) == (3917, 48)


def test_a_mark_price_is_exact() -> None:
    mark = decode_mark_price(MARK_PRICE)
    assert (mark.mark_price_e8, mark.index_price_e8) == (2814727373413, 2815975642857)
    assert (mark.funding_rate_e8, mark.next_funding_ms) == (-2754, 1680652800000)
    assert decode_mark_price(MARK_PRICE.replace(b"-0.00002754", b"")).funding_rate_e8 == 0


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (DEPTH, Kind.DEPTH_UPDATE),
        (SNAPSHOT, Kind.DEPTH_SNAPSHOT),
        (TICKER, Kind.BOOK_TICKER),
        (TRADE, Kind.TRADE),
        (AGG_TRADE, Kind.AGG_TRADE),
        (KLINE, Kind.KLINE),
        (MARK_PRICE, Kind.MARK_PRICE),
        (b'{"result":null,"id":1}', Kind.UNKNOWN),
        (b'{"e":"ORDER_TRADE_UPDATE","E":1}', Kind.UNKNOWN),
        (b"{}", Kind.UNKNOWN),
    ],
)
def test_classify_tells_what_a_frame_is(frame: bytes, kind: Kind) -> None:
    assert classify(frame) is kind


def test_symbol_of_reads_the_symbol_or_refuses() -> None:
    assert symbol_of(KLINE) == b"CTKUSDT"
    assert symbol_of('{"e":"trade","s":"币安人生USDT"}'.encode()) == "币安人生USDT".encode()
    with pytest.raises(DecodeError, match="missing"):
        symbol_of(b'{"result":null,"id":1}')


@pytest.mark.parametrize("frame", [b"", b"null", b"[]", b"1", b'{"e"', b"{,}", b'{"x":1,}', b"\xff\xfe{}"])
def test_what_is_no_json_object_is_refused(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_trade(frame, TICK, LOT)
    with pytest.raises(DecodeError):
        classify(frame)


def test_an_error_names_the_byte_and_shows_the_frame() -> None:
    with pytest.raises(DecodeError, match=r"at byte \d+ of \d+: b'\{\"e\":\"trade\""):
        decode_trade(TRADE.replace(b"63943.90", b"63943.95"), TICK, LOT)
