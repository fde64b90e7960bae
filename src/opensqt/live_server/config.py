"""What the web server can be told: where to listen, whom to read, who may control.

host: 127.0.0.1
port: 8081
connector: {address: "127.0.0.1:50051", token_file: read.token}
engine: {address: "127.0.0.1:50052", token_file: read.token}
operator_token_file: operator.token        # without it the page only watches
engine_control: {address: "127.0.0.1:50052", token_file: trade.token}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from opensqt.runtime.config import ConfigError, GrpcClientConfig, LogConfig, Port, Secret, is_loopback

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]

_MIN_TOKEN_CHARACTERS = 16


class WebTlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Certificate and key (PEM files) for HTTPS."""

    cert_file: Path
    key_file: Path


class OperatorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody who may control, under a name the engine's audit keeps."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
    token: Secret


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds on what browsers may take.

    A browser that lets more than `client_queue_messages` or `client_queue_bytes` wait is cut; it comes back and
    starts from a snapshot.
    """

    max_clients: PositiveInt = 1_000
    max_clients_per_address: PositiveInt = 200
    client_queue_messages: PositiveInt = 512
    client_queue_bytes: Annotated[int, msgspec.Meta(ge=65_536)] = 524_288
    max_message_bytes: Annotated[int, msgspec.Meta(ge=1_024)] = 65_536
    publish_interval_ms: Annotated[int, msgspec.Meta(ge=5, le=1_000)] = 40
    candles: Annotated[int, msgspec.Meta(ge=100, le=5_000)] = 500


class StalenessConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long, in ms, a stream that should always speak may be silent before its numbers are marked stale."""

    prices_ms: Annotated[int, msgspec.Meta(ge=1_000)] = 15_000
    candles_ms: Annotated[int, msgspec.Meta(ge=1_000)] = 70_000


class LiveServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Configuration of `opensqt-live-server`.

    `connector` and `engine` are read with tokens that only need to read. `engine_control` is the way to the engine for
    pause, resume and stop (default: `engine`); it is used only for people who showed an operator's token:
    `operator_token` acts under the name "operator", with `operators` everybody has a name and a token of their own.
    `login_token` hides the page from everybody else. Off loopback the page needs `login_token` and `tls`; with
    `tls_by_proxy` a proxy in front of it is trusted to speak TLS to the world and to be the only one who reaches it.
    `symbols` names the charts; empty = those of the engine's bots. `allowed_hosts` are host names, beyond localhost and
    plain addresses, under which browsers may reach the page. `static_dir` serves another build than the packaged one.
    """

    connector: GrpcClientConfig
    engine: GrpcClientConfig
    engine_control: GrpcClientConfig | None = None
    host: str = "127.0.0.1"
    port: Port = 8081
    tls: WebTlsConfig | None = None
    login_token: Secret | None = None
    operator_token: Secret | None = None
    operators: tuple[OperatorConfig, ...] = ()
    tls_by_proxy: bool = False
    allowed_hosts: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    limits: LimitsConfig = LimitsConfig()
    staleness: StalenessConfig = StalenessConfig()
    static_dir: Path | None = None
    log: LogConfig = LogConfig()

    def __post_init__(self) -> None:
        """Refuse tokens that can be guessed, and a page that strangers could read."""
        for name, token in self._tokens():
            if len(token.reveal()) < _MIN_TOKEN_CHARACTERS:
                raise ConfigError.single(
                    name,
                    token,
                    f"must have at least {_MIN_TOKEN_CHARACTERS} characters",
                    "make one with `openssl rand -hex 32`",
                )
        self._check_operators()
        if is_loopback(self.host):
            return
        if self.login_token is None:
            raise ConfigError.single(
                "host",
                repr(self.host),
                "off loopback the page needs `login_token`: everybody who reaches the port would see the account",
                "use host 127.0.0.1, or set login_token and tls",
            )
        if self.tls is None and not self.tls_by_proxy:
            raise ConfigError.single(
                "host",
                repr(self.host),
                "off loopback the page needs `tls`: tokens and cookies would cross the network in clear text",
                "use host 127.0.0.1, set tls, or set tls_by_proxy: true where a proxy alone reaches this port and "
                "speaks TLS to everybody else",
            )

    def _tokens(self) -> Iterator[tuple[str, Secret]]:
        for name, token in (("login_token", self.login_token), ("operator_token", self.operator_token)):
            if token is not None:
                yield name, token
        for index, operator in enumerate(self.operators):
            yield f"operators[{index}].token", operator.token

    def _check_operators(self) -> None:
        """Refuse two people with one name, or one token for two people: the audit could not tell them apart."""
        names = [operator.name for operator in self.operators]
        if self.operator_token is not None:
            names.append("operator")
        tokens = [token for _name, token in self._tokens()]
        for path, values in (("operators", names), ("operators", tokens)):
            if len(set(values)) < len(values):
                raise ConfigError.single(
                    path, None, "two of them share a name or a token", "give everybody a name and a token of their own"
                )
