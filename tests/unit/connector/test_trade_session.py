"""A stream has no holes: every item has its number, or the stream is over."""

import pytest

from opensqt.connector import trade_frames as frames
from opensqt.connector.trade_session import TradeSession
from opensqt.domain.errors import ErrorReason, OpensqtError, UnavailableError
from opensqt.proto import trade_pb2

SYMBOLS = frozenset({"BTC/USDT:USDT"})


def beat(number: int) -> bytes:
    return frames.heartbeat_frame(trade_pb2.Heartbeat(sent_ns=number))


def snapshot() -> bytes:
    return frames.item_frame(trade_pb2.TradeItem(snapshot=trade_pb2.TradeSnapshot(exchange="paper")))


def session(max_pending: int = 100) -> TradeSession:
    return TradeSession(1, 42, lambda: None, max_pending=max_pending)


def test_snapshot_is_number_one_and_items_are_numbered_without_holes() -> None:
    stream = session()
    stream.push(beat(99))
    stream.begin(SYMBOLS, snapshot())
    stream.push(beat(1))
    first = trade_pb2.TradeEvent.FromString(stream.take(7))
    assert (first.session_epoch, first.first_sequence, first.sent_ns) == (42, 1, 7)
    assert [item.WhichOneof("item") for item in first.items] == ["snapshot", "heartbeat"]
    assert stream.take(8) == b""
    stream.push(beat(2))
    stream.push(beat(3))
    second = trade_pb2.TradeEvent.FromString(stream.take(9))
    assert second.first_sequence == 3
    assert [item.heartbeat.sent_ns for item in second.items] == [2, 3]


def test_overflow_ends_the_stream_instead_of_thinning_it() -> None:
    stream = session(max_pending=3)
    stream.begin(SYMBOLS, snapshot())
    for number in range(5):
        stream.push(beat(number))
    assert stream.is_ended
    with pytest.raises(OpensqtError) as raised:
        stream.take(0)
    assert raised.value.reason is ErrorReason.SLOW_READER


def test_clean_end_still_delivers_what_is_pending() -> None:
    stream = session()
    stream.begin(SYMBOLS, snapshot())
    stream.end()
    stream.push(beat(1))
    event = trade_pb2.TradeEvent.FromString(stream.take(0))
    assert len(event.items) == 1


def test_first_reason_for_the_end_stays() -> None:
    stream = session()
    stream.begin(SYMBOLS, snapshot())
    stream.end(UnavailableError(ErrorReason.SHUTTING_DOWN, "bye"))
    stream.end()
    with pytest.raises(UnavailableError):
        stream.take(0)
