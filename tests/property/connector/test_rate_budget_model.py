"""The rate budget against a naive model that remembers every request: the venue's windows are never exceeded."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opensqt.connector.rate_budget import Lane, RateBudget, RateWindow
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, LimitError

WINDOWS = (
    RateWindow(scope="account", name="orders_1s", interval_ms=1_000, limit=20, cancel_reserve=4),
    RateWindow(scope="account", name="orders_5s", interval_ms=5_000, limit=60, cancel_reserve=10),
    RateWindow(scope="ip", name="weight", interval_ms=2_000, limit=50, cancel_reserve=8, orders_only=False),
)
lanes = st.sampled_from(list(Lane))


class RateBudgetMachine(RuleBasedStateMachine):
    """Counts, per window and venue interval, what was let through."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = RateBudget(WINDOWS)
        self.now_ns = 10**9
        self.offset_ns = 0
        self.passed: list[tuple[int, Lane]] = []
        self.told: dict[tuple[str, int], int] = {}
        self.banned_until_ns = self.paused_until_ns = 0

    def _interval(self, window: RateWindow, at_ns: int) -> int:
        return (at_ns + self.offset_ns) // (window.interval_ms * NS_PER_MS)

    def _used(self, window: RateWindow) -> int:
        here = self._interval(window, self.now_ns)
        ours = sum(
            self._interval(window, at_ns) == here and (lane is not Lane.QUERY or not window.orders_only)
            for at_ns, lane in self.passed
        )
        # The venue's own count, when it was higher, stands for all that was before it.
        return ours + self.told.get((window.name, here), 0)

    @rule(ms=st.integers(0, 1_500))
    def time_passes(self, ms: int) -> None:
        self.now_ns += ms * NS_PER_MS

    @rule(lane=lanes)
    def take(self, lane: Lane) -> None:
        room = {
            window.name: window.limit - (0 if lane is Lane.CANCEL else window.cancel_reserve) - self._used(window)
            for window in WINDOWS
            if lane is not Lane.QUERY or not window.orders_only
        }
        try:
            self.budget.take(lane, self.now_ns)
        except LimitError as error:
            is_banned = self.now_ns < self.banned_until_ns
            is_paused = self.now_ns < self.paused_until_ns and lane is not Lane.CANCEL
            if error.reason is ErrorReason.IP_BANNED:
                assert is_banned
            else:
                waits = (error.retry_after_ms or 0) > 0
                assert waits
                # Less urgent lanes leave room on purpose; a cancel is refused only when nothing is left at all.
                assert is_paused or lane is not Lane.CANCEL or min(room.values()) <= 0
            return
        assert self.now_ns >= self.banned_until_ns
        assert self.now_ns >= self.paused_until_ns or lane is Lane.CANCEL
        assert min(room.values()) > 0, "it passed though a window had no room for its lane"
        self.passed.append((self.now_ns, lane))

    @rule(window=st.sampled_from(WINDOWS), used=st.integers(0, 60))
    def the_venue_counts(self, window: RateWindow, used: int) -> None:
        self.budget.feed(window.name, used, self.now_ns)
        key = (window.name, self._interval(window, self.now_ns))
        self.told[key] = self.told.get(key, 0) + max(0, used - self._used(window))

    @rule(ms=st.integers(1, 3_000))
    def ban(self, ms: int) -> None:
        self.budget.open_circuit(self.now_ns + ms * NS_PER_MS, "banned")
        self.banned_until_ns = max(self.banned_until_ns, self.now_ns + ms * NS_PER_MS)

    @rule(ms=st.integers(1, 3_000))
    def pause(self, ms: int) -> None:
        self.budget.open_circuit(self.now_ns + ms * NS_PER_MS, "overrun", cancels_pass=True)
        self.paused_until_ns = max(self.paused_until_ns, self.now_ns + ms * NS_PER_MS)

    @rule()
    def the_venue_names_its_limits_again(self) -> None:
        self.budget.replace_windows(WINDOWS)

    @invariant()
    def what_is_shown_is_what_was_used(self) -> None:
        shown = {use.window.name: use.used for use in self.budget.usage(self.now_ns)}
        assert shown == {window.name: self._used(window) for window in WINDOWS}

    @invariant()
    def no_window_of_the_venue_is_exceeded_by_us(self) -> None:
        for window in WINDOWS:
            here = self._interval(window, self.now_ns)
            ours = sum(self._interval(window, at_ns) == here for at_ns, lane in self.passed
                       if lane is not Lane.QUERY or not window.orders_only)  # fmt: skip
            assert ours <= window.limit


TestRateBudget = RateBudgetMachine.TestCase
TestRateBudget.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
