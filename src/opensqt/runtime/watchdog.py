"""Watches the event loop from a thread of its own: a loop that stands still can raise no alarm itself.

The loop says that it lives with `beat`. When it does not for a while, the watchdog logs where the loop's thread stands,
once; when it still does not much later, it ends the process, so that whoever supervises it starts it anew and whoever
listens to it (a connector with a vanish policy, a dead-man switch) sees it gone instead of hanging. A pause of the
whole machine stops the watchdog as well, so it is told apart and ends nothing.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import final

import structlog

from opensqt.domain.clock import NS_PER_S

EXIT_STUCK = 70
PERIOD_S = 0.5
KEPT_FRAMES = 12

_log = structlog.get_logger(__name__)


@final
class StuckJudge:
    """Decides, from times alone, when a loop is stuck. Pure.

    Args:
        alarm_ns: silence that raises the alarm.
        exit_ns: silence that ends the process; 0 = never.
        own_pause_ns: a gap between two looks of ours that means we were held up, too.
    """

    def __init__(self, alarm_ns: int, exit_ns: int, own_pause_ns: int) -> None:
        self._alarm_ns, self._exit_ns, self._own_pause_ns = alarm_ns, exit_ns, own_pause_ns
        self._heard_ns = 0
        self._looked_ns = 0
        self._alarmed = False

    def beat(self, now_ns: int) -> None:
        """Hear from the loop."""
        self._heard_ns = now_ns

    def look(self, now_ns: int) -> str:
        """Return "alarm" once per silence, "exit" when it has lasted, else an empty text."""
        was_paused = self._looked_ns and now_ns - self._looked_ns > self._own_pause_ns
        self._looked_ns = now_ns
        if was_paused:
            self._heard_ns = now_ns
        silent_ns = now_ns - self._heard_ns
        if silent_ns < self._alarm_ns:
            self._alarmed = False
            return ""
        if self._exit_ns and silent_ns >= self._exit_ns:
            return "exit"
        if self._alarmed:
            return ""
        self._alarmed = True
        return "alarm"


@final
class Watchdog:
    """The thread around a judge. Construct and `start()` on the loop's thread, `beat()` from the loop, `stop()`."""

    def __init__(
        self,
        alarm_s: float,
        exit_s: float,
        monotonic_ns: Callable[[], int],
        end: Callable[[int], None] = os._exit,
        *,
        period_s: float = PERIOD_S,
    ) -> None:
        self._period_s = period_s
        self._judge = StuckJudge(int(alarm_s * NS_PER_S), int(exit_s * NS_PER_S), int(6 * period_s * NS_PER_S))
        self._monotonic_ns = monotonic_ns
        self._end = end
        self._watched = threading.get_ident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self.alarms = 0

    def start(self) -> None:
        """Begin to watch."""
        self.beat()
        self._thread.start()

    def beat(self) -> None:
        """Say that the loop lives."""
        self._judge.beat(self._monotonic_ns())

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.wait(self._period_s):
            verdict = self._judge.look(self._monotonic_ns())
            if verdict == "alarm":
                self.alarms += 1
                _log.error("loop_stuck", stands_at=self._where())
            elif verdict == "exit":
                _log.error("loop_stuck_too_long", stands_at=self._where(), exit_code=EXIT_STUCK)
                self._end(EXIT_STUCK)
                return

    def _where(self) -> list[str]:
        frame = sys._current_frames().get(self._watched)
        if frame is None:
            return []
        return [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_stack(frame)[-KEPT_FRAMES:]]
