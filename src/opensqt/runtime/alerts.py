"""Alerts for what a sleeping owner must know: paced, bounded, on a thread of its own, never in the way of trading.

    alerts = Alerts(config.alerts, "engine")      # ConfigError for URLs that cannot be used
    alerts.start()
    alerts.raise_alert("alarm", "eth:STORE_LOST", "eth", "nothing was saved for 60 s")

The same key is told again only after the cool-down, with how often it came meanwhile; all together have an hourly cap.
What is too much is dropped and counted. Delivery is apprise's (`pip install 'opensqt[alerts]'`): one URL per service,
which usually holds a secret, so URLs are never shown, and the libraries that might print them are silenced.
"""

import collections
import logging
import threading
import time
import warnings
from collections.abc import Callable
from typing import Annotated, Literal, final

import msgspec
import structlog

from opensqt.domain.clock import NS_PER_S
from opensqt.runtime.config_problems import ConfigError
from opensqt.runtime.secret import Secret

Level = Literal["info", "warning", "alarm"]
LEVELS: tuple[Level, ...] = ("info", "warning", "alarm")
LEVEL_OF: dict[str, Level] = {level: level for level in LEVELS}
MAX_KEYS = 1_000
MAX_TEXT = 1_500
CLOSE_S = 5.0
HOUR_NS = 3_600 * NS_PER_S
_TALKATIVE = ("apprise", "requests", "urllib3", "requests_oauthlib", "oauthlib")

_log = structlog.get_logger(__name__)


class AlertsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where alerts go: apprise URLs, separated by spaces or lines; `urls_file` keeps them out of this file.

    The same alert is told again after `cooldown_s`; at most `max_per_hour` are sent in all.
    """

    urls: Secret | None = None
    min_level: Level = "alarm"
    cooldown_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 300
    max_per_hour: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 30
    queue: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100


class Alert(msgspec.Struct, frozen=True):
    """One thing to tell; `key` names its kind for de-duplication."""

    level: Level
    key: str
    title: str
    text: str


Sender = Callable[[Alert], bool]
"""Delivers an alert; False when it could not."""


@final
class AlertPace:
    """Decides what is told: levels, de-duplication, cool-down, cap. Pure."""

    def __init__(self, config: AlertsConfig) -> None:
        self._least = LEVELS.index(config.min_level)
        self._cooldown_ns = config.cooldown_s * NS_PER_S
        self._cap = config.max_per_hour
        self._told_ns: collections.OrderedDict[str, int] = collections.OrderedDict()
        self._repeats: dict[str, int] = {}
        self._sent: collections.deque[int] = collections.deque(maxlen=config.max_per_hour)
        self.suppressed = 0
        self.capped = 0

    def admit(self, alert: Alert, now_ns: int) -> Alert | None:
        """Return the alert as it is to be told, or None."""
        if LEVELS.index(alert.level) < self._least:
            return None
        told_ns = self._told_ns.get(alert.key)
        if told_ns is not None and now_ns - told_ns < self._cooldown_ns:
            self.suppressed += 1
            self._repeats[alert.key] = self._repeats.get(alert.key, 0) + 1
            return None
        if len(self._sent) == self._cap and now_ns - self._sent[0] < HOUR_NS:
            self.capped += 1
            return None
        self._sent.append(now_ns)
        self._told_ns[alert.key] = now_ns
        self._told_ns.move_to_end(alert.key)
        if len(self._told_ns) > MAX_KEYS:
            old, _ns = self._told_ns.popitem(last=False)
            self._repeats.pop(old, None)
        repeats = self._repeats.pop(alert.key, 0)
        text = alert.text[:MAX_TEXT]
        if repeats:
            text += f" ({repeats} more since the last time)"
        return msgspec.structs.replace(alert, text=text)


@final
class Alerts:
    """Tells alerts on a worker thread.

    Args:
        config: where to and how often; without URLs nothing is sent.
        service: stands in every title.
        sender: delivers; apprise when not given.
        monotonic_ns: measures pauses.

    Raises:
        ConfigError: a URL that apprise does not know, or apprise is not installed.
    """

    def __init__(
        self,
        config: AlertsConfig,
        service: str,
        *,
        sender: Sender | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._service = service
        self._pace = AlertPace(config)
        self._monotonic_ns = monotonic_ns
        self._send = sender or (apprise_sender(config.urls) if config.urls is not None else None)
        self._queue: collections.deque[Alert] = collections.deque()
        self._room = config.queue
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self.sent = 0
        self.failed = 0
        self.dropped = 0

    def start(self) -> None:
        """Start the thread, if there is somewhere to send to."""
        if self._send is not None and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
            self._thread.start()

    def raise_alert(self, level: Level, key: str, title: str, text: str) -> bool:
        """Queue an alert without waiting; returns whether it will be tried."""
        if self._send is None:
            return False
        admitted = self._pace.admit(Alert(level, key, f"OpenSQT {self._service}: {title}", text), self._monotonic_ns())
        if admitted is None:
            return False
        with self._wake:
            if self._closing or len(self._queue) >= self._room:
                self.dropped += 1
                return False
            self._queue.append(admitted)
            self._wake.notify()
        return True

    def counts(self) -> dict[str, int]:
        """Return what became of the alerts so far."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "dropped": self.dropped,
            "suppressed": self._pace.suppressed,
            "capped": self._pace.capped,
        }

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Send what waits, for a moment, and stop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        assert self._send is not None, "without a sender no thread is started"
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                alert = self._queue.popleft()
            if _delivered(self._send, alert):
                self.sent += 1
            else:
                self.failed += 1
                _log.warning("alert_not_delivered", key=alert.key, failed=self.failed)


def _delivered(send: Sender, alert: Alert) -> bool:
    try:
        return send(alert)
    except Exception as error:  # noqa: BLE001  a plug-in's bug must not end the thread; its text may hold the URL
        _log.warning("alert_sender_failed", kind=type(error).__name__)
        return False


def apprise_sender(urls: Secret) -> Sender:
    """Return a sender over apprise. Raises ConfigError."""
    for name in _TALKATIVE:  # their messages hold URLs
        logging.getLogger(name).propagate = False
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        import apprise
    except ModuleNotFoundError:
        raise ConfigError.single(
            "alerts.urls", urls, "need the apprise library, which is not installed", "pip install 'opensqt[alerts]'"
        ) from None
    kinds = {
        "info": apprise.NotifyType.INFO,
        "warning": apprise.NotifyType.WARNING,
        "alarm": apprise.NotifyType.FAILURE,
    }
    book = apprise.Apprise()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its plug-ins, loaded with the first URL
        for number, url in enumerate(urls.reveal().replace(",", " ").split(), start=1):
            if not book.add(url):
                raise ConfigError.single(
                    "alerts.urls", urls, f"URL {number} is none that apprise knows", "see apprise's list of services"
                )

    def send(alert: Alert) -> bool:
        return bool(book.notify(title=alert.title, body=alert.text, notify_type=kinds[alert.level]))

    return send
