"""A connector to ask: the one that runs, else one that is started for the question and stopped after it.

The one started for a question listens on a private unix socket and keeps its files in a folder that goes with it, so a
paper account is the one a first run would find. It opens the exchange session the configuration describes, with all of
the connector's own start checks; it sends no order.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import final

import msgspec

from opensqt.cli.errors import CliError
from opensqt.cli.probe import Probe
from opensqt.cli.process import ChildProcess
from opensqt.cli.services import MODULES, child_environment, connector_probe, sim_spec
from opensqt.cli.umbrella_config import UmbrellaConfig, client_of, dump_config
from opensqt.cli.venue_view import VenueView
from opensqt.connector.config import ConnectorConfig
from opensqt.proto import exchange_pb2_grpc
from opensqt.runtime.config import GrpcClientConfig, GrpcServerConfig, LogConfig, MetricsConfig
from opensqt.runtime.grpc_client import open_channel

START_TIMEOUT_S = 40.0
STOP_GRACE_S = 5.0
_POLL_S = 0.1


@final
class ConnectorAccess(msgspec.Struct, frozen=True):
    """A connector that answers. `is_own` says that it was started for us."""

    view: VenueView
    address: str
    is_own: bool


@asynccontextmanager
async def connector_access(config: UmbrellaConfig) -> AsyncIterator[ConnectorAccess]:
    """Reach the connector of a configuration, or start one for as long as the context lasts.

    Raises CliError with the connector's own last words when it cannot be started.
    """
    client = _client(config)
    if client is not None and await connector_probe(client)():
        async with open_channel(client) as channel:
            yield ConnectorAccess(VenueView(exchange_pb2_grpc.ExchangeServiceStub(channel)), client.address, False)
        return
    if config.connector is None:
        where = "nowhere" if client is None else f"at {client.address}"
        raise CliError(f"the connector answers {where} and the configuration has no `connector:` to start; start it")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opensqt-")))
        if config.sim is not None and config.trades_on_sim:
            await _start_sim(stack, config, folder)
        own = _private(config.connector, folder)
        file = folder / "connector.yaml"
        file.touch(mode=0o600)
        file.write_text(dump_config(own), encoding="utf-8")
        argv = [sys.executable, "-m", MODULES["connector"], "--config", str(file)]
        address = client_of(own.grpc)
        await _start(stack, "connector", argv, folder / "connector.log", connector_probe(address))
        async with open_channel(address) as channel:
            yield ConnectorAccess(VenueView(exchange_pb2_grpc.ExchangeServiceStub(channel)), address.address, True)


def _client(config: UmbrellaConfig) -> GrpcClientConfig | None:
    if config.connector is not None:
        return client_of(config.connector.grpc)
    return None if config.engine is None else config.engine.connector


def _private(config: ConnectorConfig, folder: Path) -> ConnectorConfig:
    """Return the configuration with everything that it shares with others put into a folder of its own."""
    return msgspec.structs.replace(
        config,
        grpc=GrpcServerConfig(port=None, unix_socket=str(folder / "connector.sock")),
        state_file=folder / "connector.json",
        paper=msgspec.structs.replace(config.paper, state_file=folder / "paper.db"),
        log=LogConfig(level="warning", format="json"),
        metrics=MetricsConfig(),
    )


async def _start_sim(stack: AsyncExitStack, config: UmbrellaConfig, folder: Path) -> None:
    assert config.sim is not None
    spec = sim_spec(config.sim, folder / "sim.log")
    if not await spec.probe():
        await _start(stack, "simulated venue", spec.argv, spec.log_file, spec.probe)


async def _start(stack: AsyncExitStack, name: str, argv: Sequence[str], log_file: Path, probe: Probe) -> None:
    child = await ChildProcess.start(argv, log_file, child_environment(os.environ))
    stack.push_async_callback(child.stop, STOP_GRACE_S)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await probe():
                if child.returncode is not None:
                    words = " ".join(child.last_words()) or f"it ended with exit code {child.returncode}"
                    raise CliError(f"the {name} cannot be started: {words.removeprefix('error: ')}")
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise CliError(
            f"the {name} was started and is not healthy after {START_TIMEOUT_S:.0f} s: "
            f"{' '.join(child.last_words()) or 'it said nothing; the venue may be out of reach'}"
        ) from None
