"""What our ledger and the venue's report do not share is named, with what it is worth in cash."""

from decimal import Decimal

import msgspec
from models.grid_venue import SYMBOL, instrument

from opensqt.domain.fill import CashFlow, CashFlowKind, Fill
from opensqt.domain.order import Side
from opensqt.engine.ledger_check import Books, compare_books, persistent

FILL = Fill(
    symbol=SYMBOL,
    trade_id="t1",
    client_order_id="c",
    exchange_order_id="x",
    side=Side.BUY,
    price_ticks=300_000,
    lots=10,
    fee=Decimal("0.006"),
    fee_asset="USDT",
    is_maker=True,
    venue_time_ns=5,
)
FLOW = CashFlow(
    id="f1", kind=CashFlowKind.FUNDING, symbol=SYMBOL, asset="USDT", amount=Decimal("-0.5"), venue_time_ns=7
)
BOTH = Books(fills=(FILL,), flows=(FLOW,))


def changed(value, **changes):  # type: ignore[no-untyped-def]
    return msgspec.structs.replace(value, **changes)


def test_equal_books_have_no_difference() -> None:
    assert compare_books(BOTH, BOTH, instrument()) == []
    later = changed(FILL, receive_time_ns=9, cumulative_filled_lots=10, client_order_id="other")
    assert compare_books(BOTH, changed(BOTH, fills=(later,)), instrument()) == [], "money and lots are the same"


def test_what_we_never_booked_is_worth_what_it_did_to_the_venues_cash() -> None:
    fill, flow = compare_books(Books(), BOTH, instrument())
    assert (fill.kind, fill.what, fill.id, fill.cash) == ("missing_in_ledger", "fill", "t1", Decimal("-30.006"))
    assert (flow.kind, flow.what, flow.id, flow.cash) == ("missing_in_ledger", "cash_flow", "f1", Decimal("-0.5"))


def test_what_only_we_booked_is_worth_the_opposite() -> None:
    fill, flow = compare_books(BOTH, Books(), instrument())
    assert (fill.kind, fill.cash) == ("missing_at_venue", Decimal("30.006"))
    assert (flow.kind, flow.cash) == ("missing_at_venue", Decimal("0.5"))


def test_another_fee_price_or_amount_is_a_difference_of_the_difference() -> None:
    theirs = Books(fills=(changed(FILL, fee=Decimal("0.007")),), flows=(changed(FLOW, amount=Decimal("-0.75")),))
    fill, flow = compare_books(BOTH, theirs, instrument())
    assert (fill.kind, fill.cash) == ("differs", Decimal("-0.001"))
    assert "0.007" in fill.message
    assert "0.006" in fill.message
    assert (flow.kind, flow.cash) == ("differs", Decimal("-0.25"))


def test_a_fee_in_another_asset_is_not_in_this_assets_cash() -> None:
    theirs = Books(fills=(changed(FILL, fee_asset="BNB", side=Side.SELL),))
    (found,) = compare_books(Books(), theirs, instrument())
    assert found.cash == Decimal(30)


def test_only_what_two_reads_agree_on_is_a_difference() -> None:
    first = compare_books(Books(), BOTH, instrument())
    second = compare_books(Books(fills=(FILL,)), BOTH, instrument())
    assert [one.id for one in persistent(first, second)] == ["f1"]
    assert persistent([], second) == []
