"""Configuration parts every service shares: servers, clients, TLS, tokens, logs, metrics.

All are frozen, refuse unknown keys and check what their fields break together in `__post_init__`.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from opensqt.runtime.config_problems import ConfigError
from opensqt.runtime.secret import Secret

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Role = Literal["read", "trade"]

# sockaddr_un.sun_path on Linux, without its terminating zero.
MAX_SOCKET_PATH_BYTES = 107


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stays on this machine; unknown names count as elsewhere."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class TlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Server certificate and key (PEM files); `client_ca_file` turns on mTLS: only its certificates may connect."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None


class ClientTlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a client trusts the server (`ca_file`, else the system's authorities) and shows itself for mTLS."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        """Require certificate and key together."""
        if (self.cert_file is None) != (self.key_file is None):
            raise ConfigError.single(
                "cert_file", self.cert_file, "needs `key_file`, and the other way round", "give both or neither"
            )


class TokenConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bearer token and what it may do: `read` looks, `trade` also places, cancels and controls."""

    token: Secret
    role: Role = "read"

    def __post_init__(self) -> None:
        """Refuse tokens that can be guessed."""
        if len(self.token.reveal()) < 16:
            raise ConfigError.single(
                "token", self.token, "must have at least 16 characters", "make one with `openssl rand -hex 32`"
            )


class GrpcServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a gRPC server listens: TCP (`port`, 0 = any free one, null = none), a unix socket, or both at once.

    Off loopback TLS is required, and so is knowing the caller: tokens, or client certificates. Where tokens are
    configured, `anonymous_role` says what a caller on this machine may do without one; clients of the original know no
    tokens.
    """

    host: str = "127.0.0.1"
    port: Port | None = None
    unix_socket: str | None = None
    tls: TlsConfig | None = None
    tokens: tuple[TokenConfig, ...] = ()
    anonymous_role: Literal["none", "read", "trade"] = "none"

    def __post_init__(self) -> None:
        """Check that the server can be reached, and only by those it should be."""
        if self.port is None and self.unix_socket is None:
            raise ConfigError.single("port", None, "a server needs `port`, `unix_socket` or both", "set one of them")
        if self.port is not None and not is_loopback(self.host):
            if self.tls is None:
                raise ConfigError.single(
                    "host",
                    repr(self.host),
                    "off loopback the server needs `tls`: orders and tokens would travel in clear text",
                    "use host 127.0.0.1, or add `tls:` with cert_file and key_file",
                )
            if self.anonymous_role != "none":
                raise ConfigError.single(
                    "anonymous_role",
                    self.anonymous_role,
                    "off loopback the server must know its callers",
                    "use anonymous_role: none, or host 127.0.0.1",
                )
            if not self.tokens and self.tls.client_ca_file is None:
                raise ConfigError.single(
                    "tokens",
                    "[]",
                    "off loopback the server must know its callers",
                    "add `tokens:`, or `tls.client_ca_file` for client certificates",
                )
        if self.unix_socket is not None and len(self.unix_socket.encode()) > MAX_SOCKET_PATH_BYTES:
            raise ConfigError.single(
                "unix_socket",
                repr(self.unix_socket),
                f"must be at most {MAX_SOCKET_PATH_BYTES} bytes long, the system's limit for socket paths",
                "use a shorter directory",
            )


class GrpcClientConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server to call: `unix:/path/of.sock` or `host:port`, with TLS and a token where it asks for them."""

    address: str
    tls: ClientTlsConfig | None = None
    token: Secret | None = None

    def __post_init__(self) -> None:
        """Check the address, and that a token does not leave the machine in clear text."""
        if not self.is_unix:
            host, colon, port = self.address.rpartition(":")
            if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
                raise ConfigError.single(
                    "address",
                    repr(self.address),
                    "must be `host:port` or `unix:/path`",
                    "for example 127.0.0.1:50051 or unix:/run/opensqt/connector.sock",
                )
            if self.token is not None and self.tls is None and not is_loopback(host):
                raise ConfigError.single(
                    "token",
                    self.token,
                    f"a token must not travel in clear text to {host}",
                    "add `tls:` (an empty section trusts the system's authorities), or use a loopback address",
                )

    @property
    def is_unix(self) -> bool:
        """Return whether the address is a unix socket."""
        return self.address.startswith("unix:")


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged, how (`auto`: pretty on a terminal, else JSON) and where (`file`, else standard error)."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "pretty"] = "auto"
    file: Path | None = None


class MetricsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where Prometheus may read metrics; no `port` = nowhere."""

    host: str = "127.0.0.1"
    port: Port | None = None
