"""A simulated Binance in a process of its own, and a connector configuration that trades on it."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from opensqt.connector.config import ConnectorConfig
from opensqt.connector.venues.binance.config import BinanceConfig, Endpoints
from opensqt.connector.venues.paper.config import PaperConfig
from opensqt.connector.veto import VetoConfig
from opensqt.runtime.config import GrpcServerConfig
from opensqt.runtime.secret import Secret


class BinanceSim:
    """A running simulator: its addresses, its accounts, and its faults."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.control = ready["control"]

    def config(self, account: int = 0, **changes: Any) -> BinanceConfig:
        user = self.ready["accounts"][account]
        fields: dict[str, Any] = {
            "symbols": tuple(self.ready["symbols"]),
            "api_key": Secret(user["key"]),
            "api_secret": Secret(user["secret"]),
            "endpoints": Endpoints(
                rest=self.ready["rest"],
                public=self.ready["public"],
                market=self.ready["market"],
                private=self.ready["private"],
                order_api=self.ready["ws_api"],
            ),
            "request_timeout_ms": 2_000,
            **changes,
        }
        return BinanceConfig(**fields)

    def connector_config(self, folder: Path, account: int = 0, **changes: Any) -> ConnectorConfig:
        return ConnectorConfig(
            exchange="binance",
            mode="testnet",
            grpc=GrpcServerConfig(port=0, unix_socket=str(folder / "c.sock")),
            binance=self.config(account, **changes),
            limits=VetoConfig(),
            command_timeout_ms=3_000,
            state_file=folder / "connector.json",
        )

    def paper_config(self, folder: Path, **paper: Any) -> ConnectorConfig:
        """Return a connector that paper-trades this venue's public market, without a key."""
        return ConnectorConfig(
            exchange="binance",
            mode="paper",
            grpc=GrpcServerConfig(port=0, unix_socket=str(folder / "c.sock")),
            binance=BinanceConfig(
                symbols=tuple(self.ready["symbols"]),
                endpoints=Endpoints(rest=self.ready["rest"], public=self.ready["public"], market=self.ready["market"]),
                request_timeout_ms=2_000,
            ),
            paper=PaperConfig(state_file=folder / "paper.db", **paper),
            limits=VetoConfig(),
            command_timeout_ms=3_000,
            state_file=folder / "connector.json",
        )

    def fault(self, kind: str, **fields: Any) -> Any:
        """Set one fault; returns what the simulator answers."""
        return self._call("POST", "/faults", {"faults": [{"kind": kind, **fields}]})

    def clear(self) -> None:
        self._call("DELETE", "/faults", None)

    def status(self) -> Any:
        return self._call("GET", "/status", None)

    def signed(self, path: str, account: int = 0, **params: Any) -> Any:
        """Ask the venue itself, with an account's key."""
        user = self.ready["accounts"][account]
        query = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
        signature = hmac.new(user["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
        url = f"{self.ready['rest']}{path}?{query}&signature={signature}"
        request = urllib.request.Request(url, headers={"X-MBX-APIKEY": user["key"]})
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.loads(reply.read())

    def _call(self, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.loads(reply.read() or b"null")


@contextmanager
def running_sim(*options: str) -> Iterator[BinanceSim]:
    """Start a simulator on a free port and end it."""
    command = [sys.executable, "-m", "opensqt.sim.app", "binance", "--port", "0", "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the simulator ended with {process.wait(timeout=5)}"
        yield BinanceSim(json.loads(line))
    finally:
        process.terminate()
        process.wait(timeout=10)
        assert process.stdout is not None
        process.stdout.close()
