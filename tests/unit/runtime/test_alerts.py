"""Alerts reach their owner once, paced and without secrets; what is too much is counted, and nothing ever waits."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest
import structlog

from opensqt.domain.clock import NS_PER_S, ManualClock
from opensqt.runtime.alerts import HOUR_NS, MAX_KEYS, Alert, AlertPace, Alerts, AlertsConfig
from opensqt.runtime.config import ConfigError, Secret


def alarm(key: str = "eth:STORE_LOST", level: str = "alarm", text: str = "the disk is full") -> Alert:
    return Alert(level, key, "eth STORE_LOST", text)  # type: ignore[arg-type]


def test_levels_below_the_configured_one_are_not_told() -> None:
    pace = AlertPace(AlertsConfig(min_level="warning"))
    assert pace.admit(alarm(level="info"), 0) is None
    assert pace.admit(alarm(level="warning"), 0) is not None
    assert pace.admit(alarm("other"), 0) is not None


def test_the_same_alert_is_told_again_after_the_cool_down_with_its_count() -> None:
    pace = AlertPace(AlertsConfig(cooldown_s=300))
    assert pace.admit(alarm(), 0) == alarm()
    for second in range(1, 300):
        assert pace.admit(alarm(), second * NS_PER_S) is None
    again = pace.admit(alarm(), 300 * NS_PER_S)
    assert again is not None
    assert again.text == "the disk is full (299 more since the last time)"
    assert pace.suppressed == 299


def test_all_together_have_an_hourly_cap() -> None:
    pace = AlertPace(AlertsConfig(max_per_hour=3, cooldown_s=0))
    assert [pace.admit(alarm(f"k{n}"), n) is not None for n in range(5)] == [True, True, True, False, False]
    assert pace.capped == 2
    assert pace.admit(alarm("k9"), HOUR_NS) is not None


def test_keys_are_forgotten_and_texts_are_cut() -> None:
    pace = AlertPace(AlertsConfig(max_per_hour=10_000))
    for number in range(MAX_KEYS + 1):
        pace.admit(alarm(f"k{number}"), number)
    assert pace.admit(alarm("k0"), MAX_KEYS + 2) is not None, "the oldest was forgotten"
    told = pace.admit(alarm("long", text="x" * 100_000), 0)
    assert told is not None
    assert len(told.text) < 2_000


def test_without_urls_nothing_is_sent_and_nothing_runs() -> None:
    alerts = Alerts(AlertsConfig(), "engine")
    alerts.start()
    assert not alerts.raise_alert("alarm", "k", "t", "x")
    alerts.close()


def test_a_sender_that_hangs_never_holds_the_caller_and_the_queue_is_bounded() -> None:
    gate = threading.Event()
    sent: list[Alert] = []

    def slow(alert: Alert) -> bool:
        gate.wait(10)
        sent.append(alert)
        return True

    alerts = Alerts(AlertsConfig(queue=3, max_per_hour=100), "engine", sender=slow)
    alerts.start()
    accepted = sum(alerts.raise_alert("alarm", f"k{n}", "t", "x") for n in range(50))
    assert 3 <= accepted <= 4
    assert alerts.dropped == 50 - accepted
    gate.set()
    alerts.close()
    assert len(sent) == accepted
    assert sent[0].title == "OpenSQT engine: t"


def test_a_sender_that_fails_is_counted_and_the_next_alert_is_tried() -> None:
    answers = iter([ValueError("json://token@host"), False, True])

    def broken(_alert: Alert) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    clock = ManualClock()
    with structlog.testing.capture_logs() as logs:
        alerts = Alerts(AlertsConfig(), "engine", sender=broken, monotonic_ns=clock.monotonic_ns)
        alerts.start()
        for key in "abc":
            alerts.raise_alert("alarm", key, "t", "x")
        alerts.close()
    assert alerts.counts() == {"sent": 1, "failed": 2, "dropped": 0, "suppressed": 0, "capped": 0}
    assert "token" not in str(logs)


class Sink(http.server.BaseHTTPRequestHandler):
    received: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[str]:
    Sink.received.clear()
    server = http.server.HTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_alarm_arrives_over_http(sink: str) -> None:
    alerts = Alerts(AlertsConfig(urls=Secret(f"json://user:s3cret@{sink}/hook")), "engine")
    alerts.start()
    assert alerts.raise_alert("alarm", "eth:STORE_LOST", "eth STORE_LOST", "nothing was saved for 60 s")
    alerts.close()
    ((path, body),) = Sink.received
    assert path.startswith("/hook")
    assert body["title"] == "OpenSQT engine: eth STORE_LOST"
    assert body["message"] == "nothing was saved for 60 s"
    assert body["type"] == "failure"


def test_a_url_nobody_knows_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError, match="URL 2") as caught:
        Alerts(AlertsConfig(urls=Secret("json://127.0.0.1:1 nonsense://s3cret@x")), "engine")
    assert "s3cret" not in str(caught.value)


def test_an_unreachable_service_is_a_failure_that_prints_no_url(caplog: pytest.LogCaptureFixture) -> None:
    with structlog.testing.capture_logs() as logs:
        alerts = Alerts(AlertsConfig(urls=Secret("json://user:s3cret@127.0.0.1:9/hook")), "engine")
        alerts.start()
        alerts.raise_alert("alarm", "k", "t", "x")
        alerts.close()
    assert alerts.counts()["failed"] == 1
    assert "s3cret" not in str(logs) + caplog.text
