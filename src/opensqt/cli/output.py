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
    """Print a table with a head, one line per row; all columns but the first and the last are right-aligned.

    Where the terminal is too narrow the last column is cut.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 1), header_style="dim")
    last = len(head) - 1
    for index, name in enumerate(head):
        is_text = index in (0, last)
        # Only the last one may give way.
        width = None if index == last else max(len(name), *(len(row[index]) for row in rows), 1)
        table.add_column(name, justify="left" if is_text else "right", no_wrap=True, min_width=width)
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
