"""`opensqt-sim`: starts a simulated venue on loopback and says where it is and with which keys to trade.

opensqt-sim binance --source synthetic --symbols BTCUSDT,ETHUSDT --seed 7 --json
opensqt-sim binance --source replay --replay btcusdt.gz --speed 4
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from opensqt.matching.sources.base import MarketSource
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.sources.instruments import known_symbols
from opensqt.matching.sources.replay import open_replay
from opensqt.matching.sources.synthetic import SyntheticConfig, SyntheticSource, synthetic_symbol
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config_types import LogConfig
from opensqt.runtime.lifecycle import EXIT_FAILURE, Lifecycle, run_service
from opensqt.runtime.logs import configure_logging
from opensqt.sim.addresses import HOST
from opensqt.sim.connections import ConnectionTimes
from opensqt.sim.dialects.binance.exchange import ExchangeConfig
from opensqt.sim.dialects.binance.limits import LimitConfig
from opensqt.sim.feed import Feed
from opensqt.sim.keys import make_keys
from opensqt.sim.server import ServerConfig, SimServer


def run(argv: Sequence[str] | None = None) -> None:
    """Run the simulator from the command line and exit with its code."""
    arguments = _parse(argv)
    try:
        open_feed = _market(arguments)
        exchange = _exchange(arguments)
    except (CaptureError, OSError, ValueError) as error:
        _fail(str(error))

    async def main(lifecycle: Lifecycle) -> int | None:
        configure_logging("sim", LogConfig())
        server = SimServer(_server(arguments), exchange, open_feed, SystemClock())
        try:
            try:
                await server.start()
            except OSError as error:
                sys.stderr.write(
                    f"opensqt-sim: cannot listen on {HOST}:{arguments.port} ({error.strerror}); choose another --port, "
                    "0 takes any free one\n"
                )
                return EXIT_FAILURE
            lifecycle.supervise(server.run(), "market")
            _announce(server, exchange, as_json=arguments.json)
            await lifecycle.stop_event.wait()
        finally:
            await server.stop()
        return None

    sys.exit(run_service("sim", main))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="opensqt-sim",
        description="A simulated venue on loopback that speaks an exchange's own protocol: REST, streams, order entry.",
    )
    parser.add_argument("venue", choices=["binance"], help="whose protocol to speak")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 (default) takes any free one")
    parser.add_argument("--source", choices=["synthetic", "replay"], default="synthetic")
    parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT", help="of the synthetic market, comma separated")
    parser.add_argument("--seed", type=int, default=1, help="of the market, the keys and the faults")
    parser.add_argument("--replay", nargs="+", type=Path, default=[], metavar="FILE", help="raw captures")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster than recorded")
    parser.add_argument("--loop", action="store_true", help="begin a capture again at its end")
    parser.add_argument("--accounts", type=int, default=2, help="how many users with HMAC keys (default 2)")
    parser.add_argument("--wallet", default="10000", help="what each user owns, in the settle asset")
    parser.add_argument("--rsa-public-key", type=Path, metavar="PEM", help="adds a user who signs with this RSA key")
    parser.add_argument("--no-limits", action="store_true", help="count requests, but refuse none for their number")
    parser.add_argument(
        "--legacy-fields", action="store_true", help="answer orders with avgPrice and cumQuote, as before June 2026"
    )
    parser.add_argument("--connection-lifetime-s", type=float, default=86_400.0, help="a stream lives so long")
    parser.add_argument("--ping-interval-s", type=float, default=180.0)
    parser.add_argument("--pong-timeout-s", type=float, default=600.0)
    parser.add_argument("--listen-key-minutes", type=float, default=60.0)
    parser.add_argument("--json", action="store_true", help="print one JSON line when ready")
    return parser.parse_args(argv)


def _market(arguments: argparse.Namespace) -> Callable[[int], Feed]:
    speed: float = arguments.speed
    if not 0 < speed <= 1_000:
        raise ValueError(f"--speed was {speed}; give a number above 0 and at most 1000")
    if arguments.source == "replay":
        source = open_replay(arguments.replay, loop=arguments.loop)
        return lambda now_ns: Feed(source, now_ns, speed)
    if arguments.replay:
        raise ValueError("--replay was given without --source replay; add it, or leave the files out")
    names = [name.strip().upper() for name in arguments.symbols.split(",") if name.strip()]
    unknown = [name for name in names if name not in known_symbols()]
    if unknown or not names:
        raise ValueError(
            f"--symbols was {arguments.symbols!r}; the synthetic market knows {', '.join(known_symbols())}"
        )

    def open_synthetic(now_ns: int) -> Feed:
        config = SyntheticConfig(
            seed=arguments.seed, start_time_ns=now_ns, symbols=tuple(synthetic_symbol(name) for name in names)
        )
        synthetic: MarketSource = SyntheticSource(config)
        return Feed(synthetic, now_ns, speed)

    return open_synthetic


def _exchange(arguments: argparse.Namespace) -> ExchangeConfig:
    try:
        wallet = Decimal(arguments.wallet)
    except InvalidOperation:
        raise ValueError(f"--wallet was {arguments.wallet!r}; give an amount, for example 10000") from None
    if not 1 <= arguments.accounts <= 100:
        raise ValueError(f"--accounts was {arguments.accounts}; give 1 to 100")
    rsa = arguments.rsa_public_key.read_text() if arguments.rsa_public_key else ""
    return ExchangeConfig(
        users=make_keys(arguments.seed, arguments.accounts, rsa),
        wallet=wallet,
        limits=LimitConfig(is_enforced=not arguments.no_limits),
        legacy_fields=arguments.legacy_fields,
        seed=arguments.seed,
    )


def _server(arguments: argparse.Namespace) -> ServerConfig:
    return ServerConfig(
        port=arguments.port,
        times=ConnectionTimes(
            lifetime_s=arguments.connection_lifetime_s,
            ping_every_s=arguments.ping_interval_s,
            pong_within_s=arguments.pong_timeout_s,
        ),
        listen_key_validity_ms=int(arguments.listen_key_minutes * 60_000),
        fault_seed=arguments.seed,
    )


def _announce(server: SimServer, exchange: ExchangeConfig, *, as_json: bool) -> None:
    ready: dict[str, Any] = {
        "event": "ready",
        "venue": "binance",
        **server.addresses(),
        "symbols": list(server.venue.exchange.rules),
        "accounts": [
            {"name": pair.name, "key": pair.key, "secret": pair.secret, "kind": pair.kind.value}
            for pair in exchange.users
        ],
    }
    if as_json:
        sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    else:
        rows = [f"{name:8} {url}" for name, url in server.addresses().items()]
        rows += [f"{pair.name:8} key {pair.key}" for pair in exchange.users]
        sys.stdout.write("\n".join(["ready: a simulated Binance USDT-M venue", *rows, "secrets: --json"]) + "\n")
    sys.stdout.flush()


def _fail(message: str) -> None:
    sys.stderr.write(f"opensqt-sim: {message}\n")
    sys.exit(EXIT_FAILURE)


if __name__ == "__main__":
    run()
