"""What Binance USDⓈ-M futures offers, as capabilities."""

from opensqt.connector.adapter import Capabilities
from opensqt.connector.market_types import INTERVAL_MS
from opensqt.connector.rate_budget import CommandCosts
from opensqt.connector.venues.binance.clock_watch import MAX_ERROR_PART
from opensqt.connector.venues.binance.config import BinanceConfig
from opensqt.connector.venues.binance.limits import ORDERS_1M, ORDERS_10S, WEIGHT_1M
from opensqt.connector.venues.binance.parse_market import INTERVAL_WORDS
from opensqt.connector.venues.binance.requests_orders import (
    CLIENT_ORDER_ID_PATTERN,
    MAX_BATCH_CANCEL,
    MAX_BATCH_PLACE,
)

_ORDER = {ORDERS_10S: 1, ORDERS_1M: 1}
_COSTS = CommandCosts(
    place=_ORDER,
    amend={WEIGHT_1M: 1, **_ORDER},
    cancel={WEIGHT_1M: 1},
    cancel_all={WEIGHT_1M: 1},
)


def offers(config: BinanceConfig, mode: str) -> Capabilities:
    """Return what an account can do as configured."""
    return Capabilities(
        exchange="binance",
        mode=mode,
        max_batch_place=MAX_BATCH_PLACE,
        max_batch_cancel=MAX_BATCH_CANCEL,
        amend=True,
        stream_order_entry=config.order_entry == "websocket",
        dead_man_switch=True,
        client_order_id_pattern=CLIENT_ORDER_ID_PATTERN,
        kline_intervals=tuple(name for name, ms in INTERVAL_MS.items() if ms in INTERVAL_WORDS),
        command_costs=_COSTS,
        # The venue refuses what is older than the window; its clock and ours differ by a quarter of it at most.
        placement_window_ms=config.recv_window_ms * (MAX_ERROR_PART + 1) // MAX_ERROR_PART,
    )
