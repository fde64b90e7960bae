"""The venues that the conformance suite runs on. A new adapter is one entry in `VENUES`.

An entry makes a connector configuration in a folder, for an account that nobody used before; everything else goes
through the public contract (gRPC), so the cases know nothing of an adapter. Capabilities decide what is skipped, with
the reason.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest
from models.binance_sim import BinanceSim, running_sim
from models.ccxt_sim import ccxt_connector_config
from models.connector_rig import CLIENTS, Client, connector_config, running_connector

from opensqt.connector.config import ConnectorConfig
from opensqt.proto import exchange_pb2

READY_TIMEOUT_S = 15.0
# More starts from one address within a minute than this pass the venue's request weight.
SIM_ACCOUNTS = 8
# As many as a real venue allows, so that the rate cases can use them up.
PAPER_ORDERS = 300
CCXT_ORDERS = 20


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

    def ccxt(self, folder: Path) -> ConnectorConfig:
        """Return ccxt's adapter on an account of the same venue."""
        self.binance(folder)
        assert self._binance is not None, "the line before started it"
        return ccxt_connector_config(self._binance, folder, self._used - 1, orders_per_10s=CCXT_ORDERS)

    def public_binance(self, folder: Path) -> ConnectorConfig:
        """Return paper trading on the public market of the same venue."""
        self.binance(folder)
        assert self._binance is not None, "the line before started it"
        return self._binance.paper_config(folder, latency_ms=1.0, orders_per_10s=PAPER_ORDERS)

    def fault(self, kind: str, **fields: Any) -> None:
        """Set a fault of the simulator that runs."""
        assert self._binance is not None, "the venue started it"
        self._binance.fault(kind, **fields)

    def close(self) -> None:
        self._stack.close()


VENUES: dict[str, Callable[[Path, Simulators], ConnectorConfig]] = {
    "binance-sim": lambda folder, simulators: simulators.binance(folder),
    "ccxt-binance-sim": lambda folder, simulators: simulators.ccxt(folder),
    "paper-on-binance-sim": lambda folder, simulators: simulators.public_binance(folder),
    "paper": lambda folder, _simulators: connector_config(folder, latency_ms=1.0, orders_per_10s=PAPER_ORDERS),
}
# An engine in the connector's process must meet the same contract; the venue behind it makes no difference to that.
IN_PROCESS = "paper-in-process"
# How a placement is sent, for a fault that makes the venue refuse it for its number.
PLACEMENT_ROUTES = {"binance-sim": "ws-api order.place", "ccxt-binance-sim": "POST /fapi/v1/order"}

SKIPS_PAGE = Path(__file__).parents[2] / "docs" / "adding-a-venue.md"


def listed_skips() -> set[tuple[str, str]]:
    """Return the (venue, case) that the page says are skipped."""
    rows = re.findall(r"^\| ((?:[1-9]\d\d(?:, )?)+) \| ([^|]+) \| [^|]+ \|$", SKIPS_PAGE.read_text(), re.MULTILINE)
    return {(venue, case) for cases, venues in rows for case in cases.split(", ") for venue in venues.split(", ")}


class Venue:
    """A connector to one venue, which can be restarted, and a client of it."""

    def __init__(
        self, name: str, case: str, config: ConnectorConfig, simulators: Simulators, way: str = "grpc"
    ) -> None:
        self.name = name
        self.was_skipped = False
        self._case = case
        self._config = config
        self._simulators = simulators
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
            self.skip(f"{self.capabilities.exchange} does not offer {capability}")

    def skip(self, why: str) -> NoReturn:
        """Skip the case; the page must say so."""
        self.was_skipped = True
        if not self.is_listed:
            pytest.fail(f"case {self._case} is skipped on {self.name} ({why}): list it in {SKIPS_PAGE.name}")
        pytest.skip(why)

    @property
    def is_listed(self) -> bool:
        """Return whether the page says that this case is skipped here."""
        return (self.name, self._case) in listed_skips()

    def overrun(self) -> None:
        """Let the venue refuse the next placement for the number of requests, and ask us to wait 30 seconds."""
        route = PLACEMENT_ROUTES.get(self.name)
        if route is None:
            self.skip("nothing makes this venue count more than we do")
        self._simulators.fault("rate_limit_429", route=route, count=1, retry_after_s=30)


@pytest.fixture(scope="session")
def simulators() -> Iterator[Simulators]:
    found = Simulators()
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(params=[*sorted(VENUES), IN_PROCESS])
async def venue(request: pytest.FixtureRequest, tmp_path: Path, simulators: Simulators) -> AsyncIterator[Venue]:
    case = request.node.name.split("_")[1]
    name, way = ("paper", "in-process") if request.param == IN_PROCESS else (request.param, "grpc")
    found = Venue(request.param, case, VENUES[name](tmp_path, simulators), simulators, way)
    await found.start()
    try:
        yield found
    finally:
        await found.stop()
    assert found.was_skipped or not found.is_listed, f"{SKIPS_PAGE.name} says that case {case} is skipped here"
