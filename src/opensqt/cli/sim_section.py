"""The section `sim` of an umbrella configuration: a simulated venue, started before the services that trade on it.

Its addresses follow from its port and its keys from its seed, so both are known before it runs and are the same after
every restart. What it does not keep over a restart is its memory: orders, fills, positions and wallets are gone then.
"""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from opensqt.cli.errors import CliError
from opensqt.matching.sources.instruments import known_symbols
from opensqt.runtime.config import ConfigError
from opensqt.sim.addresses import base_urls

MODULE = "opensqt.sim.app"
DEFAULT_PORT = 8090

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class SimConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A simulated venue on loopback; the connector trades on it with `connector.<venue>.endpoints: from_sim`.

    `source: synthetic` plays a market of `symbols` from `seed`; `source: replay` plays the raw captures in `files`,
    over and over with `loop`. `speed` is market seconds per second. `seed` makes the keys and the faults too.
    `accounts` are users with HMAC keys (the connector is the first), each with `wallet` of the settle asset.
    `enforce_limits: false` counts requests and refuses none for their number; `legacy_fields` answers orders as the
    venue did before June 2026. A connection lives `connection_lifetime_s`, is pinged every `ping_interval_s`, closed
    when it has not answered within `pong_timeout_s`; a listen key is valid for `listen_key_minutes`.
    """

    venue: Literal["binance"] = "binance"
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = DEFAULT_PORT
    source: Literal["synthetic", "replay"] = "synthetic"
    symbols: tuple[str, ...] = ("BTCUSDT",)
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 1
    files: tuple[Path, ...] = ()
    loop: bool = False
    speed: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0
    accounts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 2
    wallet: Annotated[Decimal, msgspec.Meta(gt=0)] = Decimal(10_000)
    rsa_public_key: Path | None = None
    enforce_limits: bool = True
    legacy_fields: bool = False
    connection_lifetime_s: Seconds = 86_400.0
    ping_interval_s: Seconds = 180.0
    pong_timeout_s: Seconds = 600.0
    listen_key_minutes: Annotated[float, msgspec.Meta(gt=0, le=1_440)] = 60.0

    def __post_init__(self) -> None:
        """Check what fields break together."""
        if self.source == "replay":
            if not self.files:
                raise ConfigError.single("files", "[]", "source replay needs captures", "list the files to be replayed")
            return
        unknown = [name for name in self.symbols if name not in known_symbols()]
        if unknown or not self.symbols:
            raise ConfigError.single(
                "symbols",
                ", ".join(unknown) or "[]",
                "is not in the synthetic market",
                f"use {', '.join(known_symbols())}",
            )
        if self.files:
            raise ConfigError.single(
                "files", f"{len(self.files)} files", "has no meaning with source synthetic", "write source: replay"
            )


def sim_argv(config: SimConfig) -> list[str]:
    """Return the command that starts the simulator as configured."""
    argv = [sys.executable, "-m", MODULE, config.venue, "--port", str(config.port), "--source", config.source]
    if config.source == "replay":
        argv += ["--replay", *map(str, config.files)]
    else:
        argv += ["--symbols", ",".join(config.symbols)]
    values = {
        "seed": config.seed,
        "speed": config.speed,
        "accounts": config.accounts,
        "wallet": f"{config.wallet:f}",
        "connection-lifetime-s": config.connection_lifetime_s,
        "ping-interval-s": config.ping_interval_s,
        "pong-timeout-s": config.pong_timeout_s,
        "listen-key-minutes": config.listen_key_minutes,
    }
    for name, value in values.items():
        argv += [f"--{name}", str(value)]
    if config.rsa_public_key is not None:
        argv += ["--rsa-public-key", str(config.rsa_public_key)]
    switches = {"loop": config.loop, "no-limits": not config.enforce_limits, "legacy-fields": config.legacy_fields}
    return argv + [f"--{name}" for name, is_on in switches.items() if is_on]


def sim_accounts(config: SimConfig) -> list[dict[str, str]]:
    """Return name, key, secret and kind of each account, as the simulator will make them.

    Raises CliError where the simulator's libraries are not installed.
    """
    try:
        from opensqt.sim.keys import make_keys
    except ModuleNotFoundError as error:
        raise CliError(
            f"a `sim` section needs the simulator's libraries ({error.name} is missing): pip install 'opensqt[sim]'"
        ) from None
    rsa = config.rsa_public_key.read_text(encoding="utf-8") if config.rsa_public_key is not None else ""
    return [
        {"name": pair.name, "key": pair.key, "secret": pair.secret, "kind": pair.kind.value}
        for pair in make_keys(config.seed, config.accounts, rsa)
    ]


def sim_access(config: SimConfig) -> dict[str, Any]:
    """Return what a client needs to trade there: base URLs and accounts. It holds secrets."""
    return {"venue": config.venue, **base_urls(config.port), "accounts": sim_accounts(config)}
