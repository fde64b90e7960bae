"""Shared pieces of the Binance tests: where the payloads are, and the instruments they speak of."""

from pathlib import Path

import pytest
from models.binance_payloads import OWN_PREFIX, SIZES, make_instrument

from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.parse_user import UserContext


@pytest.fixture(scope="session")
def listings() -> Listings:
    return Listings.of(make_instrument(symbol, tick, lot) for symbol, (tick, lot) in SIZES.items())


@pytest.fixture(scope="session")
def context(listings: Listings) -> UserContext:
    return UserContext(listings, OWN_PREFIX)


@pytest.fixture(scope="session")
def payloads(shared_dir: Path) -> Path:
    return shared_dir / "fixtures" / "binance"
