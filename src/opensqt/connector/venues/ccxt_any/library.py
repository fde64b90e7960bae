"""The door to ccxt: it is imported here, when an adapter is made, and nowhere else.

The rest of this folder sees a `CcxtExchange`, which a test can be too.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol, TypeAlias

import msgspec

from opensqt.connector.venues.ccxt_any.config import CcxtConfig
from opensqt.connector.venues.ccxt_any.limiter import Limiter
from opensqt.runtime.config import ConfigError

Payload: TypeAlias = Mapping[str, Any]
"""One of ccxt's unified structures: nothing about it is certain."""


class CcxtExchange(Protocol):
    """What every exchange of `ccxt.async_support` offers; unified methods are called by name."""

    has: Mapping[str, Any]
    timeframes: Mapping[str, Any] | None
    markets: Mapping[str, Any] | None
    precisionMode: int  # noqa: N815  ccxt's name
    features: Mapping[str, Any] | None

    async def close(self) -> None:
        """Close its connections."""
        ...


class Library(msgspec.Struct, frozen=True):
    """An exchange, and the base of what its methods raise."""

    exchange: CcxtExchange
    base_error: type[Exception]


OpenExchange: TypeAlias = Callable[[CcxtConfig, str], Library]


def open_exchange(config: CcxtConfig, mode: str) -> Library:
    """Make the exchange; nothing is connected yet.

    Raises:
        ConfigError: ccxt is not installed, does not know the exchange, or the exchange has no test network.
    """
    try:
        # By name, so that types are checked the same with ccxt and without.
        ccxt: Any = import_module("ccxt.async_support")
    except ImportError as error:
        raise ConfigError.single(
            "exchange",
            "ccxt",
            f"needs ccxt, which cannot be imported: {error}",
            "install the extra: pip install 'opensqt[connector,ccxt]'",
        ) from None
    if config.exchange_id not in ccxt.exchanges:
        raise ConfigError.single(
            "ccxt.exchange_id",
            config.exchange_id or "missing",
            f"is no exchange of ccxt {ccxt.__version__}",
            "use one of ccxt.exchanges, for example kraken or binanceusdm",
        )
    exchange: Any = getattr(ccxt, config.exchange_id)(_settings(config))
    if mode == "testnet" and not config.urls:
        try:
            exchange.set_sandbox_mode(True)
        except ccxt.NotSupported:
            raise ConfigError.single(
                "mode", mode, f"ccxt knows no test network of {config.exchange_id}", "use mode: live, or give ccxt.urls"
            ) from None
    _replace_urls(exchange.urls["api"], config)
    # Half of what a request may wait: a poll that let others pass so long still has the other half.
    exchange.throttler = Limiter(exchange.tokenBucket, config.request_timeout_ms / 2_000, ccxt.RateLimitExceeded)
    return Library(exchange, ccxt.BaseError)


def _settings(config: CcxtConfig) -> dict[str, Any]:
    secrets = {"apiKey": config.api_key, "secret": config.api_secret, "password": config.passphrase}
    return {
        **{name: secret.reveal() for name, secret in secrets.items() if secret is not None},
        # Figures stay the texts the exchange sent, where ccxt lets them.
        "number": str,
        "enableRateLimit": True,
        "timeout": config.request_timeout_ms,
        "options": {"defaultType": "swap", "maxRetriesOnFailure": 0, **config.options},
    }


def _replace_urls(urls: Any, config: CcxtConfig) -> None:
    if isinstance(urls, str):
        urls = {}
    for name, url in config.urls.items():
        if not isinstance(urls.get(name), str):
            known = ", ".join(sorted(key for key, value in urls.items() if isinstance(value, str)))
            raise ConfigError.single(
                f"ccxt.urls.{name}", url, f"is no address of {config.exchange_id}", f"use some of: {known}"
            )
        urls[name] = url
