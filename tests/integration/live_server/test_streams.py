"""What browsers hear: snapshot, deltas, ticks, and the original's messages."""

import asyncio
import json
from typing import Any

from models.fake_world import BOT_ID, SYMBOL


async def receive(socket: Any, timeout_s: float = 5) -> Any:
    return json.loads(await asyncio.wait_for(socket.recv(), timeout_s))


async def receive_until_quiet(socket: Any, quiet_s: float = 0.3) -> list[Any]:
    messages = []
    try:
        while True:
            message = await receive(socket, quiet_s)
            if message["type"] != "tick":
                messages.append(message)
    except TimeoutError:
        return messages


def apply(bots: dict[str, Any], delta: Any) -> None:
    """A naive browser: apply the bots of a delta."""
    keys = {"slots": "k", "orders": "id"}
    for change in delta["data"].get("bots", []):
        bot = bots[change["id"]]
        for name, value in change.items():
            if name in keys:
                known = {item[keys[name]]: item for item in bot[name]}
                bot[name] = list((known | {item[keys[name]]: item for item in value}).values())
            elif name in {"fills", "journal"}:
                bot[name] = bot[name] + value
            elif name == "removed_orders":
                bot["orders"] = [order for order in bot["orders"] if order["id"] not in value]
            elif name == "removed_slots":
                bot["slots"] = [slot for slot in bot["slots"] if slot["k"] not in value]
            else:
                bot[name] = value


def canonical(bot: Any) -> Any:
    return bot | {
        "slots": sorted(bot["slots"], key=lambda slot: slot["k"]),
        "orders": sorted(bot["orders"], key=lambda order: order["id"]),
    }


async def test_snapshot_comes_first_and_holds_everything(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        message = await receive(socket)
        data = message["data"]
        assert (message["type"], message["protocol"]) == ("snapshot", 1)
        assert [bot["id"] for bot in data["bots"]] == [BOT_ID]
        assert len(data["market"]["candles"][SYMBOL]) == 100
        assert data["market"]["account"]["asset"] == "USDT"
        assert all(source["up"] and not source["stale"] for source in data["sources"])


async def test_deltas_lead_to_the_same_state_as_a_later_snapshot(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        snapshot = await receive(socket)
        bots = {bot["id"]: bot for bot in snapshot["data"]["bots"]}
        sequence = snapshot["sequence"]
        for _ in range(150):
            running.stack.step()
            await asyncio.sleep(0.005)
        for message in await receive_until_quiet(socket):
            sequence += 1
            assert (message["type"], message["sequence"]) == ("delta", sequence)
            apply(bots, message)
        async with running.connect() as later:
            other = await receive(later)
        assert other["sequence"] == sequence
        assert canonical(bots[BOT_ID]) == canonical(other["data"]["bots"][0])
        assert bots[BOT_ID]["fills"]


async def test_a_burst_becomes_few_messages(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        await receive(socket)
        for _ in range(200):
            running.stack.step(1)
        assert len(await receive_until_quiet(socket)) < 40


async def test_idle_server_ticks(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        snapshot = await receive(socket)
        tick = await receive(socket)
        assert (tick["type"], tick["sequence"]) == ("tick", snapshot["sequence"])
        assert tick["data"]["heard_ms"]["engine"] > 0


async def test_original_page_hears_what_it_heard(start: Any) -> None:
    async with start() as running, running.connect("/ws", max_queue=None) as socket:
        first = [await receive(socket) for _ in range(4)]
        assert [message["type"] for message in first] == ["history", "account", "orders", "position"]
        assert len(first[0]["data"]) == 100
        assert isinstance(first[2]["data"], list)
        assert len(first[2]["data"]) >= 9
        heard: dict[str, Any] = {}
        while heard.keys() < {"kline", "account", "orders", "trade_event", "position"}:
            running.stack.step()
            message = await receive(socket)
            heard[message["type"]] = message["data"]
        assert set(heard["kline"]) == {"time", "open", "high", "low", "close", "volume"}
        assert isinstance(heard["orders"], dict)
        assert heard["trade_event"]["side"] in {"buy", "sell"}


async def test_history_comes_quickly_after_connect(start: Any) -> None:
    async with start() as running:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with running.connect("/ws", max_queue=None) as socket:
            assert (await receive(socket))["type"] == "history"
        assert loop.time() - began < 0.5


async def test_engine_going_away_is_said_and_survived(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        await receive(socket)
        await running.stack.stop("engine")
        while True:
            message = await receive(socket)
            sources = {source["name"]: source for source in message["data"].get("sources", [])}
            if "engine" in sources:
                break
        assert sources["engine"]["stale"]
        assert "UNAVAILABLE" in sources["engine"]["detail"]
        health = await running.health()
        assert (health["status"], health["engine_up"], health["connector_up"]) == ("degraded", False, True)
        async with running.connect() as late:
            assert (await receive(late))["data"]["bots"][0]["id"] == BOT_ID
        running.stack.world.step()
        await running.stack.start("engine")
        await running.wait_fresh()
        bots = [bot for item in await receive_until_quiet(socket) for bot in item["data"].get("bots", [])]
        assert any(bot.get("full") for bot in bots)


async def test_connector_going_away_is_said_and_survived(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        await receive(socket)
        await running.stack.stop("connector")

        async def is_down() -> bool:
            return not (await running.health())["connector_up"]

        await running.until(is_down)
        assert (await running.health())["engine_up"]
        await running.stack.start("connector")
        await running.wait_fresh()
        messages = await receive_until_quiet(socket)
        assert any("candles" in message["data"].get("market", {}) for message in messages)


async def test_server_starts_and_serves_with_nobody_to_read(start: Any) -> None:
    async with start(services=False) as running:
        assert (await running.health())["status"] == "degraded"
        async with running.connect() as socket:
            assert (await receive(socket))["data"]["bots"] == []
        async with running.connect("/ws", max_queue=None) as socket:
            assert (await receive(socket)) == {"type": "history", "data": []}
        await running.stack.start_all()
        await running.wait_fresh()


async def test_lost_event_makes_the_replica_start_over(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        await receive(socket)
        running.stack.engine.sequence += 1
        running.stack.step()
        await asyncio.sleep(0.1)
        await running.wait_fresh()
        running.stack.step()
        bots = [bot for item in await receive_until_quiet(socket) for bot in item["data"].get("bots", [])]
        assert any(bot.get("full") for bot in bots)
