"""Channels to our servers, and calls that raise typed errors.

    channel = open_channel(config.connector)
    stub = ExchangeServiceStub(channel)
    account = await call(stub.GetAccount, GetAccountRequest(), timeout_s=5)

The token travels as metadata of every call, of all four kinds. One channel per server lives as long as the service:
it reconnects by itself, with back-off.
"""

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol, TypeVar

import grpc
from grpc import aio

from opensqt.domain.errors import OpensqtError
from opensqt.runtime.config_problems import ConfigError
from opensqt.runtime.config_types import ClientTlsConfig, GrpcClientConfig, is_loopback
from opensqt.runtime.grpc_server import MAX_MESSAGE_BYTES, read_pem
from opensqt.runtime.rich_status import to_typed_error
from opensqt.runtime.token_channel import TokenChannel

__all__ = ["OpensqtError", "call", "open_channel", "to_typed_error"]

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Left to itself gRPC widens a busy stream's window to megabytes: seconds of books that nobody can merge any more.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC waits up to two minutes between tries by default; a restarted neighbour must be found within seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Despite its name, how long one try may take: through TLS to a far host, or to a process that waits for a core.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    # Orders are never sent twice behind our back.
    ("grpc.enable_retries", 0),
    # A channel of its own, not one shared through gRPC's global pool: closing it must close it.
    ("grpc.use_local_subchannel_pool", 1),
)

Request = TypeVar("Request", contravariant=True)
Response = TypeVar("Response", covariant=True)


class UnaryMethod(Protocol[Request, Response]):
    """A stub's unary method."""

    def __call__(self, request: Request, /, *, timeout: float | None = None) -> Awaitable[Response]:
        """Send the request and return the call."""
        ...


async def call(method: UnaryMethod[Request, Response], request: Request, *, timeout_s: float) -> Response:
    """Make one unary call with a deadline.

    Raises OpensqtError: the server's own typed error, OUTCOME_UNKNOWN after the deadline or a broken connection,
    NOT_CONNECTED when there was no connection to send it on.
    """
    try:
        return await method(request, timeout=timeout_s)
    except aio.AioRpcError as error:
        raise to_typed_error(error) from None


def open_channel(config: GrpcClientConfig, *, options: Sequence[tuple[str, Any]] = ()) -> aio.Channel:
    """Return a channel; nothing is sent until the first call. Raises ConfigError for unusable TLS files."""
    address = config.address
    host = address.rpartition(":")[0]
    if config.token is not None and config.tls is None and not config.is_unix and not is_loopback(host):
        raise ConfigError.single(
            "token", config.token, f"a token must not travel in clear text to {host}", "add `tls:`"
        )
    merged = {**dict(_OPTIONS), **dict(options)}
    if config.tls is None:
        channel = aio.insecure_channel(address, options=tuple(merged.items()))
    else:
        if config.tls.server_name is not None:
            merged["grpc.ssl_target_name_override"] = config.tls.server_name
        channel = aio.secure_channel(address, channel_credentials(config.tls), options=tuple(merged.items()))
    return channel if config.token is None else TokenChannel(channel, config.token)


def channel_credentials(tls: ClientTlsConfig) -> grpc.ChannelCredentials:
    """Read PEM files into client credentials. Raises ConfigError."""
    return grpc.ssl_channel_credentials(
        root_certificates=None if tls.ca_file is None else read_pem("tls.ca_file", tls.ca_file),
        private_key=None if tls.key_file is None else read_pem("tls.key_file", tls.key_file),
        certificate_chain=None if tls.cert_file is None else read_pem("tls.cert_file", tls.cert_file),
    )
