"""The connector's configuration."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from opensqt.connector.venues.binance.config import BinanceConfig
from opensqt.connector.venues.ccxt_any.config import CcxtConfig
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

    exchange: Literal["paper", "binance", "ccxt"] = "paper"
    mode: Literal["paper", "testnet", "live"] = "paper"
    grpc: GrpcServerConfig = GrpcServerConfig(port=DEFAULT_PORT)
    paper: PaperConfig = PaperConfig()
    binance: BinanceConfig = BinanceConfig()
    ccxt: CcxtConfig = CcxtConfig()
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
        if self.exchange == "ccxt":
            self._check_ccxt()

    def _check_ccxt(self) -> None:
        if self.ccxt.api_key is None:
            raise ConfigError.single(
                "ccxt.api_key",
                "missing",
                f"mode {self.mode} trades with an account",
                "give ccxt.api_key_file and ccxt.api_secret_file",
            )
        if self.ccxt.request_timeout_ms > self.command_timeout_ms:
            raise ConfigError.single(
                "ccxt.request_timeout_ms",
                self.ccxt.request_timeout_ms,
                f"a command is given up after command_timeout_ms {self.command_timeout_ms}, and must not leave later",
                "use a smaller one, or a larger command_timeout_ms",
            )
