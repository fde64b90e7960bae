"""The venues this connector knows: one line each. A new venue is a folder under `venues` and a line here."""

from collections.abc import Callable, Mapping

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.config import ConnectorConfig
from opensqt.domain.clock import Clock


def _binance(config: ConnectorConfig, clock: Clock) -> VenueAdapter:
    from opensqt.connector.venues.binance.adapter import BinanceAdapter

    return BinanceAdapter(config.binance, config.mode, clock)


def _ccxt(config: ConnectorConfig, clock: Clock) -> VenueAdapter:
    from opensqt.connector.venues.ccxt_any.adapter import CcxtAdapter

    return CcxtAdapter(config.ccxt, config.mode, clock)


def _paper(config: ConnectorConfig, clock: Clock) -> VenueAdapter:
    from opensqt.connector.venues.paper.adapter import PaperAdapter

    return PaperAdapter(config.paper, clock)


# A venue's libraries are loaded only where it is used.
ADAPTERS: Mapping[str, Callable[[ConnectorConfig, Clock], VenueAdapter]] = {
    "binance": _binance,
    "ccxt": _ccxt,
    "paper": _paper,
}


def make_adapter(config: ConnectorConfig, clock: Clock) -> VenueAdapter:
    """Return the adapter of the configured exchange; nothing is opened before its `start`."""
    return ADAPTERS[config.exchange](config, clock)
