"""Settings of Binance USDⓈ-M futures: keys, symbols, what the account must look like, where the venue is."""

from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from opensqt.connector.venues.binance.requests_orders import SelfTradePrevention
from opensqt.runtime.config import ConfigError
from opensqt.runtime.secret import Secret

NonNegative = Annotated[int, msgspec.Meta(ge=0)]


class Endpoints(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the venue is, per route; what is empty is the mode's default. The venue has moved them twice in two years.

    `wallet` serves what a key may do (`/sapi`); where it is empty that cannot be asked.
    """

    rest: str = ""
    public: str = ""
    market: str = ""
    private: str = ""
    order_api: str = ""
    wallet: str = ""


LIVE = Endpoints(
    rest="https://fapi.binance.com",
    public="wss://fstream.binance.com/public",
    market="wss://fstream.binance.com/market",
    private="wss://fstream.binance.com/private",
    order_api="wss://ws-fapi.binance.com/ws-fapi/v1",
    wallet="https://api.binance.com",
)
TESTNET = Endpoints(
    rest="https://demo-fapi.binance.com",
    public="wss://fstream.binancefuture.com/public",
    market="wss://fstream.binancefuture.com/market",
    private="wss://fstream.binancefuture.com/private",
    order_api="wss://testnet.binancefuture.com/ws-fapi/v1",
)


class BinanceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account.

    `symbols` are the venue's names or canonical ones. `api_key` and `api_secret` (better: `api_key_file`,
    `api_secret_file`) may be HMAC, RSA or Ed25519; `passphrase` opens an encrypted PEM key. `leverage` and
    `margin_type` are set at the start when they differ; left out, they stay as they are. `dead_man_ms` is after how
    long without us the venue cancels a symbol's orders, 0 = never. `order_entry` is `websocket` with REST when that is
    down, or `rest` alone. A request that reaches the venue later than `recv_window_ms` is refused; until then an order
    of unknown outcome is not given up, so a long window makes every recovery longer. `client_id_prefix` tells our
    orders from those placed by hand; empty = every order that is not the venue's own counts as ours. A connection is
    replaced, without a gap, after `connection_max_age_s`: the venue cuts it after 24 hours.
    """

    symbols: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("BTCUSDT",)
    api_key: Secret | None = None
    api_secret: Secret | None = None
    passphrase: Secret | None = None
    endpoints: Endpoints = Endpoints()
    recv_window_ms: Annotated[int, msgspec.Meta(ge=500, le=60_000)] = 2_000
    request_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 5_000
    leverage: Annotated[int, msgspec.Meta(ge=1, le=125)] | None = None
    margin_type: Literal["cross", "isolated"] | None = None
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER
    order_entry: Literal["websocket", "rest"] = "websocket"
    dead_man_ms: NonNegative = 60_000
    client_id_prefix: str = ""
    connection_max_age_s: Annotated[int, msgspec.Meta(ge=1, le=86_000)] = 84_600
    seed: NonNegative = 0

    def __post_init__(self) -> None:
        """Check what fields break together."""
        if (self.api_key is None) != (self.api_secret is None):
            missing = "api_key" if self.api_key is None else "api_secret"
            raise ConfigError.single(missing, "missing", "key and secret belong together", f"give {missing}_file too")
        if 0 < self.dead_man_ms < 10_000:
            raise ConfigError.single(
                "dead_man_ms", self.dead_man_ms, "is refreshed every third of it", "use 10000 or more, or 0 for none"
            )

    def check_account(self, mode: str) -> None:
        """Check what trading with an account needs.

        Raises:
            ConfigError: there is no key.
        """
        if self.api_key is None:
            raise ConfigError.single(
                "binance.api_key",
                "missing",
                f"mode {mode} trades with an account",
                "give binance.api_key_file and binance.api_secret_file, or use mode: paper",
            )


def endpoints_of(mode: str, given: Endpoints) -> Endpoints:
    """Return all addresses: those that were given, the mode's for the rest."""
    defaults = TESTNET if mode == "testnet" else LIVE
    # An account elsewhere than at the venue's live host has nothing to do with the live wallet service.
    if given.rest and not given.wallet:
        defaults = msgspec.structs.replace(defaults, wallet="")
    chosen = {name: getattr(given, name) or getattr(defaults, name) for name in Endpoints.__struct_fields__}
    return Endpoints(**{name: url.rstrip("/") for name, url in chosen.items()})


def public_endpoints(urls: Endpoints) -> Endpoints:
    """Return the addresses that need no account."""
    return Endpoints(rest=urls.rest, public=urls.public, market=urls.market)


def tls_hosts(urls: Endpoints) -> tuple[str, ...]:
    """Return the hosts that are reached over TLS, each once."""
    parts = (urlsplit(getattr(urls, name)) for name in Endpoints.__struct_fields__)
    return tuple(dict.fromkeys(_host_of(part) for part in parts if part.scheme in {"https", "wss"}))


def _host_of(url: SplitResult) -> str:
    """Return name and port alone: a user and a password may stand before them."""
    name = url.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return f"{name}:{url.port}" if url.port else name
