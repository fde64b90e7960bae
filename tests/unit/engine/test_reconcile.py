"""Reads of the venue against our books: nothing is believed too early, and nothing that is wrong is left."""

from opensqt.engine.config import ReconcileConfig
from opensqt.engine.reconcile import (
    ANSWER_PATIENCE_NS,
    CONFIRM_NS,
    Finding,
    Local,
    LocalOrder,
    Read,
    Reconciler,
    VenueOrder,
    What,
)

S = 1_000_000_000
RESTING = LocalOrder(rests=True, is_over=False, filled_lots=0, updated_ns=5 * S, sent_ns=0)
OVER = LocalOrder(rests=False, is_over=True, filled_lots=0, updated_ns=5 * S, sent_ns=0)
LISTED = VenueOrder(client_order_id="a", is_ours=True, updated_ns=5 * S)
HERE = Local(orders={"a": RESTING})


class Bench:
    def __init__(self, **config: int) -> None:
        self.made = Reconciler(ReconcileConfig(**config))
        self.now_ns = 100 * S

    def read(self, read: Read, local: Local = HERE, *, then: Local | None = None) -> list[Finding]:
        """Ask when it is due, and be answered 100 ms later."""
        for _ in range(10_000):
            if self.made.is_due(self.now_ns) and self.made.ask(local, self.now_ns):
                break
            self.now_ns += S // 5
        self.now_ns += S // 10
        return self.made.judge(read, local if then is None else then, self.now_ns)

    def twice(self, read: Read, local: Local = HERE) -> list[Finding]:
        assert self.read(read, local) == []
        return self.read(read, local)


def whats(findings: list[Finding]) -> list[What]:
    return [finding.what for finding in findings]


def test_agreement_finds_nothing_and_reads_again_after_the_interval() -> None:
    bench = Bench(interval_s=60)
    assert bench.twice(Read(orders=(LISTED,))) == []
    assert not bench.made.is_due(bench.now_ns + 59 * S)
    assert bench.made.is_due(bench.now_ns + 60 * S)
    assert bench.made.reads == 2


def test_an_order_that_is_not_listed_is_doubted_after_the_second_read_only() -> None:
    bench = Bench(interval_s=60)
    assert bench.read(Read()) == []
    assert bench.made.suspects == 1
    begun = bench.now_ns
    assert whats(bench.read(Read())) == [What.MISSING_ORDER]
    assert bench.now_ns - begun <= CONFIRM_NS + S // 2, "the second read is made soon"
    assert bench.made.corrected == 1


def test_reads_that_disagree_correct_nothing() -> None:
    bench = Bench()
    assert bench.read(Read()) == []
    assert bench.read(Read(orders=(LISTED,))) == []
    assert bench.read(Read()) == []


def test_an_error_is_never_an_empty_list() -> None:
    bench = Bench()
    for _ in range(5):
        assert bench.read(Read(error="UNAVAILABLE: timeout")) == []
    assert bench.made.failures_in_a_row == 5
    assert bench.made.last_error == "UNAVAILABLE: timeout"
    assert bench.made.suspects == 0
    bench.read(Read(orders=(LISTED,)))
    assert (bench.made.failures_in_a_row, bench.made.failures, bench.made.last_error) == (0, 5, "")


def test_an_error_between_two_reads_neither_counts_nor_forgets() -> None:
    bench = Bench()
    bench.read(Read())
    bench.read(Read(error="no"))
    assert whats(bench.read(Read())) == [What.MISSING_ORDER]


def test_young_orders_have_a_grace() -> None:
    bench = Bench(grace_ms=3_000)
    young = Local(orders={"a": RESTING._replace(sent_ns=bench.now_ns)})
    assert bench.read(Read(), young) == []
    assert bench.made.suspects == 0


def test_an_order_that_changed_while_the_venue_was_asked_is_not_judged() -> None:
    bench = Bench()
    moved = Local(orders={"a": RESTING._replace(updated_ns=6 * S)})
    for _ in range(3):
        assert bench.read(Read(), HERE, then=moved) == []
    assert bench.read(Read(), HERE, then=Local(orders={"a": OVER})) == []
    assert bench.read(Read(), Local(orders={}), then=HERE) == [], "an order that was sent meanwhile"


def test_a_read_older_than_the_stream_in_one_thing_is_believed_in_none() -> None:
    bench = Bench()
    both = Local(orders={"a": RESTING, "b": RESTING._replace(updated_ns=9 * S)})
    older = Read(orders=(VenueOrder(client_order_id="b", is_ours=True, updated_ns=8 * S),))
    for _ in range(3):
        assert bench.read(older, both) == [], "`a` may only be missing because the replica lags"
    assert bench.made.stale_reads == 3
    assert bench.made.suspects == 0
    less = Read(orders=(VenueOrder(client_order_id="b", is_ours=True, updated_ns=9 * S),))
    ahead = Local(orders={"a": RESTING, "b": RESTING._replace(updated_ns=9 * S, filled_lots=3)})
    assert bench.read(less, ahead) == []
    over = Local(orders={"b": OVER})
    assert bench.read(Read(orders=(VenueOrder(client_order_id="b", is_ours=True, updated_ns=5 * S),)), over) == []
    position = Local(orders={}, position_ns=9 * S, position_lots=3)
    assert bench.read(Read(position_lots=1, position_ns=8 * S), position) == []
    assert bench.made.stale_reads == 6


