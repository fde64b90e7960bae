"""The venues this connector knows: one line each. A new venue is a folder under `venues` and a line here."""

from collections.abc import Callable, Mapping

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.config import ConnectorConfig
from opensqt.connector.venues.paper.adapter import PaperAdapter
from opensqt.domain.clock import Clock

ADAPTERS: Mapping[str, Callable[[ConnectorConfig, Clock], VenueAdapter]] = {
    "paper": lambda config, clock: PaperAdapter(config.paper, clock),
}


def make_adapter(config: ConnectorConfig, clock: Clock) -> VenueAdapter:
    """Return the adapter of the configured exchange; nothing is opened before its `start`."""
    return ADAPTERS[config.exchange](config, clock)
