"""Whatever bytes arrive, a parser answers with a value or with the one error it documents."""

import contextlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models.binance_payloads import OWN_PREFIX, SIZES, make_instrument

from opensqt.connector.venues.binance import (
    parse_account,
    parse_api,
    parse_market,
    parse_orders,
    parse_settings,
    stream,
)
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.parse_user import UserContext, parse_user_event
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.symbols import parse_exchange

LISTINGS = Listings.of(make_instrument(name, tick, lot) for name, (tick, lot) in SIZES.items())
CONTEXT = UserContext(LISTINGS, OWN_PREFIX)
BTC = LISTINGS.require("BTCUSDT", "test")

Parser: TypeAlias = Callable[[bytes], object]

# Every parser, with a payload that it reads: the fuzz starts there.
PARSERS: list[tuple[Parser, str]] = [
    (lambda data: parse_user_event(data, CONTEXT), "user_order_filled_maker_2021.json"),
    (lambda data: parse_user_event(data, CONTEXT), "doc_user_order_trade_update.json"),
    (lambda data: parse_user_event(data, CONTEXT), "doc_user_trade_lite.json"),
    (lambda data: parse_user_event(data, CONTEXT), "constructed_user_account_update.json"),
    (lambda data: parse_user_event(data, CONTEXT), "doc_user_margin_call.json"),
    (lambda data: parse_user_event(data, CONTEXT), "doc_user_account_config_leverage.json"),
    (lambda data: parse_user_event(data, CONTEXT), "doc_user_listen_key_expired.json"),
    (lambda data: parse_orders.parse_order(data, LISTINGS), "rest_order_place_ack_20240103.json"),
    (lambda data: parse_orders.parse_orders(data, LISTINGS), "rest_open_orders_one_2021.json"),
    (lambda data: parse_orders.parse_batch(data, LISTINGS, now_ms=0), "doc_rest_batch_place.json"),
    (lambda data: parse_orders.parse_user_trades(data, LISTINGS, {}, "oq"), "doc_rest_user_trades.json"),
    (parse_account.parse_account, "rest_account_v3.json"),
    (parse_account.parse_balance, "rest_balance.json"),
    (lambda data: parse_account.parse_positions(data, LISTINGS, {}), "doc_rest_position_risk_v3_hedge.json"),
    (parse_settings.parse_symbol_configs, "doc_rest_symbol_config.json"),
    (parse_settings.parse_position_mode, "doc_rest_position_mode.json"),
    (parse_settings.parse_fees, "doc_rest_commission_rate.json"),
    (parse_settings.parse_leverage, "doc_rest_leverage.json"),
    (parse_settings.parse_listen_key, "rest_listen_key_ack.json"),
    (parse_settings.parse_countdown, "doc_rest_countdown.json"),
    (lambda data: parse_settings.parse_ack(data, "marginType"), "doc_rest_margin_type.json"),
    (lambda data: parse_market.parse_klines(data, BTC, 60_000, 0), "rest_klines_1d_btcusdt.json"),
    (lambda data: parse_market.parse_premium_index(data, BTC), "rest_premium_index_btcusdt.json"),
    (lambda data: parse_market.parse_funding_rates(data, BTC), "doc_rest_funding_rate.json"),
    (parse_market.parse_funding_info, "rest_funding_info.json"),
    (lambda data: parse_market.parse_book_ticker(data, BTC), "rest_book_ticker_btcusdt.json"),
    (lambda data: parse_market.parse_agg_trades(data, BTC), "rest_agg_trades_btcusdt.json"),
    (parse_market.parse_time, "rest_time.json"),
    (parse_exchange, "doc_rest_exchange_info.json"),
    (parse_api.parse_reply, "wsapi_order_place_ok_2025.json"),
    (stream.parse_control, "doc_ws_subscribe_reply.json"),
    (stream.parse_contract_info, "doc_ws_contract_info.json"),
]

ODD: st.SearchStrategy[object] = st.sampled_from(
    [
        None,
        True,
        [],
        {},
        "",
        "-1",
        "NaN",
        "1e999999",
        "Infinity",
        " 1",
        "1_0",
        "9" * 40,
        "0",
        0,
        -1,
        1e300,
        2**62,
        "BTCUSDT",
    ]
)


