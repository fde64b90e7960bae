"""Connector and engine in one process: `opensqt up --embedded`, for the lowest latency.

    python -m opensqt.cli.embedded --config FILE        FILE has the sections `connector` and `engine`

Both are what they are alone. The engine reaches its connector through memory instead of gRPC (`LocalChannel`), with the
same hello, snapshot and sequence; everybody else reaches either over gRPC as always, so there is still exactly one
session with the exchange. They live and die together: what one of them does to the process, it does to the other.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from opensqt.connector.app import open_connector
from opensqt.connector.config import ConnectorConfig
from opensqt.engine.app import serve
from opensqt.engine.config import EngineConfig
from opensqt.runtime.config import EXIT_CONFIG, ConfigError, load_config
from opensqt.runtime.lifecycle import Lifecycle, run_service
from opensqt.runtime.local_channel import LocalChannel
from opensqt.runtime.logs import configure_logging


class EmbeddedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two services for one process; the engine's `connector` address and the log of the engine are not used."""

    connector: ConnectorConfig
    engine: EngineConfig


async def run_both(config: EmbeddedConfig, lifecycle: Lifecycle) -> int:
    """Run until asked to stop and return the engine's exit code.

    The connector is first and last, since the engine leaves the market in order through it.
    """
    async with open_connector(config.connector, lifecycle) as connector:
        if connector is None:
            return 0
        return await serve(config.engine, lifecycle, channel=LocalChannel(connector.handlers))


def run(argv: Sequence[str] | None = None) -> None:
    """Run both from the command line and exit with the code of the process."""
    parser = argparse.ArgumentParser(prog="opensqt-embedded", description="Connector and engine in one process.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML configuration")
    arguments = parser.parse_args(argv)
    try:
        config = load_config(arguments.config, EmbeddedConfig, env=os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_CONFIG)

    async def main(lifecycle: Lifecycle) -> int:
        configure_logging("embedded", config.connector.log)
        return await run_both(config, lifecycle)

    sys.exit(run_service("embedded", main))


if __name__ == "__main__":
    run()
