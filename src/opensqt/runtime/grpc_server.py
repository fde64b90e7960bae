"""A gRPC server as the configuration wants it: TCP, unix socket or both, TLS, tokens, health, reflection.

    server = GrpcServer(config, roles={"/pkg.Service/PlaceOrder": "trade"}, clock=clock, services=["pkg.Service"])
    pkg_pb2_grpc.add_ServiceServicer_to_server(servicer, server.server)
    await server.start()
    server.health.set("pkg.Service", True)

It refuses to start where orders or tokens would travel in clear text off loopback, where a port is taken, and where a
unix socket belongs to somebody alive; each refusal is a ConfigError that says what to do.
"""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import grpc
import structlog
from grpc import aio
from grpc_health.v1 import (  # type: ignore[import-untyped, unused-ignore]  # stubs are a package apart
    health_pb2,
    health_pb2_grpc,
)
from grpc_reflection.v1alpha import (  # type: ignore[import-untyped, unused-ignore]  # stubs are a package apart
    reflection,
)

from opensqt.domain.clock import Clock
from opensqt.runtime import unix_socket
from opensqt.runtime.config_problems import ConfigError
from opensqt.runtime.config_types import GrpcServerConfig, Role, TlsConfig
from opensqt.runtime.health import Health
from opensqt.runtime.interceptors import (
    DEFAULT_DEADLINE_S,
    AuthInterceptor,
    DeadlineInterceptor,
    ErrorInterceptor,
    MetricsInterceptor,
)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024

_OPTIONS: tuple[tuple[str, Any], ...] = (
    # Two servers sharing a port would each get half of the orders.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A peer that vanished without a word is noticed within 15 s; clients may ping as often as we do.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
)

_log = structlog.get_logger(__name__)


@final
class GrpcServer:
    """Build, start and stop one `grpc.aio` server. Create it inside the running loop.

    Args:
        config: where to listen and whom to let in.
        roles: full method name -> role it needs; methods not named need `read`.
        clock: kept for parts that stamp times; the server itself measures only durations.
        services: full service names offered by reflection and known to health (not serving until set).
        default_deadline_s: bound of unary calls whose caller sent no deadline.
        key: the key of `config` in the service's configuration, for its errors.
    """

    def __init__(
        self,
        config: GrpcServerConfig,
        *,
        roles: Mapping[str, Role],
        clock: Clock,
        services: Sequence[str] = (),
        default_deadline_s: float = DEFAULT_DEADLINE_S,
        key: str = "grpc",
    ) -> None:
        self._config = config
        self._key = key
        self.clock = clock
        self.health = Health()
        self.bound_port: int | None = None
        self._socket_path = None if config.unix_socket is None else Path(config.unix_socket)
        self._socket_inode: int | None = None
        self.server = aio.server(
            interceptors=[
                MetricsInterceptor(),
                AuthInterceptor(
                    config.tokens, roles, None if config.anonymous_role == "none" else config.anonymous_role
                ),
                DeadlineInterceptor(default_deadline_s),
                ErrorInterceptor(),
            ],
            options=_OPTIONS,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        for name in services:
            self.health.set(name, False)
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection([*services, health_name, reflection.SERVICE_NAME], self.server)

    @property
    def addresses(self) -> list[str]:
        """Return where the server listens, as a client would dial it."""
        found = [] if self.bound_port is None else [f"{self._config.host}:{self.bound_port}"]
        return [*found, *([] if self._socket_path is None else [f"unix:{self._socket_path}"])]

    async def start(self) -> None:
        """Bind and serve. Raises ConfigError when it must not or cannot listen where it should."""
        try:
            if self._config.port is not None:
                self.bound_port = self._bind_tcp(self._config.port)
            if self._socket_path is not None:
                self._bind_unix(self._socket_path)
        except ConfigError as error:
            raise ConfigError([problem.under(self._key) for problem in error.problems]) from None
        await self.server.start()
        if self._socket_path is not None:
            self._socket_path.chmod(0o600)

    async def stop(self, grace_s: float) -> None:
        """Report not serving, let running calls end for `grace_s` seconds, then cancel them and free the addresses."""
        self.health.stop()
        await self.server.stop(grace_s)
        path = self._socket_path
        if path is not None and self._socket_inode is not None and unix_socket.inode_of(path) == self._socket_inode:
            path.unlink(missing_ok=True)

    def _bind_tcp(self, port: int) -> int:
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        address = f"{host}:{port}"
        try:
            if self._config.tls is None:
                bound = self.server.add_insecure_port(address)
            else:
                bound = self.server.add_secure_port(address, server_credentials(self._config.tls))
        except RuntimeError:
            bound = 0
        if bound == 0:
            raise ConfigError.single(
                "port",
                port,
                f"{address} cannot be listened on ({_why_not(self._config.host, port)})",
                "stop the program that uses it, or choose another port",
            )
        return bound

    def _bind_unix(self, path: Path) -> None:
        unix_socket.claim_path(path)
        try:
            with unix_socket.owner_only():
                self.server.add_insecure_port(f"unix:{path.absolute()}")
        except RuntimeError as error:
            raise ConfigError.single(
                "unix_socket", repr(str(path)), f"cannot be bound ({error})", "choose a folder that can be written"
            ) from None
        self._socket_inode = unix_socket.inode_of(path)


def server_credentials(tls: TlsConfig) -> grpc.ServerCredentials:
    """Read PEM files into server credentials; `client_ca_file` demands client certificates. Raises ConfigError."""
    chain = (read_pem("tls.key_file", tls.key_file), read_pem("tls.cert_file", tls.cert_file))
    roots = None if tls.client_ca_file is None else read_pem("tls.client_ca_file", tls.client_ca_file)
    return grpc.ssl_server_credentials([chain], root_certificates=roots, require_client_auth=roots is not None)


def read_pem(key: str, path: Path) -> bytes:
    """Return a PEM file's bytes. Raises ConfigError naming `key`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError.single(
            key, repr(str(path)), f"must be a readable PEM file ({error.strerror})", "correct the path"
        ) from None
    if b"-----BEGIN " not in data:
        raise ConfigError.single(key, repr(str(path)), "must be a PEM file", "convert it to PEM")
    return data


def _why_not(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error.strerror or str(error)
    return "the TLS certificate and key do not fit, or the address is not ours"
