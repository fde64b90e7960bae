"""A probe service with one method of each kind behind the real server builder, and certificates made on the spot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme
from google.protobuf.message import DecodeError

from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import GrpcServerConfig
from opensqt.runtime.grpc_server import GrpcServer

PROBE = "test.Probe"
KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream", "UnaryWrite")


MALFORMED = b"\xff\xff"


def decode(data: bytes) -> bytes:
    """Read a request as protobuf would: it is what it is, or it is no message."""
    if data == MALFORMED:
        raise DecodeError("Error parsing message with type 'secret.Type'")
    return data


class Probe:
    """Echoes; `fail` is raised by every method, after one response where it streams."""

    def __init__(self) -> None:
        self.fail: BaseException | None = None
        self.sleep_s = 0.0

    async def unary_unary(self, request: bytes, context: object) -> bytes:
        import asyncio

        await asyncio.sleep(self.sleep_s)
        self._maybe_fail()
        return request

    async def unary_stream(self, request: bytes, context: object) -> AsyncIterator[bytes]:
        yield request
        self._maybe_fail()
        yield request

    async def stream_unary(self, requests: AsyncIterator[bytes], context: object) -> bytes:
        parts = [part async for part in requests]
        self._maybe_fail()
        return b"".join(parts)

    async def stream_stream(self, requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
        async for part in requests:
            yield part
            self._maybe_fail()

    async def unary_write(self, request: bytes, context: grpc.aio.ServicerContext) -> None:
        await context.write(request)
        self._maybe_fail()
        await context.write(request)

    def _maybe_fail(self) -> None:
        if self.fail is not None:
            raise self.fail

    def handler(self) -> grpc.GenericRpcHandler:
        read = {"request_deserializer": decode}
        return grpc.method_handlers_generic_handler(
            PROBE,
            {
                "UnaryUnary": grpc.unary_unary_rpc_method_handler(self.unary_unary, **read),
                "UnaryStream": grpc.unary_stream_rpc_method_handler(self.unary_stream, **read),
                "StreamUnary": grpc.stream_unary_rpc_method_handler(self.stream_unary, **read),
                "StreamStream": grpc.stream_stream_rpc_method_handler(self.stream_stream, **read),
                "UnaryWrite": grpc.unary_stream_rpc_method_handler(self.unary_write, **read),
            },
        )


async def call_probe(
    channel: grpc.aio.Channel, kind: str, payload: bytes = b"x", timeout_s: float = 5, *, is_silent: bool = False
) -> list[bytes]:
    """Call one method of the probe and return what it answered.

    A client that is silent sends nothing on the streams it opens: one that writes into a call that was refused already
    is told an internal error of its own gRPC instead of the server's answer.
    """
    method = f"/{PROBE}/{kind}"

    async def requests() -> AsyncIterator[bytes]:
        if is_silent:
            await asyncio.Event().wait()
        yield payload

    if kind == "UnaryUnary":
        return [await channel.unary_unary(method)(payload, timeout=timeout_s)]
    if kind == "StreamUnary":
        return [await channel.stream_unary(method)(requests(), timeout=timeout_s)]
    if kind == "StreamStream":
        return [part async for part in channel.stream_stream(method)(requests(), timeout=timeout_s)]
    return [part async for part in channel.unary_stream(method)(payload, timeout=timeout_s)]


@dataclass
class Certificates:
    """PEM files of an authority, a server for 127.0.0.1 and a client; and a client of another authority."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path
    stranger_cert: Path
    stranger_key: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()

    def write(name: str, leaf: trustme.LeafCert) -> tuple[Path, Path]:
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return cert, key

    ca.cert_pem.write_to_path(folder / "ca.pem")
    server = write("server", ca.issue_cert("127.0.0.1", "localhost"))
    client = write("client", ca.issue_cert("engine@example.org"))
    stranger = write("stranger", trustme.CA().issue_cert("engine@example.org"))
    return Certificates(folder / "ca.pem", *server, *client, *stranger)


ServeProbe = Callable[..., AbstractAsyncContextManager[tuple[GrpcServer, Probe]]]


@pytest.fixture
def serve_probe() -> ServeProbe:
    """Return `serve(config, roles=..., default_deadline_s=...)`, a running server with the probe."""

    @asynccontextmanager
    async def serve(
        config: GrpcServerConfig, *, roles: dict[str, str] | None = None, default_deadline_s: float = 30.0
    ) -> AsyncIterator[tuple[GrpcServer, Probe]]:
        probe = Probe()
        server = GrpcServer(
            config,
            roles=roles or {},
            clock=SystemClock(),
            services=[PROBE],
            default_deadline_s=default_deadline_s,
        )
        server.server.add_generic_rpc_handlers((probe.handler(),))
        await server.start()
        try:
            yield server, probe
        finally:
            await server.stop(0)

    return serve


@pytest.fixture
def probe_call() -> Callable[..., object]:
    return call_probe
