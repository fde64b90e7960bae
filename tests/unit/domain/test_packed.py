"""What is packed comes back as it was, and takes less room."""

import tracemalloc
from decimal import Decimal

from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import OrderState
from opensqt.domain.packed import PackedHistory, Packer
from opensqt.matching.order_store import StoredOrder

ORDERS, FILLS = Packer(Order), Packer(Fill)


def order(number: int, **changes: object) -> Order:
    fields: dict[str, object] = {
        "symbol": "BTC/USDT:USDT",
        "client_order_id": f"oqbot-{number}",
        "exchange_order_id": str(10**9 + number),
        "side": Side.SELL,
        "price_ticks": 123_456 + number,
        "lots": 2_000 + number,
        "filled_lots": 1_000 + number,
        "state": OrderState.EXPIRED,
        "reason": ErrorReason.SELF_TRADE,
        "updated_time_ns": 10**18 + number,
        **changes,
    }
    return Order(**fields)  # type: ignore[arg-type]


def test_an_order_comes_back_with_its_types() -> None:
    packed = ORDERS.pack(order(1))
    assert isinstance(packed, bytes)
    found = ORDERS.unpack(packed)
    assert found == order(1)
    assert (type(found.state), type(found.side), type(found.reason)) == (OrderState, Side, ErrorReason)


def test_a_struct_within_a_struct_is_packed_too() -> None:
    rows = Packer(StoredOrder)
    stored = StoredOrder("paper", order(1), 7)
    packed, alone = rows.pack(stored), ORDERS.pack(order(1))
    assert rows.unpack(packed) == stored
    assert isinstance(packed, bytes)
    assert isinstance(alone, bytes)
    assert len(packed) < len(alone) + 10, "without the names of its fields"


def test_a_number_beyond_64_bits_is_kept() -> None:
    large = order(1, filled_ticks_lots=2**70)
    assert ORDERS.unpack(ORDERS.pack(large)) == large


def test_a_fee_keeps_every_digit() -> None:
    fill = Fill(
        symbol="BTC/USDT:USDT",
        trade_id="7",
        client_order_id="a",
        exchange_order_id="1",
        side=Side.BUY,
        price_ticks=5,
        lots=2,
        fee=Decimal("-0.00000100"),
        fee_asset="USDT",
        is_maker=True,
        venue_time_ns=1,
    )
    found = FILLS.unpack(FILLS.pack(fill))
    assert found == fill
    assert found.fee.as_tuple() == fill.fee.as_tuple()


def test_history_forgets_the_oldest_and_a_replaced_value_keeps_its_place() -> None:
    history: PackedHistory[int, Order] = PackedHistory(ORDERS)
    for number in range(3):
        history[number] = order(number)
    history[0] = order(9)
    assert list(reversed(history)) == [2, 1, 0]
    assert history.pop_oldest() == (0, order(9))
    assert history.get(0) is None
    assert history[2] == order(2)
    assert history.pop(2) == order(2)
    assert list(history.items()) == [(1, order(1))]


def test_a_history_takes_half_of_what_its_objects_take() -> None:
    def size_of(history: object) -> int:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2_000):
            history[number] = order(number)  # type: ignore[index]
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        packed, plain = size_of(PackedHistory(ORDERS)), size_of({})
    finally:
        tracemalloc.stop()
    assert packed < plain * 0.6
