"""Reconciliation against a naive world: a venue, a stream that is late or loses words, reads that lag or fail.

The naive model is the venue itself. Whatever the schedule: what a read corrects is really otherwise at the venue, what
agrees is never touched, and what stays wrong is found.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from opensqt.engine.config import ReconcileConfig
from opensqt.engine.reconcile import Finding, Local, LocalOrder, Read, Reconciler, VenueOrder, What

S = 1_000_000_000
GRACE_S = 3
IDS = st.integers(0, 5).map(lambda number: f"o{number}")


class ReconcileMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.now_ns = 1_000 * S
        self.venue: dict[str, tuple[int, int]] = {}  # open orders: filled lots, updated
        self.known: dict[str, LocalOrder] = {}
        self.used: set[str] = set()
        self.stream: list[tuple[str, LocalOrder]] = []
        self.lots = self.our_lots = 0
        self.bookings = 0
        self.made = Reconciler(ReconcileConfig(interval_s=5, grace_ms=GRACE_S * 1_000))
        self.answer: Read | None = None
        self.truth_at_reads: list[tuple[dict[str, tuple[int, int]], int]] = []

    # ---- the world

    def _pass(self, seconds: int = 1) -> None:
        self.now_ns += seconds * S

    @rule(name=IDS)
    def place(self, name: str) -> None:
        name = f"{name}-{len(self.used)}"
        self.used.add(name)
        self._pass()
        self.venue[name] = (0, self.now_ns)
        self.known[name] = LocalOrder(True, False, 0, self.now_ns, self.now_ns)

    @rule(index=st.integers(0, 50), told=st.booleans())
    def venue_cancels(self, index: int, told: bool) -> None:
        if self.venue:
            self._pass()
            name = sorted(self.venue)[index % len(self.venue)]
            filled, _updated = self.venue.pop(name)
            if told:
                self.stream.append((name, LocalOrder(False, True, filled, self.now_ns, 0)))

    @rule(index=st.integers(0, 50), told=st.booleans())
    def venue_fills(self, index: int, told: bool) -> None:
        if self.venue:
            self._pass()
            name = sorted(self.venue)[index % len(self.venue)]
            filled = self.venue[name][0] + 1
            self.venue[name] = (filled, self.now_ns)
            self.lots += 1
            if told:
                self.stream.append((name, LocalOrder(True, False, filled, self.now_ns, 0)))

    @rule()
    def hear(self) -> None:
        if self.stream:
            name, news = self.stream.pop(0)
            known = self.known.get(name)
            if known is not None and not known.is_over:
                grown = max(0, news.filled_lots - known.filled_lots)
                self.our_lots += grown
                self.bookings += grown
                filled = max(news.filled_lots, known.filled_lots)
                self.known[name] = news._replace(sent_ns=known.sent_ns, filled_lots=filled)

    # ---- the reads

    def _local(self) -> Local:
        return Local(orders=dict(self.known), position_lots=self.our_lots, bookings=self.bookings)

    def _look(self) -> Read:
        orders = tuple(
            VenueOrder(client_order_id=name, is_ours=True, filled_lots=filled, updated_ns=updated)
            for name, (filled, updated) in self.venue.items()
        )
        return Read(orders=orders, position_lots=self.lots)

    @rule(fails=st.booleans())
    def ask(self, fails: bool) -> None:
        if self.answer is None and self.made.is_due(self.now_ns) and self.made.ask(self._local(), self.now_ns):
            self.answer = Read(error="503") if fails else self._look()
            if not fails:
                self.truth_at_reads.append((dict(self.venue), self.lots))
        self._pass()

    @rule()
    def be_answered(self) -> None:
        if self.answer is None:
            return
        read, self.answer = self.answer, None
        suspects = self.made.suspects
        for finding in self.made.judge(read, self._local(), self.now_ns):
            self._must_be_true(finding)
            self._correct(finding)
        if read.error:
            assert self.made.suspects == suspects, "an error neither finds nor forgets"

    def _must_be_true(self, finding: Finding) -> None:
        """Two reads said so: both times the venue really was like that."""
        assert len(self.truth_at_reads) >= 2
        for venue, lots in self.truth_at_reads[-2:]:
            name = finding.client_order_id
            if finding.what is What.MISSING_ORDER:
                assert name not in venue
            elif finding.what is What.MISSING_FILLS:
                assert venue[name][0] >= finding.value
            elif finding.what is What.POSITION:
                assert lots == finding.value
            else:
                assert name in venue

    def _correct(self, finding: Finding) -> None:
        name = finding.client_order_id
        if finding.what is What.POSITION:
            self.our_lots = finding.value
        elif finding.what is What.MISSING_ORDER:
            self.known[name] = self.known[name]._replace(rests=False, is_over=True, updated_ns=self.now_ns)
        elif finding.what is What.MISSING_FILLS:
            grown = finding.value - self.known[name].filled_lots
            self.our_lots += grown
            self.bookings += grown
            self.known[name] = self.known[name]._replace(filled_lots=finding.value)
        else:
            raise AssertionError(f"{finding}: an order we placed and never gave up is always known")

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        if hasattr(self, "made"):
            assert self.made.suspects <= len(self.known) + len(self.venue) + 1

    def teardown(self) -> None:
        """Let the world rest: whatever is still wrong is found within a few reads, and then nothing more is."""
        if not hasattr(self, "made"):
            return
        while self.stream:
            self.hear()
        self.be_answered()
        for _ in range(60):
            self._pass(5)
            self.ask(fails=False)
            self.be_answered()
        resting = {name: order.filled_lots for name, order in self.known.items() if order.rests}
        assert resting == {name: filled for name, (filled, _updated) in self.venue.items()}
        assert self.our_lots == self.lots
        assert self.made.suspects == 0


ReconcileMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestReconcile: Any = ReconcileMachine.TestCase
