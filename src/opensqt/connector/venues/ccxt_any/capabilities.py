"""What an exchange of ccxt offers through this adapter, as capabilities; and what it must offer at least."""

from collections.abc import Mapping
from typing import Any, Final

from opensqt.connector.adapter import Capabilities
from opensqt.connector.market_types import INTERVAL_MS
from opensqt.connector.rate_budget import RateWindow
from opensqt.connector.venues.ccxt_any.client import CcxtClient
from opensqt.connector.venues.ccxt_any.config import CcxtConfig
from opensqt.connector.venues.ccxt_any.order_lookup import ENDED_ORDERS
from opensqt.domain.errors import ErrorReason, UnsupportedError

REQUIRED: Final = (
    "cancelOrder",
    "createOrder",
    "fetchBalance",
    "fetchMyTrades",
    "fetchOpenOrders",
    "fetchOrderBook",
    "fetchPositions",
    "fetchTrades",
)

_PLACEMENT_WINDOW_MS = 10_000
"""The longest receive window that ccxt asks for; most exchanges name none."""


def check_required(client: CcxtClient, exchange_id: str) -> None:
    """Refuse an exchange on which the fate of an order could not be learnt.

    Raises:
        UnsupportedError: names what is missing.
    """
    missing = [name for name in REQUIRED if not client.has(name)]
    if not any(client.has(name) for name in ("fetchOrder", *ENDED_ORDERS)):
        missing.append("fetchOrder")
    if missing:
        raise UnsupportedError(
            ErrorReason.NOT_SUPPORTED,
            f"{exchange_id} cannot be traded through ccxt here: it lacks {', '.join(missing)}; use another exchange",
        )


def capabilities_of(client: CcxtClient, config: CcxtConfig, mode: str) -> Capabilities:
    """Return what is offered: no batches, no stream order entry, no dead-man switch, no checksums, one-way mode."""
    timeframes = client.exchange.timeframes or {}
    has_candles = client.has("fetchOHLCV")
    features = _order_features(client.exchange.features)
    in_force = features.get("timeInForce")
    return Capabilities(
        exchange=f"ccxt:{config.exchange_id}",
        mode=mode,
        amend=config.amend and client.has("editOrder"),
        post_only=not isinstance(in_force, Mapping) or in_force.get("PO") is not False,
        # ccxt raises its general ExchangeError for what it cannot place: refused or unknown, it does not say.
        refusal_reasons=False,
        kline_intervals=tuple(name for name in INTERVAL_MS if has_candles and name in timeframes),
        placement_window_ms=_PLACEMENT_WINDOW_MS,
    )


def rate_windows_of(config: CcxtConfig) -> tuple[RateWindow, ...]:
    """Return the one window that commands spend; requests are spaced by ccxt's own limiter."""
    limit = config.orders_per_10s
    return (
        RateWindow(
            scope="account", name="orders_10s", interval_ms=10_000, limit=limit, cancel_reserve=max(1, limit // 5)
        ),
    )


def _order_features(features: object) -> Mapping[str, Any]:
    """Return `features["swap"]["linear"]["createOrder"]`, empty where ccxt does not describe the exchange."""
    found: object = features
    for name in ("swap", "linear", "createOrder"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
