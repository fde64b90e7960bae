"""The account from the stream and from replies, in any order: the newest evidence wins, whatever comes last."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from models.binance_payloads import OWN_PREFIX

from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.parse_history import (
    parse_day_ticker,
    parse_income,
    parse_key_permissions,
    parse_open_interest,
)
from opensqt.connector.venues.binance.parse_user import UserContext, parse_user_event
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.domain.account import Account, Position
from opensqt.domain.fill import CashFlowKind
from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState

BTC = "BTC/USDT:USDT"


class Sink:
    """Keeps what is pushed, in order."""

    def __init__(self) -> None:
        self.pushed: list[Any] = []
        self.on_order = self.on_fill = self.on_position = self.on_account = self.on_cash_flow = self.pushed.append

    def of(self, kind: type) -> list[Any]:
        return [item for item in self.pushed if isinstance(item, kind)]


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def book(sink: Sink) -> AccountBook:
    return AccountBook(sink)  # type: ignore[arg-type]


def order_event(status: str, filled: str, *, execution: str = "", time_ms: int = 10, **changes: Any) -> bytes:
    order = {
        "s": "BTCUSDT", "c": "oq1", "S": "BUY", "o": "LIMIT", "f": "GTX", "q": "0.010", "p": "60000.00",
        "x": execution or status, "X": status, "i": 77, "l": "0", "z": filled, "L": "0", "n": "0", "N": "USDT",
        "T": time_ms, "t": 0, "m": True, "R": False, "ps": "BOTH", "rp": "0", "er": "0", **changes,
    }  # fmt: skip
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "E": time_ms, "T": time_ms, "o": order}).encode()


def fill_event(status: str, filled: str, *, last: str, trade_id: int, time_ms: int = 20) -> bytes:
    return order_event(status, filled, execution="TRADE", time_ms=time_ms, l=last, L="60000.00", n="0.012", t=trade_id)


def account_event(wallet: str, amount: str, *, time_ms: int, reason: str = "ORDER", change: str = "0") -> bytes:
    position = {"s": "BTCUSDT", "pa": amount, "ep": "60000.0", "up": "1.5", "mt": "cross", "iw": "0", "ps": "BOTH"}
    data = {"m": reason, "B": [{"a": "USDT", "wb": wallet, "cw": wallet, "bc": change}], "P": [position]}
    return json.dumps({"e": "ACCOUNT_UPDATE", "E": time_ms, "T": time_ms, "a": data}).encode()


def feed(book: AccountBook, listings: Listings, *messages: bytes) -> None:
    for message in messages:
        book.on_event(parse_user_event(message, UserContext(listings, OWN_PREFIX)))


def test_order_is_told_from_its_birth_to_its_end_with_the_exact_sum_of_its_fills(
    book: AccountBook, sink: Sink, listings: Listings
) -> None:
    feed(
        book,
        listings,
        order_event("NEW", "0"),
        fill_event("PARTIALLY_FILLED", "0.004", last="0.004", trade_id=5),
        fill_event("FILLED", "0.010", last="0.006", trade_id=6, time_ms=30),
    )
    states = [order.state for order in sink.of(Order)]
    assert states == [OrderState.LIVE, OrderState.PARTIALLY_FILLED, OrderState.FILLED]
    assert sink.of(Order)[-1].filled_ticks_lots == 6_000_000 * 10
    assert book.last_trade_id == {BTC: 6}
    assert list(book.orders.open_orders()) == []


def test_fill_is_pushed_before_the_order_it_changed(book: AccountBook, sink: Sink, listings: Listings) -> None:
    feed(book, listings, fill_event("FILLED", "0.010", last="0.010", trade_id=5))
    assert [type(item).__name__ for item in sink.pushed] == ["Fill", "Order"]


def test_late_acknowledgement_does_not_revive_an_ended_order(book: AccountBook, sink: Sink, listings: Listings) -> None:
    feed(book, listings, fill_event("FILLED", "0.010", last="0.010", trade_id=5), order_event("NEW", "0"))
    assert sink.of(Order)[-1].state is OrderState.FILLED


def test_order_of_the_other_position_mode_is_left_alone(book: AccountBook, sink: Sink, listings: Listings) -> None:
    feed(book, listings, order_event("NEW", "0", ps="LONG"))
    assert sink.pushed == []


def test_position_and_wallet_follow_the_stream_and_ask_for_what_it_does_not_tell(
    book: AccountBook, sink: Sink, listings: Listings
) -> None:
    book.on_positions([Position(symbol=BTC, lots=0, leverage=20)])
    book.on_accounts(
        [Account(asset="USDT", wallet_balance=Decimal(100), available_balance=Decimal(90), margin_balance=Decimal(100))]
    )
    feed(book, listings, account_event("99.5", "0.010", time_ms=50))
    position, account = sink.of(Position)[-1], sink.of(Account)[-1]
    assert (position.lots, position.leverage, position.unrealized_pnl) == (10, 20, Decimal("1.5"))
    assert (account.wallet_balance, account.margin_balance) == (Decimal("99.5"), Decimal(101))
    assert account.available_balance == Decimal(91)
    assert book.needs_refresh
    assert not book.needs_income


def test_reply_that_is_older_than_the_stream_changes_nothing(book: AccountBook, sink: Sink, listings: Listings) -> None:
    old = Position(symbol=BTC, lots=0, venue_time_ns=5)
    book.on_positions([old])
    feed(book, listings, account_event("99.5", "0.010", time_ms=50))
    book.on_positions([old])
    assert sink.of(Position)[-1].lots == 10


def test_reply_that_was_asked_for_before_the_stream_spoke_does_not_undo_it_within_the_same_millisecond(
    book: AccountBook, sink: Sink, listings: Listings
) -> None:
    book.on_positions([Position(symbol=BTC, lots=0)])
    feed(book, listings, account_event("99.5", "0.010", time_ms=50))
    asked = book.asking()
    feed(book, listings, account_event("99.5", "0.020", time_ms=50))
    book.needs_refresh = False
    book.on_positions([Position(symbol=BTC, lots=10, venue_time_ns=50_000_000)], asked)
    assert sink.of(Position)[-1].lots == 20
    assert book.needs_refresh, "what the reply says of the position beside its size is still wanted"


def test_reply_of_the_same_millisecond_that_was_asked_for_afterwards_completes_the_position(
    book: AccountBook, sink: Sink, listings: Listings
) -> None:
    book.on_positions([Position(symbol=BTC, lots=0)])
    feed(book, listings, account_event("99.5", "0.010", time_ms=50))
    full = Position(symbol=BTC, lots=10, liquidation_price=Decimal(1), venue_time_ns=50_000_000)
    book.on_positions([full], book.asking())
    assert sink.of(Position)[-1] == full


def test_funding_is_announced_but_booked_from_the_history_alone(
    book: AccountBook, sink: Sink, listings: Listings
) -> None:
    book.on_accounts(
        [Account(asset="USDT", wallet_balance=Decimal(1), available_balance=Decimal(1), margin_balance=Decimal(1))]
    )
    feed(book, listings, account_event("99.5", "0.010", time_ms=50, reason="FUNDING_FEE", change="-0.5"))
    assert book.needs_income
    assert [type(item).__name__ for item in sink.pushed] == ["Account", "Account"]


def test_recorded_fills_and_positions_pass_whole(
    book: AccountBook, sink: Sink, listings: Listings, payloads: Path
) -> None:
    found = json.loads((payloads / "user_sequence_taker_open_close_20241118.json").read_bytes())
    for event in found if isinstance(found, list) else found["events"]:
        feed(book, listings, json.dumps(event).encode())
    orders = {order.exchange_order_id: order for order in sink.of(Order)}
    assert orders
    assert all(msgspec.structs.asdict(order)["filled_ticks_lots"] > 0 for order in orders.values())


def test_income_leaves_out_what_belongs_to_trades_and_keeps_the_venues_own_ids(listings: Listings) -> None:
    rows = [
        {"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.35", "asset": "USDT", "time": 5, "tranId": 9},
        {"symbol": "BTCUSDT", "incomeType": "COMMISSION", "income": "-0.1", "asset": "USDT", "time": 6, "tranId": 10},
        {"symbol": "", "incomeType": "TRANSFER", "income": "100", "asset": "USDT", "time": 7, "tranId": 11},
    ]
    page = parse_income(json.dumps(rows).encode(), listings)
    assert [(flow.id, flow.kind, flow.symbol, flow.amount) for flow in page.flows] == [
        ("FUNDING_FEE-9-USDT", CashFlowKind.FUNDING, BTC, Decimal("-0.35")),
        ("TRANSFER-11-USDT", CashFlowKind.TRANSFER, "", Decimal(100)),
    ]
    assert (page.count, page.last_ms) == (3, 7)
    with pytest.raises(PayloadError):
        parse_income(b'{"code":-1,"msg":"no"}', listings)


def test_day_ticker_open_interest_and_key_permissions_are_read(listings: Listings) -> None:
    listing = listings.require("BTCUSDT", "test")
    ticker = {
        "symbol": "BTCUSDT", "lastPrice": "60000.10", "openPrice": "59000.00", "volume": "10.5",
        "quoteVolume": "630000.00", "closeTime": 8,
    }  # fmt: skip
    stats = parse_day_ticker(json.dumps(ticker).encode(), listing)
    assert (stats.last_ticks, stats.volume_lots, stats.turnover_ticks_lots) == (6_000_010, 10_500, 63_000_000_000)
    assert parse_open_interest(b'{"symbol":"BTCUSDT","openInterest":"7.250","time":1}', listing) == 7_250
    assert parse_key_permissions(b'{"enableWithdrawals":true,"ipRestrict":false}').enable_withdrawals
