"""Entry point of `opensqt`: the one place where errors become exit codes.

0 done, 1 failed, 2 wrong usage, 3 something is left at the exchange and 4 what is left is not known (`kill`) or not
explained (`pnl`), 78 bad configuration, 130 interrupted.
"""

import os
import sys
from collections.abc import Callable, Sequence

from opensqt.cli.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE, CliError


def run() -> None:
    """Run the command line and exit."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; known errors are printed without a traceback."""
    try:
        from cyclopts import CycloptsError

        from opensqt.cli.commands import app
    except ModuleNotFoundError as error:
        if error.name not in ("cyclopts", "rich"):
            raise
        sys.stderr.write("error: the `opensqt` command needs its own libraries: pip install 'opensqt[cli]'\n")
        return EXIT_FAILURE

    def command() -> object:
        try:
            return app(arguments, exit_on_error=False)
        except CycloptsError:  # cyclopts has printed what was wrong
            return EXIT_USAGE

    return guard(command)


def guard(action: Callable[[], object]) -> int:
    """Return an action's exit code, or that of the error it ended with, printed to standard error."""
    try:
        result = action()
    except CliError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output left; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except Exception as error:
        code = _known(error)
        if code is None:
            raise
        return code
    return result if isinstance(result, int) else 0


def _known(error: Exception) -> int | None:
    """Print an error of the lower layers and return its exit code; None for a bug."""
    from opensqt.domain.errors import OpensqtError
    from opensqt.runtime.config_problems import EXIT_CONFIG, ConfigError

    if isinstance(error, ConfigError):
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CONFIG
    if isinstance(error, (OpensqtError, OSError)):
        sys.stderr.write(f"error: {error}\n")
        return EXIT_FAILURE
    return None


if __name__ == "__main__":
    run()
