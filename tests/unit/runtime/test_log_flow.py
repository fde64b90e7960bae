"""A storm of log lines is thinned and counted, and a reader that stalls costs lines, never time."""

import json
import os

import pytest
import structlog

from opensqt.domain.clock import NS_PER_S, ManualClock
from opensqt.runtime.config import LogConfig
from opensqt.runtime.log_flow import ALL_BURST, BURST, MAX_KINDS, PER_SECOND, LineSink, LogPace
from opensqt.runtime.logs import configure_logging, shutdown_logging


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pace = LogPace(self.clock.monotonic_ns)

    def log(self, name: str, level: str = "error") -> dict | None:
        try:
            return self.pace(None, level, {"event": name})
        except structlog.DropEvent:
            return None


def test_a_burst_passes_and_then_a_few_lines_per_second() -> None:
    bench = Bench()
    assert sum(bench.log("storm") is not None for _ in range(10_000)) == BURST
    for _ in range(10):
        bench.clock.advance(NS_PER_S)
        assert sum(bench.log("storm") is not None for _ in range(1_000)) == PER_SECOND


def test_the_next_line_says_how_many_were_dropped() -> None:
    bench = Bench()
    for _ in range(BURST + 7):
        bench.log("storm")
    assert bench.pace.dropped == 7
    bench.clock.advance(NS_PER_S)
    event = bench.log("storm")
    assert event is not None
    assert event["dropped_before"] == 7
    following = bench.log("storm")
    assert following is not None
    assert "dropped_before" not in following


def test_a_storm_of_one_kind_hides_no_other() -> None:
    bench = Bench()
    for _ in range(5_000):
        bench.log("storm")
    assert bench.log("state_file_damaged") is not None
    assert bench.log("storm", "info") is not None, "another level is another kind"
    assert bench.pace(None, "error", {"event": "storm", "code": "STORE_LOST"}), "and so is another code"


def test_many_kinds_together_have_a_pace_too_and_are_forgotten() -> None:
    bench = Bench()
    assert sum(bench.log(f"kind-{n}") is not None for n in range(5_000)) == ALL_BURST
    assert bench.pace.kinds == MAX_KINDS
    bench.clock.advance(60 * NS_PER_S)
    assert bench.log("kind-1") is not None


def test_a_reader_that_does_not_read_costs_lines_and_no_time() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        sink = LineSink(stream)
        for _ in range(1_000):
            sink.msg("x" * 1_000)
        written = 1_000 - sink.dropped
        assert 0 < written < 1_000
        assert len(os.read(reading, 1 << 20)) == written * 1_001, "whole lines only"
        sink.msg("y" * 100_000)
        assert os.read(reading, 1 << 20).endswith(b"y...\n"), "what could block is cut"
        before = sink.dropped
        os.close(reading)
        sink.msg("nobody reads")
        assert sink.dropped == before + 1


@pytest.fixture
def _restored():
    yield
    shutdown_logging()
    structlog.reset_defaults()


@pytest.mark.usefixtures("_restored")
def test_configured_logs_are_paced(tmp_path) -> None:
    path = tmp_path / "engine.log"
    configure_logging("engine", LogConfig(file=path))
    for number in range(3_000):
        structlog.get_logger("test").error("storm", number=number)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert BURST <= len(lines) < 500
    assert lines[0]["number"] == 0
