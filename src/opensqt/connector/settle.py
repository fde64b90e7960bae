"""Orders whose placement has an UNKNOWN outcome, until the venue's evidence settles them. Pure.

An order is settled when the venue shows it (a push, a query), or when the venue denies it `DENIALS` times in a row, the
last time to a question that was asked when the placement could no longer arrive (`window_ns`, at least `MIN_AGE_NS`
after it was sent): one still under way would otherwise be missed. A query that failed is no evidence. Queries are
spaced with growing pauses; they never end by themselves.
"""

from collections.abc import Callable, Iterator
from typing import final

import msgspec

from opensqt.domain.clock import NS_PER_S
from opensqt.domain.order import Order

DENIALS = 2
MIN_AGE_NS = 2 * NS_PER_S
FIRST_PAUSE_NS = NS_PER_S // 4
MAX_PAUSE_NS = 10 * NS_PER_S
EXPIRE_AFTER_NS = 60 * NS_PER_S
"""After how long without a word the symbol's dead-man countdown is let run out: the venue then ends what is left."""


class _Case(msgspec.Struct):
    order: Order
    token: int
    since_ns: int
    next_query_ns: int
    on_settled: Callable[[], None]
    pause_ns: int = FIRST_PAUSE_NS
    denials: int = 0
    is_asked: bool = False
    asked_ns: int = 0


@final
class Unsettled:
    """The open cases by client order id.

    Args:
        window_ns: for how long after it was sent a placement can still take effect.
    """

    def __init__(self, window_ns: int = 0) -> None:
        self._cases: dict[str, _Case] = {}
        self._window_ns = max(window_ns, MIN_AGE_NS)

    def __len__(self) -> int:
        return len(self._cases)

    def add(self, order: Order, now_ns: int, *, token: int, on_settled: Callable[[], None]) -> None:
        """Open a case for the placement `token`; `on_settled` is called once when it closes."""
        self._cases[order.client_order_id] = _Case(order, token, now_ns, now_ns + FIRST_PAUSE_NS, on_settled)

    def order_of_token(self, token: int) -> Order | None:
        """Return the order of the open case that a placement opened."""
        return next((case.order for case in self._cases.values() if case.token == token), None)

    def get(self, client_order_id: str) -> Order | None:
        """Return the order of an open case."""
        case = self._cases.get(client_order_id)
        return None if case is None else case.order

    def arrival_left_ns(self, client_order_id: str, now_ns: int) -> int:
        """Return for how long the placement of an open case may still take effect; 0 = it cannot."""
        case = self._cases.get(client_order_id)
        return 0 if case is None else max(0, case.since_ns + self._window_ns - now_ns)

    def orders(self, symbol: str) -> Iterator[Order]:
        """Yield the unsettled orders of a symbol."""
        return (case.order for case in self._cases.values() if case.order.symbol == symbol)

    def due(self, now_ns: int) -> list[Order]:
        """Return the orders to be asked for now; each must be answered by `seen`, `denied` or `failed`."""
        due = [case for case in self._cases.values() if not case.is_asked and case.next_query_ns <= now_ns]
        for case in due:
            case.is_asked = True
            case.asked_ns = now_ns
        return [case.order for case in due]

    def stubborn_symbols(self, now_ns: int) -> frozenset[str]:
        """Return the symbols of cases that asking has not settled for long."""
        return frozenset(
            case.order.symbol for case in self._cases.values() if now_ns - case.since_ns >= EXPIRE_AFTER_NS
        )

    def seen(self, client_order_id: str) -> None:
        """Close a case: the venue showed the order."""
        case = self._cases.pop(client_order_id, None)
        if case is not None:
            case.on_settled()

    def denied(self, client_order_id: str, now_ns: int) -> Order | None:
        """Count a denial; return the order when that settles it as never placed."""
        case = self._cases.get(client_order_id)
        if case is None:
            return None
        case.denials += 1
        if case.denials >= DENIALS and case.asked_ns - case.since_ns >= self._window_ns:
            self.seen(client_order_id)
            return case.order
        self._again(case, now_ns)
        return None

    def failed(self, client_order_id: str, now_ns: int) -> None:
        """Note that the query failed: no evidence, ask again later."""
        case = self._cases.get(client_order_id)
        if case is not None:
            case.denials = 0
            self._again(case, now_ns)

    def _again(self, case: _Case, now_ns: int) -> None:
        case.is_asked = False
        case.pause_ns = min(case.pause_ns * 2, MAX_PAUSE_NS)
        case.next_query_ns = now_ns + case.pause_ns
