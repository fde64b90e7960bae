"""A connector configuration that trades on the simulated Binance through ccxt's `binanceusdm`."""

from pathlib import Path
from typing import Any

from models.binance_sim import BinanceSim

from opensqt.connector.config import ConnectorConfig
from opensqt.connector.venues.ccxt_any.config import CcxtConfig
from opensqt.runtime.config import GrpcServerConfig
from opensqt.runtime.secret import Secret


def ccxt_connector_config(sim: BinanceSim, folder: Path, account: int = 0, **changes: Any) -> ConnectorConfig:
    """Return the configuration; needs ccxt, whose addresses it points at the simulator."""
    import ccxt

    user = sim.ready["accounts"][account]
    urls = {
        name: f"{sim.ready['rest']}/{url.split('://', 1)[1].partition('/')[2]}"
        for name, url in ccxt.binanceusdm().urls["api"].items()
        if isinstance(url, str)
    }
    fields: dict[str, Any] = {
        "exchange_id": "binanceusdm",
        "api_key": Secret(user["key"]),
        "api_secret": Secret(user["secret"]),
        "urls": urls,
        "leverage": 10,
        "amend": True,
        "orders_per_10s": 200,
        "market_poll_ms": 500,
        "account_poll_ms": 500,
        **changes,
    }
    return ConnectorConfig(
        exchange="ccxt",
        mode="testnet",
        grpc=GrpcServerConfig(port=0, unix_socket=str(folder / "c.sock")),
        ccxt=CcxtConfig(**fields),
        state_file=folder / "connector.json",
    )
