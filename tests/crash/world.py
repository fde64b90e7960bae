"""The processes of one run: a simulated venue that misbehaves, and the three services trading on it."""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import yaml
from models.ports import free_port

from crash.undisturbed import undisturbed

MODULES = {
    "connector": "opensqt.connector.app",
    "engine": "opensqt.engine.app",
    "live_server": "opensqt.live_server.app",
}
SYMBOL = "BTC/USDT:USDT"
TAG = "crash"
WALLET = 10_000

CAPS: dict[str, int] = {
    "max_order_notional": 200,
    "max_position_notional": 4_000,
    "max_open_orders": 40,
    "max_orders_per_second": 60,
    "price_collar_bps": 100,
}
"""What the connector is told; the referee at the venue holds it to them."""

FAULTS: list[dict[str, Any]] = [
    {"kind": "latency", "route": "ws-api order.*", "ms": 10, "jitter_ms": 50},
    {"kind": "lost_reply", "route": "ws-api order.*", "probability": 0.01},
    {"kind": "lost_request", "route": "ws-api order.*", "probability": 0.003},
    {"kind": "duplicate_frame", "route": "private", "probability": 0.02},
    {"kind": "delay_frame", "route": "private", "probability": 0.02, "ms": 150},
]


class Sim:
    """The simulated venue: a process that is never killed, and what its operator sees."""

    def __init__(self, seed: int, speed: float) -> None:
        command = [sys.executable, "-m", "opensqt.sim.app", "binance", "--port", "0", "--json", "--symbols", "BTCUSDT"]
        command += ["--seed", str(seed), "--speed", f"{speed:g}", "--wallet", str(WALLET), "--accounts", "1"]
        with undisturbed():
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            # For a program that is told to end before it has anybody to close this.
            atexit.register(self.close)
        assert self.process.stdout is not None
        self.access: dict[str, Any] = json.loads(self.process.stdout.readline())

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.access["control"] + path, data=data, method=method)
        with urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def audit(self) -> dict[str, Any]:
        """Return the truth about the account."""
        return dict(self.call("GET", "/audit?account=user1"))

    def close(self) -> None:
        atexit.unregister(self.close)
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Service:
    """One service that can be killed and started again."""

    def __init__(self, name: str, config: Path, log: Path) -> None:
        self.name = name
        self._config = config
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, crash_at: str = "") -> None:
        """Start it, to die at a crash point when one is named."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("OPENSQT_")}
        if crash_at:
            env["OPENSQT_CRASH_AT"] = crash_at
        command = [sys.executable, "-m", MODULES[self.name], "--config", str(self._config)]
        with self.log.open("ab") as log, undisturbed():
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=env, start_new_session=True)

    @property
    def code(self) -> int | None:
        """Return how it ended, None while it runs."""
        assert self.process is not None, "started before"
        return self.process.poll()

    def kill(self) -> None:
        """End it without a warning."""
        assert self.process is not None, "started before"
        self.process.kill()
        self.process.wait(10)

    def stop(self, timeout_s: float = 20) -> int:
        """End it in order and return its code; one that does not end is killed."""
        assert self.process is not None, "started before"
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def last_words(self, lines: int = 25) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class World:
    """A venue and three services in a folder of their own."""

    def __init__(
        self, folder: Path, *, seed: int, speed: float = 20.0, changes: Mapping[str, dict[str, Any]] | None = None
    ) -> None:
        self.folder = folder
        self.sim = Sim(seed, speed)
        self.page_port = free_port()
        self.connector_socket = folder / "c.sock"
        self.engine_socket = folder / "e.sock"
        self.database = folder / "engine.db"
        documents = self._documents()
        for name, change in (changes or {}).items():
            _merge(documents[name], change)
        self.services: dict[str, Service] = {}
        for name, document in documents.items():
            config = folder / f"{name}.yaml"
            config.write_text(yaml.safe_dump(document))
            self.services[name] = Service(name, config, folder / f"{name}.log")

    def _documents(self) -> dict[str, dict[str, Any]]:
        access = self.sim.access
        key = access["accounts"][0]
        connector = {
            "exchange": "binance",
            "mode": "testnet",
            "grpc": {"unix_socket": str(self.connector_socket)},
            "binance": {
                "endpoints": {
                    "rest": access["rest"],
                    "public": access["public"],
                    "market": access["market"],
                    "private": access["private"],
                    "order_api": access["ws_api"],
                },
                "api_key": key["key"],
                "api_secret": key["secret"],
                "symbols": ["BTCUSDT"],
                "leverage": 5,
                "margin_type": "cross",
                "request_timeout_ms": 2_000,
                "dead_man_ms": 60_000,
            },
            "command_timeout_ms": 3_000,
            "limits": dict(CAPS),
            "state_file": str(self.folder / "connector.json"),
        }
        engine = {
            "connector": {"address": f"unix:{self.connector_socket}"},
            "grpc": {"unix_socket": str(self.engine_socket)},
            "state_file": str(self.database),
            "bots": [
                {
                    "id": "btc",
                    "tag": TAG,
                    "symbol": SYMBOL,
                    "leverage": 5,
                    "grid": {"interval": 30, "order_quantity": 130, "buy_window": 12, "sell_window": 12},
                    "risk": {"max_leverage": 10, "max_orders_per_second": 20, "max_notional": 3_500},
                }
            ],
        }
        page = {
            "connector": {"address": f"unix:{self.connector_socket}"},
            "engine": {"address": f"unix:{self.engine_socket}"},
            "port": self.page_port,
        }
        return {"connector": connector, "engine": engine, "live_server": page}

    def start(self) -> None:
        for service in self.services.values():
            service.start()

    def page_is_up(self) -> bool:
        """Return whether the page answers and sees both services."""
        try:
            with urlopen(f"http://127.0.0.1:{self.page_port}/health", timeout=2) as reply:
                said = json.load(reply)
        except (URLError, OSError, ValueError):
            return False
        return bool(said["connector_up"] and said["engine_up"] and said["replica_verified"])

    def close(self) -> None:
        for name in ("live_server", "engine", "connector"):
            service = self.services[name]
            if service.process is not None:
                service.stop()
        self.sim.close()


def wait_until(condition: Any, timeout_s: float, every_s: float = 0.05) -> Any:
    """Return the first truthy value, None when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            return None
        time.sleep(every_s)


def _merge(document: dict[str, Any], change: dict[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            _merge(document[key], value)
        else:
            document[key] = value
