"""Drives the simulated exchange in real time: market in, commands in, durable writes, events out, in this order.

One turn, always on the event loop's thread: play the market up to now, execute the commands that wait, write what
changed, and only then tell the sink. A turn plays little at a time, so the loop is never blocked; what is left waits.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import final

from opensqt.connector.adapter import AdapterSink, BookWriter, SessionStatus
from opensqt.connector.venues.paper.market import ACCOUNT
from opensqt.connector.venues.paper.player import Player
from opensqt.connector.venues.paper.store import PaperStore
from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.errors import ErrorReason, OpensqtError, UnavailableError
from opensqt.domain.market import BookValidity, MarkPrice, PublicTrade
from opensqt.matching.events import BookDelta, BookLost, BookSnapshot, MarketEvent, TradePrint, VenueEvent
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.state import Row
from opensqt.matching.venue import SimulatedVenue

TICK_S = 0.01
CATCH_UP_S = 0.001
SAVE_EVERY_NS = NS_PER_S

Work = Callable[[SimulatedVenue, int], list[VenueEvent]]


@final
class PaperDriver:
    """The running exchange.

    Args:
        venue, player, store: what is driven; the driver is the only one that changes them.
        clock: of this process.
        sink: where market data goes.
        on_events: takes private events that are durable.
        on_turn: called at the end of every turn with the symbols that traded.
    """

    def __init__(
        self,
        venue: SimulatedVenue,
        player: Player,
        store: PaperStore,
        clock: Clock,
        sink: AdapterSink,
        *,
        on_events: Callable[[list[VenueEvent]], None],
        on_turn: Callable[[set[str]], None],
    ) -> None:
        self._venue = venue
        self._player = player
        self._store = store
        self._clock = clock
        self._sink = sink
        self._on_events = on_events
        self._on_turn = on_turn
        self._loop = asyncio.get_running_loop()
        self._work: list[Work] = []
        self._extra_rows: list[Row] = []
        self._writers: dict[str, BookWriter] = {
            item.symbol: sink.book(item.symbol, venue.view.book(item.symbol)) for item in venue.view.instruments()
        }
        self._marks: dict[str, MarkPrice] = {}
        self._saved_ns = 0
        self._is_scheduled = False
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None
        self.failure: asyncio.Future[None] = self._loop.create_future()

    def start(self) -> None:
        """Begin to play."""
        self._turn()

    def stop(self) -> None:
        """Stop playing and write where the market stands."""
        if self._timer is not None:
            self._timer.cancel()
        self._is_over = True
        if not self.failure.done():
            self.failure.cancel()
            self._save()

    def do(self, work: Work) -> None:
        """Run something on the venue in the next turn, at the venue's time then."""
        self._work.append(work)
        self.wake()

    def wake(self) -> None:
        """Take a turn soon: something came."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._turn)

    def venue_now_ns(self) -> int:
        """Return the venue's time."""
        return max(self._venue.view.clock_ns, self._player.now_ns())

    # ---- one turn

    def _turn(self) -> None:
        self._is_scheduled = False
        if self._is_over:
            return
        try:
            self._play()
        except OpensqtError as error:
            self._fail(error)
        except CaptureError as error:
            self._fail(UnavailableError(ErrorReason.VENUE_UNAVAILABLE, f"the capture broke: {error}"))
        except Exception as error:  # noqa: BLE001  a bug must end the service, not only this callback of the loop
            self._fail(error)
        else:
            self._plan()

    def _play(self) -> None:
        traded: set[str] = set()
        now_ns, events = self._play_market(traded)
        work, self._work = self._work, []
        for item in work:
            events += item(self._venue, now_ns)
        events += self._venue.advance(now_ns)
        if self._venue.has_changes or self._extra_rows or now_ns - self._saved_ns >= SAVE_EVERY_NS:
            self._save()
        self._publish_marks()
        for symbol in self._player.alive():
            self._writers[symbol].alive()
        if events:
            self._on_events(events)
        self._on_turn(traded)

    def _play_market(self, traded: set[str]) -> tuple[int, list[VenueEvent]]:
        events: list[VenueEvent] = []

        def take(event: MarketEvent) -> None:
            events.extend(self._venue.on_market(event))
            self._publish(event, traded)

        now_ns = self._player.play(take, self._venue.view.clock_ns)
        if self._player.end_reason:
            self._end_of_market(self._player.end_reason)
        return now_ns, events

    def _publish(self, event: MarketEvent, traded: set[str]) -> None:
        symbol = event.symbol
        if isinstance(event, BookDelta):
            self._writers[symbol].updated(event.first_id, event.last_id, event.time_ns, self._clock.now_ns())
        elif isinstance(event, TradePrint):
            traded.add(symbol)
            self._sink.on_trade(
                PublicTrade(
                    symbol=symbol,
                    trade_id=event.trade_id,
                    aggressor=event.aggressor,
                    price_ticks=event.price_ticks,
                    lots=event.lots,
                    venue_time_ns=event.time_ns,
                    receive_time_ns=self._clock.now_ns(),
                )
            )
            return
        elif isinstance(event, BookSnapshot):
            self._writers[symbol].updated(event.last_id, event.last_id, event.time_ns, self._clock.now_ns())
        elif not isinstance(event, BookLost):
            return
        self._writers[symbol].set_validity(*self._venue.view.validity(symbol))

    def _publish_marks(self) -> None:
        for symbol in self._writers:
            mark = self._venue.view.mark(symbol)
            known = self._marks.get(symbol)
            if mark is None or mark is known:
                continue
            self._marks[symbol] = mark
            self._sink.on_mark(mark)
            if known is not None and 0 < known.next_funding_time_ms < mark.next_funding_time_ms:
                self._settled(symbol, known.next_funding_time_ms, known.funding_rate)
            if self._venue.view.position(ACCOUNT, symbol).lots:
                self._sink.on_position(self._venue.view.position(ACCOUNT, symbol))
                self._sink.on_account(self._venue.view.balances(ACCOUNT))

    def _settled(self, symbol: str, settled_ms: int, rate: Decimal) -> None:
        self._extra_rows.append(self._store.funding_row(symbol, settled_ms, format(rate, "f")))

    def _save(self) -> None:
        changes = self._venue.take_changes()
        extra, self._extra_rows = self._extra_rows, []
        self._store.write([*changes.rows(), *extra], self._player.position())
        self._saved_ns = self._venue.view.clock_ns

    def _end_of_market(self, reason: str) -> None:
        for writer in self._writers.values():
            writer.set_validity(BookValidity.STALE, reason)
        self._sink.on_session(SessionStatus(market_stream_up=False, private_stream_up=True, reason=reason))

    def _plan(self) -> None:
        delay_s = CATCH_UP_S if self._player.is_behind else TICK_S
        due_ns = self._venue.next_due_ns()
        if due_ns is not None:
            delay_s = min(delay_s, self._player.seconds_until(due_ns))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay_s, self._turn)

    def _fail(self, error: Exception) -> None:
        self._is_over = True
        self._sink.on_session(SessionStatus(market_stream_up=False, private_stream_up=False, reason=str(error)))
        if not self.failure.done():
            self.failure.set_exception(error)