def test_orders_with_our_tag_that_nobody_here_knows_are_found() -> None:
    found = Bench().twice(Read(orders=(LISTED,)), Local(orders={}))
    assert [(one.what, one.client_order_id) for one in found] == [(What.STRANGE_ORDER, "a")]


def test_orders_of_others_are_never_found_wrong() -> None:
    bench = Bench()
    theirs = VenueOrder(client_order_id="web_1", is_ours=False, updated_ns=5 * S)
    assert bench.twice(Read(orders=(theirs,)), Local(orders={})) == []
    assert bench.made.suspects == 0
    gone = bench.twice(Read(), Local(orders={}, foreign=frozenset({"web_1"})))
    assert whats(gone) == [What.FOREIGN_GONE]


def test_fills_that_were_not_told_are_found() -> None:
    listed = VenueOrder(client_order_id="a", is_ours=True, updated_ns=6 * S, filled_lots=4)
    (found,) = Bench().twice(Read(orders=(listed,)))
    assert (found.what, found.value) == (What.MISSING_FILLS, 4)


def test_an_order_that_ended_here_and_lives_there_with_newer_news_is_found() -> None:
    listed = VenueOrder(client_order_id="a", is_ours=True, updated_ns=6 * S)
    found = Bench().twice(Read(orders=(listed,)), Local(orders={"a": OVER}))
    assert whats(found) == [What.REVIVED_ORDER]


def test_a_position_must_differ_twice_by_the_same_figure_with_nothing_booked_between() -> None:
    bench = Bench()
    nothing = Local(orders={})
    assert bench.read(Read(position_lots=5), nothing) == []
    assert bench.read(Read(position_lots=6), nothing) == []
    assert bench.read(Read(position_lots=6), nothing, then=Local(orders={}, bookings=1)) == []
    bench.read(Read(position_lots=6), nothing)
    (found,) = bench.read(Read(position_lots=6), nothing)
    assert (found.what, found.value) == (What.POSITION, 6)


def test_a_position_newer_than_what_is_booked_is_doubted_when_its_fill_had_its_time_and_did_not_come() -> None:
    bench = Bench(grace_ms=3_000)
    booked = Local(orders={}, position_lots=6, bookings=3, booked_until_ns=10 * S)
    begun = bench.now_ns
    while not (found := bench.read(Read(position_lots=8, position_ns=11 * S), booked)):
        assert bench.now_ns - begun < 10 * S
    assert whats(found) == [What.POSITION]
    assert bench.now_ns - begun >= 3 * S


def test_fills_that_are_each_on_their_way_when_a_read_is_made_are_no_difference() -> None:
    bench = Bench(grace_ms=3_000)
    for second in range(11, 21):
        booked = Local(orders={}, position_lots=6, bookings=second, booked_until_ns=second * S - 1)
        assert bench.read(Read(position_lots=8, position_ns=second * S), booked) == []


def test_a_position_may_differ_by_what_is_tolerated() -> None:
    lots = Bench(position_tolerance_lots=2)
    assert lots.twice(Read(position_lots=12), Local(orders={}, position_lots=10)) == []
    assert lots.twice(Read(position_lots=13), Local(orders={}, position_lots=10)) != []
    share = Bench(position_tolerance_ppm=10_000)
    assert share.twice(Read(position_lots=1_010), Local(orders={}, position_lots=1_000)) == []
    assert share.twice(Read(position_lots=1_011), Local(orders={}, position_lots=1_000)) != []


def test_an_answer_that_never_comes_is_a_failure_and_one_of_an_earlier_session_is_nothing() -> None:
    bench = Bench()
    assert bench.made.ask(HERE, bench.now_ns)
    assert not bench.made.ask(HERE, bench.now_ns + ANSWER_PATIENCE_NS - 1)
    bench.made.ask(HERE, bench.now_ns + ANSWER_PATIENCE_NS)
    assert bench.made.failures == 1
    bench.made.begin(bench.now_ns)
    assert bench.made.judge(Read(), HERE, bench.now_ns) == []
    assert bench.made.reads == 0


def test_an_anomaly_brings_the_next_read_forward() -> None:
    bench = Bench(interval_s=60)
    bench.read(Read(orders=(LISTED,)))
    bench.made.soon(bench.now_ns)
    assert not bench.made.is_due(bench.now_ns)
    assert bench.made.is_due(bench.now_ns + CONFIRM_NS)
