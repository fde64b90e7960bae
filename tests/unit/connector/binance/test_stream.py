"""Streams are asked for where they live, and an acknowledgement is told from an error."""

import json

import pytest

from opensqt.connector.venues.binance import stream
from opensqt.connector.venues.binance.limits import Used, WireLimit, used_by_headers, used_by_reply, windows_of
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.stream import Ack, ControlError, Route


@pytest.mark.parametrize(
    ("name", "route"),
    [
        (stream.depth_stream("BTCUSDT"), Route.PUBLIC),
        (stream.book_ticker_stream("BTCUSDT"), Route.PUBLIC),
        ("btcusdt@depth5@100ms", Route.PUBLIC),
        ("btcusdt@trade", Route.PUBLIC),
        ("btcusdt@rpiDepth@500ms", Route.PUBLIC),
        (stream.trade_stream("BTCUSDT"), Route.MARKET),
        (stream.mark_stream("BTCUSDT"), Route.MARKET),
        (stream.kline_stream("BTCUSDT", "1m"), Route.MARKET),
        ("btcusdt@forceOrder", Route.MARKET),
        ("!contractInfo", Route.MARKET),
    ],
)
def test_stream_lives_on_its_host(name: str, route: Route) -> None:
    assert stream.route_of(name) is route


def test_stream_without_a_known_host_is_refused() -> None:
    with pytest.raises(ValueError, match="route"):
        stream.route_of("btcusdt@somethingNew")


def test_stream_names_are_lower_case() -> None:
    assert stream.depth_stream("BTCUSDT") == "btcusdt@depth@100ms"
    assert stream.kline_stream("ETHUSDT", "4h") == "ethusdt@kline_4h"
    assert json.loads(stream.list_frame(3)) == {"method": "LIST_SUBSCRIPTIONS", "id": 3}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"result":null,"id":1}', Ack(1)),
        (b'{"result":["a@trade"],"id":2}', Ack(2, ("a@trade",))),
        (b'{"code":2,"msg":"Invalid request"}', ControlError(None, 2, "Invalid request")),
        (b'{"code":0,"msg":"Unknown property","id":5}', ControlError(5, 0, "Unknown property")),
        (b'{"error":{"code":3,"msg":"Invalid JSON"},"id":4}', ControlError(4, 3, "Invalid JSON")),
        (b'{"error":{"code":3,"msg":"Invalid JSON"},"id":null}', ControlError(None, 3, "Invalid JSON")),
    ],
)
def test_answers_to_control_messages_read_in_both_forms(data: bytes, expected: Ack | ControlError) -> None:
    assert stream.parse_control(data) == expected


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"result":5,"id":1}', b'{"id":"x"}'])
def test_what_is_no_answer_is_an_error(data: bytes) -> None:
    with pytest.raises(PayloadError):
        stream.parse_control(data)


def test_limits_that_say_nothing_are_left_out() -> None:
    weight = WireLimit("REQUEST_WEIGHT", "MINUTE", 1, -1, -1)
    odd = WireLimit("RAW_REQUESTS", "FORTNIGHT", 1, 5, 3)

    assert windows_of([weight, odd]) == ()
    assert used_by_reply([weight, odd]) == (Used("raw_requests_1fortnight", 3),)


@pytest.mark.parametrize("value", ["", "-1", "x", "1.5", "٣"])
def test_header_that_is_no_count_says_nothing(value: str) -> None:
    assert used_by_headers({"X-MBX-ORDER-COUNT-10S": value}) == ()
