"""Orders whose fate the venue does not tell: what is done when asking is not enough. Pure.

    ask by client order id, with back-off            (answers)
    -> cancel everything of ours on the symbol, then ask again; repeated, it is idempotent
    -> nothing more is sent: the venue's dead-man countdown runs out and cancels what is left

No step ends an order here. Only the venue's evidence does: the next answer, a push, a snapshot. Nothing is sent twice.
"""

from collections.abc import Iterable
from enum import Enum, unique
from typing import NamedTuple, final

from opensqt.domain.clock import NS_PER_S

CANCEL_ALL_AFTER_NS = 15 * NS_PER_S
CANCEL_ALL_AGAIN_NS = 30 * NS_PER_S
EXPIRY_AFTER_NS = 60 * NS_PER_S
MIN_QUERIES = 3
"""An order that could not even be asked for is not yet a stubborn one."""


@unique
class Step(Enum):
    """What is due."""

    CANCEL_ALL = "cancel_all"
    EXPIRY = "expiry"


class Doubt(NamedTuple):
    """One order of unknown fate and how often it was asked for."""

    client_order_id: str
    queries: int


@final
class Escalation:
    """The stubborn orders of one symbol."""

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}
        self._cancelled_all_ns = 0
        self._expiring = False

    @property
    def stubborn(self) -> list[str]:
        """Return the orders in doubt, the oldest first."""
        return list(self._since_ns)

    def judge(self, doubts: Iterable[Doubt], now_ns: int) -> list[Step]:
        """Return the steps that are due, given every order that is in doubt now."""
        asked = {doubt.client_order_id: doubt.queries for doubt in doubts}
        known = {client_id: since for client_id, since in self._since_ns.items() if client_id in asked}
        self._since_ns = known | {client_id: now_ns for client_id in asked if client_id not in known}
        ages = [now_ns - since for client_id, since in self._since_ns.items() if asked[client_id] >= MIN_QUERIES]
        oldest_ns = max(ages, default=0)
        if oldest_ns < CANCEL_ALL_AFTER_NS:
            self._cancelled_all_ns, self._expiring = 0, False
            return []
        steps = []
        if not self._cancelled_all_ns or now_ns - self._cancelled_all_ns >= CANCEL_ALL_AGAIN_NS:
            self._cancelled_all_ns = now_ns
            steps.append(Step.CANCEL_ALL)
        if oldest_ns >= EXPIRY_AFTER_NS and not self._expiring:
            self._expiring = True
            steps.append(Step.EXPIRY)
        return steps

    @property
    def is_escalated(self) -> bool:
        """Return whether asking has not been enough."""
        return self._cancelled_all_ns > 0
