"""The venues that the conformance suite runs on. A new adapter is one entry in `VENUES`.

An entry makes a connector configuration in a folder, for an account that nobody used before; everything else goes
through the public contract (gRPC), so the cases know nothing of an adapter. Capabilities decide what is skipped, with
the reason.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest
from models.binance_sim import BinanceSim, running_sim
from models.connector_rig import CLIENTS, Client, connector_config, running_connector

from opensqt.connector.config import ConnectorConfig
from opensqt.proto import exchange_pb2

READY_TIMEOUT_S = 15.0
# More starts from one address within a minute than this pass the venue's request weight.
SIM_ACCOUNTS = 8


class Simulators:
    """Simulated venues, each started when it is first needed; every case trades on an account of its own."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._binance: BinanceSim | None = None
        self._used = 0

    def binance(self, folder: Path) -> ConnectorConfig:
        if self._binance is None or self._used == SIM_ACCOUNTS:
            self._stack.close()
            self._binance = self._stack.enter_context(
                running_sim("--symbols", "BTCUSDT", "--accounts", str(SIM_ACCOUNTS))
            )
            self._used = 0
        self._used += 1
        return self._binance.connector_config(folder, self._used - 1, leverage=10)

    def public_binance(self, folder: Path) -> ConnectorConfig:
        """Return paper trading on the public market of the same venue."""
        self.binance(folder)
        assert self._binance is not None, "the line before started it"
        return self._binance.paper_config(folder, latency_ms=1.0)

    def close(self) -> None:
        self._stack.close()


VENUES: dict[str, Callable[[Path, Simulators], ConnectorConfig]] = {
    "binance-sim": lambda folder, simulators: simulators.binance(folder),
    "paper-on-binance-sim": lambda folder, simulators: simulators.public_binance(folder),
    "paper": lambda folder, _simulators: connector_config(folder, latency_ms=1.0),
}
# An engine in the connector's process must meet the same contract; the venue behind it makes no difference to that.
IN_PROCESS = "paper-in-process"


class Venue:
    """A connector to one venue, which can be restarted, and a client of it."""

    def __init__(self, config: ConnectorConfig, way: str = "grpc") -> None:
        self._config = config
        self._way = way
        self._stack = AsyncExitStack()
        self.client: Client
        self.symbol = ""
        self.capabilities = exchange_pb2.Capabilities()

    async def start(self) -> None:
        connector = await self._stack.enter_async_context(running_connector(self._config))
        async with asyncio.timeout(READY_TIMEOUT_S):
            # Nothing tells that from outside but asking.
            while not connector.core.is_serving:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        self.client = await self._stack.enter_async_context(CLIENTS[self._way](connector))
        self.capabilities = await self.client.call("GetCapabilities", exchange_pb2.GetCapabilitiesRequest())
        self.symbol = self.capabilities.symbols[0]

    async def stop(self) -> None:
        await self._stack.aclose()

    async def restart(self) -> None:
        """Stop the connector and start another one on the same venue account."""
        await self.stop()
        self._stack = AsyncExitStack()
        await self.start()

    def needs(self, capability: str) -> None:
        """Skip the case where the venue does not offer something."""
        if not getattr(self.capabilities, capability):
            pytest.skip(f"{self.capabilities.exchange} does not offer {capability}")


@pytest.fixture(scope="session")
def simulators() -> Iterator[Simulators]:
    found = Simulators()
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(params=[*sorted(VENUES), IN_PROCESS])
async def venue(request: pytest.FixtureRequest, tmp_path: Path, simulators: Simulators) -> AsyncIterator[Venue]:
    if request.param == IN_PROCESS:
        found = Venue(VENUES["paper"](tmp_path, simulators), "in-process")
    else:
        found = Venue(VENUES[request.param](tmp_path, simulators))
    await found.start()
    try:
        yield found
    finally:
        await found.stop()
