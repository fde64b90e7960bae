"""Who may see, who may control, and what the server refuses."""

import asyncio
import json
import socket as sockets
from typing import Any

import pytest
import websockets
from models.fake_stack import OPERATOR_TOKEN
from models.fake_world import BOT_ID

from opensqt.live_server.config import LimitsConfig
from opensqt.runtime.config import ConfigError, Secret

BEARER = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
PAUSE = f"/api/bots/{BOT_ID}/pause"


async def refused_status(running: Any, path: str = "/ws/v1", **options: Any) -> int:
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with running.connect(path, **options):
            pass
    return int(caught.value.response.status_code)


async def test_every_answer_carries_the_security_headers(start: Any) -> None:
    async with start() as running:
        for path in ("/", "/health", "/nothing", "/api/session"):
            headers = (await running.request(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"


async def test_health_has_the_originals_fields(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        await socket.recv()
        health = await running.health()
        assert (health["status"], health["clients"]) == ("ok", 1)
        assert health["replica_verified"]
        assert health["time"] > 1_600_000_000_000


async def test_metrics_can_be_scraped(start: Any) -> None:
    async with start() as running:
        text = (await running.request("/metrics")).body.decode()
        assert 'opensqt_live_server_source_up{source="engine"} 1.0' in text
        assert "opensqt_live_server_clients 0.0" in text


@pytest.mark.parametrize("path", ["/ws", "/ws/v1"])
async def test_socket_of_another_site_is_refused(start: Any, path: str) -> None:
    async with start() as running:
        assert await refused_status(running, path, origin="https://evil.example") == 403
        async with running.connect(path, origin=f"http://{running.host}") as socket:
            await socket.recv()


async def test_unknown_host_name_is_refused(start: Any) -> None:
    async with start() as running:
        assert (await running.request("/health", headers={"Host": "rebound.example"})).status == 421
    async with start(allowed_hosts=("grid.example",)) as running:
        assert (await running.request("/health", headers={"Host": "grid.example"})).status == 200


async def test_controls_are_off_without_an_operator_token(start: Any) -> None:
    async with start() as running:
        answer = await running.request(PAUSE, {}, headers=BEARER)
        assert answer.status == 403
        assert "operator_token" in answer.json()["error"]["message"]
        assert running.stack.engine.calls == []


async def test_operator_pauses_resumes_and_stops(start: Any, operator_token: Secret) -> None:
    async with start(operator_token=operator_token) as running:
        assert (await running.request(PAUSE, {"reason": "lunch"}, headers=BEARER)).status == 200
        assert (await running.request(f"/api/bots/{BOT_ID}/resume", {}, headers=BEARER)).json()["bot_ids"] == [BOT_ID]
        stopped = await running.request(f"/api/bots/{BOT_ID}/stop", {"mode": "cancel"}, headers=BEARER)
        assert stopped.json()["verified"]
        assert running.stack.engine.calls == [("pause", "lunch"), ("resume", BOT_ID), ("stop", "STOP_MODE_CANCEL")]


async def test_stop_needs_its_mode(start: Any, operator_token: Secret) -> None:
    async with start(operator_token=operator_token) as running:
        answer = await running.request(f"/api/bots/{BOT_ID}/stop", {}, headers=BEARER)
        assert (answer.status, answer.json()["error"]["reason"]) == (400, "INVALID_FIELD")


async def test_controls_are_refused_to_everybody_else(start: Any, operator_token: Secret) -> None:
    async with start(operator_token=operator_token) as running:
        assert (await running.request(PAUSE, {})).status == 401
        assert (await running.request(PAUSE, {}, headers={"Authorization": "Bearer wrong"})).status == 401
        foreign = BEARER | {"Origin": "https://evil.example"}
        assert (await running.request(PAUSE, {}, headers=foreign)).status == 403
        form = BEARER | {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await running.request(PAUSE, raw=b"a=b", headers=form)).status == 415
        assert (await running.request(PAUSE, raw=b"{" + b" " * 5_000, headers=BEARER)).status == 413
        assert (await running.request(PAUSE, raw=b"[1]", headers=BEARER)).status == 400
        assert (await running.request(PAUSE)).status == 404
        assert running.stack.engine.calls == []


async def test_login_sets_a_cookie_that_scripts_cannot_read(start: Any, operator_token: Secret) -> None:
    async with start(operator_token=operator_token) as running:
        assert (await running.request("/api/login", {"token": "wrong"})).status == 401
        answer = await running.request("/api/login", {"token": OPERATOR_TOKEN})
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert OPERATOR_TOKEN not in cookie
        session = {"Cookie": cookie.partition(";")[0]}
        told = (await running.request("/api/session", headers=session)).json()
        assert (told["role"], told["name"]) == ("operator", "operator")
        # A cookie goes along with whatever a browser sends; the header only our own page can add.
        assert (await running.request(PAUSE, {}, headers=session)).json()["error"]["reason"] == "NOT_OUR_PAGE"
        assert running.stack.engine.calls == []
        assert (await running.request(PAUSE, {}, headers=session | {"X-OpenSQT": "page"})).status == 200


async def test_guessing_with_a_header_is_limited_like_guessing_at_the_login(start: Any, operator_token: Secret) -> None:
    async with start(operator_token=operator_token) as running:
        for number in range(5):
            wrong = {"Authorization": f"Bearer wrong-token-number-{number}"}
            assert (await running.request(PAUSE, {}, headers=wrong)).status == 401
            assert (await running.request("/api/login", {"token": f"wrong-{number}"})).status == 401
        assert (await running.request(PAUSE, {}, headers=BEARER)).status == 429
        assert (await running.request("/api/login", {"token": OPERATOR_TOKEN})).status == 429
        assert await refused_status(running, additional_headers=BEARER) == 429
        # Whoever shows nothing still sees what everybody may see.
        assert (await running.request("/health")).status == 200
        assert running.stack.engine.calls == []


async def test_page_that_needs_a_login_shows_nothing_without(start: Any) -> None:
    token = Secret("login-token-of-the-tests")
    async with start(login_token=token) as running:
        assert await refused_status(running) == 401
        assert await refused_status(running, "/ws") == 401
        assert (await running.request("/metrics")).status == 401
        session = (await running.request("/api/session")).json()
        assert (session["role"], session["login_required"]) == ("none", True)
        bearer = {"Authorization": f"Bearer {token.reveal()}"}
        async with running.connect(additional_headers=bearer) as socket:
            assert json.loads(await socket.recv())["type"] == "snapshot"


async def test_engine_that_is_away_cannot_be_controlled(start: Any, operator_token: Secret) -> None:
    async with start(operator_token=operator_token) as running:
        await running.stack.stop("engine")
        answer = await running.request(PAUSE, {}, headers=BEARER)
        assert answer.status in {503, 504}
        assert answer.json()["error"]["message"]


async def test_connections_beyond_the_limit_are_refused(start: Any) -> None:
    async with start(limits=LimitsConfig(max_clients=2)) as running:
        async with running.connect() as first, running.connect("/ws") as second:
            await first.recv()
            await second.recv()
            assert await refused_status(running) == 503

        async def is_empty() -> bool:
            return bool((await running.health())["clients"] == 0)

        await running.until(is_empty)
        async with running.connect() as again:
            await again.recv()


async def test_too_large_a_message_ends_the_connection(start: Any) -> None:
    async with start() as running, running.connect() as socket:
        await socket.recv()
        await socket.send("x" * 100_000)
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1009


async def deaf_browser(host: str) -> sockets.socket:
    """Open a socket that shakes hands and then never reads."""
    name, port = host.split(":")
    deaf = sockets.socket()
    deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    deaf.connect((name, int(port)))
    deaf.sendall(
        f"GET /ws/v1 HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return deaf


async def test_browser_that_does_not_read_is_cut_and_the_others_go_on(start: Any) -> None:
    limits = LimitsConfig(client_queue_messages=20, publish_interval_ms=5)
    async with start(limits=limits) as running, running.connect(max_queue=None) as good:
        sequence = json.loads(await good.recv())["sequence"]
        group, world = running.server.publisher.group, running.stack.world
        with await deaf_browser(running.host):

            async def both_listen() -> bool:
                return len(group) == 2

            await running.until(both_listen)
            for _ in range(400):
                for _ in range(20):
                    running.stack.engine.tell(world.set_state(world.state, "", "y" * 5_000))
                await asyncio.sleep(0.01)
                while json.loads(await asyncio.wait_for(good.recv(), 5))["type"] != "delta":
                    pass
                if group.cut_total:
                    break
        assert group.cut_total == 1
        assert len(group) == 1
        assert sequence < json.loads(await asyncio.wait_for(good.recv(), 5))["sequence"]


async def test_port_in_use_is_said_with_what_to_do(start: Any) -> None:
    async with start() as running:
        port = int(running.host.split(":")[1])
        with pytest.raises(ConfigError, match="choose another port"):
            async with start(port=port):
                pass
