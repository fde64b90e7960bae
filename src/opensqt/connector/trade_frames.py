"""Items of the Trade stream as bytes: each a TradeEvent with that one item, so that joined bytes are joined items."""

from opensqt.connector.commands import OutcomeReport
from opensqt.domain import convert_trade as convert
from opensqt.domain.account import Account, Position
from opensqt.domain.errors import OpensqtError
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import FeedHealth, MarkPrice
from opensqt.domain.order import Order
from opensqt.domain.wire_enum import reason_to_wire
from opensqt.proto import trade_pb2


def item_frame(item: trade_pb2.TradeItem) -> bytes:
    """Serialise one item."""
    return trade_pb2.TradeEvent(items=(item,)).SerializeToString()


def order_frame(order: Order) -> bytes:
    """Serialise an order update."""
    return item_frame(trade_pb2.TradeItem(order=convert.order_to_wire(order)))


def fill_frame(fill: Fill) -> bytes:
    """Serialise a fill."""
    return item_frame(trade_pb2.TradeItem(fill=convert.fill_to_wire(fill)))


def account_frame(account: Account) -> bytes:
    """Serialise balances."""
    return item_frame(trade_pb2.TradeItem(account=convert.account_to_wire(account)))


def position_frame(position: Position) -> bytes:
    """Serialise a position."""
    return item_frame(trade_pb2.TradeItem(position=convert.position_to_wire(position)))


def cash_flow_frame(flow: CashFlow) -> bytes:
    """Serialise a wallet change."""
    return item_frame(trade_pb2.TradeItem(cash_flow=convert.cash_flow_to_wire(flow)))


def mark_frame(mark: MarkPrice) -> bytes:
    """Serialise a mark price."""
    return item_frame(trade_pb2.TradeItem(mark=convert.mark_to_wire(mark)))


def feed_frame(feed: FeedHealth) -> bytes:
    """Serialise feed health."""
    return item_frame(trade_pb2.TradeItem(feed=convert.feed_to_wire(feed)))


def instrument_frame(instrument: Instrument) -> bytes:
    """Serialise an instrument's new revision."""
    return item_frame(trade_pb2.TradeItem(instrument=convert.instrument_to_wire(instrument)))


def heartbeat_frame(heartbeat: trade_pb2.Heartbeat) -> bytes:
    """Serialise the echo of a heartbeat."""
    return item_frame(trade_pb2.TradeItem(heartbeat=heartbeat))


def result_frame(command_id: int, client_order_id: str, report: OutcomeReport, received_ns: int = 0) -> bytes:
    """Serialise the result of a command; `received_ns` is when it was read."""
    result = trade_pb2.CommandResult(
        command_id=command_id,
        client_order_id=client_order_id,
        outcome=trade_pb2.CommandOutcome.ValueType(report.outcome),
        reason=reason_to_wire(report.reason),
        message=report.message,
        retry_after_ms=report.retry_after_ms,
        sent_ns=report.sent_ns,
        acknowledged_ns=report.acknowledged_ns,
        received_ns=received_ns,
    )
    if report.order is not None:
        result.order.CopyFrom(convert.order_to_wire(report.order))
    return item_frame(trade_pb2.TradeItem(result=result))


def refusal_frame(command_id: int, client_order_id: str, error: OpensqtError, order: Order | None = None) -> bytes:
    """Serialise the result of a command that was refused before it was sent."""
    result = trade_pb2.CommandResult(
        command_id=command_id,
        client_order_id=client_order_id,
        outcome=trade_pb2.COMMAND_OUTCOME_REJECTED,
        reason=reason_to_wire(error.reason),
        message=error.message,
        retry_after_ms=error.retry_after_ms or 0,
    )
    if order is not None:
        result.order.CopyFrom(convert.order_to_wire(order))
    return item_frame(trade_pb2.TradeItem(result=result))
