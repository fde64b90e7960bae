"""Reports of one order become one order, whatever their order and number."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector.venues.binance import order_map
from opensqt.connector.venues.binance.order_map import merge, origin_of, state_of
from opensqt.domain.fill import Fill, FillOrigin
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState as S


def report(state: S, filled: int = 0, at: int = 1, **changes: object) -> Order:
    terms: dict[str, object] = {
        "symbol": "BTC/USDT:USDT",
        "client_order_id": "a",
        "side": Side.BUY,
        "price_ticks": 100,
        "lots": 10,
        "filled_lots": filled,
        "state": state,
        "updated_time_ns": at,
        "instrument_revision": 1,
    }
    return Order(**{**terms, **changes})  # type: ignore[arg-type]


def fill(price_ticks: int, lots: int) -> Fill:
    return Fill(
        symbol="BTC/USDT:USDT",
        trade_id="1",
        client_order_id="a",
        exchange_order_id="1",
        side=Side.BUY,
        price_ticks=price_ticks,
        lots=lots,
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=True,
        venue_time_ns=1,
    )


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("NEW", 0, S.LIVE),
        ("NEW", 3, S.PARTIALLY_FILLED),
        ("PARTIALLY_FILLED", 3, S.PARTIALLY_FILLED),
        ("FILLED", 10, S.FILLED),
        ("CANCELED", 0, S.CANCELED),
        ("CANCELED", 3, S.CANCELED),
        ("EXPIRED", 0, S.EXPIRED),
        ("EXPIRED_IN_MATCH", 3, S.EXPIRED),
        ("REJECTED", 0, S.REJECTED),
        ("NEW_ADL", 10, S.FILLED),
        ("NEW_INSURANCE", 0, S.LIVE),
        ("INVENTED", 0, S.UNKNOWN),
        ("INVENTED", 10, S.FILLED),
    ],
)
def test_status_has_its_state(status: str, filled: int, state: S) -> None:
    assert state_of(status, filled, 10) is state


def test_every_word_we_send_is_a_word_we_read() -> None:
    assert {order_map.TYPES[order_map.TYPE_WORDS[kind]] for kind in OrderType} == set(OrderType)
    assert all(order_map.TYPES[order_map.TYPE_WORDS[kind]] is kind for kind in OrderType)
    assert all(order_map.TIMES_IN_FORCE[order_map.TIME_IN_FORCE_WORDS[tif]] is tif for tif in TimeInForce)
    assert all(order_map.SIDES[order_map.SIDE_WORDS[side]] is side for side in Side)
    assert order_map.order_type_of("INVENTED", has_price=True) is OrderType.LIMIT
    assert order_map.order_type_of("INVENTED", has_price=False) is OrderType.MARKET
    assert order_map.time_in_force_of("INVENTED") is TimeInForce.GTC


@pytest.mark.parametrize(
    ("client_order_id", "origin"),
    [
        ("oqbotaZ0001", FillOrigin.OURS),
        ("web_123", FillOrigin.MANUAL),
        ("", FillOrigin.MANUAL),
        ("autoclose-1", FillOrigin.LIQUIDATION),
        ("adl_autoclose_1", FillOrigin.ADL),
        ("settlement_autoclose-1", FillOrigin.SETTLEMENT),
    ],
)
def test_origin_is_read_from_the_client_id(client_order_id: str, origin: FillOrigin) -> None:
    assert origin_of(client_order_id, "oqbotaZ") is origin


def test_fill_known_before_the_order_is_new_stays_known() -> None:
    known = merge(report(S.PENDING_NEW, at=0), report(S.FILLED, filled=10, at=5))

    assert merge(known, report(S.LIVE, at=5)) == known


@pytest.mark.parametrize("ending", [S.FILLED, S.CANCELED, S.EXPIRED])
@pytest.mark.parametrize("later", [S.LIVE, S.PARTIALLY_FILLED, S.CANCELED])
def test_terminal_state_never_goes_back(ending: S, later: S) -> None:
    known = report(ending, filled=10 if ending is S.FILLED else 2, at=5)

    assert merge(known, report(later, filled=1, at=9)).state is ending


def test_late_fill_completes_a_cancelled_order() -> None:
    merged = merge(report(S.CANCELED, filled=4), report(S.FILLED, filled=10, at=2))

    assert (merged.state, merged.filled_lots) == (S.FILLED, 10)


def test_stop_that_expired_and_came_back_is_seen_filled() -> None:
    order = report(S.LIVE, at=1)
    for step in (report(S.EXPIRED, at=2), report(S.LIVE, at=2), report(S.FILLED, filled=10, at=2)):
        order = merge(order, step)

    assert (order.state, order.filled_lots) == (S.FILLED, 10)


def test_amendment_changes_the_terms_and_old_news_does_not_change_them_back() -> None:
    amending = report(S.PENDING_AMEND, filled=3, at=1)
    amended = merge(amending, report(S.LIVE, filled=3, at=4, price_ticks=105, lots=12), is_amendment=True)
    after = merge(amended, report(S.LIVE, filled=3, at=2))

    assert (amended.state, amended.price_ticks, amended.lots) == (S.PARTIALLY_FILLED, 105, 12)
    assert (after.price_ticks, after.lots, after.state) == (105, 12, S.PARTIALLY_FILLED)


def test_pending_cancel_waits_for_the_cancel() -> None:
    pending = report(S.PENDING_CANCEL, at=1)

    assert merge(pending, report(S.LIVE, at=2)).state is S.PENDING_CANCEL
    assert merge(pending, report(S.CANCELED, at=2)).state is S.CANCELED


def test_unknown_order_that_is_seen_is_live() -> None:
    assert merge(report(S.UNKNOWN, at=0), report(S.LIVE, at=1, exchange_order_id="7")).exchange_order_id == "7"
    assert merge(report(S.UNKNOWN, at=0), report(S.LIVE, at=1)).state is S.LIVE


def test_fills_add_up_exactly_while_none_is_missing() -> None:
    first = merge(report(S.LIVE), report(S.PARTIALLY_FILLED, filled=3, at=2), fill(100, 3))
    second = merge(first, report(S.PARTIALLY_FILLED, filled=5, at=3), fill(99, 2))
    with_gap = merge(second, report(S.PARTIALLY_FILLED, filled=9, at=4), fill(98, 1))
    told = merge(with_gap, report(S.PARTIALLY_FILLED, filled=9, at=4, filled_ticks_lots=890))

    assert [order.filled_ticks_lots for order in (first, second, with_gap, told)] == [300, 498, 0, 890]


def test_sizes_of_two_revisions_are_never_compared() -> None:
    known = report(S.PARTIALLY_FILLED, filled=5, at=1, instrument_revision=1)
    newer = report(S.PARTIALLY_FILLED, filled=50, at=2, lots=100, price_ticks=1000, instrument_revision=2)

    assert merge(known, newer).filled_lots == 50
    assert merge(newer, known) == newer


REPORTS = (
    report(S.LIVE, at=3),
    report(S.PARTIALLY_FILLED, filled=4, at=4),
    report(S.FILLED, filled=10, at=5),
)


@pytest.mark.parametrize("order", list(itertools.permutations(REPORTS)))
def test_reports_in_any_order_end_the_same(order: tuple[Order, ...]) -> None:
    known = report(S.PENDING_NEW, at=0)
    for step in order:
        known = merge(known, step)

    assert (known.state, known.filled_lots) == (S.FILLED, 10)


VENUE_STATES = st.sampled_from([S.LIVE, S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED])


@given(st.lists(st.tuples(VENUE_STATES, st.integers(0, 10), st.integers(0, 5)), max_size=8))
def test_filled_size_never_shrinks_and_endings_hold(steps: list[tuple[S, int, int]]) -> None:
    known = report(S.PENDING_NEW, at=0)
    for state, filled, at in steps:
        merged = merge(known, report(state, filled=filled, at=at))
        assert merged.filled_lots >= known.filled_lots
        if known.state.is_terminal:
            assert merged.state in (known.state, S.FILLED)
        known = merged