def total(parse: Parser, data: bytes) -> None:
    with contextlib.suppress(PayloadError):
        parse(data)


@pytest.mark.parametrize("parse", [parse for parse, _ in PARSERS], ids=[name for _, name in PARSERS])
@given(
    data=st.binary(max_size=64)
    | st.recursive(ODD, lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        lambda value: json.dumps(value).encode()
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
def test_any_bytes_are_read_or_refused(parse: Parser, data: bytes) -> None:
    total(parse, data)


def spots(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every place in a JSON value, lists by their first two members."""
    found = [path]
    if isinstance(value, dict):
        for key, member in value.items():
            found += spots(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value[:2]):
            found += spots(member, (*path, index))
    return found


def changed(value: object, path: tuple[object, ...], new: object) -> object:
    if not path:
        return new
    head, *rest = path
    if isinstance(value, dict):
        return {key: changed(member, tuple(rest), new) if key == head else member for key, member in value.items()}
    assert isinstance(value, list)
    return [changed(member, tuple(rest), new) if index == head else member for index, member in enumerate(value)]


@pytest.mark.parametrize(("parse", "name"), PARSERS, ids=[name for _, name in PARSERS])
@given(choice=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_payload_with_one_odd_member_is_read_or_refused(
    parse: Parser, name: str, payloads: Path, choice: st.DataObject
) -> None:
    value = json.loads((payloads / name).read_text())
    path = choice.draw(st.sampled_from(spots(value)))

    total(parse, json.dumps(changed(value, path, choice.draw(ODD))).encode())


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("user_order_filled_maker_2021.json", member)
        for member in ("o.s", "o.c", "o.S", "o.q", "o.p", "o.x", "o.X", "o.i", "o.l", "o.z", "o.L", "o.T", "o.t", "o.m")
    ]
    + [("doc_user_trade_lite.json", member) for member in ("T", "s", "c", "S", "L", "l", "t", "i", "m")]
    + [("user_account_update_order_2021.json", member) for member in ("T", "a", "a.m", "a.B", "a.P")]
    + [("doc_user_listen_key_expired.json", "listenKey")],
)
def test_missing_member_is_named(name: str, member: str, payloads: Path) -> None:
    value = json.loads((payloads / name).read_text())
    *parents, last = member.split(".")
    holder = value
    for parent in parents:
        holder = holder[parent]
    del holder[last]

    with pytest.raises(PayloadError) as caught:
        parse_user_event(json.dumps(value).encode(), CONTEXT)

    assert caught.value.field == member
    assert member in str(caught.value)


def test_one_odd_order_never_hides_the_others(payloads: Path) -> None:
    (order,) = json.loads((payloads / "rest_open_orders_one_2021.json").read_text())
    odd = {**order, "symbol": "XRPUSDT_261225", "orderId": 5, "clientOrderId": "manual"}

    found = parse_orders.parse_orders(json.dumps([odd, order, 7]).encode(), LISTINGS)

    assert [report.order.client_order_id for report in found.orders] == ["GgAC6gMAAQAANhJPG9EW"]
    assert [(u.venue_symbol, u.exchange_order_id, u.client_order_id) for u in found.unread] == [
        ("XRPUSDT_261225", "5", "manual"),
        ("", "", ""),
    ]


@pytest.mark.parametrize("body", [b"{}", b'{"code":-1003,"msg":"m"}', b"null", b'"[]"'])
def test_error_is_never_read_as_an_empty_list(body: bytes) -> None:
    for parse in (
        lambda data: parse_orders.parse_orders(data, LISTINGS),
        lambda data: parse_orders.parse_user_trades(data, LISTINGS, {}, "oq"),
        lambda data: parse_orders.parse_batch(data, LISTINGS, now_ms=0),
        lambda data: parse_account.parse_positions(data, LISTINGS, {}),
        parse_account.parse_balance,
    ):
        with pytest.raises(PayloadError):
            parse(body)


def test_absurd_amount_of_quote_is_not_known_rather_than_an_exception() -> None:
    tiny = Listings.of([make_instrument("BTCUSDT", f"0.{'0' * 17}1", f"0.{'0' * 17}1")])

    assert tiny.require("BTCUSDT", "test").units[0].tick_lots(Decimal("9" * 26)) == 0
