"""The configuration of several services in one file: sections `connector`, `engine`, `live_server`, and `sim`.

Each section is that service's own configuration; `sim` is a simulated venue for the connector to trade on. A file may
also be one service's alone: its keys tell which.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import yaml

from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.cli.sim_section import SimConfig
from opensqt.cli.sim_wiring import wire_connector
from opensqt.connector.config import ConnectorConfig
from opensqt.engine.config import EngineConfig
from opensqt.live_server.config import LiveServerConfig
from opensqt.runtime.config import (
    ClientTlsConfig,
    ConfigError,
    ConfigProblem,
    GrpcClientConfig,
    GrpcServerConfig,
    Secret,
    convert_config,
    read_document,
)
from opensqt.runtime.config_convert import Converter
from opensqt.runtime.config_env import overlay
from opensqt.sim.addresses import base_urls

SERVICES: Mapping[str, type[msgspec.Struct]] = {
    "connector": ConnectorConfig,
    "engine": EngineConfig,
    "live_server": LiveServerConfig,
}


class UmbrellaConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The services to run together; those left out run elsewhere, without `sim` no venue is simulated.

    `embedded` runs connector and engine in one process, for the lowest latency.
    """

    embedded: bool = False
    sim: SimConfig | None = None
    connector: ConnectorConfig | None = None
    engine: EngineConfig | None = None
    live_server: LiveServerConfig | None = None

    def __post_init__(self) -> None:
        """Require something to run, and no port twice."""
        if all(section is None for section in (self.sim, self.connector, self.engine, self.live_server)):
            raise ConfigError.single("", None, "needs a section", "add `connector:`, `engine:` or `live_server:`")
        if self.embedded and (self.connector is None or self.engine is None):
            raise ConfigError.single(
                "embedded", True, "runs connector and engine in one process", "add both sections, or leave it out"
            )
        problems = []
        seen: dict[int, str] = {}
        for path, port in self.ports():
            if port and port in seen:
                problems.append(
                    ConfigProblem(path, str(port), f"is used by `{seen[port]}` already", "choose another port")
                )
            elif port:
                seen[port] = path
        if problems:
            raise ConfigError(problems)

    @property
    def trades_on_sim(self) -> bool:
        """Return whether the connector's exchange is the simulator of this configuration."""
        if self.sim is None or self.connector is None or self.connector.exchange != self.sim.venue:
            return False
        section = getattr(self.connector, self.sim.venue)
        return bool(section.endpoints.rest == base_urls(self.sim.port)["rest"])

    def ports(self) -> list[tuple[str, int | None]]:
        """Return every port of the configuration with its path in it; None = not used."""
        found: list[tuple[str, int | None]] = []
        if self.sim is not None:
            found.append(("sim.port", self.sim.port))
        if self.connector is not None:
            found += [
                ("connector.grpc.port", self.connector.grpc.port),
                ("connector.metrics.port", self.connector.metrics.port),
            ]
        if self.engine is not None:
            found.append(("engine.grpc.port", self.engine.grpc.port))
            found.append(("engine.metrics.port", self.engine.metrics.port))
        if self.live_server is not None:
            found.append(("live_server.port", self.live_server.port))
        return found


def load_any(path: Path, service: str | None = None) -> msgspec.Struct:
    """Return an umbrella's or one service's configuration, with the environment laid over it.

    `service` says whose it is; without it the file's top-level keys do. Raises ConfigError with every problem.
    """
    document = read_document(path)
    service = service or guess_service(document)
    folder = path.absolute().parent
    if service is None:
        return _umbrella(document, os.environ, source=str(path), base_dir=folder)
    return convert_config(document, SERVICES[service], env=os.environ, source=str(path), base_dir=folder)


def _umbrella(document: dict[str, object], env: Mapping[str, str], *, source: str, base_dir: Path) -> UmbrellaConfig:
    # The environment first: it may be what says where the simulator is, or that the connector trades on it.
    sections = UmbrellaConfig.__struct_encode_fields__
    problems = overlay(document, env, prefix="OPENSQT", top_level=sections)
    problems += wire_connector(document, Converter(base_dir))
    try:
        config = convert_config(document, UmbrellaConfig, env={}, source=source, base_dir=base_dir)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems], source=source) from None
    if problems:
        raise ConfigError(problems, source=source)
    return config


def guess_service(document: Mapping[str, object]) -> str | None:
    """Return the service whose own configuration this looks like, None for an umbrella's."""
    connector = document.get("connector")
    # `connector` is also the engine's and the page's key for where their connector listens.
    is_address = isinstance(connector, dict) and "address" in connector
    umbrella = len(set(document) & {*SERVICES, "sim"}) - (1 if is_address else 0)
    scores = {name: len(set(document) & set(type_.__struct_encode_fields__)) for name, type_ in SERVICES.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > umbrella else None


def engine_client_config(config: msgspec.Struct) -> GrpcClientConfig:
    """Return how to control the engine that a configuration describes. Raises CliError when it describes none."""
    engine = config.engine if isinstance(config, UmbrellaConfig) else config
    if not isinstance(engine, EngineConfig):
        raise CliError("that configuration has no engine to ask; give the one that has", EXIT_USAGE)
    return client_of(engine.grpc)


def client_of(server: GrpcServerConfig) -> GrpcClientConfig:
    """Return a client for one of our own servers on this machine, with its strongest token."""
    tokens = sorted(server.tokens, key=lambda one: one.role == "trade")
    token = tokens[-1].token if tokens else None
    if server.unix_socket is not None:
        return GrpcClientConfig(address=f"unix:{server.unix_socket}", token=token)
    if not server.port:
        raise CliError("the server's port is chosen when it starts; reach it by a unix socket or a fixed port")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(server.host, server.host)  # noqa: S104  where to dial, not to bind
    tls = None if server.tls is None else ClientTlsConfig(ca_file=server.tls.cert_file)
    return GrpcClientConfig(address=f"{host}:{server.port}", token=token, tls=tls)


def dump_config(config: msgspec.Struct) -> str:
    """Return a configuration as YAML that loads to the same struct; secrets stand in it, so keep it private."""
    return yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True)


def to_plain(config: msgspec.Struct) -> dict[str, Any]:
    """Return a configuration as plain data, defaults left out."""

    def plain(value: object) -> object:
        return value.reveal() if isinstance(value, Secret) else str(value)

    built = msgspec.to_builtins(config, enc_hook=plain, str_keys=True)
    return cast("dict[str, Any]", built)
