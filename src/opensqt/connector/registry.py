"""The venues this connector knows: the one module outside `venues` that names one.

A new venue is a folder under `venues`, and here: its name, its section of the configuration, and how it is checked and
made. One that has a public half (`PublicMarket`) gets mode paper by `_on_live_market`.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from opensqt.connector.adapter import PublicMarket, VenueAdapter
from opensqt.connector.venues.binance.config import BinanceConfig
from opensqt.connector.venues.ccxt_any.config import CcxtConfig
from opensqt.connector.venues.paper.config import PaperConfig
from opensqt.domain.clock import Clock

if TYPE_CHECKING:
    from opensqt.connector.config import ConnectorConfig


class VenueSections(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which exchange, in which mode, and the section of each: the venues' part of the connector's configuration."""

    exchange: Literal["paper", "binance", "ccxt"] = "paper"
    mode: Literal["paper", "testnet", "live"] = "paper"
    paper: PaperConfig = PaperConfig()
    binance: BinanceConfig = BinanceConfig()
    ccxt: CcxtConfig = CcxtConfig()


class Venue(msgspec.Struct, frozen=True):
    """How a venue's part of a configuration is checked (raises ConfigError), and how its adapter is made."""

    check: Callable[["ConnectorConfig"], None]
    make: Callable[["ConnectorConfig", Clock], VenueAdapter]


def make_adapter(config: "ConnectorConfig", clock: Clock) -> VenueAdapter:
    """Return the adapter of the configured exchange; nothing is opened before its `start`."""
    return VENUES[config.exchange].make(config, clock)


def _on_live_market(config: "ConnectorConfig", clock: Clock, feed: PublicMarket) -> VenueAdapter:
    from opensqt.connector.venues.paper.adapter import PaperAdapter
    from opensqt.connector.venues.paper.live_market import LiveMarket

    return PaperAdapter(config.paper, clock, LiveMarket(feed, clock, config.max_book_age_ms))


# A venue's libraries are loaded only where it is used.


def _check_binance(config: "ConnectorConfig") -> None:
    if config.mode == "paper":
        config.paper.check_on_live_market()
    else:
        config.binance.check_account(config.mode)


def _binance(config: "ConnectorConfig", clock: Clock) -> VenueAdapter:
    if config.mode == "paper":
        from opensqt.connector.venues.binance.public_market import BinancePublicMarket

        return _on_live_market(config, clock, BinancePublicMarket(config.binance, config.mode, clock))
    from opensqt.connector.venues.binance.adapter import BinanceAdapter

    return BinanceAdapter(config.binance, config.mode, clock)


def _check_ccxt(config: "ConnectorConfig") -> None:
    config.ccxt.check_account(config.mode, config.command_timeout_ms)


def _ccxt(config: "ConnectorConfig", clock: Clock) -> VenueAdapter:
    from opensqt.connector.venues.ccxt_any.adapter import CcxtAdapter

    return CcxtAdapter(config.ccxt, config.mode, clock)


def _check_paper(config: "ConnectorConfig") -> None:
    config.paper.check_alone(config.mode)


def _paper(config: "ConnectorConfig", clock: Clock) -> VenueAdapter:
    from opensqt.connector.venues.paper.adapter import PaperAdapter

    return PaperAdapter(config.paper, clock)


VENUES: Mapping[str, Venue] = {
    "binance": Venue(_check_binance, _binance),
    "ccxt": Venue(_check_ccxt, _ccxt),
    "paper": Venue(_check_paper, _paper),
}
