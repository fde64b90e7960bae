"""The configurations of a demo, as a user could have written them: one umbrella document, checked like any other.

The services talk over unix sockets with tokens made for this run. Local callers without a token may trade as well: it
is paper money, and clients of the original know no tokens.
"""

import secrets
from pathlib import Path
from typing import final

import msgspec

from opensqt.cli.capture_peek import venue_symbol_of
from opensqt.cli.demo_grid import DemoGrid
from opensqt.cli.umbrella_config import UmbrellaConfig
from opensqt.runtime.config import convert_config

# Livelier than the real thing, so that a minute shows something.
DEMO_VOLATILITY = 1.2
LEVERAGE = 5
TOKEN_BYTES = 24


@final
class DemoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose."""

    source: str
    symbol: str
    files: tuple[str, ...] = ()
    loop: bool = False
    seed: int
    speed: float
    grid: DemoGrid

    def identity(self) -> dict[str, object]:
        """Return what makes two markets the same one, so that state of one may be used in the other."""
        return {"source": self.source, "symbol": self.symbol, "files": self.files, "seed": self.seed}


@final
class DemoPorts(msgspec.Struct, frozen=True):
    """Where the services listen on loopback."""

    page: int
    connector: int
    engine: int


def demo_config(settings: DemoSettings, folder: Path, *, sockets: Path, ports: DemoPorts) -> UmbrellaConfig:
    """Return the three configurations; files go below `folder`, unix sockets into `sockets`."""
    read, trade, operator = (secrets.token_hex(TOKEN_BYTES) for _ in range(3))
    tokens = [{"token": read, "role": "read"}, {"token": trade, "role": "trade"}]
    connector_socket, engine_socket = str(sockets / "connector.sock"), str(sockets / "engine.sock")
    log = {"level": "info", "format": "json"}

    def server(port: int, socket: str) -> dict[str, object]:
        return {"port": port, "unix_socket": socket, "tokens": tokens, "anonymous_role": "trade"}

    def client(socket: str, token: str) -> dict[str, object]:
        return {"address": f"unix:{socket}", "token": token}

    document: dict[str, object] = {
        "connector": {
            "exchange": "paper",
            "grpc": server(ports.connector, connector_socket),
            "state_file": str(folder / "connector.json"),
            "paper": _paper(settings, folder),
            "log": log,
        },
        "engine": {
            "connector": client(connector_socket, trade),
            "grpc": server(ports.engine, engine_socket),
            "state_file": str(folder / "engine.db"),
            "bots": [_bot(settings)],
            "log": log,
        },
        "live_server": {
            "connector": client(connector_socket, read),
            "engine": client(engine_socket, read),
            "engine_control": client(engine_socket, trade),
            "operator_token": operator,
            "port": ports.page,
            "symbols": [settings.symbol],
            "log": log,
        },
    }
    return convert_config(document, UmbrellaConfig, env={}, source="the demo's configuration", base_dir=folder)


def _paper(settings: DemoSettings, folder: Path) -> dict[str, object]:
    common: dict[str, object] = {
        "state_file": str(folder / "paper.db"),
        "source": settings.source,
        "seed": settings.seed,
        "speed": settings.speed,
        "leverage": LEVERAGE,
    }
    if settings.source == "replay":
        return {**common, "files": list(settings.files), "loop": settings.loop}
    return {
        **common,
        "symbols": [venue_symbol_of(settings.symbol)],
        "annual_volatility": DEMO_VOLATILITY,
    }


def _bot(settings: DemoSettings) -> dict[str, object]:
    grid = settings.grid
    return {
        "id": "demo",
        "tag": "demo",
        "symbol": settings.symbol,
        "leverage": LEVERAGE,
        "grid": {
            "interval": grid.interval,
            "order_quantity": grid.order_quantity,
            "buy_window": grid.buy_window,
            "sell_window": grid.sell_window,
        },
        "risk": {"max_position": grid.max_position, "max_notional": grid.max_notional},
    }
