"""A live feed under the paper venue: what may price is matched, what may not is a lost book, and nothing piles up."""

from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from models.connector_parts import BTC, MARK, SYMBOL

from opensqt.connector.adapter import Capabilities, SessionStatus
from opensqt.connector.venues.paper import live_market
from opensqt.connector.venues.paper.live_market import LiveMarket
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, ManualClock
from opensqt.domain.instrument import InstrumentStatus
from opensqt.domain.market import BookValidity, PublicTrade
from opensqt.domain.order import OrderRequest, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.matching.config import ZERO_LATENCY, VenueConfig
from opensqt.matching.events import BookDelta, BookLost, BookSnapshot, FillHappened, MarketEvent, TradePrint, VenueEvent
from opensqt.matching.venue import SimulatedVenue

T0 = 1_700_000_000 * NS_PER_S
UP = SessionStatus(market_stream_up=True, private_stream_up=False)
DOWN = SessionStatus(market_stream_up=False, private_stream_up=False, reason="reset by peer")


class Feed:
    """A public half that does what the test says."""

    capabilities = Capabilities(exchange="real", mode="live")
    rate_windows = ()
    instruments = {SYMBOL: BTC}  # noqa: RUF012  nobody changes it

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    async def start(self, _sink: Any) -> None:
        return

    def venue_time_ns(self) -> int:
        return T0 + self._clock.monotonic_ns()


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock(10**18)
        self.trades: list[PublicTrade] = []
        self.sessions: list[SessionStatus] = []
        self.instruments: list[Any] = []
        sink = SimpleNamespace(
            on_trade=self.trades.append, on_session=self.sessions.append, on_instrument=self.instruments.append,
            on_candle=lambda _candle: None,
        )  # fmt: skip
        self.market = LiveMarket(Feed(self.clock), self.clock, 5_000)  # type: ignore[arg-type]
        self.market._sink = sink  # type: ignore[assignment]
        self.market._instruments = {SYMBOL: BTC}
        self.book = self.market.book(SYMBOL)
        self._id = 0

    def up(self) -> None:
        self.market.on_session(UP)

    def level(self, is_bid: bool, ticks: int, lots: int) -> None:
        self.book.book.set_level(is_bid, ticks, lots)
        self._id += 1
        self.book.updated(self._id, self._id, 0, 0)

    def valid(self) -> None:
        self.book.book.set_level(True, 600_000, 5)
        self.level(False, 600_010, 5)
        self.book.set_validity(BookValidity.VALID)

    def trade(self, ticks: int, lots: int = 100, trade_id: str = "1") -> None:
        self.market.on_trade(
            PublicTrade(
                symbol=SYMBOL, trade_id=trade_id, aggressor=Side.SELL, price_ticks=ticks, lots=lots,
                venue_time_ns=T0, receive_time_ns=T0,
            )
        )  # fmt: skip

    def play(self) -> list[MarketEvent]:
        """Play turns until nothing is left; a turn may be short."""
        events: list[MarketEvent] = []
        self.market.play(events.append, 0)
        while self.market.is_behind:
            self.market.play(events.append, 0)
        return events


@pytest.fixture
def rig() -> Rig:
    return Rig()


def kinds(events: list[MarketEvent]) -> list[type]:
    return [type(event) for event in events]


def test_matching_begins_with_a_snapshot_when_book_and_streams_are_good(rig: Rig) -> None:
    rig.valid()
    assert BookSnapshot not in kinds(rig.play())
    rig.up()
    (snapshot,) = rig.play()
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.last_id == 1
    rig.level(True, 599_990, 7)
    (delta,) = rig.play()
    assert isinstance(delta, BookDelta)
    assert (delta.first_id, delta.last_id) == (2, 2)


