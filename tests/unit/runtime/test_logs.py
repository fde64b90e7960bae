"""Log lines hide secrets and never stop a service."""

import io
import json

import pytest
import structlog

from opensqt.runtime.config import ConfigError, LogConfig, Secret
from opensqt.runtime.log_flow import LineSink
from opensqt.runtime.logs import configure_logging, shutdown_logging


@pytest.fixture(autouse=True)
def _restore_logging():
    yield
    shutdown_logging()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_lines_are_json_with_the_service_and_without_secrets(tmp_path):
    path = tmp_path / "logs" / "engine.log"
    configure_logging("engine", LogConfig(file=path, level="info"))
    log = structlog.get_logger("test")
    log.debug("hidden")
    log.info("started", api_key="k-123", where=Secret("s-456"), auth_token="t-789", lots=5)
    [line] = path.read_text().splitlines()
    assert "k-123" not in line
    assert "s-456" not in line
    assert "t-789" not in line
    event = json.loads(line)
    assert (event["service"], event["event"], event["lots"], event["level"]) == ("engine", "started", 5, "info")


def test_warnings_of_libraries_arrive_in_the_same_log(tmp_path):
    import logging

    path = tmp_path / "engine.log"
    configure_logging("engine", LogConfig(file=path))
    logging.getLogger("some.library").warning("odd %s", "thing")
    assert json.loads(path.read_text())["text"] == "odd thing"


def test_a_line_that_cannot_be_written_is_counted_not_raised():
    class FullDisk(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    sink = LineSink(FullDisk())
    sink.msg("lost")
    assert sink.dropped == 1


def test_a_log_file_that_cannot_be_opened_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"log\.file"):
        configure_logging("engine", LogConfig(file=tmp_path / "file" / "engine.log"))
