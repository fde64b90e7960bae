"""Continuous reconciliation: what the venue lists, asked for now and then, against what we believe. Pure.

A read is asked for on a schedule and soon after every anomaly. What it says counts only with care:

- An answer that failed is no answer: nothing is concluded from it.
- A read that is older than our stream in one thing (a lagging replica) is not believed in any.
- Only orders that did not change between asking and answer are compared; young ones have a grace.
- Only our own tag is corrected; orders of others are shown and counted.
- Nothing is corrected before two reads in a row say the same.
- A position that is newer than everything booked may be made by a fill that is on its way: it gets the same grace.

`judge` returns findings; carrying them out is `corrections`.
"""

from collections.abc import Mapping
from enum import Enum, unique
from typing import NamedTuple, final

import msgspec

from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.engine.config import ReconcileConfig

CONFIRM_NS = NS_PER_S
"""How soon after a suspicious read the second one is made."""

ANSWER_PATIENCE_NS = 30 * NS_PER_S
"""After how long a read that was never answered is asked for again."""


@unique
class What(Enum):
    """What two reads found."""

    MISSING_ORDER = "missing_order"  # rests here, not listed there
    STRANGE_ORDER = "strange_order"  # carries our tag, not known here
    REVIVED_ORDER = "revived_order"  # over here, listed there
    MISSING_FILLS = "missing_fills"  # filled more there than we heard of
    POSITION = "position"  # another position than our fills make
    FOREIGN_GONE = "foreign_gone"  # somebody else's order is no longer listed


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One open order as a read lists it."""

    client_order_id: str
    is_ours: bool
    filled_lots: int = 0
    updated_ns: int = 0


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the venue for one symbol; with an `error` it says nothing else."""

    orders: tuple[VenueOrder, ...] = ()
    position_lots: int = 0
    position_ns: int = 0
    error: str = ""


class LocalOrder(NamedTuple):
    """One of our orders as we believe it is."""

    rests: bool
    is_over: bool
    filled_lots: int
    updated_ns: int
    sent_ns: int


class Local(msgspec.Struct, frozen=True, kw_only=True):
    """What we believe of one symbol.

    `bookings` changes with every fill that is booked; `booked_until_ns` is the venue's time of the newest.
    """

    orders: Mapping[str, LocalOrder]
    foreign: frozenset[str] = frozenset()
    position_lots: int = 0
    position_ns: int = 0
    bookings: int = 0
    booked_until_ns: int = 0


class Finding(NamedTuple):
    """Something two reads agree on. `value` is the venue's figure where there is one.

    `may_be_under_way` says that what explains it may still be on its way to us.
    """

    what: What
    client_order_id: str
    value: int
    evidence: str
    may_be_under_way: bool = False


class _Suspicion(NamedTuple):
    value: int
    bookings: int
    since_ns: int


