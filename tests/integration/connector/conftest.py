"""A running connector and a client of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from models.connector_rig import Client, client_of, connector_config, running_connector

from opensqt.connector.app import Connector


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[Connector]:
    async with running_connector(connector_config(tmp_path)) as running:
        yield running


@pytest.fixture
async def client(connector: Connector) -> AsyncIterator[Client]:
    async with client_of(connector) as found:
        yield found
