"""Streams over connections that come and go, by what is to be done and when."""

import json
from random import Random
from typing import Any

import pytest

from opensqt.connector.venues.binance.session import (
    CONNECT_TIMEOUT_NS,
    MESSAGES_PER_S,
    OVERLAP_LIMIT_NS,
    REPLY_TIMEOUT_NS,
    Action,
    Close,
    Connect,
    Send,
    StreamSession,
)
from opensqt.connector.venues.binance.stream import Ack, ControlError
from opensqt.domain.clock import NS_PER_MS, NS_PER_S

DEPTH, TRADES = "btcusdt@depth@100ms", "btcusdt@aggTrade"
SILENCE_NS = 10 * NS_PER_S
AGE_NS = 3_600 * NS_PER_S


def sent(actions: list[Action]) -> list[dict[str, Any]]:
    return [json.loads(action.frame) for action in actions if isinstance(action, Send)]


def connected(*streams: str, now_ns: int = 0) -> StreamSession:
    """Return a session whose first connection stands, subscribed and acknowledged."""
    session = StreamSession(Random(1), AGE_NS)
    for stream in streams or (DEPTH,):
        session.want(stream, SILENCE_NS)
    assert session.poll(now_ns) == [Connect(1)]
    session.on_open(1, now_ns)
    (message,) = sent(session.poll(now_ns))
    assert message["method"] == "SUBSCRIBE"
    session.on_reply(1, Ack(message["id"]))
    return session


def test_nothing_is_opened_before_something_is_wanted() -> None:
    session = StreamSession(Random(1), AGE_NS)
    assert session.poll(0) == []
    session.want(DEPTH)
    assert session.poll(0) == [Connect(1)]
    assert session.poll(1) == []


def test_everything_wanted_is_subscribed_in_one_message() -> None:
    session = StreamSession(Random(1), AGE_NS)
    session.want(DEPTH)
    session.want(TRADES)
    session.poll(0)
    assert not session.is_up
    session.on_open(1, 0)
    assert session.is_up
    (message,) = sent(session.poll(0))
    assert message["params"] == [DEPTH, TRADES]


def test_reconnect_waits_and_subscribes_everything_again() -> None:
    session = connected(DEPTH, TRADES)
    session.on_data(1, DEPTH, 1)
    session.on_closed(1, "reset by peer", 2)
    assert not session.is_up
    assert session.reason == "reset by peer"
    assert session.poll(2) == [], "a pause first"
    assert session.poll(NS_PER_S) == [Connect(2)]
    session.on_open(2, NS_PER_S)
    (message,) = sent(session.poll(NS_PER_S))
    assert message["params"] == [DEPTH, TRADES]


def test_pauses_grow_until_data_flows() -> None:
    session = StreamSession(Random(1), AGE_NS)
    session.want(DEPTH)
    pauses, now_ns = [], 0
    for _ in range(8):
        began_ns = now_ns
        while not (actions := session.poll(now_ns)):
            now_ns += 50 * NS_PER_MS
        pauses.append(now_ns - began_ns)
        (action,) = actions
        assert isinstance(action, Connect)
        session.on_closed(action.link, "refused", now_ns)
    assert pauses[0] == 0
    assert pauses[-1] > 5 * pauses[1]


def test_acknowledged_but_silent_stream_is_asked_for_again_then_moved_to_a_new_connection() -> None:
    session = connected()
    now_ns = SILENCE_NS + 1
    (again,) = sent(session.poll(now_ns))
    assert again["params"] == [DEPTH]
    session.on_reply(1, Ack(again["id"]))
    assert session.poll(now_ns + 1) == []
    now_ns *= 2
    assert session.poll(now_ns + NS_PER_S) == [Connect(2)]
    assert session.is_up, "the old one stays meanwhile"