@final
class Reconciler:
    """The reads of one symbol."""

    def __init__(self, config: ReconcileConfig) -> None:
        self._every_ns = config.interval_s * NS_PER_S
        self._grace_ns = config.grace_ms * NS_PER_MS
        self._tolerance = (config.position_tolerance_lots, config.position_tolerance_ppm)
        self._next_ns = 0
        self._asked_ns = 0
        self._asked: Local | None = None
        self._suspects: dict[tuple[What, str], _Suspicion] = {}
        self.reads = 0
        self.failures = 0
        self.failures_in_a_row = 0
        self.stale_reads = 0
        self.last_read_ns = 0
        self.last_error = ""
        self.corrected = 0

    @property
    def suspects(self) -> int:
        """Return how much waits for a second read."""
        return len(self._suspects)

    def soon(self, now_ns: int) -> None:
        """Read again shortly: something odd happened."""
        self._next_ns = min(self._next_ns or now_ns + CONFIRM_NS, now_ns + CONFIRM_NS)

    def begin(self, now_ns: int) -> None:
        """Start over with a new session: nothing of the last one is being read."""
        self._asked = None
        self._suspects.clear()
        self._next_ns = now_ns + self._every_ns

    def is_due(self, now_ns: int) -> bool:
        """Return whether `ask` may have something to do."""
        return now_ns >= (self._asked_ns + ANSWER_PATIENCE_NS if self._asked is not None else self._next_ns)

    def ask(self, local: Local, now_ns: int) -> bool:
        """Return whether to read now; notes what we believe at this moment."""
        if self._asked is not None:
            if now_ns - self._asked_ns < ANSWER_PATIENCE_NS:
                return False
            self._fail("no answer", now_ns)
        if now_ns < self._next_ns:
            return False
        self._asked, self._asked_ns = local, now_ns
        return True

    def judge(self, read: Read, local: Local, now_ns: int) -> list[Finding]:
        """Take an answer; returns what two reads in a row found."""
        asked, self._asked = self._asked, None
        if asked is None:
            return []  # of an earlier session
        if read.error:
            self._fail(read.error, now_ns)
            return []
        self.failures_in_a_row = 0
        self.last_error = ""
        if self._is_stale(read, local):
            self.stale_reads += 1
            self._next_ns = now_ns + CONFIRM_NS
            return []
        self.reads += 1
        self.last_read_ns = now_ns
        confirmed = []
        suspects = {}
        for one in self._compare(read, asked, local, now_ns):
            key = (one.what, one.client_order_id)
            known = self._suspects.get(key)
            is_another = one.may_be_under_way and known is not None and known.bookings != local.bookings
            if known is None or known.value != one.value or is_another:
                suspects[key] = _Suspicion(one.value, local.bookings, now_ns)
            elif one.may_be_under_way and now_ns - known.since_ns < self._grace_ns:
                suspects[key] = known
            else:
                confirmed.append(one)
        self._suspects = suspects
        self.corrected += len(confirmed)
        self._next_ns = now_ns + (CONFIRM_NS if self._suspects or confirmed else self._every_ns)
        return confirmed

    def _fail(self, error: str, now_ns: int) -> None:
        self._asked = None
        self.failures += 1
        self.failures_in_a_row += 1
        self.last_error = error
        self._next_ns = now_ns + min(self._every_ns, CONFIRM_NS << min(self.failures_in_a_row, 6))

    def _is_stale(self, read: Read, local: Local) -> bool:
        """Return whether the answer is older than what the stream has told us already."""
        if read.position_ns and read.position_ns // NS_PER_MS < local.position_ns // NS_PER_MS:
            return True
        for order in read.orders:
            known = local.orders.get(order.client_order_id)
            if known is None or not order.updated_ns:
                continue
            # Reads tell whole milliseconds.
            theirs, ours = order.updated_ns // NS_PER_MS, known.updated_ns // NS_PER_MS
            if theirs < ours or order.filled_lots < known.filled_lots or (known.is_over and theirs <= ours):
                return True
        return False

    def _compare(self, read: Read, asked: Local, local: Local, now_ns: int) -> list[Finding]:
        found = []
        listed = {order.client_order_id: order for order in read.orders}
        for client_id, order in asked.orders.items():
            if not order.rests or local.orders.get(client_id) != order or now_ns - order.sent_ns < self._grace_ns:
                continue
            theirs = listed.get(client_id)
            if theirs is None:
                found.append(Finding(What.MISSING_ORDER, client_id, 0, "not among the open orders"))
            elif theirs.filled_lots > order.filled_lots:
                evidence = f"{theirs.filled_lots} lots filled there, {order.filled_lots} told here"
                found.append(Finding(What.MISSING_FILLS, client_id, theirs.filled_lots, evidence))
        for client_id, theirs in listed.items():
            known = local.orders.get(client_id)
            if theirs.is_ours and known is None:
                found.append(Finding(What.STRANGE_ORDER, client_id, 0, "open there with our tag, not known here"))
            elif known is not None and known.is_over and asked.orders.get(client_id) == known:
                found.append(Finding(What.REVIVED_ORDER, client_id, 0, "open there, over here"))
        found.extend(
            Finding(What.FOREIGN_GONE, client_id, 0, "no longer among the open orders")
            for client_id in asked.foreign & local.foreign
            if client_id not in listed
        )
        if asked.bookings == local.bookings and self._differs(read.position_lots, local.position_lots):
            evidence = f"{read.position_lots} lots there, {local.position_lots} by our fills"
            # Reads tell whole milliseconds.
            may_be_under_way = read.position_ns // NS_PER_MS > local.booked_until_ns // NS_PER_MS
            found.append(Finding(What.POSITION, "", read.position_lots, evidence, may_be_under_way))
        return found

    def _differs(self, theirs: int, ours: int) -> bool:
        lots, ppm = self._tolerance
        return abs(theirs - ours) > max(lots, abs(ours) * ppm // 1_000_000)
