"""Over TLS: the page answers, the cookie may only travel encrypted, sockets are `wss`, clear text gets nothing."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
import websockets
from models.fake_stack import OPERATOR_TOKEN

from opensqt.live_server.config import WebTlsConfig
from opensqt.runtime.config import Secret


@pytest.fixture
def tls(tmp_path: Path) -> tuple[WebTlsConfig, ssl.SSLContext]:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "page.key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "page.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return WebTlsConfig(cert_file=tmp_path / "page.pem", key_file=tmp_path / "page.key"), context


async def test_login_over_tls_sets_a_cookie_that_only_travels_encrypted(
    start: Any, operator_token: Secret, tls: tuple[WebTlsConfig, ssl.SSLContext]
) -> None:
    config, context = tls
    async with start(operator_token=operator_token, tls=config, services=False) as running:
        host, port = running.server.web_server.url.removeprefix("https://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        body = json.dumps({"token": OPERATOR_TOKEN})
        writer.write(
            f"POST /api/login HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
            f"Origin: https://{host}:{port}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        answer = (await asyncio.wait_for(reader.read(), 5)).decode()
        writer.close()
        cookie = next(line for line in answer.split("\r\n") if line.lower().startswith("set-cookie"))
        assert "HttpOnly" in cookie
        assert "Secure" in cookie
        assert "SameSite=strict" in cookie
        async with websockets.connect(f"wss://{host}:{port}/ws/v1", ssl=context) as socket:
            assert json.loads(await socket.recv())["type"] == "snapshot"
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /health HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        assert b"HTTP/1.1 200" not in await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def test_behind_a_proxy_that_speaks_tls_the_cookie_is_for_tls_too(start: Any, operator_token: Secret) -> None:
    async with start(operator_token=operator_token, tls_by_proxy=True) as running:
        answer = await running.request("/api/login", {"token": OPERATOR_TOKEN})
        assert "Secure" in answer.headers["set-cookie"]
