"""Requests carry what the venue demands, nothing it forbids, and say what they cost."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from models.binance_payloads import make_instrument

from opensqt.connector.rate_budget import Lane
from opensqt.connector.venues.binance import requests_account as account
from opensqt.connector.venues.binance import requests_market as market
from opensqt.connector.venues.binance import requests_orders as orders
from opensqt.connector.venues.binance.listing import Listing, Listings
from opensqt.connector.venues.binance.requests import (
    Cost,
    Request,
    Security,
    api_frame,
    logon_frame,
    rest_call,
)
from opensqt.connector.venues.binance.requests_orders import Amendment, OrderRef, OrderStyle, SelfTradePrevention
from opensqt.connector.venues.binance.sign import HmacSigner, signer_of
from opensqt.domain.errors import ErrorReason, RequestError, StateError
from opensqt.domain.order import OrderRequest, OrderType, Side, TimeInForce
from opensqt.runtime.secret import Secret

CLIENT_ID = "oqbotaZ0001000000B0000001"
SIGNER = HmacSigner(Secret("testSecretKey"))
NOW_MS = 1_700_000_000_000


@pytest.fixture
def listing() -> Listing:
    return Listing(make_instrument("BTCUSDT", "0.10", "0.001", revision=3))


def request(**changes: object) -> OrderRequest:
    terms: dict[str, object] = {
        "symbol": "BTC/USDT:USDT",
        "client_order_id": CLIENT_ID,
        "side": Side.BUY,
        "price_ticks": 600_001,
        "lots": 10,
        "instrument_revision": 3,
    }
    return OrderRequest(**{**terms, **changes})  # type: ignore[arg-type]


def params(built: Request) -> dict[str, str]:
    return dict(built.params)


def test_post_only_order_is_a_gtx_limit_in_ticks_and_lots(listing: Listing) -> None:
    built = orders.place(request(), listing, OrderStyle())

    assert params(built) == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.010",
        "timeInForce": "GTX",
        "price": "60000.10",
        "newClientOrderId": CLIENT_ID,
        "newOrderRespType": "ACK",
    }
    assert (built.verb, built.path, built.security, built.cost) == (
        "POST",
        "/fapi/v1/order",
        Security.SIGNED,
        Cost(0, 1, 1),
    )
    assert (built.lane, built.changes_state, built.api_method) == (Lane.NEW, True, "order.place")


@pytest.mark.parametrize(
    ("type_", "tif", "stp", "answer", "word"),
    [
        (OrderType.LIMIT, TimeInForce.GTC, "EXPIRE_BOTH", "ACK", "GTC"),
        (OrderType.LIMIT, TimeInForce.IOC, "EXPIRE_BOTH", "RESULT", "IOC"),
        (OrderType.LIMIT, TimeInForce.FOK, None, "RESULT", "FOK"),
        (OrderType.LIMIT, TimeInForce.GTX, None, "ACK", "GTX"),
        (OrderType.MARKET, TimeInForce.GTC, "EXPIRE_BOTH", "RESULT", None),
        (OrderType.MARKET, TimeInForce.GTX, "EXPIRE_BOTH", "RESULT", None),
    ],
)
def test_self_trade_prevention_is_said_where_it_works(
    type_: OrderType, tif: TimeInForce, stp: str | None, answer: str, word: str | None, listing: Listing
) -> None:
    style = OrderStyle(self_trade_prevention=SelfTradePrevention.EXPIRE_BOTH)

    built = params(orders.place(request(type=type_, time_in_force=tif, price_ticks=600_000), listing, style))

    assert built.get("selfTradePreventionMode") == stp
    assert built["newOrderRespType"] == answer
    assert built.get("timeInForce") == word
    assert ("price" in built) == (type_ is OrderType.LIMIT)


@pytest.mark.parametrize(
    ("side", "reduce_only", "position_side"),
    [(Side.BUY, False, "LONG"), (Side.SELL, True, "LONG"), (Side.SELL, False, "SHORT"), (Side.BUY, True, "SHORT")],
)
def test_hedge_mode_names_the_position_and_never_says_reduce_only(
    side: Side, reduce_only: bool, position_side: str, listing: Listing
) -> None:
    hedged = params(orders.place(request(side=side, reduce_only=reduce_only), listing, OrderStyle(hedge_mode=True)))
    one_way = params(orders.place(request(side=side, reduce_only=reduce_only), listing, OrderStyle()))

    assert hedged["positionSide"] == position_side
    assert "reduceOnly" not in hedged
    assert "positionSide" not in one_way
    assert one_way.get("reduceOnly") == ("true" if reduce_only else None)


def amendment(listing: Listing, revision: int = 3) -> Amendment:
    return Amendment(
        listing=listing,
        ref=OrderRef(CLIENT_ID, "42"),
        side=Side.SELL,
        price_ticks=5,
        total_lots=7,
        instrument_revision=revision,
    )


def test_amendment_says_both_price_and_quantity(listing: Listing) -> None:
    built = orders.amend(amendment(listing))

    assert params(built) == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "origClientOrderId": CLIENT_ID,
        "quantity": "0.007",
        "price": "0.50",
    }
    assert (built.verb, built.lane, built.cost, built.api_method) == ("PUT", Lane.AMEND, Cost(1, 1, 1), "order.modify")


def test_commands_of_another_revision_are_refused(listing: Listing) -> None:
    for build in (
        lambda: orders.place(request(instrument_revision=2), listing, OrderStyle()),
        lambda: orders.amend(amendment(listing, revision=4)),
    ):
        with pytest.raises(StateError) as caught:
            build()
        assert caught.value.reason is ErrorReason.STALE_INSTRUMENT


def test_batches_count_their_orders_once_per_minute(listing: Listing) -> None:
    batch = orders.place_batch([(request(client_order_id=f"a{n}"), listing) for n in range(5)], OrderStyle())
    amended = orders.amend_batch([amendment(listing)] * 3)

    members = json.loads(params(batch)["batchOrders"])
    assert [member["newClientOrderId"] for member in members] == ["a0", "a1", "a2", "a3", "a4"]
    assert all(isinstance(value, str) for member in members for value in member.values())
    assert (batch.cost, batch.verb, batch.api_method) == (Cost(5, 5, 1), "POST", "")
    assert (amended.cost, amended.verb) == (Cost(5, 3, 1), "PUT")


def test_batches_keep_to_the_sizes_of_the_venue(listing: Listing) -> None:
    refs = [OrderRef(f"a{n}") for n in range(11)]

    for build in (
        lambda: orders.place_batch([], OrderStyle()),
        lambda: orders.place_batch([(request(), listing)] * 6, OrderStyle()),
        lambda: orders.amend_batch([amendment(listing)] * 6),
        lambda: orders.cancel_batch("BTCUSDT", refs),
        lambda: orders.cancel_batch("BTCUSDT", []),
        lambda: orders.cancel_batch("BTCUSDT", [OrderRef("a"), OrderRef("", "1")]),
    ):
        with pytest.raises(RequestError):
            build()


def test_cancels_name_orders_by_our_id_or_else_by_the_venues() -> None:
    assert params(orders.cancel("BTCUSDT", OrderRef("mine", "7")))["origClientOrderId"] == "mine"
    assert params(orders.cancel("BTCUSDT", OrderRef("", "7")))["orderId"] == "7"
    by_client = orders.cancel_batch("BTCUSDT", [OrderRef("a"), OrderRef("b")])
    by_venue = orders.cancel_batch("BTCUSDT", [OrderRef("", "1"), OrderRef("", "2")])
    assert params(by_client)["origClientOrderIdList"] == '["a","b"]'
    assert params(by_venue)["orderIdList"] == "[1,2]"
    for ref in (OrderRef(""), OrderRef("", "x"), OrderRef("", "-1"), OrderRef("", "٣")):
        with pytest.raises(RequestError):
            orders.cancel("BTCUSDT", ref)


def test_cancels_cost_no_orders_and_go_first() -> None:
    for built in (
        orders.cancel("BTCUSDT", OrderRef("a")),
        orders.cancel_batch("BTCUSDT", [OrderRef("a")]),
        orders.cancel_all("BTCUSDT"),
    ):
        assert (built.verb, built.lane, built.cost, built.changes_state) == ("DELETE", Lane.CANCEL, Cost(1), True)


# (request, verb, path, weight) as the venue's weight table has them.
WEIGHTS: list[tuple[Callable[[], Request], str, str, int]] = [
    (market.server_time, "GET", "/fapi/v1/time", 1),
    (market.exchange_info, "GET", "/fapi/v1/exchangeInfo", 1),
    (lambda: market.depth("B", 5), "GET", "/fapi/v1/depth", 2),
    (lambda: market.depth("B", 50), "GET", "/fapi/v1/depth", 2),
    (lambda: market.depth("B", 100), "GET", "/fapi/v1/depth", 5),
    (lambda: market.depth("B", 500), "GET", "/fapi/v1/depth", 10),
    (lambda: market.depth("B", 1000), "GET", "/fapi/v1/depth", 20),
    (lambda: market.klines("B", "1m", 99), "GET", "/fapi/v1/klines", 1),
    (lambda: market.klines("B", "1m", 100), "GET", "/fapi/v1/klines", 2),
    (lambda: market.klines("B", "1m", 499), "GET", "/fapi/v1/klines", 2),
    (lambda: market.klines("B", "1m", 500), "GET", "/fapi/v1/klines", 5),
    (lambda: market.klines("B", "1m", 1000), "GET", "/fapi/v1/klines", 5),
    (lambda: market.klines("B", "1m", 1001), "GET", "/fapi/v1/klines", 10),
    (lambda: market.premium_index("B"), "GET", "/fapi/v1/premiumIndex", 1),
    (lambda: market.funding_rates("B"), "GET", "/fapi/v1/fundingRate", 0),
    (market.funding_info, "GET", "/fapi/v1/fundingInfo", 0),
    (lambda: market.book_ticker("B"), "GET", "/fapi/v1/ticker/bookTicker", 2),
    (lambda: market.agg_trades("B"), "GET", "/fapi/v1/aggTrades", 20),
    (account.account, "GET", "/fapi/v3/account", 5),
    (account.balance, "GET", "/fapi/v3/balance", 5),
    (account.position_risk, "GET", "/fapi/v3/positionRisk", 5),
    (lambda: account.open_orders("B"), "GET", "/fapi/v1/openOrders", 1),
    (account.open_orders, "GET", "/fapi/v1/openOrders", 40),
    (lambda: account.all_orders("B"), "GET", "/fapi/v1/allOrders", 5),
    (lambda: account.user_trades("B"), "GET", "/fapi/v1/userTrades", 5),
    (account.account_config, "GET", "/fapi/v1/accountConfig", 5),
    (account.symbol_config, "GET", "/fapi/v1/symbolConfig", 5),
    (lambda: account.commission_rate("B"), "GET", "/fapi/v1/commissionRate", 20),
    (account.order_rate_limits, "GET", "/fapi/v1/rateLimit/order", 1),
    (lambda: account.set_leverage("B", 20), "POST", "/fapi/v1/leverage", 1),
    (lambda: account.set_margin_type("B", isolated=True), "POST", "/fapi/v1/marginType", 1),
    (lambda: account.set_hedge_mode(is_on=False), "POST", "/fapi/v1/positionSide/dual", 1),
    (account.start_user_stream, "POST", "/fapi/v1/listenKey", 1),
    (account.extend_user_stream, "PUT", "/fapi/v1/listenKey", 1),
    (account.close_user_stream, "DELETE", "/fapi/v1/listenKey", 1),
    (lambda: orders.query("B", OrderRef("a")), "GET", "/fapi/v1/order", 1),
    (lambda: orders.cancel("B", OrderRef("a")), "DELETE", "/fapi/v1/order", 1),
    (lambda: orders.cancel_batch("B", [OrderRef("a")]), "DELETE", "/fapi/v1/batchOrders", 1),
    (lambda: orders.cancel_all("B"), "DELETE", "/fapi/v1/allOpenOrders", 1),
    (lambda: orders.countdown("B", 120_000), "POST", "/fapi/v1/countdownCancelAll", 10),
]


@pytest.mark.parametrize(("build", "verb", "path", "weight"), WEIGHTS)
def test_request_costs_what_the_venue_charges(build: Callable[[], Request], verb: str, path: str, weight: int) -> None:
    built = build()

    assert (built.verb, built.path, built.cost) == (verb, path, Cost(weight))


@pytest.mark.parametrize(
    "build",
    [
        lambda: market.depth("B", 7),
        lambda: market.klines("B", "1m", 0),
        lambda: market.klines("B", "1m", 1501),
        lambda: market.funding_rates("B", 1001),
        lambda: account.user_trades("B", limit=1001),
        lambda: account.all_orders("B", limit=0),
        lambda: account.set_leverage("B", 0),
        lambda: account.set_leverage("B", 126),
    ],
)
def test_sizes_the_venue_refuses_are_refused_first(build: Callable[[], Request]) -> None:
    with pytest.raises(RequestError):
        build()


def test_settings_are_spelled_as_the_venue_spells_them() -> None:
    assert params(account.set_margin_type("B", isolated=False))["marginType"] == "CROSSED"
    assert params(account.set_margin_type("B", isolated=True))["marginType"] == "ISOLATED"
    assert params(account.set_hedge_mode(is_on=True))["dualSidePosition"] == "true"
    assert params(orders.countdown("B", 0))["countdownTime"] == "0"
    assert params(account.user_trades("B", from_id=5, start_ms=9)) == {"symbol": "B", "fromId": "5", "limit": "500"}


def test_signed_post_carries_its_form_in_the_body(listing: Listing) -> None:
    call = rest_call(orders.place(request(), listing, OrderStyle()), "key", SIGNER, NOW_MS)

    form = parse_qsl(call.body, strict_parsing=True)
    assert (call.verb, call.target) == ("POST", "/fapi/v1/order")
    assert call.headers == {"X-MBX-APIKEY": "key", "Content-Type": "application/x-www-form-urlencoded"}
    assert form[-3:-1] == [("recvWindow", "5000"), ("timestamp", str(NOW_MS))]
    payload, _, signature = call.body.rpartition("&signature=")
    assert signature == SIGNER.sign(payload.encode())


def test_signed_get_and_delete_carry_everything_in_the_query() -> None:
    for built in (account.account(), orders.cancel("币安人生USDT", OrderRef("a"))):
        call = rest_call(built, "key", SIGNER, NOW_MS)
        payload, _, signature = urlsplit(call.target).query.rpartition("&signature=")
        assert call.body == ""
        assert "Content-Type" not in call.headers
        assert call.target.isascii()
        assert signature == SIGNER.sign(payload.encode())


def test_public_requests_carry_no_key_and_key_requests_no_signature() -> None:
    public = rest_call(market.depth("BTCUSDT", 1000), "key", None, NOW_MS)
    keyed = rest_call(account.start_user_stream(), "key", None, NOW_MS)

    assert (public.target, public.headers) == ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", {})
    assert (keyed.target, keyed.body, keyed.headers) == ("/fapi/v1/listenKey", "", {"X-MBX-APIKEY": "key"})
    with pytest.raises(ValueError, match="must be signed"):
        rest_call(account.account(), "key", None, NOW_MS)


def frame(built: Request, *, is_logged_on: bool = False) -> dict[str, object]:
    data = api_frame(built, 1, "testApiKey", None if is_logged_on else SIGNER, NOW_MS, is_logged_on=is_logged_on)
    decoded: dict[str, object] = json.loads(data)
    return decoded


def documented(payloads: Path, name: str) -> dict[str, object]:
    example: dict[str, object] = json.loads((payloads / name).read_text())
    return example


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("doc_wsapi_order_place_request.json", "place"),
        ("doc_wsapi_order_modify_request.json", "amend"),
        ("doc_wsapi_order_cancel_request.json", "cancel"),
        ("doc_wsapi_order_status_request.json", "query"),
        ("doc_wsapi_user_stream_start.json", "start"),
    ],
)
def test_websocket_api_requests_have_the_documented_shape(
    name: str, build: str, payloads: Path, listing: Listing
) -> None:
    example = documented(payloads, name)
    wanted = example["params"]
    assert isinstance(wanted, dict)
    by_number = OrderRef("", str(wanted.get("orderId", 1)))
    amended = Amendment(
        listing=listing, ref=by_number, side=Side.SELL, price_ticks=437_691, total_lots=110, instrument_revision=3
    )
    built = {
        "place": orders.place(request(time_in_force=TimeInForce.GTC), listing, OrderStyle()),
        "amend": orders.amend(amended),
        "cancel": orders.cancel("BTCUSDT", by_number),
        "query": orders.query("BTCUSDT", by_number),
        "start": account.start_user_stream(),
    }[build]

    sent = frame(built)

    assert sent["method"] == example["method"]
    said = sent["params"]
    assert isinstance(said, dict)
    # Optional in the docs' example, said by nobody else: the order's own type, side of a hedge, price match.
    optional = {"origType", "positionSide", "priceMatch"}
    assert set(wanted) - optional <= set(said)
    for key in set(wanted) & set(said):
        assert type(said[key]) is type(wanted[key]), key
    if "orderId" in wanted:
        assert said["orderId"] == wanted["orderId"]


def test_websocket_api_order_is_signed_over_its_sorted_params(listing: Listing) -> None:
    said = frame(orders.place(request(), listing, OrderStyle()))["params"]
    assert isinstance(said, dict)
    signature = said.pop("signature")

    payload = "&".join(f"{key}={said[key]}" for key in sorted(said))
    assert signature == SIGNER.sign(payload.encode())
    assert said["apiKey"] == "testApiKey"


def test_logged_on_session_sends_neither_key_nor_signature(listing: Listing) -> None:
    said = frame(orders.place(request(), listing, OrderStyle()), is_logged_on=True)["params"]

    assert isinstance(said, dict)
    assert said["timestamp"] == NOW_MS
    assert not {"apiKey", "signature"} & set(said)


def test_logon_is_signed_with_the_session_key(payloads: Path) -> None:
    vector = next(v for v in json.loads((payloads / "sign_vectors.json").read_text()) if "Ed25519" in v["alg"])
    example = documented(payloads, "doc_wsapi_logon_request.json")

    sent = json.loads(logon_frame(7, vector["api_key"], signer_of(Secret(vector["private_key_pem"])), NOW_MS))

    assert sent["id"] == 7
    assert sent["method"] == example["method"]
    assert sent["params"] == {
        "apiKey": "testApiKey",
        "recvWindow": 5000,
        "timestamp": NOW_MS,
        "signature": vector["signature"],
    }


def test_batches_and_cancel_all_have_no_websocket_method() -> None:
    with pytest.raises(ValueError, match="REST"):
        frame(orders.cancel_all("BTCUSDT"))


def test_listings_remember_the_units_of_older_revisions() -> None:
    old = make_instrument("BTCUSDT", "0.01", "0.001", revision=1)
    new = make_instrument("BTCUSDT", "0.10", "0.001", revision=2)
    listing = Listings.of([old]).with_instruments([new]).require("BTCUSDT", "test")

    fits_both = listing.count("order", ("100.10",), ("0.5",))
    fits_old = listing.count("order", ("100.11",), ("0.5",))

    assert (fits_both.ticks, fits_both.units.revision) == ((1001,), 2)
    assert (fits_old.ticks, fits_old.units.revision) == ((10011,), 1)
