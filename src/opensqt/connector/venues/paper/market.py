"""Opens the built-in market that the paper venue plays, with errors that name the setting to change."""

from decimal import Decimal
from typing import Any

from opensqt.connector.venues.paper.config import PaperConfig
from opensqt.matching.sources.base import MarketSource
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.sources.instruments import known_symbols, split_symbol
from opensqt.matching.sources.replay import open_replay
from opensqt.matching.sources.synthetic import SyntheticConfig, SyntheticSource, synthetic_symbol
from opensqt.runtime.config import ConfigError


def open_market(config: PaperConfig, start_time_ns: int) -> MarketSource:
    """Return the market of a configuration; a synthetic one begins at `start_time_ns`.

    Raises:
        ConfigError: a file is missing or broken, or a symbol is not known.
    """
    if config.source == "replay":
        try:
            return open_replay(config.files, loop=config.loop)
        except CaptureError as error:
            raise ConfigError.single(
                "paper.files", ", ".join(map(str, config.files)), str(error), "give readable captures in their order"
            ) from None
    return SyntheticSource(
        SyntheticConfig(
            seed=config.seed,
            start_time_ns=start_time_ns,
            symbols=tuple(
                synthetic_symbol(
                    _venue_symbol(symbol),
                    annual_volatility=config.annual_volatility,
                    annual_drift=config.annual_drift,
                )
                for symbol in config.symbols
            ),
        )
    )


def fingerprint(config: PaperConfig) -> dict[str, Any]:
    """Return what must stay the same for a saved state to make sense."""
    if config.source == "replay":
        return {"source": "replay", "files": [path.name for path in config.files]}
    return {
        "source": "synthetic",
        "seed": config.seed,
        "symbols": [_venue_symbol(symbol) for symbol in config.symbols],
    }


def wallets(config: PaperConfig) -> dict[str, Decimal]:
    """Return the accounts and what they begin with."""
    return {ACCOUNT: config.balance}


ACCOUNT = "paper"


def _venue_symbol(symbol: str) -> str:
    venue_symbol = symbol.split(":")[0].replace("/", "").upper()
    if venue_symbol not in known_symbols():
        base, quote = split_symbol(venue_symbol)
        raise ConfigError.single(
            "paper.symbols",
            symbol,
            f"{base}/{quote} has no synthetic market",
            f"use one of {', '.join(known_symbols())}, or replay a capture",
        )
    return venue_symbol
