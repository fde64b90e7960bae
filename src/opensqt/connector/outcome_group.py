"""Several commands with one reply: the worst of their outcomes, when the last of them is known. Pure."""

from collections.abc import Callable
from typing import final

from opensqt.connector.commands import Outcome, OutcomeReport
from opensqt.domain.errors import ErrorReason


@final
class OutcomeGroup:
    """Counts outcomes down: `one_done` is the reply of each command."""

    def __init__(self, count: int, reply: Callable[[OutcomeReport], None]) -> None:
        self._left = count
        self._reply = reply
        self._worst = OutcomeReport(token=0, outcome=Outcome.CONFIRMED)

    def one_done(self, report: OutcomeReport) -> None:
        """Take one outcome; an order that ended by itself counts as done."""
        is_gone = report.reason is ErrorReason.UNKNOWN_ORDER
        if report.outcome is not Outcome.CONFIRMED and not is_gone and report.outcome > self._worst.outcome:
            self._worst = report
        self._left -= 1
        if self._left == 0:
            self._reply(self._worst)
