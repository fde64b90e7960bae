"""The venues that the conformance suite runs on. A new adapter is one entry in `VENUES`.

An entry makes a connector configuration in a folder; everything else goes through the public contract (gRPC), so the
cases know nothing of an adapter. Capabilities decide what is skipped, with the reason.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from models.connector_rig import Client, client_of, connector_config, running_connector

from opensqt.connector.config import ConnectorConfig
from opensqt.proto import exchange_pb2

VENUES: dict[str, Callable[[Path], ConnectorConfig]] = {
    "paper": lambda folder: connector_config(folder, latency_ms=1.0),
}


class Venue:
    """A connector to one venue, which can be restarted, and a client of it."""

    def __init__(self, config: ConnectorConfig) -> None:
        self._config = config
        self._stack = AsyncExitStack()
        self.client: Client
        self.symbol = ""
        self.capabilities = exchange_pb2.Capabilities()

    async def start(self) -> None:
        connector = await self._stack.enter_async_context(running_connector(self._config))
        self.client = await self._stack.enter_async_context(client_of(connector))
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


@pytest.fixture(params=sorted(VENUES))
async def venue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Venue]:
    found = Venue(VENUES[request.param](tmp_path))
    await found.start()
    try:
        yield found
    finally:
        await found.stop()
