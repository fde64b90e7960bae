"""Settings of the generic adapter: which exchange of ccxt, keys, symbols, how often to ask."""

from typing import Annotated, Literal

import msgspec

from opensqt.runtime.config import ConfigError
from opensqt.runtime.secret import Secret

PollMs = Annotated[int, msgspec.Meta(ge=100, le=600_000)]


class CcxtConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account at an exchange of ccxt.

    `exchange_id` is ccxt's name of the exchange (`kraken`, `binanceusdm`), `symbols` are unified names of linear
    perpetuals. `passphrase` is what some exchanges want besides key and secret. `urls` replaces addresses of
    `exchange.urls["api"]` by name; `options` are put into `exchange.options`. `balance_total` says whether ccxt's
    total balance of this exchange contains the unrealized profit (`margin`) or not (`wallet`). `request_timeout_ms`
    bounds every request, the wait in the limiter included. `orders_per_10s` is what commands may spend.
    `amend` uses ccxt's `edit_order`: turn it on only where the exchange edits in place, keeps the order's id, and
    counts the executed part into the new amount.
    """

    exchange_id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]*$")] = ""
    symbols: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("BTC/USDT:USDT",)
    api_key: Secret | None = None
    api_secret: Secret | None = None
    passphrase: Secret | None = None
    urls: dict[str, str] = {}
    options: dict[str, str | int | bool] = {}
    balance_total: Literal["margin", "wallet"] = "margin"
    leverage: Annotated[int, msgspec.Meta(ge=1, le=500)] | None = None
    request_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 4_000
    orders_per_10s: Annotated[int, msgspec.Meta(ge=5, le=1_000)] = 20
    amend: bool = False
    book_levels: Annotated[int, msgspec.Meta(ge=5, le=1_000)] = 50
    market_poll_ms: PollMs = 1_000
    account_poll_ms: PollMs = 2_000
    slow_poll_ms: PollMs = 30_000

    def __post_init__(self) -> None:
        """Check what fields break together."""
        if (self.api_key is None) != (self.api_secret is None):
            missing = "api_key" if self.api_key is None else "api_secret"
            raise ConfigError.single(missing, "missing", "key and secret belong together", f"give {missing}_file too")

    def check_account(self, mode: str, command_timeout_ms: int) -> None:
        """Check what trading with an account needs.

        Raises:
            ConfigError: there is no key, no such mode, or a request may outlive its command.
        """
        if mode == "paper":
            raise ConfigError.single(
                "mode", mode, "is not offered on a polled market", "use mode: testnet or live, or exchange: paper"
            )
        if self.api_key is None:
            raise ConfigError.single(
                "ccxt.api_key",
                "missing",
                f"mode {mode} trades with an account",
                "give ccxt.api_key_file and ccxt.api_secret_file",
            )
        if self.request_timeout_ms > command_timeout_ms:
            raise ConfigError.single(
                "ccxt.request_timeout_ms",
                self.request_timeout_ms,
                f"a command is given up after command_timeout_ms {command_timeout_ms}, and must not leave later",
                "use a smaller one, or a larger command_timeout_ms",
            )
