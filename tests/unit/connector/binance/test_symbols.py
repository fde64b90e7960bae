"""Rules become instruments; what is not traded is named; a changed filter is a new revision."""

import json
from decimal import Decimal

import msgspec
import pytest

from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.symbols import (
    MAX_LOTS,
    Exchange,
    FeeRates,
    next_instruments,
    parse_exchange,
    with_fees,
)
from opensqt.domain.instrument import Instrument, InstrumentStatus

D = Decimal


def filters(**changes: dict[str, object] | None) -> list[dict[str, object]]:
    found: dict[str, dict[str, object] | None] = {
        "PRICE_FILTER": {"minPrice": "0.10", "maxPrice": "100000", "tickSize": "0.10"},
        "LOT_SIZE": {"minQty": "0.002", "maxQty": "1000", "stepSize": "0.001"},
        "MARKET_LOT_SIZE": {"minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        "MAX_NUM_ORDERS": {"limit": 200},
        "MIN_NOTIONAL": {"notional": "100"},
        "PERCENT_PRICE": {"multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
    }
    found.update(changes)
    return [{"filterType": name, **members} for name, members in found.items() if members is not None]


def symbol(**changes: object) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT",
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "deliveryDate": 4133404800000,
        "filters": filters(),
        **changes,
    }


def exchange(*symbols: dict[str, object], fees: dict[str, FeeRates] | None = None) -> Exchange:
    body = {"serverTime": 1, "rateLimits": [], "symbols": list(symbols), "assets": [], "timezone": "UTC"}
    return parse_exchange(json.dumps(body).encode(), fees)


def one(**changes: object) -> Instrument:
    found = exchange(symbol(**changes))
    assert not found.excluded
    return found.instruments[0]


def test_filters_become_counts() -> None:
    instrument = one()

    assert (instrument.symbol, instrument.venue_symbol) == ("BTC/USDT:USDT", "BTCUSDT")
    assert (instrument.tick_size, instrument.lot_size, instrument.min_lots) == (D("0.10"), D("0.001"), 2)
    assert (instrument.max_lots, instrument.min_notional, instrument.max_open_orders) == (1_000_000, 100, 200)
    assert (instrument.price_band_up, instrument.price_band_down) == (D("0.05"), D("0.05"))
    assert instrument.revision == 1


def test_market_orders_have_a_size_limit_of_their_own() -> None:
    assert exchange(symbol()).terms["BTC/USDT:USDT"].market_max_lots == 120_000
    without = exchange(symbol(filters=filters(MARKET_LOT_SIZE=None)))
    assert without.terms["BTC/USDT:USDT"].market_max_lots == 1_000_000


def test_absent_optional_filters_mean_no_band_and_the_usual_order_count() -> None:
    instrument = one(filters=filters(PERCENT_PRICE=None, MAX_NUM_ORDERS=None))

    assert (instrument.price_band_up, instrument.price_band_down, instrument.max_open_orders) == (0, 0, 200)


def test_minimum_between_lots_is_rounded_up_and_maximum_down() -> None:
    lot = {"minQty": "0.0015", "maxQty": "0.0099", "stepSize": "0.001"}
    instrument = one(filters=filters(LOT_SIZE=lot))

    assert (instrument.min_lots, instrument.max_lots) == (2, 9)


def test_absurd_maximum_is_cut() -> None:
    lot = {"minQty": "1", "maxQty": "9" * 24, "stepSize": "0.001"}

    assert one(filters=filters(LOT_SIZE=lot)).max_lots == MAX_LOTS


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"contractType": "CURRENT_QUARTER", "symbol": "BTCUSDT_261225"}, "CURRENT_QUARTER"),
        ({"contractType": "TRADIFI_PERPETUAL", "symbol": "TSLAUSDT"}, "TRADIFI_PERPETUAL"),
        ({"contractType": ""}, "none"),
        ({"marginAsset": "BTC"}, "margin asset"),
        ({"filters": filters(PRICE_FILTER=None)}, "PRICE_FILTER"),
        ({"filters": filters(MIN_NOTIONAL=None)}, "MIN_NOTIONAL"),
        ({"filters": filters(PRICE_FILTER={"minPrice": "0.10", "maxPrice": "1", "tickSize": "0"})}, "tickSize"),
        ({"filters": filters(LOT_SIZE={"minQty": "1", "maxQty": "1", "stepSize": "-1"})}, "stepSize"),
        ({"filters": filters(PRICE_FILTER={"minPrice": "0.15", "maxPrice": "1", "tickSize": "0.10"})}, "minPrice"),
        ({"filters": filters(PRICE_FILTER={"minPrice": "0", "maxPrice": "1", "tickSize": f"0.{'0' * 20}1"})}, "tick"),
        ({"status": 7}, "status"),
    ],
)
def test_what_is_not_traded_is_left_out_with_its_reason(changes: dict[str, object], why: str) -> None:
    found = exchange(symbol(**changes), symbol(symbol="ETHUSDT", baseAsset="ETH"))

    assert [instrument.symbol for instrument in found.instruments] == ["ETH/USDT:USDT"]
    assert why in found.excluded[str(changes.get("symbol", "BTCUSDT"))]