def test_a_turn_on_a_machine_that_stops_all_the_time_still_plays_something(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.valid()
    rig.up()
    rig.level(True, 599_990, 7)
    seconds = count()
    monkeypatch.setattr(live_market.time, "monotonic", lambda: next(seconds))
    turns: list[list[MarketEvent]] = [[], []]
    for turn in turns:
        rig.market.play(turn.append, 0)
    assert [len(turn) for turn in turns] == [1, 1]


def test_lost_book_is_told_once_with_its_reason_and_begins_again_with_a_snapshot(rig: Rig) -> None:
    rig.up()
    rig.valid()
    rig.play()
    rig.book.set_validity(BookValidity.SYNCING, "updates 3 to 4 are missing")
    rig.book.set_validity(BookValidity.SYNCING, "updates 3 to 4 are missing")
    (lost,) = rig.play()
    assert isinstance(lost, BookLost)
    assert (lost.validity, lost.reason) == (BookValidity.SYNCING, "updates 3 to 4 are missing")
    rig.level(True, 599_980, 1)
    assert rig.play() == []
    rig.book.set_validity(BookValidity.VALID)
    assert kinds(rig.play()) == [BookSnapshot]


def test_crossed_book_stops_the_matching_at_once(rig: Rig) -> None:
    rig.up()
    rig.valid()
    rig.play()
    rig.level(True, 600_020, 1)
    (lost,) = rig.play()
    assert isinstance(lost, BookLost)
    assert lost.validity is BookValidity.STALE


def test_silent_feed_stops_the_matching_and_its_next_word_resumes_it(rig: Rig) -> None:
    rig.up()
    rig.valid()
    rig.play()
    rig.clock.advance(5_001 * NS_PER_MS)
    (lost,) = rig.play()
    assert isinstance(lost, BookLost)
    assert lost.validity is BookValidity.STALE
    assert list(rig.market.alive()) == [SYMBOL]
    assert list(rig.market.alive()) == []
    rig.level(True, 599_990, 7)
    assert kinds(rig.play()) == [BookSnapshot]


def test_market_streams_that_are_down_stop_the_matching_while_the_account_stands(rig: Rig) -> None:
    rig.up()
    rig.valid()
    rig.play()
    rig.market.on_session(DOWN)
    (lost,) = rig.play()
    assert isinstance(lost, BookLost)
    assert "reset by peer" in lost.reason
    assert rig.sessions[-1] == SessionStatus(market_stream_up=False, private_stream_up=True, reason="reset by peer")
    rig.up()
    assert kinds(rig.play()) == [BookSnapshot]


def test_trades_are_published_but_fill_nothing_while_the_book_may_not_price(rig: Rig) -> None:
    venue = SimulatedVenue(VenueConfig(wallets={"paper": Decimal(10_000)}, latency=ZERO_LATENCY), [BTC])
    events: list[VenueEvent] = []

    def take(event: MarketEvent) -> None:
        events.extend(venue.on_market(event))

    rig.up()
    rig.valid()
    rig.market.on_mark(MARK)
    now_ns = rig.market.play(take, 0)
    order = OrderRequest(
        symbol=SYMBOL, client_order_id="a1", side=Side.BUY, time_in_force=TimeInForce.GTX, price_ticks=599_990,
        lots=10, instrument_revision=1,
    )  # fmt: skip
    venue.place("paper", order, 1, now_ns)
    rig.book.set_validity(BookValidity.SYNCING, "a gap")
    rig.trade(599_000)
    rig.market.play(take, now_ns)
    assert not [event for event in events if isinstance(event, FillHappened)]
    assert [trade.price_ticks for trade in rig.trades] == [599_000]
    rig.book.set_validity(BookValidity.VALID)
    rig.trade(599_000, trade_id="2")
    rig.market.play(take, now_ns)
    assert [event.fill.price_ticks for event in events if isinstance(event, FillHappened)] == [599_990]
    (found,) = venue.view.fills("paper", None, since_ns=0, after_trade_id="", limit=5)
    assert found.is_maker
    stored = venue.view.order("paper", SYMBOL, client_order_id="a1")
    assert stored is not None
    assert stored.state is OrderState.FILLED


def test_message_from_the_future_does_not_drag_the_account_along(rig: Rig) -> None:
    rig.up()
    rig.valid()
    rig.play()
    rig.book.book.set_level(True, 599_990, 1)
    rig.book.updated(2, 2, T0 + 3_600 * NS_PER_S, 0)
    (delta,) = rig.play()
    assert delta.time_ns == rig.market.now_ns() < T0 + 3_600 * NS_PER_S


def test_full_queue_loses_every_book_and_begins_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_market, "MAX_QUEUED", 10)
    rig.up()
    rig.valid()
    for number in range(30):
        rig.trade(600_000, trade_id=str(number))
    events = rig.play()
    assert rig.market.dropped > 0
    assert len(events) <= 10
    assert BookLost in kinds(events)
    assert kinds(events).index(BookLost) < kinds(events).index(BookSnapshot)
    assert rig.book.is_playing


def test_changed_limits_are_passed_on_and_changed_units_end_the_symbol(rig: Rig) -> None:
    rig.up()
    rig.valid()
    rig.play()
    limits = msgspec.structs.replace(BTC, min_notional=Decimal(50), revision=2)
    rig.market.on_instrument(limits)
    assert rig.instruments == [limits]
    assert rig.play() == []
    rig.market.on_instrument(msgspec.structs.replace(limits, tick_size=Decimal("0.5"), revision=3))
    assert rig.instruments[-1].status is InstrumentStatus.HALTED
    assert rig.instruments[-1].tick_size == BTC.tick_size
    (lost,) = rig.play()
    assert isinstance(lost, BookLost)
    assert "other units" in lost.reason
    rig.book.set_validity(BookValidity.VALID)
    rig.trade(120_000)
    assert rig.play() == []
    assert rig.trades == []


def test_what_a_saved_account_belongs_to_names_the_venue_and_its_units(rig: Rig) -> None:
    assert rig.market.fingerprint() == {"source": "live", "exchange": "real", "units": {SYMBOL: ["0.1", "0.001"]}}


def test_each_event_is_played_once(rig: Rig) -> None:
    rig.up()
    rig.valid()
    rig.trade(600_000)
    assert kinds(rig.play())[-2:] == [BookSnapshot, TradePrint]
    assert rig.play() == []
    assert not rig.market.is_behind
