"""Settings of the paper venue: which market it plays, what the account starts with, where it remembers."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from opensqt.runtime.config import ConfigError


class PaperConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A simulated exchange with one account.

    `source: synthetic` plays a market from `seed` with `symbols`; `source: replay` plays the captures in `files`
    (parts of one capture in their order), over and over with `loop`. `speed` is venue seconds per second; `latency_ms`
    is one way and of the venue's clock. `funding_rate` per 8 hours applies where the market publishes none.
    `state_file` is the venue's memory: orders, fills, wallet, clock. Under the live market of a real venue only
    `balance`, `leverage`, `latency_ms`, `orders_per_10s`, `funding_rate`, `seed` and `state_file` have a meaning.
    """

    state_file: Path = Path("paper.db")
    source: Literal["synthetic", "replay"] = "synthetic"
    symbols: tuple[str, ...] = ("BTCUSDT",)
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 1
    annual_volatility: Annotated[float, msgspec.Meta(ge=0, le=20)] = 0.75
    annual_drift: Annotated[float, msgspec.Meta(ge=-20, le=20)] = 0.0
    files: tuple[Path, ...] = ()
    loop: bool = False
    speed: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0
    balance: Annotated[Decimal, msgspec.Meta(gt=0)] = Decimal(10_000)
    funding_rate: Annotated[Decimal, msgspec.Meta(ge=-1, le=1)] = Decimal("0.0001")
    leverage: Annotated[int, msgspec.Meta(ge=1, le=125)] = 10
    latency_ms: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 1.0
    orders_per_10s: Annotated[int, msgspec.Meta(ge=10)] = 20_000

    def __post_init__(self) -> None:
        """Check what fields break together."""
        if self.source == "replay" and not self.files:
            raise ConfigError.single("files", "[]", "source replay needs captures", "list the files to be replayed")
        if self.source == "synthetic" and not self.symbols:
            raise ConfigError.single("symbols", "[]", "source synthetic needs symbols", "name one, for example BTCUSDT")

    def check_alone(self, mode: str) -> None:
        """Check what the built-in venue needs.

        Raises:
            ConfigError: it has one mode.
        """
        if mode != "paper":
            raise ConfigError.single(
                "mode", mode, "is not offered by the built-in paper venue", "use mode: paper, or a real exchange"
            )

    def check_on_live_market(self) -> None:
        """Check that nothing speaks of the built-in market, which is not played.

        Raises:
            ConfigError: naming what has no meaning.
        """
        defaults = PaperConfig()
        strange = [name for name in _BUILT_IN if getattr(self, name) != getattr(defaults, name)]
        if strange:
            raise ConfigError.single(
                f"paper.{strange[0]}",
                getattr(self, strange[0]),
                "is of the built-in market, and the exchange's live market is traded here",
                "remove it, or use exchange: paper",
            )


_BUILT_IN = ("source", "symbols", "annual_volatility", "annual_drift", "files", "loop", "speed")
