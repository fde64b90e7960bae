"""Requests that wait for the stream travel together, in their order."""

from opensqt.engine.wire_events import joined
from opensqt.proto import trade_pb2


def batch(*ids: int, trigger_ns: int = 0, decided_ns: int = 0) -> trade_pb2.TradeRequest:
    commands = [trade_pb2.Command(command_id=number) for number in ids]
    return trade_pb2.TradeRequest(
        commands=trade_pb2.CommandBatch(commands=commands, trigger_receive_ns=trigger_ns, decided_ns=decided_ns)
    )


def beat(ns: int) -> trade_pb2.TradeRequest:
    return trade_pb2.TradeRequest(heartbeat=trade_pb2.Heartbeat(sent_ns=ns))


def ids(request: trade_pb2.TradeRequest) -> list[int]:
    return [command.command_id for command in request.commands.commands]


def test_batches_that_follow_each_other_become_one_message() -> None:
    (one,) = joined([batch(1, 2, trigger_ns=5, decided_ns=7), batch(3, trigger_ns=8, decided_ns=9), batch(4)])
    assert ids(one) == [1, 2, 3, 4]
    assert (one.commands.trigger_receive_ns, one.commands.decided_ns) == (5, 7), "no command seems faster than it was"


def test_a_trigger_is_kept_when_the_first_batch_had_none() -> None:
    (one,) = joined([batch(1), batch(2, trigger_ns=8)])
    assert one.commands.trigger_receive_ns == 8


def test_nothing_overtakes_anything() -> None:
    found = list(joined([batch(1), beat(1), batch(2), batch(3), beat(2), beat(3)]))
    assert [request.WhichOneof("request") for request in found] == [
        "commands",
        "heartbeat",
        "commands",
        "heartbeat",
        "heartbeat",
    ]
    assert [ids(request) for request in found if request.HasField("commands")] == [[1], [2, 3]]
