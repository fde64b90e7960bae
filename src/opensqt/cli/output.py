"""What commands print: tables and lines for people, one JSON object for programs."""

import json
import os
import sys
from collections.abc import Mapping, Sequence

PIPE_WIDTH = 240

CLEAR = "\x1b[2J\x1b[H"
"""Clears a terminal and goes to its top."""


def is_terminal() -> bool:
    """Return whether standard output is a terminal that can redraw a line."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def print_json(value: Mapping[str, object]) -> None:
    """Print exactly one JSON object, on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_line(text: str, *, to_stderr: bool = False) -> None:
    """Print one line at once."""
    stream = sys.stderr if to_stderr else sys.stdout
    stream.write(text + "\n")
    stream.flush()


def print_columns(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with a head; all columns but the first and the last are right-aligned."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 2), header_style="dim")
    for index, name in enumerate(head):
        table.add_column(name, justify="right" if 0 < index < len(head) - 1 else "left", no_wrap=index == 0)
    for row in rows:
        table.add_row(*row)
    # Into a file or a pipe, a row is one line.
    Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def print_table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print two columns, the second one right-aligned."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, value)
    Console(highlight=False).print(table)
