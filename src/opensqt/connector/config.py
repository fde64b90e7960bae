"""The connector's configuration."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from opensqt.connector.venues.binance.config import BinanceConfig
from opensqt.connector.venues.paper.config import PaperConfig
from opensqt.connector.veto import VetoConfig
from opensqt.runtime.config import ConfigError, GrpcServerConfig, LogConfig, MetricsConfig

DEFAULT_PORT = 50051


class ConnectorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One connector: one exchange account.

    `state_file` keeps what must outlive a restart and is not the venue's: leases of engines and the session epoch.
    `max_book_age_ms`: a book whose feed is silent for longer is STALE. `command_timeout_ms`: a command that the venue
    has not answered by then has the outcome UNKNOWN. `limits` are the hard caps (see `VetoConfig`).
    """

    exchange: Literal["paper", "binance"] = "paper"
    mode: Literal["paper", "testnet", "live"] = "paper"
    grpc: GrpcServerConfig = GrpcServerConfig(port=DEFAULT_PORT)
    paper: PaperConfig = PaperConfig()
    binance: BinanceConfig = BinanceConfig()
    limits: VetoConfig = VetoConfig()
    state_file: Path = Path("connector.json")
    max_book_age_ms: Annotated[int, msgspec.Meta(ge=100)] = 5_000
    command_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 5_000
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()

    def __post_init__(self) -> None:
        """Check what fields break together."""
        if (self.exchange == "paper") != (self.mode == "paper"):
            raise ConfigError.single(
                "mode",
                self.mode,
                f"is not offered by the exchange {self.exchange}",
                "use exchange: paper with mode: paper, or a real exchange with mode: testnet or live",
            )
        if self.exchange == "binance" and self.binance.api_key is None:
            raise ConfigError.single(
                "binance.api_key",
                "missing",
                f"mode {self.mode} trades with an account",
                "give binance.api_key_file and binance.api_secret_file",
            )
