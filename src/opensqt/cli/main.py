"""Entry point of `opensqt`: the list of commands, and the one place where errors become exit codes.

Commands are named by import path, so that `--help` imports none of them. Exit codes: 0 done, 1 failed, 2 wrong usage,
78 bad configuration, 130 interrupted.
"""

import os
import sys
from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError

from opensqt import __version__
from opensqt.cli.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE, CliError

app = App(
    name="opensqt",
    help="A grid market maker for crypto perpetual futures.",
    version=__version__,
    result_action="return_value",
)
app.command("opensqt.cli.demo:demo", name="demo", help="Trade on the built-in paper venue: no keys, no network.")
app.command("opensqt.cli.up:up", name="up", help="Start the services of a configuration and keep them running.")
app.command("opensqt.cli.check:check", name="check", help="Check a configuration; list every problem at once.")
app.command("opensqt.cli.status:status", name="status", help="Show what the running engine does.")
app.command("opensqt.cli.control:pause", name="pause", help="Stop opening orders; take-profits stay.")
app.command("opensqt.cli.control:resume", name="resume", help="Go on after a pause.")
app.command("opensqt.cli.control:stop", name="stop", help="Stop trading: keep, cancel or flatten.")
app.command("opensqt.cli.version:version", name="version", help="Show the version of OpenSQT and what it runs on.")


def run() -> None:
    """Run the command line and exit."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; known errors are printed without a traceback."""
    return guard(lambda: app(arguments, exit_on_error=False))


def guard(action: Callable[[], object]) -> int:
    """Return an action's exit code, or that of the error it ended with, printed to standard error."""
    try:
        result = action()
    except CycloptsError:  # cyclopts has printed what was wrong
        return EXIT_USAGE
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
