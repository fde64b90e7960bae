"""An edit from the browser's request to the venue's orders, through the real web server and the real engine."""

import asyncio
import http.client
import json
import sqlite3
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from models.engine_rig import READ, TRADE, Engine, fill_nearest, grpc_settings, until
from models.grid_connector import FakeConnector
from models.grid_venue import Venue, config

from opensqt.domain.order import Side
from opensqt.live_server.app import LiveServer
from opensqt.live_server.config import LiveServerConfig, OperatorConfig
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import GrpcClientConfig, Secret

pytestmark = pytest.mark.slow

ANN = "token-of-ann-in-the-tests"


class Stack:
    def __init__(self, connector: FakeConnector, server: LiveServer, database: Path) -> None:
        self.connector, self.database = connector, database
        self._server = server
        self._host = server.web_server.url.removeprefix("http://")

    def reconnects(self) -> int:
        """How often the page's server lost the engine's stream, or got out of step with it."""
        return self._server.sources.reconnects()["engine"]

    async def ask(self, path: str, body: object = None) -> Any:
        def send() -> Any:
            connection = http.client.HTTPConnection(self._host, timeout=10)
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {ANN}"}
            payload = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, payload, headers)
            response = connection.getresponse()
            answer = response.status, json.loads(response.read())
            connection.close()
            return answer

        return await asyncio.to_thread(send)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    connector = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await connector.start()
    socket = f"{tmp_path}/e.sock"
    settings = msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=grpc_settings(socket),
        state_file=tmp_path / "engine.db",
    )
    engine = Engine(settings, socket)
    await engine.start()
    await until(lambda: len(connector.venue.open_orders) == 9)
    server = LiveServer(
        LiveServerConfig(
            connector=GrpcClientConfig(address=f"unix:{tmp_path}/nobody.sock"),
            engine=GrpcClientConfig(address=f"unix:{socket}", token=READ),
            engine_control=GrpcClientConfig(address=f"unix:{socket}", token=TRADE),
            operators=(OperatorConfig(name="ann", token=Secret(ANN)),),
            static_dir=tmp_path / "no-page",
            port=0,
        ),
        SystemClock(),
        Random(1),
    )
    stop = asyncio.Event()
    serving = asyncio.create_task(server.run(stop))
    await server.web_server.wait_started()
    made = Stack(connector, server, tmp_path / "engine.db")

    async def knows_the_bot() -> bool:
        return bool((await made.ask("/api/bots/eth/grid/versions"))[0] == 200)

    await until(knows_the_bot)
    yield made
    stop.set()
    await serving
    await engine.stop()
    await engine.close()
    await connector.stop()


async def test_what_the_browser_was_shown_is_what_the_venue_then_has(stack: Stack) -> None:
    fill_nearest(stack.connector)
    await until(lambda: any(o.side is Side.SELL for o in stack.connector.venue.open_orders))
    before = {o.client_order_id: o.price_ticks for o in stack.connector.venue.open_orders}
    changes = {"interval": "4", "order_quantity": "45", "buy_window": 6}
    status, told = await stack.ask("/api/bots/eth/grid/preview", {"changes": changes})
    assert (status, told["refusals"]) == (200, [])
    assert {o.client_order_id for o in stack.connector.venue.open_orders} == before.keys()

    body = {"changes": changes, "expected_version": told["base_version"], "preview_token": told["preview_token"]}
    status, applied = await stack.ask("/api/bots/eth/grid/apply", body)
    assert (status, applied["version"]) == (200, 2)
    gone = {step["order"] for step in told["steps"] if step["kind"] != "ADD"}
    new = sorted(
        (step["side"], Decimal(step["price"]), Decimal(step["quantity"]))
        for step in told["steps"]
        if step["kind"] != "CANCEL"
    )

    def is_done() -> bool:
        resting = stack.connector.venue.open_orders
        came = sorted(
            (o.side.name, Decimal(o.price_ticks) / 100, Decimal(o.lots) / 1000)
            for o in resting
            if o.client_order_id not in before
        )
        return came == new and before.keys() - {o.client_order_id for o in resting} == gone

    await until(is_done)
    assert len(before) - len(gone) == told["untouched_orders"]

    # The page's copy of the bot still has the engine's hash, event by event.
    status, health = await stack.ask("/health")
    assert (health["engine_up"], health["replica_verified"]) == (True, True)
    assert stack.reconnects() == 0

    status, refused = await stack.ask("/api/bots/eth/grid/apply", body)
    assert (status, refused["error"]["reason"]) == (409, "VERSION_CONFLICT")

    status, told = await stack.ask("/api/bots/eth/grid/preview", {"undo": True})
    body = {"expected_version": told["base_version"], "preview_token": told["preview_token"]}
    status, undone = await stack.ask("/api/bots/eth/grid/undo", body)
    assert (status, undone["version"]) == (200, 3)
    status, listed = await stack.ask("/api/bots/eth/grid/versions")
    assert [(one["version"], one["action"], one["operator"]) for one in listed["versions"]] == [
        (3, "undo", "ann"),
        (2, "edit", "ann"),
        (1, "file", ""),
    ]


async def test_every_control_is_audited_with_the_operators_name(stack: Stack) -> None:
    for action, body in (
        ("pause", {"reason": "lunch"}),
        ("resume", {}),
        ("reconcile", {}),
        ("stop", {"mode": "cancel"}),
        ("kill", {"flatten": False}),
    ):
        status, answer = await stack.ask(f"/api/bots/eth/{action}", body)
        assert status == 200, answer

    def audited() -> dict[str, str]:
        with sqlite3.connect(stack.database) as database:
            return dict(database.execute("SELECT action, who FROM audit ORDER BY time_ns").fetchall())

    await until(lambda: {"pause", "resume", "reconcile", "stop", "kill"} <= audited().keys())
    assert set(audited().values()) == {"ann"}
