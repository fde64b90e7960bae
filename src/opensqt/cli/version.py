"""`opensqt version`: what runs here, for a bug report."""

import platform
from importlib import metadata
from typing import Annotated

from cyclopts import Parameter

from opensqt import __version__
from opensqt.cli.output import print_json, print_line

_PARTS = ("grpcio", "protobuf", "msgspec", "uvloop", "starlette", "uvicorn")


def version(*, json: Annotated[bool, Parameter(help="Print one JSON object.", negative="")] = False) -> int:
    """Show the versions of OpenSQT, Python and the libraries that matter."""
    versions = {"opensqt": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in _PARTS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    if json:
        print_json(versions)
    else:
        for name, value in versions.items():
            print_line(f"{name} {value}")
    return 0
