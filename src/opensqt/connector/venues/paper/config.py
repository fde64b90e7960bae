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
    `state_file` is the venue's memory: orders, fills, wallet, clock.
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
