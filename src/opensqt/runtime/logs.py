"""Logs: one event per line, JSON off a terminal and pretty on one, secrets never shown, never in the way of trading.

A full disk, a closed terminal, a reader that stalls or a storm of lines must not stop a service: lines that cannot be
written at once, or are too many, are counted and dropped (`log_flow`).
"""

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, final

import orjson
import structlog

from opensqt.runtime.config_problems import ConfigError
from opensqt.runtime.config_types import LogConfig
from opensqt.runtime.log_flow import LineSink, LogPace
from opensqt.runtime.secret import REDACTED, Secret

_SECRET_WORDS = ("token", "secret", "password", "passphrase", "api_key", "authorization", "signature")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LEVEL_OF_LIBRARIES = logging.WARNING

Event = MutableMapping[str, Any]


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Hide values of keys that name secrets, and `Secret` values wherever they stand."""
    for key, value in event.items():
        if isinstance(value, Secret) or (key != "event" and any(word in key.lower() for word in _SECRET_WORDS)):
            event[key] = REDACTED
    return event


def _add_service(service: str) -> structlog.types.Processor:
    def add(_logger: object, _method: str, event: Event) -> Event:
        event.setdefault("service", service)
        return event

    return add


def _dump_default(value: object) -> str:
    return str(value)


def _render_json(_logger: object, _method: str, event: Event) -> str:
    return orjson.dumps(event, default=_dump_default, option=orjson.OPT_NON_STR_KEYS).decode()


@final
class _LibraryHandler(logging.Handler):
    """Pass records of libraries that use stdlib logging on to structlog; owns the log file."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def close(self) -> None:
        super().close()
        if self._stream is not sys.stderr:
            with contextlib.suppress(OSError):
                self._stream.close()

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        exc_info = record.exc_info if record.exc_info and record.exc_info[0] is not None else None
        getattr(structlog.get_logger(record.name), level)(
            "library_message", text=record.getMessage(), logger_name=record.name, exc_info=exc_info
        )


def configure_logging(service: str, config: LogConfig) -> None:
    """Send structlog, and warnings of libraries, to the configured place; every line carries `service`.

    Raises ConfigError when the log file cannot be opened.
    """
    stream: TextIO = sys.stderr
    if config.file is not None:
        try:
            config.file.parent.mkdir(parents=True, exist_ok=True)
            stream = config.file.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError.single(
                "log.file",
                repr(str(config.file)),
                f"must be a file that can be written ({error.strerror})",
                "choose another path or free the disk",
            ) from None
    pretty = config.format == "pretty" or (config.format == "auto" and stream.isatty())
    structlog.configure(
        processors=[
            LogPace(),
            structlog.contextvars.merge_contextvars,
            _add_service(service),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            *(
                [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
                if pretty
                else [structlog.processors.format_exc_info, _render_json]
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[config.level]),
        logger_factory=lambda *_args: LineSink(stream),
        cache_logger_on_first_use=True,
    )
    shutdown_logging()
    root = logging.getLogger()
    root.addHandler(_LibraryHandler(stream))
    root.setLevel(_LEVEL_OF_LIBRARIES)


def shutdown_logging() -> None:
    """Detach from stdlib logging and close the log file; lines logged later are dropped."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _LibraryHandler)]:
        root.removeHandler(handler)
        handler.close()
