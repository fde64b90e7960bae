"""The mirror believes newer evidence only, and books a trade id once."""

from decimal import Decimal

from models.connector_parts import BTC, SYMBOL, order
from msgspec.structs import replace

from opensqt.connector.mirror import AccountMirror
from opensqt.domain.account import Position
from opensqt.domain.fill import Fill
from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState


def fill(trade_id: str) -> Fill:
    return Fill(
        symbol=SYMBOL,
        trade_id=trade_id,
        client_order_id="a1",
        exchange_order_id="1",
        side=Side.BUY,
        price_ticks=600_000,
        lots=1,
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=True,
        venue_time_ns=1,
    )


def test_older_evidence_never_wins() -> None:
    mirror = AccountMirror()
    assert mirror.on_order(order("a1", OrderState.PARTIALLY_FILLED, filled_lots=4, updated_time_ns=10))
    assert not mirror.on_order(order("a1", updated_time_ns=5)), "an acknowledgement that came late"
    assert not mirror.on_order(order("a1", OrderState.PARTIALLY_FILLED, filled_lots=3, updated_time_ns=20))
    assert mirror.on_order(order("a1", OrderState.CANCELED, filled_lots=4, updated_time_ns=11))
    assert not mirror.on_order(order("a1", updated_time_ns=50)), "an ended order does not come back"
    assert list(mirror.open_orders()) == []


def test_state_that_is_told_twice_is_no_news_but_its_time_counts_against_older_evidence() -> None:
    mirror = AccountMirror()
    assert mirror.on_order(order("a1", updated_time_ns=10))
    assert not mirror.on_order(order("a1", updated_time_ns=20))
    assert not mirror.on_order(order("a1", price_ticks=1, updated_time_ns=15)), "from before the second telling"
    assert mirror.on_order(order("a1", OrderState.CANCELED, updated_time_ns=30))
    assert not mirror.on_order(order("a1", OrderState.CANCELED, updated_time_ns=40))
    known = mirror.order("a1")
    assert known is not None
    assert (known.state, known.updated_time_ns) == (OrderState.CANCELED, 40)
    assert mirror.open_count(SYMBOL) == 0


def test_counts_follow_orders_through_their_lives() -> None:
    mirror = AccountMirror()
    mirror.on_order(order("a1"))
    mirror.on_order(order("a2", side=Side.SELL, reduce_only=True))
    assert mirror.open_count(SYMBOL) == 2
    assert mirror.open_lots(SYMBOL, Side.BUY) == 10
    assert mirror.open_lots(SYMBOL, Side.SELL) == 0, "reduce-only orders cannot add to a position"
    mirror.on_order(order("a1", OrderState.PARTIALLY_FILLED, filled_lots=4, updated_time_ns=6))
    assert mirror.open_lots(SYMBOL, Side.BUY) == 6
    mirror.on_order(order("a1", OrderState.FILLED, filled_lots=10, updated_time_ns=7))
    assert mirror.open_count(SYMBOL) == 1
    assert mirror.open_lots(SYMBOL, Side.BUY) == 0


def test_a_trade_id_is_taken_once() -> None:
    mirror = AccountMirror()
    assert mirror.on_fill(fill("t1"))
    assert not mirror.on_fill(fill("t1"))
    assert mirror.on_fill(fill("t2"))


def test_orders_without_a_client_id_are_known_by_the_venues() -> None:
    mirror = AccountMirror()
    mirror.on_order(order("", exchange_order_id="55"))
    mirror.on_order(order("", exchange_order_id="56"))
    assert mirror.open_count(SYMBOL) == 2
    found = mirror.order("", SYMBOL, "56")
    assert found is not None
    assert found.exchange_order_id == "56"


def test_an_order_that_was_denied_and_shows_up_after_all_is_open() -> None:
    mirror = AccountMirror()
    mirror.on_order(order("a1", OrderState.REJECTED, exchange_order_id="", updated_time_ns=0))
    assert mirror.on_order(order("a1", OrderState.LIVE))
    assert mirror.open_count(SYMBOL) == 1


def test_lots_of_two_revisions_are_compared_and_counted_in_the_one_in_force() -> None:
    mirror = AccountMirror()
    first = BTC
    mirror.on_instrument(first)
    mirror.on_order(order("a1", OrderState.PARTIALLY_FILLED, lots=100, filled_lots=40, updated_time_ns=10))
    mirror.on_position(Position(symbol=SYMBOL, lots=45, instrument_revision=1))
    coarser = replace(first, lot_size=first.lot_size * 10, tick_size=first.tick_size * 10, revision=2)
    mirror.on_instrument(coarser)
    assert mirror.position_lots(SYMBOL) == 5, "4.5 lots: a limit has to hold"
    assert mirror.open_lots(SYMBOL, Side.BUY) == 6
    assert mirror.instrument_of(SYMBOL, 1) == first
    assert mirror.instrument_of(SYMBOL, 0) == mirror.instrument_of(SYMBOL, 2) == coarser
    ended = order(
        "a1", OrderState.CANCELED, lots=10, filled_lots=4, price_ticks=60_000, updated_time_ns=20,
        instrument_revision=2,
    )  # fmt: skip
    assert mirror.on_order(ended), "4 new lots are not less than 40 old ones"
    assert mirror.open_lots(SYMBOL, Side.BUY) == 0


def test_a_trade_told_again_in_other_units_is_no_contradiction() -> None:
    mirror = AccountMirror()
    first = BTC
    mirror.on_instrument(first)
    one = replace(fill("t1"), lots=10, instrument_revision=1)
    assert mirror.on_fill(one)
    mirror.on_instrument(replace(first, lot_size=first.lot_size * 10, tick_size=first.tick_size * 10, revision=2))
    again = replace(one, lots=1, price_ticks=one.price_ticks // 10, instrument_revision=2)
    assert not mirror.contradicts(again)
    assert mirror.contradicts(replace(again, lots=2))
