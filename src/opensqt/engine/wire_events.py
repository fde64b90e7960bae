"""The connector's messages to core events, and core commands to the connector's messages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from opensqt.domain.convert_trade import (
    account_from_wire,
    cash_flow_from_wire,
    feed_from_wire,
    fill_from_wire,
    instrument_from_wire,
    mark_from_wire,
    order_from_wire,
    place_to_wire,
    position_from_wire,
)
from opensqt.domain.errors import invalid_field
from opensqt.domain.fill import Fill
from opensqt.domain.wire_enum import reason_from_wire
from opensqt.engine.commands import Cancel, Place, Query, SetLeverage
from opensqt.engine.events import Attached, Event, Outcome, Result
from opensqt.proto import trade_pb2


def read_attached(
    snapshot: trade_pb2.TradeSnapshot, session_epoch: int, earlier_fills: Iterable[Fill] = ()
) -> Attached:
    """Read a session's snapshot; `earlier_fills` are those it had no room for."""
    return Attached(
        session_epoch=session_epoch,
        exchange=snapshot.exchange,
        mode=snapshot.mode,
        instruments=tuple(instrument_from_wire(item) for item in snapshot.instruments),
        open_orders=tuple(order_from_wire(item) for item in snapshot.open_orders),
        positions=tuple(position_from_wire(item) for item in snapshot.positions),
        accounts=tuple(account_from_wire(item) for item in snapshot.accounts),
        fills=(*earlier_fills, *(fill_from_wire(item) for item in snapshot.fills)),
        cash_flows=tuple(cash_flow_from_wire(item) for item in snapshot.cash_flows),
        feeds=tuple(feed_from_wire(item) for item in snapshot.feeds),
        marks=tuple(mark_from_wire(item) for item in snapshot.marks),
        venue_time_ns=snapshot.venue_time_ns,
    )


def _read_result(message: trade_pb2.CommandResult) -> Result:
    try:
        outcome = Outcome(message.outcome)
    except ValueError:
        raise invalid_field("outcome", message.outcome, "must be CONFIRMED, REJECTED or UNKNOWN") from None
    return Result(
        command_id=message.command_id,
        client_order_id=message.client_order_id,
        outcome=outcome,
        reason=reason_from_wire(message.reason),
        message=message.message,
        order=order_from_wire(message.order) if message.HasField("order") else None,
        retry_after_ms=message.retry_after_ms,
        received_ns=message.received_ns,
        sent_ns=message.sent_ns,
        acknowledged_ns=message.acknowledged_ns,
    )


_READERS: dict[str, Callable[[Any], Event]] = {
    "result": _read_result,
    "order": order_from_wire,
    "fill": fill_from_wire,
    "account": account_from_wire,
    "position": position_from_wire,
    "feed": feed_from_wire,
    "cash_flow": cash_flow_from_wire,
    "mark": mark_from_wire,
    "instrument": instrument_from_wire,
}


def read_items(items: Iterable[trade_pb2.TradeItem]) -> list[Event]:
    """Read the items of one message in order; heartbeats and kinds this version does not know are no events."""
    events = []
    for item in items:
        kind = item.WhichOneof("item")
        reader = _READERS.get(kind) if kind is not None else None
        if kind is not None and reader is not None:
            events.append(reader(getattr(item, kind)))
    return events


def write_batch(
    commands: Sequence[Place | Cancel | Query], trigger_receive_ns: int, decided_ns: int
) -> trade_pb2.TradeRequest:
    """Write one turn's commands as one message."""
    batch = trade_pb2.CommandBatch(trigger_receive_ns=trigger_receive_ns, decided_ns=decided_ns)
    for command in commands:
        message = batch.commands.add(command_id=command.command_id)
        if isinstance(command, Place):
            message.place.CopyFrom(place_to_wire(command.request))
        elif isinstance(command, Cancel):
            message.cancel.symbol = command.symbol
            message.cancel.client_order_id = command.client_order_id
            message.cancel.exchange_order_id = command.exchange_order_id
        else:
            message.query.symbol = command.symbol
            message.query.client_order_id = command.client_order_id
    return trade_pb2.TradeRequest(commands=batch)


def write_leverage(command: SetLeverage) -> trade_pb2.TradeRequest:
    """Write a change of leverage."""
    return trade_pb2.TradeRequest(
        set_leverage=trade_pb2.SetLeverageRequest(symbol=command.symbol, leverage=command.leverage)
    )


def joined(requests: Iterable[trade_pb2.TradeRequest]) -> Iterator[trade_pb2.TradeRequest]:
    """Yield requests in their order, with command batches that follow each other joined into one.

    A joined batch has the earliest of its times, so that no command seems faster than it was.
    """
    batch: trade_pb2.TradeRequest | None = None
    for request in requests:
        if request.WhichOneof("request") != "commands":
            if batch is not None:
                yield batch
                batch = None
            yield request
        elif batch is None:
            batch = request
        else:
            first, following = batch.commands, request.commands
            first.commands.extend(following.commands)
            first.trigger_receive_ns = first.trigger_receive_ns or following.trigger_receive_ns
    if batch is not None:
        yield batch
