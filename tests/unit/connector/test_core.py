"""The connector's core without I/O: vanished engines, unknown outcomes, health, snapshots under attach."""

from decimal import Decimal

import msgspec
from models.connector_parts import BTC, GENEROUS, MARK, SYMBOL, order, request

from opensqt.connector.adapter import Capabilities, SessionStatus
from opensqt.connector.book_feed import BookReader
from opensqt.connector.certificates import CertificateWatch
from opensqt.connector.commands import Cancel, Outcome, OutcomeReport
from opensqt.connector.core import ConnectorCore
from opensqt.connector.leases import Lease, VanishPolicy
from opensqt.connector.metrics import ConnectorCollector
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.trade_session import TradeSession
from opensqt.connector.veto import VetoConfig
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, ManualClock
from opensqt.domain.convert_trade import place_to_wire
from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import Fill
from opensqt.domain.latency import Hop
from opensqt.domain.market import BookValidity
from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState
from opensqt.proto import market_data_pb2, trade_pb2, types_pb2

UP = SessionStatus(market_stream_up=True, private_stream_up=True)


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock(10**18)
        self.core = ConnectorCore(
            Capabilities(exchange="test", mode="paper"),
            self.clock,
            session_epoch=7,
            veto=VetoConfig(),
            budget=RateBudget([GENEROUS]),
            command_timeout_ms=5_000,
            subscribe=lambda _channel: None,
            unsubscribe=lambda _channel: None,
        )
        self.core.on_instrument(BTC)
        self.core.book(SYMBOL)
        self.core.on_mark(MARK)
        self.core.on_session(UP)

    def attach(
        self, engine_id: str = "e1", epoch: int = 1, policy: VanishPolicy = VanishPolicy.CANCEL,
        fills: tuple[Fill, ...] = (),
    ) -> TradeSession:  # fmt: skip
        lease = Lease(
            engine_id=engine_id,
            epoch=epoch,
            symbols=(SYMBOL,),
            bots={"ab": epoch},
            on_vanish=policy,
            grace_ns=100 * NS_PER_MS,
        )
        session = self.core.trade.open(lambda: None)
        self.core.trade.claim(session, lease)
        self.core.trade.attach(session, lease, 0, fills, (), truncated=False, venue_time_ns=1)
        return session

    def items(self, session: TradeSession) -> list[trade_pb2.TradeItem]:
        return list(trade_pb2.TradeEvent.FromString(session.take(1)).items)


def fill(trade_id: str, venue_time_ns: int) -> Fill:
    return Fill(
        symbol=SYMBOL,
        trade_id=trade_id,
        client_order_id="a1",
        exchange_order_id="1",
        side=Side.BUY,
        price_ticks=600_000,
        lots=1,
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=True,
        venue_time_ns=venue_time_ns,
    )


def test_fills_pushed_while_the_history_was_read_are_in_the_snapshot_once() -> None:
    rig = Rig()
    rig.core.on_fill(fill("2", 20))
    rig.core.on_fill(fill("3", 30))
    session = rig.attach(fills=(fill("1", 10), fill("2", 20)))
    rig.core.on_fill(fill("4", 40))
    snapshot, *after = rig.items(session)
    assert [f.trade_id for f in snapshot.snapshot.fills] == ["1", "2", "3"]
    assert [item.fill.trade_id for item in after] == ["4"]


def test_orders_on_their_way_are_in_the_snapshot_as_pending() -> None:
    rig = Rig()
    rig.core.gateway.place(request("a1"), lambda _report: None, 0)
    rig.core.on_order(order("a2"))
    (item,) = rig.items(rig.attach())
    states = {o.client_order_id: o.state for o in item.snapshot.open_orders}
    assert states == {"a1": types_pb2.ORDER_STATE_PENDING_NEW, "a2": types_pb2.ORDER_STATE_LIVE}


