"""Every fault over real sockets: what a client sees, and what the venue did."""

import asyncio
import itertools
from typing import Any

import aiohttp
import orjson
import pytest

ROUTE = "POST /fapi/v1/order"


async def open_ids(client: Any) -> list[str]:
    return [order["clientOrderId"] for order in await client.ok("GET", "/fapi/v1/openOrders")]


@pytest.mark.parametrize(("kind", "exists"), [("lost_request", False), ("lost_reply", True)])
async def test_cut_connection_leaves_the_outcome_to_a_query(client: Any, kind: str, exists: bool) -> None:
    await client.fault(kind=kind, route=ROUTE, count=1)
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await client.place("62000", newClientOrderId="lost")
    assert await open_ids(client) == (["lost"] if exists else [])


@pytest.mark.parametrize("kind", ["unknown_503", "timeout_408", "bus_unknown", "backend_timeout", "bad_gateway_502"])
@pytest.mark.parametrize("executed", [True, False])
async def test_unknown_outcome_was_or_was_not_executed(client: Any, kind: str, executed: bool) -> None:
    await client.fault(kind=kind, route=ROUTE, count=1, executed=executed)
    status, _ = await client.place("62000", newClientOrderId="maybe")
    assert status >= 400
    assert await open_ids(client) == (["maybe"] if executed else [])


async def test_event_may_come_before_the_reply(client: Any, hear: Any) -> None:
    key = (await client.ok("POST", "/fapi/v1/listenKey"))["listenKey"]
    socket = await client.connect(f"/private/ws/{key}")
    await client.fault(kind="reply_latency", route=ROUTE, ms=300)
    placing = asyncio.create_task(client.place("62000"))
    assert (await hear(socket))["o"]["X"] == "NEW"
    assert not placing.done()
    assert (await placing)[0] == 200


async def test_reply_may_come_before_the_event(client: Any, hear: Any) -> None:
    key = (await client.ok("POST", "/fapi/v1/listenKey"))["listenKey"]
    socket = await client.connect(f"/private/ws/{key}")
    await client.fault(kind="delay_frame", route="private", ms=300)
    event = asyncio.create_task(hear(socket))
    assert (await client.place("62000"))[0] == 200
    assert not event.done()
    assert (await event)["o"]["X"] == "NEW"


async def test_limit_and_ban_say_how_long(client: Any) -> None:
    await client.fault(kind="rate_limit_429", retry_after_s=3, count=1)
    async with client.http.get(client.urls["rest"] + "/fapi/v1/time") as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (429, "3")
    await client.fault(kind="ban_418", retry_after_s=120, count=1)
    async with client.http.get(client.urls["rest"] + "/fapi/v1/time") as reply:
        assert reply.status == 418
        assert b"banned until" in await reply.read()


async def test_order_entry_answers_out_of_order(client: Any, hear: Any) -> None:
    await client.fault(kind="latency", route="ws-api depth", ms=200)
    socket = await client.connect("/ws-fapi/v1")
    for method in ("depth", "ticker.price"):
        await socket.send_str(orjson.dumps({"id": method, "method": method, "params": {"symbol": "BTCUSDT"}}).decode())
    assert [(await hear(socket))["id"] for _ in range(2)] == ["ticker.price", "depth"]


async def test_order_entry_fails_as_rest_does(client: Any, hear: Any) -> None:
    await client.fault(kind="throttled_503", route="ws-api *", count=1)
    socket = await client.connect("/ws-fapi/v1")
    await socket.send_str('{"id":5,"method":"ticker.price","params":{"symbol":"BTCUSDT"}}')
    reply = await hear(socket)
    assert (reply["id"], reply["status"], reply["error"]["code"]) == (5, 503, -1008)


async def test_dropped_frames_break_the_chain(client: Any, hear: Any) -> None:
    socket = await client.connect("/public/ws/btcusdt@depth@0ms")
    first = await hear(socket)
    await client.fault(kind="drop_frame", stream="btcusdt@depth*", count=1)
    events = [first] + [await hear(socket) for _ in range(25)]
    breaks = sum(1 for before, after in itertools.pairwise(events) if after["pu"] != before["u"])
    assert breaks == 1