def test_stream_without_a_limit_may_be_silent() -> None:
    session = StreamSession(Random(1), AGE_NS)
    session.want(TRADES)
    session.poll(0)
    session.on_open(1, 0)
    (message,) = sent(session.poll(0))
    session.on_reply(1, Ack(message["id"]))
    assert session.poll(AGE_NS - 1) == []


def test_planned_replacement_closes_the_old_connection_only_when_the_new_one_flows() -> None:
    session = connected()
    now_ns = AGE_NS + 1
    session.on_data(1, DEPTH, now_ns)
    assert session.poll(now_ns) == [Connect(2)]
    session.on_open(2, now_ns)
    (message,) = sent(session.poll(now_ns))
    session.on_reply(2, Ack(message["id"]))
    assert session.poll(now_ns + 1) == [], "an acknowledgement proves nothing"
    session.on_data(2, DEPTH, now_ns + 2)
    (close,) = session.poll(now_ns + 3)
    assert isinstance(close, Close)
    assert close.link == 1
    assert session.is_up


def test_replacement_of_quiet_streams_has_its_time() -> None:
    session = connected()
    now_ns = AGE_NS + 1
    session.on_data(1, DEPTH, now_ns)
    session.poll(now_ns)
    session.on_open(2, now_ns)
    (message,) = sent(session.poll(now_ns))
    session.on_reply(2, Ack(message["id"]))
    assert any(isinstance(action, Close) for action in session.poll(now_ns + OVERLAP_LIMIT_NS + 1))


def test_break_during_the_overlap_leaves_the_new_connection_in_charge() -> None:
    session = connected()
    session.on_data(1, DEPTH, AGE_NS)
    session.poll(AGE_NS + 1)
    session.on_open(2, AGE_NS + 1)
    session.on_closed(1, "cut", AGE_NS + 2)
    assert session.is_up


def test_connecting_and_answers_have_deadlines() -> None:
    session = StreamSession(Random(1), AGE_NS)
    session.want(DEPTH)
    session.poll(0)
    (close, *_rest) = session.poll(CONNECT_TIMEOUT_NS + 1)
    assert isinstance(close, Close)
    session = StreamSession(Random(1), AGE_NS)
    session.want(DEPTH)
    session.poll(0)
    session.on_open(1, 0)
    session.poll(0)
    assert any(isinstance(action, Close) for action in session.poll(REPLY_TIMEOUT_NS + 1))


def test_refused_subscription_is_tried_again_and_named() -> None:
    session = StreamSession(Random(1), AGE_NS)
    session.want(DEPTH)
    session.poll(0)
    session.on_open(1, 0)
    (message,) = sent(session.poll(0))
    session.on_reply(1, ControlError(message["id"], 2, "Invalid request"))
    assert session.refusals == 1
    assert "Invalid request" in session.reason
    assert sent(session.poll(NS_PER_S))


def test_control_messages_stay_far_under_the_venues_limit() -> None:
    session = connected()
    count = 0
    for number in range(40):
        session.want(f"s{number}@depth@100ms")
        for message in sent(session.poll(number * NS_PER_MS)):
            count += 1
            session.on_reply(1, Ack(message["id"]))
    assert count <= MESSAGES_PER_S


def test_unwanted_streams_are_left_and_the_last_one_closes_the_connection() -> None:
    session = connected(DEPTH, TRADES)
    session.drop(TRADES)
    (message,) = sent(session.poll(NS_PER_S))
    assert (message["method"], message["params"]) == ("UNSUBSCRIBE", [TRADES])
    session.on_reply(1, Ack(message["id"]))
    session.drop(DEPTH)
    (close,) = session.poll(2 * NS_PER_S)
    assert isinstance(close, Close)
    assert not session.is_up


def test_a_connection_carries_no_more_than_the_venue_allows() -> None:
    session = StreamSession(Random(1), AGE_NS)
    for number in range(1024):
        session.want(f"s{number}@aggTrade")
    with pytest.raises(ValueError, match="at most 1024"):
        session.want("one@aggTrade")
