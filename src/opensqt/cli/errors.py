"""Errors a command ends with: a message for people and an exit code for scripts."""

from typing import final

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_LEFT = 3
EXIT_UNVERIFIED = 4
EXIT_INTERRUPTED = 130


@final
class CliError(Exception):
    """The command cannot go on; the message says what happened, why, and what to do."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
