"""`opensqt check CONFIG`: every problem of a configuration at once, for people or as JSON."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from opensqt.cli.output import print_json, print_line
from opensqt.runtime.config import EXIT_CONFIG, ConfigError

ServiceName = Literal["connector", "engine", "live_server"]


def check(
    config: Path,
    /,
    *,
    service: Annotated[
        Literal["connector", "engine", "live_server"] | None,
        Parameter(help="Whose it is, when the file does not tell."),
    ] = None,
    json: Annotated[bool, Parameter(help="Print one JSON object.", negative="")] = False,
) -> int:
    """Check a configuration without starting anything. Exit code 78 when it has problems.

    Args:
        config: YAML file with sections sim, connector, engine, live_server, or of one service alone.
    """
    from opensqt.cli.umbrella_config import load_any

    try:
        load_any(config, service)
    except ConfigError as error:
        if json:
            print_json({"ok": False, "problems": [msgspec.to_builtins(problem) for problem in error.problems]})
        else:
            print_line(str(error), to_stderr=True)
        return EXIT_CONFIG
    if json:
        print_json({"ok": True, "problems": []})
    else:
        print_line(f"{config}: no problems found")
    return 0
