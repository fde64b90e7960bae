"""The venue over real sockets: streams, orders, pings and limits."""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest

from opensqt.sim.connections import ConnectionTimes


async def test_book_can_be_kept_from_stream_and_snapshot(client: Any, hear: Any) -> None:
    socket = await client.connect("/public/ws/btcusdt@depth@100ms")
    first = await hear(socket)
    snapshot = await client.ok("GET", "/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
    last = first["u"]
    joined = False
    for _ in range(8):
        event = await hear(socket)
        assert event["pu"] == last
        last = event["u"]
        joined = (
            joined or event["U"] <= snapshot["lastUpdateId"] <= event["u"] or event["pu"] == snapshot["lastUpdateId"]
        )
    assert joined


async def test_order_is_told_on_every_form_of_the_private_address(client: Any, hear: Any) -> None:
    key = (await client.ok("POST", "/fapi/v1/listenKey"))["listenKey"]
    raw = await client.connect(f"/private/ws/{key}")
    query = await client.connect(f"/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE")
    combined = await client.connect(f"/private/stream?streams={key}")
    status, placed = await client.place("62000")
    assert status == 200, placed
    events = [await hear(raw), await hear(query), (await hear(combined))["data"]]
    assert {event["o"]["i"] for event in events} == {placed["orderId"]}


async def test_streams_speak_on_their_own_route_only(client: Any, hear: Any) -> None:
    wrong = await client.connect("/market/ws")
    await wrong.send_str('{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}')
    assert await hear(wrong) == {"result": None, "id": 1}
    with pytest.raises(TimeoutError):
        await hear(wrong, 0.6)
    market = await client.connect("/market/stream?streams=btcusdt@markPrice@1s/btcusdt@aggTrade")
    assert (await hear(market))["stream"] in {"btcusdt@markPrice@1s", "btcusdt@aggTrade"}


async def test_unrouted_addresses_are_gone(client: Any) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.connect("/ws/btcusdt@trade")
    assert caught.value.status == 404


async def test_order_entry_by_websocket(client: Any, hear: Any) -> None:
    socket = await client.connect("/ws-fapi/v1")
    await socket.send_str('{"id":"1","method":"ticker.price","params":{"symbol":"BTCUSDT"}}')
    reply = await hear(socket)
    assert (reply["id"], reply["status"], reply["result"]["symbol"]) == ("1", 200, "BTCUSDT")
    await socket.send_str("nonsense")
    assert (await hear(socket))["error"]["code"] == -1000


async def test_client_pings_are_answered_with_their_payload(client: Any) -> None:
    socket = await client.connect("/market/ws", autoping=False)
    await socket.ping(b"payload")
    message = await asyncio.wait_for(socket.receive(), 3)
    assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"payload")


async def test_server_pings_and_cuts_who_does_not_answer(start: Any, closed: Any) -> None:
    client = await start(ConnectionTimes(ping_every_s=0.1, pong_within_s=0.4))
    silent = await client.connect("/market/ws", autoping=False)
    answering = await client.connect("/market/ws")
    answers = asyncio.create_task(answering.receive())
    message = await asyncio.wait_for(silent.receive(), 3)
    assert message.type is aiohttp.WSMsgType.PING
    async with asyncio.timeout(3):
        while message.type is aiohttp.WSMsgType.PING:
            message = await silent.receive()
    assert not answers.done()
    answers.cancel()


async def test_connections_live_only_so_long(start: Any, closed: Any) -> None:
    client = await start(ConnectionTimes(lifetime_s=0.4))
    for path in ("/public/ws/btcusdt@bookTicker", "/ws-fapi/v1"):
        await closed(await client.connect(path))


async def test_who_sends_too_fast_is_cut(client: Any, closed: Any) -> None:
    socket = await client.connect("/public/ws")
    for number in range(12):
        await socket.send_str(orjson.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}).decode())
    await closed(socket)


async def test_listen_key_expiry_is_told_then_silent(start: Any, hear: Any) -> None:
    client = await start(listen_key_validity_ms=300)
    key = (await client.ok("POST", "/fapi/v1/listenKey"))["listenKey"]
    socket = await client.connect(f"/private/ws/{key}")
    assert (await hear(socket))["e"] == "listenKeyExpired"
    await client.place("62000")
    with pytest.raises(TimeoutError):
        await hear(socket, 0.3)


async def test_status_names_what_there_is(client: Any) -> None:
    async with client.http.get(client.urls["control"] + "/status") as reply:
        status = await reply.json()
    assert status["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert status["accounts"] == ["user1", "user2", "ed25519"]
