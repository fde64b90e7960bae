"""Starts the processes of an end-to-end benchmark and talks to the venue among them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

from opensqt.cli.probe import grpc_probe
from opensqt.runtime.config import GrpcClientConfig

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from models.ports import free_port

HERE = Path(__file__).resolve().parent
READY_S = 30.0
PROGRAMS = {"connector": ["-m", "opensqt.connector.app"], "engine": ["-m", "opensqt.engine.app"]}
LEAN = {name: [str(HERE / "lean.py"), name] for name in PROGRAMS}
BUY_WINDOW = 10


class BenchFailedError(Exception):
    """Something that was started did not do what it should; says what it said."""


class VenueProcess:
    """The benchmark's venue."""

    def __init__(self, *, symbols: int = 1, buy_window: int = BUY_WINDOW, cpu: int | None = None) -> None:
        options = orjson.dumps({"symbols": symbols, "buy_window": buy_window}).decode()
        self._process = subprocess.Popen(
            [*pinned(cpu), sys.executable, str(HERE / "venue.py"), options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.hello: dict[str, Any] = self._read()

    def do(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(command) + b"\n")
        self._process.stdin.flush()
        return self._read()

    def signal(self, number: int) -> None:
        """Stop it in the middle of whatever it does, or let it go on."""
        self._process.send_signal(number)

    def close(self) -> None:
        stop(self._process)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchFailedError("the benchmark's venue ended; what it said stands above")
        answer: dict[str, Any] = orjson.loads(line)
        return answer


def pinned(cpu: int | None) -> list[str]:
    return [] if cpu is None else ["taskset", "-c", str(cpu)]


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process that we started."""
    if process.stdin is not None:
        process.stdin.close()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def connector_section(venue: VenueProcess, folder: Path, *, tcp_port: int | None) -> dict[str, Any]:
    """Return the connector's configuration."""
    ws = venue.hello["ws"]
    return {
        "exchange": "binance",
        "mode": "testnet",
        "grpc": {"port": tcp_port, "unix_socket": str(folder / "connector.sock")},
        "state_file": str(folder / "connector.json"),
        "binance": {
            "symbols": [name.replace("/USDT:USDT", "USDT") for name in venue.hello["symbols"]],
            "api_key": venue.hello["key"],
            "api_secret": venue.hello["secret"],
            "leverage": 5,
            "dead_man_ms": 0,
            "endpoints": {
                "rest": venue.hello["rest"],
                "public": f"{ws}/public",
                "market": f"{ws}/market",
                "private": f"{ws}/private",
                "order_api": f"{ws}/ws-fapi/v1",
            },
        },
        "limits": {
            "max_order_notional": 10_000_000,
            "max_position_notional": 1_000_000_000,
            "max_open_orders": 100_000,
        },
        "log": {"level": "warning"},
    }


def engine_section(folder: Path, symbols: list[str], *, address: str, buy_window: int = BUY_WINDOW) -> dict[str, Any]:
    """Return the engine's configuration: one grid per symbol."""
    return {
        "connector": {"address": address},
        "grpc": {"port": None, "unix_socket": str(folder / "engine.sock")},
        "state_file": str(folder / "engine.db"),
        "bots": [
            {
                "id": f"bot{number}",
                "tag": f"b{number}",
                "symbol": symbol,
                "grid": {
                    "interval": "30",
                    "anchor": "60000",
                    "order_quantity": 130,
                    "buy_window": buy_window,
                    "sell_window": 10,
                    "max_open_orders": buy_window + 30,
                    "price_source": "mid",
                },
                # A stalled machine merges steps, and a jump of several levels must not make the grid hold back here.
                "risk": {"max_orders_per_second": 1_000, "position_safety_check": 1, "jumps": {"sigmas": 0}},
            }
            for number, symbol in enumerate(symbols)
        ],
        "log": {"level": "warning"},
    }


class Stack:
    """Connector and engine on a venue, ready to be measured."""

    def __init__(
        self, venue: VenueProcess, folder: Path, *, mode: str, buy_window: int = BUY_WINDOW, cpu: int | None = None
    ) -> None:
        self.venue = venue
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.started_s = time.monotonic()
        tcp_port = free_port() if mode == "tcp" else None
        address = f"unix:{folder / 'connector.sock'}" if tcp_port is None else f"127.0.0.1:{tcp_port}"
        sections = {
            "connector": connector_section(venue, folder, tcp_port=tcp_port),
            "engine": engine_section(folder, venue.hello["symbols"], address=address, buy_window=buy_window),
        }
        try:
            if mode == "embedded":
                self._start("embedded", ["-m", "opensqt.cli.embedded"], sections, cpu)
            else:
                programs = LEAN if mode == "lean" else PROGRAMS
                self._start("connector", programs["connector"], sections["connector"], cpu)
                self._wait(client(folder / "connector.sock"), EXCHANGE)
                self._start("engine", programs["engine"], sections["engine"], cpu)
            self._wait(client(folder / "engine.sock"), ENGINE)
        except BaseException:
            self.close()
            raise

    def wait_for_orders(self, count: int, timeout_s: float = READY_S) -> float:
        """Wait until so many orders rest at the venue; return the seconds since the start."""
        deadline = time.monotonic() + timeout_s
        while self.venue.do(do="orders")["open"] < count:
            if time.monotonic() > deadline:
                self._fail(f"{self.venue.do(do='orders')} of {count} orders after {timeout_s:g} s")
            time.sleep(0.005)
        return time.monotonic() - self.started_s

    def close(self) -> None:
        for process in reversed(self.processes.values()):
            stop(process)

    def _start(self, name: str, program: list[str], section: dict[str, Any], cpu: int | None) -> None:
        self.processes[name] = start_service(name, program, section, self.folder, cpu)

    def _wait(self, config: GrpcClientConfig, service: str) -> None:
        try:
            wait_for(config, service, list(self.processes.values()))
        except BenchFailedError as error:
            self._fail(str(error))

    def _fail(self, what: str) -> None:
        logs = [f"--- {file.name}\n{file.read_text(errors='replace')[-2_000:]}" for file in self.folder.glob("*.log")]
        raise BenchFailedError("\n".join([what, *logs]))


EXCHANGE = "opensqt.market_maker.v1.ExchangeService"
ENGINE = "opensqt.market_maker.v1.EngineService"


def start_service(
    name: str, program: list[str], section: dict[str, Any], folder: Path, cpu: int | None = None
) -> "subprocess.Popen[bytes]":
    """Start one of our services with a configuration."""
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(section))
    file.chmod(0o600)
    argv = [*pinned(cpu), sys.executable, *program, "--config", str(file)]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(argv, stdout=log, stderr=log, env=environment())


def wait_for(config: GrpcClientConfig, service: str, processes: list["subprocess.Popen[bytes]"]) -> None:
    """Wait until a service is serving."""
    probe: Any = grpc_probe(config, service)
    deadline = time.monotonic() + READY_S
    while not asyncio.run(probe()):
        if any(process.poll() is not None for process in processes):
            raise BenchFailedError(f"a process ended before {service} was serving")
        if time.monotonic() > deadline:
            raise BenchFailedError(f"{service} was not ready in {READY_S:g} s")
        time.sleep(0.05)


def client(socket: Path) -> GrpcClientConfig:
    return GrpcClientConfig(address=f"unix:{socket}")


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENSQT_")}


@contextlib.contextmanager
def running(folder: Path, *, mode: str, symbols: int = 1, cpu: int | None = None, **more: Any) -> Iterator[Stack]:
    """Start everything, wait until the grid stands, and end it afterwards."""
    venue = VenueProcess(symbols=symbols, cpu=cpu, **more)
    try:
        stack = Stack(venue, folder, mode=mode, cpu=cpu, **more)
        try:
            stack.wait_for_orders(symbols * more.get("buy_window", BUY_WINDOW))
            yield stack
        finally:
            stack.close()
    finally:
        venue.close()
