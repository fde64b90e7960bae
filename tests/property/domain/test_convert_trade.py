"""Domain values survive the Trade stream's records, field for field; unspecified enums are refused by name."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.domain import convert_trade as convert
from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.fill import CashFlow, CashFlowKind, Fill, FillOrigin
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.market import BookValidity, FeedHealth, MarkPrice
from opensqt.domain.order import Order, OrderRequest, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.proto import trade_pb2

INT64 = st.integers(0, (1 << 62))
TEXT = st.text(max_size=12)
MONEY = st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, allow_infinity=False, places=8)
POSITIVE = st.decimals(min_value=Decimal("0.00000001"), max_value=10**6, places=8)

ORDERS = st.builds(
    Order,
    symbol=TEXT,
    client_order_id=TEXT,
    exchange_order_id=TEXT,
    side=st.sampled_from(Side),
    type=st.sampled_from(OrderType),
    time_in_force=st.sampled_from(TimeInForce),
    price_ticks=INT64,
    lots=INT64,
    filled_lots=INT64,
    reduce_only=st.booleans(),
    state=st.sampled_from(OrderState),
    reason=st.none() | st.sampled_from(ErrorReason),
    created_time_ns=INT64,
    updated_time_ns=INT64,
    instrument_revision=INT64,
    filled_ticks_lots=INT64,
)
FILLS = st.builds(
    Fill,
    symbol=TEXT,
    trade_id=TEXT,
    client_order_id=TEXT,
    exchange_order_id=TEXT,
    side=st.sampled_from(Side),
    price_ticks=INT64,
    lots=INT64,
    cumulative_filled_lots=INT64,
    fee=MONEY,
    fee_asset=TEXT,
    is_maker=st.booleans(),
    origin=st.sampled_from(FillOrigin),
    venue_time_ns=INT64,
    receive_time_ns=INT64,
    instrument_revision=INT64,
)
REQUESTS = st.builds(
    OrderRequest,
    symbol=TEXT,
    client_order_id=TEXT,
    side=st.sampled_from(Side),
    type=st.sampled_from(OrderType),
    time_in_force=st.sampled_from(TimeInForce),
    price_ticks=INT64,
    lots=INT64,
    reduce_only=st.booleans(),
    instrument_revision=INT64,
)
FLOWS = st.builds(
    CashFlow,
    id=TEXT,
    kind=st.sampled_from(CashFlowKind),
    symbol=TEXT,
    asset=TEXT,
    amount=MONEY,
    rate=st.none() | MONEY,
    venue_time_ns=INT64,
)
ACCOUNTS = st.builds(
    Account,
    asset=TEXT,
    wallet_balance=MONEY,
    available_balance=MONEY,
    margin_balance=MONEY,
    unrealized_pnl=MONEY,
    maintenance_margin=MONEY,
    venue_time_ns=INT64,
)
POSITIONS = st.builds(
    Position,
    symbol=TEXT,
    lots=st.integers(-(1 << 62), 1 << 62),
    entry_price=MONEY,
    mark_price=MONEY,
    unrealized_pnl=MONEY,
    liquidation_price=MONEY,
    leverage=st.integers(0, 1000),
    margin_type=TEXT,
    venue_time_ns=INT64,
)
FEEDS = st.builds(
    FeedHealth,
    symbol=TEXT,
    book=st.sampled_from(BookValidity),
    reason=TEXT,
    market_stream_up=st.booleans(),
    private_stream_up=st.booleans(),
    last_market_data_ns=INT64,
)
MARKS = st.builds(
    MarkPrice,
    symbol=TEXT,
    mark_price=MONEY,
    index_price=MONEY,
    funding_rate=MONEY,
    next_funding_time_ms=INT64,
    venue_time_ns=INT64,
)
INSTRUMENTS = st.builds(
    Instrument,
    symbol=TEXT,
    venue_symbol=TEXT,
    base_asset=TEXT,
    quote_asset=TEXT,
    settle_asset=TEXT,
    tick_size=POSITIVE,
    lot_size=POSITIVE,
    contract_multiplier=POSITIVE,
    min_lots=INT64,
    max_lots=INT64,
    min_notional=MONEY,
    maker_fee_rate=MONEY,
    taker_fee_rate=MONEY,
    max_open_orders=st.integers(0, 1 << 30),
    revision=INT64,
    status=st.sampled_from(InstrumentStatus),
    price_band_up=MONEY,
    price_band_down=MONEY,
    maintenance_margin_rate=MONEY,
    max_leverage=st.integers(0, 1 << 30),
)


@given(ORDERS)
def test_order_survives(value: Order) -> None:
    assert convert.order_from_wire(convert.order_to_wire(value)) == value


@given(FILLS)
def test_fill_survives(value: Fill) -> None:
    assert convert.fill_from_wire(convert.fill_to_wire(value)) == value


@given(REQUESTS)
def test_placement_survives(value: OrderRequest) -> None:
    message = convert.place_to_wire(value)
    assert convert.place_from_wire(message) == value
    assert message.post_only is value.post_only


@given(FLOWS)
def test_cash_flow_survives(value: CashFlow) -> None:
    assert convert.cash_flow_from_wire(convert.cash_flow_to_wire(value)) == value


@given(ACCOUNTS)
def test_account_survives(value: Account) -> None:
    assert convert.account_from_wire(convert.account_to_wire(value)) == value


@given(POSITIONS)
def test_position_survives(value: Position) -> None:
    assert convert.position_from_wire(convert.position_to_wire(value)) == value


@given(FEEDS)
def test_feed_health_survives(value: FeedHealth) -> None:
    assert convert.feed_from_wire(convert.feed_to_wire(value)) == value


@given(MARKS)
def test_mark_price_survives(value: MarkPrice) -> None:
    assert convert.mark_from_wire(convert.mark_to_wire(value)) == value


@given(INSTRUMENTS)
def test_instrument_survives(value: Instrument) -> None:
    assert convert.instrument_from_wire(convert.instrument_to_wire(value)) == value


@pytest.mark.parametrize("field", ["side", "type", "time_in_force"])
def test_unspecified_enum_of_a_placement_is_refused_by_name(field: str) -> None:
    message = trade_pb2.PlaceCommand(symbol="X", side=1, type=1, time_in_force=1, price_ticks=1, lots=1)
    setattr(message, field, 0)
    with pytest.raises(RequestError) as caught:
        convert.place_from_wire(message)
    assert caught.value.metadata["field"] == field
    assert "unspecified" in caught.value.message