async def test_duplicated_and_reordered_frames(client: Any, hear: Any) -> None:
    socket = await client.connect("/public/ws/btcusdt@depth@0ms")
    await client.fault(kind="duplicate_frame", stream="*depth*", count=1)
    events = [await hear(socket) for _ in range(6)]
    assert len({event["u"] for event in events}) == 5
    await client.fault(kind="reorder_frame", stream="*depth*", count=1)
    ids = [(await hear(socket))["u"] for _ in range(25)]
    assert ids != sorted(ids)


async def test_corrupted_frames_are_not_what_was_sent(client: Any) -> None:
    socket = await client.connect("/public/ws/btcusdt@depth@0ms")
    await client.fault(kind="corrupt_frame", stream="*depth*")
    unreadable = 0
    for _ in range(20):
        message = await asyncio.wait_for(socket.receive(), 3)
        try:
            orjson.loads(message.data)
        except orjson.JSONDecodeError:
            unreadable += 1
    assert unreadable


async def test_half_open_connection_says_nothing_and_stays(client: Any, hear: Any) -> None:
    socket = await client.connect("/public/ws/btcusdt@depth@0ms", autoping=False)
    await hear(socket)
    await client.fault(kind="half_open", route="public", count=1)
    await asyncio.sleep(0.5)
    while True:
        try:
            await hear(socket, 0.3)
        except TimeoutError:
            break
    await socket.ping(b"?")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket.receive(), 0.5)
    assert not socket.closed
    other = await client.connect("/public/ws/btcusdt@depth@0ms")
    await hear(other)


async def test_disconnect_cuts_one_route(client: Any, hear: Any, closed: Any) -> None:
    market = await client.connect("/market/ws/btcusdt@markPrice@1s")
    public = await client.connect("/public/ws/btcusdt@depth@0ms")
    await client.fault(kind="disconnect", route="market")
    await closed(market)
    await hear(public)


async def test_connections_may_be_refused_for_a_while(client: Any, hear: Any) -> None:
    await client.fault(kind="refuse_connection", route="public", count=1)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await client.connect("/public/ws")
    await client.connect("/public/ws")


async def test_clock_offset_makes_honest_clients_wrong(client: Any) -> None:
    (number,) = await client.fault(kind="clock_offset", ms=8_000)
    status, body = await client.place("62000")
    assert (status, body["code"]) == (400, -1021)
    async with client.http.delete(f"{client.urls['control']}/faults/{number}") as reply:
        assert reply.status == 200
    assert (await client.place("62000"))[0] == 200


async def test_faults_can_be_listed_removed_and_refused(client: Any) -> None:
    url = client.urls["control"] + "/faults"
    await client.fault(kind="latency", ms=1, for_ms=60_000)
    async with client.http.get(url) as reply:
        (listed,) = (await reply.json())["faults"]
    assert (listed["fault"]["kind"], listed["fault"]["ms"]) == ("latency", 1)
    async with client.http.delete(url) as reply:
        assert reply.status == 200
    async with client.http.get(url) as reply:
        assert (await reply.json())["faults"] == []
    for bad in ({"kind": "gravity"}, {"kind": "adl", "symbol": "NOPE"}, {"kind": "latency", "colour": "red"}):
        async with client.http.post(url, json=bad) as reply:
            assert reply.status == 400, bad
            assert (await reply.json())["error"]
    async with client.http.post(
        url, json={"schedule": {"seed": 1, "count": 3, "faults": [{"kind": "latency", "ms": 1}]}}
    ) as reply:
        assert len((await reply.json())["ids"]) == 3


async def test_maintenance_body_has_neither_code_nor_message(client: Any) -> None:
    await client.fault(kind="maintenance", count=1)
    status, body = await client.place("62000")
    assert status == 503
    assert "code" not in body
    assert body["239999"].startswith("The system is under maintenance")


async def test_actions_are_done_when_the_control_answers(client: Any) -> None:
    await client.fault(kind="position_change", symbol="BTCUSDT", side="BUY", quantity="0.01")
    assert (await client.ok("GET", "/fapi/v3/positionRisk"))[0]["positionAmt"] == "0.010"
    await client.fault(kind="liquidation", symbol="BTCUSDT")
    assert await client.ok("GET", "/fapi/v3/positionRisk") == []