def test_vanished_engines_orders_are_cancelled_until_none_is_left() -> None:
    rig = Rig()
    rig.core.on_order(order("oqabZZZ1"))
    rig.core.on_order(order("manual"))
    session = rig.attach()
    rig.core.trade.close(session, rig.clock.monotonic_ns(), orderly=False)
    assert rig.core.trade.vanished(rig.clock.monotonic_ns()) == []
    rig.clock.advance(100 * NS_PER_MS)
    (command,) = rig.core.trade.vanished(rig.clock.monotonic_ns())
    assert isinstance(command, Cancel)
    assert command.client_order_id == "oqabZZZ1"
    rig.clock.advance(2 * NS_PER_S)
    assert rig.core.trade.vanished(rig.clock.monotonic_ns()) == [], "its answer is awaited"
    lost = OutcomeReport(token=command.token, outcome=Outcome.REJECTED, reason=ErrorReason.RATE_LIMITED)
    rig.core.on_outcome(lost)
    (again,) = rig.core.trade.vanished(rig.clock.monotonic_ns())
    rig.core.on_order(order("oqabZZZ1", OrderState.CANCELED, updated_time_ns=9))
    rig.core.on_outcome(OutcomeReport(token=again.token, outcome=Outcome.CONFIRMED))
    rig.clock.advance(2 * NS_PER_S)
    assert rig.core.trade.vanished(rig.clock.monotonic_ns()) == []
    assert rig.core.leases.leases() == [], "done is done"


def test_engine_that_returns_while_its_orders_are_being_cancelled_is_left_alone() -> None:
    rig = Rig()
    rig.core.on_order(order("oqabZZZ1"))
    rig.core.trade.close(rig.attach(), 0, orderly=False)
    rig.clock.advance(NS_PER_S)
    assert len(rig.core.trade.vanished(rig.clock.monotonic_ns())) == 1
    rig.attach()
    rig.clock.advance(5 * NS_PER_S)
    assert rig.core.trade.vanished(rig.clock.monotonic_ns()) == []


def test_attach_of_a_newer_run_ends_a_stream_that_has_no_snapshot_yet() -> None:
    rig = Rig()
    lease = Lease(engine_id="e1", epoch=1, symbols=(SYMBOL,), bots={"ab": 1}, on_vanish=VanishPolicy.KEEP, grace_ns=0)
    early = rig.core.trade.open(lambda: None)
    rig.core.trade.claim(early, lease)
    rig.attach(epoch=2)
    assert early.is_ended


def test_broken_session_tells_engines_and_makes_what_is_on_its_way_unknown() -> None:
    rig = Rig()
    session = rig.attach()
    rig.items(session)
    reports: list[OutcomeReport] = []
    rig.core.gateway.place(request("a1"), reports.append, 0)
    down = SessionStatus(market_stream_up=True, private_stream_up=False, reason="reset by peer")
    rig.core.on_session(down)
    assert reports[0].outcome is Outcome.UNKNOWN
    (item,) = rig.items(session)
    assert (item.feed.symbol, item.feed.private_stream_up, item.feed.reason) == ("", False, "reset by peer")
    assert not rig.core.is_serving


def test_order_the_venue_denies_is_told_as_rejected_for_want_of_evidence() -> None:
    rig = Rig()
    session = rig.attach()
    rig.items(session)
    rig.core.gateway.place(request("a1"), lambda _report: None, rig.clock.monotonic_ns())
    rig.clock.advance(6 * NS_PER_S)
    rig.core.tick(5_000)
    for _ in range(2):
        rig.clock.advance(11 * NS_PER_S)
        (asked,) = rig.core.gateway.unsettled.due(rig.clock.monotonic_ns())
        rig.core.deny(asked)
    orders = [item.order for item in rig.items(session) if item.HasField("order")]
    assert [(o.client_order_id, o.state) for o in orders] == [("a1", types_pb2.ORDER_STATE_REJECTED)]


def test_serving_needs_sessions_and_one_valid_book() -> None:
    rig = Rig()
    assert not rig.core.is_serving
    feed = rig.core.feeds[SYMBOL]
    feed.book.set_level(True, 10, 1)
    feed.book.set_level(False, 11, 1)
    feed.updated(1, 1, 1, 1)
    feed.set_validity(BookValidity.VALID)
    assert rig.core.is_serving
    rig.clock.advance(6 * NS_PER_S)
    rig.core.tick(5_000)
    assert not rig.core.is_serving


