"""Trade streams and their leases against a naive model: one live stream per bot, sequences without holes, orders of
vanished engines cancelled after their grace and of nobody else."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from models.connector_parts import SYMBOL, Gate, order

from opensqt.connector.adapter import Capabilities
from opensqt.connector.book_feed import BookFeed
from opensqt.connector.commands import Cancel, Outcome, OutcomeReport
from opensqt.connector.leases import Lease, LeaseBook, VanishPolicy
from opensqt.connector.trade_hub import TradeHub
from opensqt.connector.trade_session import TradeSession
from opensqt.connector.trade_snapshot import SnapshotBuilder
from opensqt.domain.client_id import ClientOrderId
from opensqt.domain.errors import ErrorReason, OpensqtError, StateError
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.domain.market import FeedHealth
from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState
from opensqt.proto import trade_pb2

ENGINES = ("e1", "e2")
TAGS = ("aa", "bb")
GRACE_NS = 1_000


def _health(feed: BookFeed) -> FeedHealth:
    return FeedHealth(symbol=feed.symbol, book=feed.validity)


class TradeMachine(RuleBasedStateMachine):
    """The model: who holds which bot, and when whose grace ends."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        self.gate = Gate()
        self.leases = LeaseBook()
        can = Capabilities(exchange="test", mode="paper")
        self.hub = TradeHub(
            self.gate.mirror, self.gate.gateway, self.leases,
            SnapshotBuilder(self.gate.mirror, self.gate.gateway, {}, can, _health), session_epoch=7,
            now_ns=lambda: self.now_ns, latency=LatencyBoard(list(Hop), lambda: self.now_ns),
        )  # fmt: skip
        self.live: dict[TradeSession, Lease] = {}
        self.read: dict[TradeSession, int] = {}
        self.newest: dict[str, int] = {}
        self.gone: dict[str, tuple[Lease, int]] = {}
        self.number = 0

    @rule(engine=st.sampled_from(ENGINES), tag=st.sampled_from(TAGS), epoch=st.integers(1, 6),
          policy=st.sampled_from(list(VanishPolicy)))  # fmt: skip
    def attach(self, engine: str, tag: str, epoch: int, policy: VanishPolicy) -> None:
        lease = Lease(engine_id=engine, epoch=epoch, symbols=(SYMBOL,), bots={tag: epoch}, on_vanish=policy,
                      grace_ns=GRACE_NS)  # fmt: skip
        session = self.hub.open(lambda: None)
        try:
            self.hub.claim(session, lease)
        except StateError as error:
            self._assert(error.reason is ErrorReason.FENCED, error.message)
            held = [other for other in self.live.values() if other.engine_id == engine or tag in other.bots]
            held += [other for other, _ in self.gone.values() if other.engine_id == engine]
            assert epoch < self.newest.get(tag, 0) or any(epoch <= max(o.epoch, *o.bots.values()) for o in held)
            return
        assert epoch >= self.newest.get(tag, 0), "an earlier run was let in"
        self.newest[tag] = epoch
        for other, theirs in list(self.live.items()):
            if theirs.engine_id == engine or tag in theirs.bots:
                assert other.is_ended, "two live streams hold one bot"
                del self.live[other]
        self.gone = {n: g for n, g in self.gone.items() if n != engine and tag not in g[0].bots}
        session.begin(frozenset({SYMBOL}), trade_pb2.TradeEvent(items=[trade_pb2.TradeItem()]).SerializeToString())
        self.live[session], self.read[session] = lease, 0

    @staticmethod
    def _assert(holds: bool, words: str) -> None:
        assert holds, words

    @precondition(lambda self: self.live)
    @rule(data=st.data(), orderly=st.booleans())
    def leave(self, data: st.DataObject, orderly: bool) -> None:
        session = data.draw(st.sampled_from(list(self.live)))
        lease = self.live.pop(session)
        self.hub.close(session, self.now_ns, orderly=orderly)
        if not orderly:
            self.gone[lease.engine_id] = (lease, self.now_ns)

    @rule(tag=st.sampled_from(TAGS), side=st.sampled_from(list(Side)), reduce_only=st.booleans())
    def an_order_rests(self, tag: str, side: Side, reduce_only: bool) -> None:
        self.number += 1
        name = str(ClientOrderId(tag, 1, 0, side, self.number))
        self.gate.push(order(name, side=side, reduce_only=reduce_only))

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        frame = trade_pb2.TradeEvent(items=[trade_pb2.TradeItem()]).SerializeToString()
        self.hub.publish(SYMBOL, lambda: frame)
        if self.live and data.draw(st.booleans()):
            self._read(data.draw(st.sampled_from(list(self.live))))

    def _read(self, session: TradeSession) -> None:
        taken = session.take(self.now_ns)
        if taken:
            event = trade_pb2.TradeEvent.FromString(taken)
            assert event.first_sequence == self.read[session] + 1, "a hole in the sequence"
            assert event.session_epoch == 7
            self.read[session] += len(event.items)

    @rule(ns=st.integers(0, 2 * GRACE_NS))
    def time_passes(self, ns: int) -> None:
        self.now_ns += ns + 2 * 10**9 * (ns % 2)
        due = {name: lease for name, (lease, since) in self.gone.items() if self.now_ns - since >= lease.grace_ns}
        commands = self.hub.vanished(self.now_ns)
        for command in commands:
            assert isinstance(command, Cancel)
            resting = self.gate.mirror.order(command.client_order_id)
            assert resting is not None
            tag = command.client_order_id[2:4]
            mine = [lease for lease in due.values() if tag in lease.bots]
            assert mine, "an order of an engine that is here, or within its grace, was cancelled"
            assert any(lease.on_vanish is not VanishPolicy.KEEP for lease in mine)
            assert any(lease.on_vanish is VanishPolicy.CANCEL or not resting.reduce_only for lease in mine)
            self.gate.push(order(command.client_order_id, OrderState.CANCELED, side=resting.side,
                                 reduce_only=resting.reduce_only, updated_time_ns=9))  # fmt: skip
            self.gate.gateway.on_outcome(OutcomeReport(token=command.token, outcome=Outcome.CONFIRMED), self.now_ns)

    @rule(tag=st.sampled_from(TAGS), epoch=st.integers(1, 6))
    def an_order_of_some_run_is_checked(self, tag: str, epoch: int) -> None:
        name = str(ClientOrderId(tag, epoch, 0, Side.BUY, 1))
        try:
            self.leases.check_id(name)
        except OpensqtError:
            assert epoch < self.newest.get(tag, 0)
        else:
            assert epoch >= self.newest.get(tag, 0)

    @rule()
    def the_connector_restarts(self) -> None:
        leases, epochs = self.leases.leases(), self.leases.bot_epochs()
        assert epochs == self.newest
        assert {lease.engine_id for lease in leases} >= {lease.engine_id for lease in self.live.values()}

    @invariant()
    def every_bot_has_at_most_one_live_stream(self) -> None:
        tags = [tag for lease in self.live.values() for tag in lease.bots]
        assert len(tags) == len(set(tags))
        assert len(self.hub) == len(self.live)


TestTrade = TradeMachine.TestCase
TestTrade.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
