"""Placements nobody answered for: settled by evidence only, and given to the venue's countdown when there is none."""

from opensqt.connector.settle import EXPIRE_AFTER_NS, MIN_AGE_NS, Unsettled
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState

ORDER = Order(
    symbol="ETH/USDT:USDT",
    client_order_id="c1",
    side=Side.BUY,
    type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTX,
    price_ticks=1,
    lots=1,
    state=OrderState.UNKNOWN,
)


def opened() -> tuple[Unsettled, list[str]]:
    made, closed = Unsettled(), []
    made.add(ORDER, 0, token=1, on_settled=lambda: closed.append("c1"))
    return made, closed


def test_time_alone_settles_nothing_but_stops_the_countdowns_refresh() -> None:
    made, closed = opened()
    assert made.stubborn_symbols(EXPIRE_AFTER_NS - 1) == frozenset()
    assert made.stubborn_symbols(EXPIRE_AFTER_NS) == {ORDER.symbol}
    assert made.stubborn_symbols(1_000 * EXPIRE_AFTER_NS) == {ORDER.symbol}
    assert len(made) == 1
    assert closed == []


def test_evidence_ends_it() -> None:
    made, closed = opened()
    made.seen("c1")
    assert closed == ["c1"]
    assert made.stubborn_symbols(EXPIRE_AFTER_NS) == frozenset()


def test_a_failed_query_is_no_denial() -> None:
    made, _closed = opened()
    late = 100 * MIN_AGE_NS
    assert made.due(late)
    assert made.denied("c1", late) is None
    assert made.due(2 * late)
    made.failed("c1", 2 * late)
    assert made.due(3 * late)
    assert made.denied("c1", 3 * late) is None, "denials count in a row"
    assert made.due(4 * late)
    assert made.denied("c1", 4 * late) == ORDER