def test_new_revision_reaches_engines_and_refuses_commands_of_the_old_one() -> None:
    import msgspec

    rig = Rig()
    session = rig.attach()
    rig.items(session)
    rig.core.on_instrument(msgspec.structs.replace(BTC, revision=2, tick_size=Decimal("0.5")))
    (item,) = rig.items(session)
    assert item.instrument.revision == 2
    place = trade_pb2.PlaceCommand(
        symbol=SYMBOL, instrument_revision=1, side=types_pb2.ORDER_SIDE_BUY, type=types_pb2.ORDER_TYPE_LIMIT,
        time_in_force=types_pb2.TIME_IN_FORCE_GTX, price_ticks=100_000, lots=10, client_order_id="a1",
    )  # fmt: skip
    batch = trade_pb2.CommandBatch(commands=[trade_pb2.Command(command_id=1, place=place)])
    commands, queries = rig.core.trade.handle(session, batch, 0)
    assert (commands, queries) == ([], [])
    (refusal,) = rig.items(session)
    assert "revision 1" in refusal.result.message


def test_metrics_show_books_orders_streams_and_limits() -> None:
    rig = Rig()
    rig.attach()
    rig.core.on_order(order("a1"))
    rig.core.gateway.place(request("a2"), lambda _report: None, 0)
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in ConnectorCollector(rig.core, CertificateWatch((), ManualClock())).collect()
        for sample in metric.samples
    }
    assert found["opensqt_book_valid", SYMBOL] == 0
    assert found["opensqt_open_orders", SYMBOL] == 1
    assert found[("opensqt_commands_in_flight",)] == 1
    assert found[("opensqt_trade_streams",)] == 1
    assert found["opensqt_rate_used", "account", "orders_1s"] == 1


def test_the_way_of_a_command_is_measured_from_its_answer() -> None:
    rig = Rig()
    session = rig.attach()
    session.take(1)
    now = rig.clock.now_ns()
    batch = trade_pb2.CommandBatch(trigger_receive_ns=now - 90_000, decided_ns=now - 40_000)
    batch.commands.add(command_id=5).place.CopyFrom(place_to_wire(request("a1")))
    (command,), _queries = rig.core.trade.handle(session, batch, rig.clock.monotonic_ns())
    report = OutcomeReport(
        token=command.token, outcome=Outcome.CONFIRMED, sent_ns=now + 20_000, acknowledged_ns=now + 320_000
    )
    rig.core.on_outcome(report)
    (item,) = rig.items(session)
    assert (item.result.received_ns, item.result.sent_ns) == (now, now + 20_000)
    measured = {one.hop: one.max_ns // 1_000 for one in rig.core.latency.summaries()}
    assert measured == {Hop.SUBMIT: 40, Hop.SEND: 20, Hop.ACKNOWLEDGE: 300, Hop.TICK_TO_ORDER: 110}


def test_data_is_measured_into_the_book_and_out_of_it() -> None:
    rig = Rig()
    feed = rig.core.feeds[SYMBOL]
    reader = BookReader([feed], 5, b"", lambda: None)
    now = rig.clock.now_ns()
    feed.book.set_level(True, 10, 1)
    rig.clock.advance(3_000)
    feed.updated(1, 1, now - 2_000_000, now)
    rig.clock.advance(8_000)
    (update,) = market_data_pb2.BookUpdates.FromString(reader.take()).updates
    assert update.decode_time_ns == now + 3_000
    measured = {one.hop: one.max_ns // 1_000 for one in rig.core.latency.summaries()}
    assert measured == {Hop.VENUE: 2_000, Hop.DECODE: 3, Hop.PUBLISH: 8}


def test_market_stream_that_goes_down_is_told_per_symbol_while_the_book_stays_valid() -> None:
    rig = Rig()
    rig.core.feeds[SYMBOL].set_validity(BookValidity.VALID)
    session = rig.attach()
    rig.items(session)
    rig.core.on_session(SessionStatus(market_stream_up=False, private_stream_up=True, reason="no trades"))
    feeds = [item.feed for item in rig.items(session) if item.HasField("feed")]
    assert [(feed.symbol, feed.market_stream_up, feed.reason) for feed in feeds] == [
        ("", False, "no trades"),
        (SYMBOL, False, "no trades"),
    ]


def test_fill_with_a_known_id_and_other_data_is_told_and_not_kept() -> None:
    rig = Rig()
    session = rig.attach()
    rig.items(session)
    rig.core.on_fill(fill("1", 10))
    rig.core.on_fill(fill("1", 10))
    rig.core.on_fill(msgspec.structs.replace(fill("1", 10), lots=7))
    assert [item.fill.lots for item in rig.items(session)] == [1, 7]
    (first, *_others) = rig.items(rig.attach("e2", 2))
    assert [f.lots for f in first.snapshot.fills] == [1]
