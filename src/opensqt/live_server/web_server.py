"""uvicorn inside our own loop: our signals, our sockets, our limits."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final, final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from opensqt.live_server.broadcast import Admission
from opensqt.live_server.config import LiveServerConfig
from opensqt.live_server.http_limits import limited_protocol
from opensqt.runtime.config import ConfigError

# The original's limits: a ping every 54 s, and a peer that says nothing for 60 s is gone.
PING_INTERVAL_S: Final = 54.0
READ_LIMIT_S: Final = 60.0

SHUTDOWN_LIMIT_S: Final = 3
# What the kernel may hold for one browser: else one that does not read costs megabytes before it is noticed.
SEND_BUFFER_BYTES: Final = 65_536
ABORT_AFTER_S: Final = 5.0


@final
class _WebSocketProtocol(WebSocketsSansIOProtocol):
    """Ends for good a connection whose handler is done, even when its peer no longer reads what is buffered."""

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(ABORT_AFTER_S, self.transport.abort)


@final
class _Server(uvicorn.Server):
    """A server that leaves signals to the service's lifecycle, and tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@final
class WebServer:
    """Serve an ASGI application at the configured address.

    Args:
        app: what answers.
        config: address, TLS, limits.
    """

    def __init__(self, app: ASGIApp, config: LiveServerConfig) -> None:
        self._config = config
        self._socket: socket.socket | None = None
        tls = config.tls
        self._server = _Server(
            uvicorn.Config(
                app,
                http=limited_protocol(
                    Admission(
                        max_clients=config.limits.max_clients, max_per_address=config.limits.max_clients_per_address
                    )
                ),
                ws=_WebSocketProtocol,
                ws_max_size=config.limits.max_message_bytes,
                ws_ping_interval=PING_INTERVAL_S,
                ws_ping_timeout=READ_LIMIT_S - PING_INTERVAL_S,
                # Compressing per client would undo encoding once.
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_LIMIT_S,
                ssl_certfile=None if tls is None else _existing(tls.cert_file, "tls.cert_file"),
                ssl_keyfile=None if tls is None else _existing(tls.key_file, "tls.key_file"),
            )
        )

    @property
    def url(self) -> str:
        """Where a browser finds the page; known once bound."""
        if self._socket is None:
            raise RuntimeError("the web server was asked for its address before it was bound")
        host, port = self._socket.getsockname()[:2]
        scheme = "http" if self._config.tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def bind(self) -> None:
        """Take the port.

        Raises:
            ConfigError: the port is in use, or the host is not ours.
        """
        host, port = self._config.host, self._config.port
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = infos[0]
            listener = socket.socket(family, kind, protocol)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
                listener.bind(address)
            except OSError:
                listener.close()
                raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError.single(
                "port",
                port,
                f"{host}:{port} cannot be listened on ({reason})",
                "stop the program that uses it, or choose another port (`port:`, or `--port` of `opensqt demo`)",
            ) from None
        listener.setblocking(False)
        self._socket = listener

    async def serve(self) -> None:
        """Answer requests until `stop`."""
        if self._socket is None:
            self.bind()
        assert self._socket is not None
        await self._server.serve(sockets=[self._socket])

    async def wait_started(self) -> None:
        """Wait until requests are answered."""
        await self._server.answering.wait()

    def stop(self) -> None:
        """Ask `serve` to end its connections and return."""
        self._server.should_exit = True


def _existing(path: Path, key: str) -> str:
    if not path.is_file():
        raise ConfigError.single(key, repr(str(path)), "must be a readable PEM file", "correct the path")
    return str(path)
