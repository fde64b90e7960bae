"""The order update decoder on frames as the venue sends them."""

import pytest

from opensqt._core.decode.binance_order import decode_order_update
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment

TICK, LOT = Increment("0.10"), Increment("0.001")

TRADE = (
    b'{"e":"ORDER_TRADE_UPDATE","T":1721260622001,"E":1721260622002,"o":{"s":"BTCUSDT","c":"oqbotaZ0001000000B0000001",'
    b'"S":"BUY","o":"LIMIT","f":"GTX","q":"0.010","p":"60000.10","ap":"0","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED",'
    b'"i":8886774,"l":"0.004","z":"0.006","L":"60000.00","n":"-0.00120","N":"USDT","T":1721260622000,"t":77,'
    b'"m":true,"R":false,"ot":"LIMIT","ps":"LONG","cp":false,"rp":"1.5","si":0,"er":"4"}}'
)


def test_an_order_update_shows_words_ids_times_and_flags() -> None:
    update = decode_order_update(TRADE)
    assert (update.symbol, update.client_id, update.side) == ("BTCUSDT", "oqbotaZ0001000000B0000001", "BUY")
    assert (update.type_word, update.tif_word, update.execution) == ("LIMIT", "GTX", "TRADE")
    assert (update.status, update.position_side, update.expiry_code) == ("PARTIALLY_FILLED", "LONG", "4")
    assert (update.order_id, update.trade_id) == (8886774, 77)
    assert (update.event_time_ms, update.time) == (1721260622002, 1721260622000)
    assert (update.is_maker, update.reduce_only) == (True, False)
    assert (update.fee, update.fee_asset, update.realized_pnl) == ("-0.00120", "USDT", "1.5")


def test_sizes_are_counted_in_ticks_and_lots() -> None:
    update = decode_order_update(TRADE)
    assert update.order_sizes(TICK, LOT) == (600_001, 10, 6)
    assert update.fill_sizes(TICK, LOT) == (600_000, 4, 6)
    assert (update.price, update.quantity, update.filled) == ("60000.10", "0.010", "0.006")
    assert (update.last_price, update.last_quantity) == ("60000.00", "0.004")


def test_sizes_that_fit_no_tick_or_lot_are_none() -> None:
    update = decode_order_update(TRADE)
    assert update.order_sizes(Increment("1"), LOT) is None
    assert update.fill_sizes(Increment("1"), LOT) == (60_000, 4, 6)
    assert update.fill_sizes(TICK, Increment("0.01")) is None


def test_members_that_may_be_absent_have_their_defaults() -> None:
    frame = TRADE.replace(b'"n":"-0.00120","N":"USDT",', b"").replace(b'"ps":"LONG",', b"")
    update = decode_order_update(frame.replace(b'"rp":"1.5",', b"").replace(b',"er":"4"', b""))
    assert (update.fee, update.fee_asset, update.position_side) == ("0", "", "BOTH")
    assert (update.realized_pnl, update.expiry_code) == ("0", "0")


def test_the_combined_form_and_other_spacing_read_the_same() -> None:
    combined = b'{"stream":"key","data":' + TRADE.replace(b'":', b'" : ').replace(b",", b" ,\n") + b"}"
    assert decode_order_update(combined).order_sizes(TICK, LOT) == (600_001, 10, 6)


def test_a_repeated_order_counts_as_its_last() -> None:
    start = TRADE.index(b'"o":{')
    first = b'"o":' + TRADE[start + 4 : -1].replace(b'"n":"-0.00120"', b'"n":"9"') + b","
    last = TRADE[start:].replace(b'"n":"-0.00120",', b"")
    assert decode_order_update(TRADE[:start] + first + last).fee == "0"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"p":"60000.10"', b'"p":60000.10', "another JSON type"),
        (b'"p":"60000.10"', b'"p":"6e4"', "not a plain decimal"),
        (b'"p":"60000.10"', b'"p":"-1"', "not a plain decimal"),
        (b'"p":"60000.10"', b'"p":"1."', "not a plain decimal"),
        (b'"p":"60000.10"', b'"p":"' + b"9" * 25 + b'"', "not a plain decimal"),
        (b'"p":"60000.10"', b'"P":"60000.10"', "missing"),
        (b'"S":"BUY"', b'"S":"HOLD"', "out of range"),
        (b'"ps":"LONG"', b'"ps":"NONE"', "out of range"),
        (b'"s":"BTCUSDT"', b'"s":""', "out of range"),
        (b'"i":8886774', b'"i":-1', "out of range"),
        (b'"i":8886774', b'"i":99999999999999999999', "out of range"),
        (b'"E":1721260622002', b'"E":9223372036855', "out of range"),
        (b'"c":"oqbot', b'"c":"\\u006fqbot', "escape"),
        (b'"c":"oqbot', b'"c":"\xff', "not JSON"),
        (b"ORDER_TRADE_UPDATE", b"TRADE_LITE", "another event"),
        (b"}}", b"}", "not JSON"),
        (b"}}", b"}}}", "not JSON"),
    ],
)
def test_a_broken_order_update_is_refused_with_its_reason(old: bytes, new: bytes, reason: str) -> None:
    assert old in TRADE
    with pytest.raises(DecodeError, match=reason):
        decode_order_update(TRADE.replace(old, new, 1))


def test_every_prefix_is_refused() -> None:
    for size in range(len(TRADE)):
        with pytest.raises(DecodeError):
            decode_order_update(TRADE[:size])