def test_symbols_of_other_scripts_are_symbols() -> None:
    instrument = one(symbol="币安人生USDT", baseAsset="币安人生")

    assert instrument.symbol == "币安人生/USDT:USDT"
    assert Listings.of([instrument]).by_venue("币安人生USDT") is not None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("TRADING", InstrumentStatus.TRADING),
        ("PENDING_TRADING", InstrumentStatus.HALTED),
        ("SETTLING", InstrumentStatus.SETTLING),
        ("CLOSE", InstrumentStatus.SETTLING),
        ("INVENTED", InstrumentStatus.HALTED),
    ],
)
def test_only_trading_symbols_trade(status: str, expected: InstrumentStatus) -> None:
    assert one(status=status).status is expected


def test_planned_delisting_is_told() -> None:
    assert exchange(symbol(deliveryDate=1_800_000_000_000)).terms["BTC/USDT:USDT"].delivery_ms == 1_800_000_000_000
    assert exchange(symbol()).terms["BTC/USDT:USDT"].delivery_ms is None


def test_own_fee_rates_are_joined() -> None:
    fees = FeeRates(D("-0.0001"), D("0.0003"))
    joined = exchange(symbol(), fees={"BTCUSDT": fees}).instruments[0]

    assert (joined.maker_fee_rate, joined.taker_fee_rate) == (D("-0.0001"), D("0.0003"))
    assert with_fees(one(), fees) == joined


def reload(old: Instrument, new: Instrument) -> tuple[Instrument, bool]:
    changes = next_instruments({old.symbol: old}, [new])
    (instrument,) = changes.instruments
    return instrument, bool(changes.changed)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tick_size", D("0.01")),
        ("lot_size", D("0.01")),
        ("min_lots", 5),
        ("max_lots", 5),
        ("min_notional", D(5)),
        ("max_open_orders", 100),
        ("price_band_up", D("0.1")),
        ("price_band_down", D("0.1")),
    ],
)
def test_changed_filter_is_a_new_revision(field: str, value: object) -> None:
    old = msgspec.structs.replace(one(), revision=4)

    assert reload(old, msgspec.structs.replace(one(), **{field: value}))[0].revision == 5


@pytest.mark.parametrize(("field", "value"), [("status", InstrumentStatus.HALTED), ("maker_fee_rate", D("0.0001"))])
def test_changed_status_or_fee_is_told_in_the_same_revision(field: str, value: object) -> None:
    old = msgspec.structs.replace(one(), revision=4)

    instrument, is_changed = reload(old, msgspec.structs.replace(one(), **{field: value}))

    assert (instrument.revision, is_changed, getattr(instrument, field)) == (4, True, value)


def test_unchanged_rules_change_nothing() -> None:
    old = msgspec.structs.replace(one(), revision=4)

    assert reload(old, one(filters=filters(PRICE_FILTER={"minPrice": "0.1", "maxPrice": "9", "tickSize": "0.1"}))) == (
        old,
        False,
    )


def test_new_symbols_are_changes_and_vanished_ones_are_settling() -> None:
    btc, eth = one(), one(symbol="ETHUSDT", baseAsset="ETH")

    changes = next_instruments({btc.symbol: btc}, [eth])

    gone = msgspec.structs.replace(btc, status=InstrumentStatus.SETTLING)
    assert changes.instruments == (eth, gone)
    assert changes.changed == (eth, gone)
    assert next_instruments({btc.symbol: gone, eth.symbol: eth}, [eth]).changed == ()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"serverTime":1,"rateLimits":[]}', b'{"code":-1003,"msg":"m"}'])
def test_what_is_no_rule_list_is_an_error_not_an_empty_list(body: bytes) -> None:
    with pytest.raises(PayloadError):
        parse_exchange(body)
