"""The REST client on a server that cuts, stalls and talks nonsense: nothing is sent twice, every end has a meaning."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from opensqt.connector.rate_budget import RateBudget, RateWindow
from opensqt.connector.venues.binance import requests_market, requests_orders
from opensqt.connector.venues.binance.error_codes import Executed
from opensqt.connector.venues.binance.errors import Failure
from opensqt.connector.venues.binance.requests import Request
from opensqt.connector.venues.binance.rest import Credentials, RestClient
from opensqt.connector.venues.binance.sign import HmacSigner
from opensqt.domain.errors import LimitError, UnavailableError
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.secret import Secret

WEIGHT = RateWindow(scope="ip", name="weight_1m", interval_ms=60_000, limit=100, cancel_reserve=15, orders_only=False)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-MBX-USED-WEIGHT-1M: 42\r\n\r\n{}"
CANCEL = requests_orders.cancel("BTCUSDT", requests_orders.OrderRef("a1"))
AMEND = Request(
    verb="PUT",
    path="/fapi/v1/order",
    params=(("symbol", "BTCUSDT"),),
    security=CANCEL.security,
    cost=CANCEL.cost,
    changes_state=True,
)
TIME = requests_market.server_time()


class Server:
    """Answers each request with the next of `answers`: bytes, None = cut the connection, "" = never."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-le")
                    ),
                    0,
                )
                await reader.readexactly(length)
                self.requests.append(head.split(b" ")[0])
                answer = self.answers.pop(0) if self.answers else None
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def client_of(
    *answers: bytes | None, timeout_ms: int = 1_000
) -> AsyncIterator[tuple[RestClient, Server, RateBudget]]:
    server, budget = Server(list(answers)), RateBudget([WEIGHT])
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    credentials = Credentials("k", HmacSigner(Secret("s")))
    client = RestClient(
        f"http://127.0.0.1:{port}", credentials, budget, SystemClock(), lambda: 1, timeout_ms=timeout_ms
    )
    client.open()
    try:
        yield client, server, budget
    finally:
        await client.close()
        listener.close()
        await listener.wait_closed()


@pytest.mark.parametrize("request_", [CANCEL, AMEND], ids=["cancel", "amend"])
async def test_request_on_a_dying_connection_is_sent_once_and_its_outcome_is_unknown(request_: Request) -> None:
    async with client_of(OK, None, OK) as (client, server, _budget):
        assert await client.send(TIME) == b"{}"
        found = await client.send(request_)
        assert isinstance(found, Failure)
        assert found.executed is Executed.UNKNOWN
        assert server.requests == [b"GET", request_.verb.encode()]


async def test_reply_that_does_not_come_in_time_leaves_the_outcome_unknown() -> None:
    async with client_of(b"", timeout_ms=200) as (client, server, _budget):
        found = await client.send(CANCEL)
        assert isinstance(found, Failure)
        assert found.executed is Executed.UNKNOWN
        assert server.requests == [b"DELETE"]


async def test_connection_that_cannot_be_opened_proves_that_nothing_was_sent() -> None:
    async with client_of() as (client, _server, _budget):
        pass
    client.open()
    try:
        found = await client.send(CANCEL)
    finally:
        await client.close()
    assert isinstance(found, Failure)
    assert found.executed is Executed.NO


@pytest.mark.parametrize(
    "answer",
    [b"nonsense\r\n\r\n", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"],
    ids=["noise", "html"],
)
async def test_answer_that_is_none_leaves_the_outcome_unknown(answer: bytes) -> None:
    async with client_of(answer) as (client, _server, _budget):
        found = await client.send(CANCEL)
        assert isinstance(found, Failure)
        assert found.executed is Executed.UNKNOWN


async def test_queries_are_charged_before_and_corrected_by_the_reply() -> None:
    async with client_of(OK) as (client, _server, budget):
        await client.query(TIME, "query time")
        assert budget.usage(SystemClock().monotonic_ns())[0].used == 42


async def test_query_beyond_the_budget_is_not_sent() -> None:
    async with client_of(OK) as (client, server, budget):
        budget.feed("weight_1m", 90, SystemClock().monotonic_ns())
        with pytest.raises(LimitError):
            await client.query(TIME, "query time")
        assert server.requests == []


async def test_failed_query_is_an_error_of_its_own_kind() -> None:
    async with client_of(None) as (client, _server, _budget):
        with pytest.raises(UnavailableError):
            await client.query(TIME, "query time")


async def test_time_that_was_refused_is_asked_for_again_and_the_query_repeated_once() -> None:
    body = b'{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'
    refused = b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with client_of(refused, OK) as (client, server, _budget):
        calls: list[int] = []
        client.on_clock_skew = lambda: calls.append(1)
        assert await client.query(TIME, "query time") == b"{}"
        assert calls == [1]
        assert len(server.requests) == 2
