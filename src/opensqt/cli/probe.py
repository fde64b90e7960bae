"""Is a service healthy? gRPC health for connector and engine, `/health` over HTTP for the page.

Both use what every client uses; none needs a token.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable

from grpc import aio
from grpc_health.v1 import (  # type: ignore[import-untyped, unused-ignore]  # stubs are a package apart
    health_pb2,
    health_pb2_grpc,
)

import opensqt.runtime  # noqa: F401  sets gRPC's environment before it is imported
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import open_channel

PROBE_TIMEOUT_S = 2.0

Probe = Callable[[], Awaitable[bool]]


def grpc_probe(config: GrpcClientConfig, service: str) -> Probe:
    """Return a probe that asks gRPC health about one service."""

    async def probe() -> bool:
        try:
            async with open_channel(config) as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PROBE_TIMEOUT_S)
        except aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    return probe


def http_probe(host: str, port: int, path: str = "/health", *, tls: bool = False) -> Probe:
    """Return a probe that expects 200 for a GET.

    With `tls` the certificate is not checked: it names the page's public host, and nothing secret is sent.
    """
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    async def probe() -> bool:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return await _get_is_ok(host, port, path, context)
        except (OSError, TimeoutError):
            return False

    return probe


async def _get_is_ok(host: str, port: int, path: str, context: ssl.SSLContext | None) -> bool:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        status_line = await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    parts = status_line.split()
    return len(parts) >= 2 and parts[1] == b"200"
