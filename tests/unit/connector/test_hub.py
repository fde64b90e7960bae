"""Readers of states get the newest, readers of events get everything or an error."""

import pytest

from opensqt.connector.hub import ConflatedReader, Lazy, LosslessReader, SamplingReader, Topic, Upstreams
from opensqt.domain.errors import ErrorReason, LimitError


def nothing() -> None:
    pass


def test_newest_state_wins_and_merged_ones_are_counted() -> None:
    reader: ConflatedReader[str, int] = ConflatedReader(nothing)
    for value in range(5):
        reader.offer("a", value)
    reader.offer("b", 9)
    assert reader.take() == [4, 9]
    assert reader.merged_count == 4
    assert reader.take() == []


def test_events_arrive_in_order_and_an_overflow_is_an_error_not_a_hole() -> None:
    reader: LosslessReader[str, int] = LosslessReader(nothing, max_pending=3)
    for value in range(3):
        reader.offer("a", value)
    assert reader.take() == [0, 1, 2]
    for value in range(4):
        reader.offer("a", value)
    with pytest.raises(LimitError) as raised:
        reader.take()
    assert raised.value.reason is ErrorReason.SLOW_READER
    reader.offer("a", 9)
    with pytest.raises(LimitError):
        reader.take()


def test_dropped_trades_are_counted() -> None:
    reader: SamplingReader[str, int] = SamplingReader(nothing, max_pending=2)
    for value in range(5):
        reader.offer("a", value)
    assert reader.take() == [3, 4]
    assert reader.take_dropped() == 3
    assert reader.take_dropped() == 0


def test_new_reader_starts_with_the_current_state() -> None:
    topic: Topic[str, int] = Topic(keep_latest=True)
    topic.publish("a", 1)
    topic.publish("b", 2)
    topic.publish("a", 3)
    reader: ConflatedReader[str, int] = ConflatedReader(nothing)
    topic.add_with_latest(reader, ["a"])
    topic.publish("b", 4)
    assert reader.take() == [3]


def test_upstream_opens_with_the_first_reader_and_closes_with_the_last() -> None:
    calls: list[str] = []
    upstreams: Upstreams[str] = Upstreams(lambda k: calls.append(f"open {k}"), lambda k: calls.append(f"close {k}"))
    upstreams.acquire("book")
    upstreams.acquire("book")
    upstreams.release("book")
    assert calls == ["open book"]
    upstreams.release("book")
    assert calls == ["open book", "close book"]
    with pytest.raises(KeyError):
        upstreams.release("book")


def test_a_message_for_many_readers_is_serialised_once() -> None:
    calls: list[int] = []

    def encode() -> bytes:
        calls.append(1)
        return b"x"

    lazy = Lazy(encode)
    assert lazy.frame() is lazy.frame()
    assert len(calls) == 1
