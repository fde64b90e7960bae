"""The venue as a process of its own: the simulated exchange, its market, its streams, its gate. It never crashes.

What it says to one account goes to every user stream that is open; what it answers goes back the way it was asked. The
faults of a venue (5xx, a ban, maintenance, lost replies) are set in `mood`.
"""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from models.listed_units import ListedUnits
from simulation.world.market import MarketWalk
from simulation.world.timeline import MS, SECOND, Timeline

from opensqt.connector.commands import Amend, Cancel, CancelAll, Place, VenueCommand
from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason, UnavailableError
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import MarkPrice, PublicTrade
from opensqt.domain.order import Order, Side
from opensqt.matching.config import ZERO_LATENCY, VenueConfig
from opensqt.matching.events import (
    AccountChanged,
    CashFlowHappened,
    CommandDone,
    FillHappened,
    OrderChanged,
    PositionChanged,
    TradePrint,
    VenueEvent,
)
from opensqt.matching.venue import SimulatedVenue

ACCOUNT = "sim"
RECEIVE_WINDOW_NS = 2 * SECOND
ORDERS_PER_10S = 300
WINDOW_NS = 10 * SECOND
PARTIAL_FILLS = 0.15


class Mood(msgspec.Struct):
    """How the venue behaves. Probabilities are per request; times are the venue's."""

    refuse_503: float = 0.0
    """It answers that it is overloaded, and did nothing."""
    error_unknown: float = 0.0
    """It answers 5xx after it may have done it."""
    query_error: float = 0.0
    banned_until_ns: int = 0
    limited_until_ns: int = 0
    maintenance_until_ns: int = 0
    account_refused_until_ns: int = 0
    """It answers questions and takes orders, but opens no stream of the account."""


class Reply(msgspec.Struct, frozen=True):
    """What a request brought. `done` None: an error of the transport's kind, `executed` None = nobody can know."""

    done: CommandDone | None
    status: int = 200
    retry_after_ms: int = 0
    used: int = 0


class UserNews(msgspec.Struct, frozen=True):
    """One message of the user stream."""

    fill: Fill | None = None
    order: Order | None = None
    accounts: tuple[Account, ...] = ()
    positions: tuple[Position, ...] = ()
    flow: CashFlow | None = None


class MarketNews(msgspec.Struct, frozen=True):
    """One message of the market stream: a depth diff, a trade or a mark."""

    depth: bytes = b""
    trade: PublicTrade | None = None
    mark: MarkPrice | None = None


class Exchange:
    """The venue's side of everything."""

    def __init__(self, timeline: Timeline, instrument: Instrument, rng: Random, *, start_ticks: int) -> None:
        self.timeline = timeline
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.mood = Mood()
        self.walk = MarketWalk(instrument, start_ticks, Random(rng.random()))
        self.venue = SimulatedVenue(
            VenueConfig(
                wallets={ACCOUNT: Decimal(100_000), "hand": Decimal(100_000)},
                default_leverage=5,
                seed=rng.randint(1, 1 << 30),
                latency=ZERO_LATENCY,
                keep_changes=False,
            ),
            [instrument],
        )
        self.view = self.venue.view
        self.listed = ListedUnits(instrument)
        """What the venue lists; its books count in the finest units there ever were."""
        self.on_filters: Callable[[], None] = lambda: None
        self.step_ns = 50 * MS
        self.orders_per_10s = ORDERS_PER_10S
        self.requests = 0
        """How many commands and questions have arrived."""
        self.depth_is_muted = False
        self.spoil_depth: Callable[[bytes], bytes] | None = None
        """Changes the next depth message on its way out, once."""
        self.spoil_snapshot: Callable[[bytes], bytes] | None = None
        """Changes every snapshot, until it is taken away."""
        self.user_streams: dict[int, Callable[[UserNews], None]] = {}
        self.market_streams: dict[int, Callable[[MarketNews], None]] = {}
        self.on_private: Callable[[list[VenueEvent]], None] = lambda _events: None
        self.on_counted: Callable[[int, int], None] = lambda _used, _limit: None
        self.fills: dict[str, Fill] = {}
        self.countdown_ends_ns = 0
        self._rng = rng
        self._next_stream = 1
        self._window = -1
        self._pinged_ns = 0
        self._used = 0
        self._mark: MarkPrice | None = None
        self._command_ids = 1_000_000
        self._market(self.walk.snapshot(timeline.now_ns))

    def start(self) -> None:
        """Let the market move."""
        self.timeline.at(self.timeline.now_ns + self.step_ns, None, "market", self._step)

    # ---- market

    def _step(self) -> None:
        now_ns = self.timeline.now_ns
        if self._rng.random() < PARTIAL_FILLS and not self.walk.stands_still:
            self._trade_with_the_best(now_ns)
        events, depth = self.walk.step(now_ns)
        for event in events:
            self._market(event)
            if isinstance(event, TradePrint):
                self._tell_market(MarketNews(trade=_public(event)))
        if self.countdown_ends_ns and now_ns >= self.countdown_ends_ns:
            self.countdown_ends_ns = 0
            self.timeline.note("dead-man fires")
            self._tell(self.venue.cancel_all(ACCOUNT, self.symbol, "", 0, now_ns))
        if self.spoil_depth is not None:
            depth, self.spoil_depth = self.spoil_depth(depth), None
        if not self.depth_is_muted:
            self._tell_market(MarketNews(depth=depth))
        mark = self.view.mark(self.symbol)
        if mark is not None and mark is not self._mark:
            self._mark = mark
            self._tell_market(MarketNews(mark=mark))
        if now_ns - self._pinged_ns >= SECOND:
            self._pinged_ns = now_ns
            for tell in list(self.user_streams.values()):
                tell(UserNews())
        self.timeline.at(now_ns + self.step_ns, None, "market", self._step)

    def trade_with(self, order: Order, lots: int) -> None:
        """Let somebody trade at the price of one of our orders."""
        now_ns = self.timeline.now_ns
        aggressor = Side.SELL if order.side is Side.BUY else Side.BUY
        trade = self.walk.print_at(now_ns, aggressor, order.price_ticks, lots)
        self._market(trade)
        self._tell_market(MarketNews(trade=_public(trade)))

    def snapshot(self) -> bytes:
        """Return the book as the REST reply says it."""
        data = self.walk.snapshot_json(self.timeline.now_ns)
        return data if self.spoil_snapshot is None else self.spoil_snapshot(data)

    def _trade_with_the_best(self, now_ns: int) -> None:
        """Let somebody take a part of our best order, when it is at the touch or better."""
        walk, rng = self.walk, self._rng
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        prices = [order.price_ticks for order in self.view.open_orders(ACCOUNT) if order.side is side]
        if not prices:
            return
        price = max(prices) if side is Side.BUY else min(prices)
        if (side is Side.BUY and price < max(walk.bids)) or (side is Side.SELL and price > min(walk.asks)):
            return
        aggressor = Side.SELL if side is Side.BUY else Side.BUY
        trade = walk.print_at(now_ns, aggressor, price, rng.randint(1, 30))
        self._market(trade)
        self._tell_market(MarketNews(trade=_public(trade)))

    def _market(self, event: Any) -> None:
        self._tell(self.venue.on_market(event))

    def _tell_market(self, news: MarketNews) -> None:
        for tell in list(self.market_streams.values()):
            tell(news)

    # ---- streams

    def open_user_stream(self, tell: Callable[[UserNews], None]) -> int:
        """Open a stream of the account and return its number.

        Raises:
            UnavailableError: it opens none now.
        """
        if self.timeline.now_ns < self.mood.account_refused_until_ns:
            raise UnavailableError(ErrorReason.NOT_CONNECTED, "the venue answered 503 instead of opening a stream")
        self._next_stream += 1
        self.user_streams[self._next_stream] = tell
        return self._next_stream

    def open_market_stream(self, tell: Callable[[MarketNews], None]) -> int:
        """Open a stream of the market and return its number."""
        self._next_stream += 1
        self.market_streams[self._next_stream] = tell
        return self._next_stream

    def close_stream(self, number: int) -> None:
        self.user_streams.pop(number, None)
        self.market_streams.pop(number, None)

    def _tell(self, events: list[VenueEvent]) -> CommandDone | None:
        """Tell what happened on the account; return the answer to a command that was among it."""
        if not events:
            return None
        done: CommandDone | None = None
        own = [event for event in events if event.account == ACCOUNT]
        for event in own:
            if isinstance(event, FillHappened):
                self.fills[event.fill.trade_id] = event.fill
        if own:
            self.on_private(own)
        for event in events:
            if isinstance(event, CommandDone):
                done = event
        streams = list(self.user_streams.values())
        if streams:
            for news in _user_news(own):
                for tell in streams:
                    tell(news)
        return done

    # ---- requests

    def command(self, command: VenueCommand, sent_ns: int) -> Reply:
        """Execute one command that has arrived, or refuse it at the gate."""
        self.requests += 1
        now_ns, mood, random = self.timeline.now_ns, self.mood, self._rng.random
        if now_ns < mood.banned_until_ns:
            return Reply(None, 418, (mood.banned_until_ns - now_ns) // MS)
        if now_ns < mood.maintenance_until_ns:
            return Reply(None, 503)
        used = self._count(now_ns)
        self.on_counted(used, self.orders_per_10s)
        if used > self.orders_per_10s:
            return Reply(None, 429, (WINDOW_NS - now_ns % WINDOW_NS) // MS, used)
        if now_ns < mood.limited_until_ns and not isinstance(command, Cancel | CancelAll):
            return Reply(None, 429, (mood.limited_until_ns - now_ns) // MS, used)
        if now_ns - sent_ns > RECEIVE_WINDOW_NS:
            return Reply(None, 400, 0, used)
        if mood.refuse_503 and random() < mood.refuse_503:
            return Reply(None, 529, 0, used)
        if mood.error_unknown and random() < mood.error_unknown:
            if random() < 0.5:
                self._execute(command, now_ns)
            return Reply(None, 500, 0, used)
        return Reply(self._execute(command, now_ns), 200, 0, used)

    def _execute(self, command: VenueCommand, now_ns: int) -> CommandDone:
        venue = self.venue
        if isinstance(command, Place):
            events = venue.place(ACCOUNT, command.request, command.token, now_ns)
        elif isinstance(command, Amend):
            events = venue.amend(
                ACCOUNT, command.symbol, command.client_order_id, price_ticks=command.price_ticks,
                total_lots=command.total_lots, instrument_revision=command.instrument_revision,
                command_id=command.token, now_ns=now_ns,
            )  # fmt: skip
        elif isinstance(command, Cancel):
            events = venue.cancel(
                ACCOUNT, command.symbol, client_order_id=command.client_order_id,
                exchange_order_id=command.exchange_order_id, command_id=command.token, now_ns=now_ns,
            )  # fmt: skip
        else:
            events = venue.cancel_all(ACCOUNT, command.symbol, "", command.token, now_ns)
        done = self._tell(events)
        assert done is not None, "every command is answered"
        return done

    def _count(self, now_ns: int) -> int:
        window = now_ns // WINDOW_NS
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        return self._used

    def set_countdown(self, countdown_ms: int) -> None:
        """Set the dead-man switch; 0 stops it."""
        self.countdown_ends_ns = self.timeline.now_ns + countdown_ms * MS if countdown_ms else 0

    def set_leverage(self, leverage: int) -> CommandDone:
        """Set the leverage."""
        self._command_ids += 1
        done = self._tell(
            self.venue.set_leverage(ACCOUNT, self.symbol, leverage, self._command_ids, self.timeline.now_ns)
        )
        assert done is not None, "every command is answered"
        return done

    # ---- by hand and by the venue itself

    def change_filters(self, ticks: int, lots: int) -> None:
        """List a tick of so many of the finest ticks, and a lot of so many lots."""
        self.listed.revisions.append((ticks, lots))
        self.walk.lot_step = lots
        self.on_filters()

    def by_hand(self, command: Callable[[SimulatedVenue, int, int], list[VenueEvent]]) -> CommandDone | None:
        """Let somebody else act on the account: `command(venue, command_id, now_ns)`."""
        self._command_ids += 1
        self.venue.advance(self.timeline.now_ns)
        return self._tell(command(self.venue, self._command_ids, self.timeline.now_ns))


def _user_news(events: list[VenueEvent]) -> list[UserNews]:
    """Pack events into the messages of the venue's user stream: a fill travels with the order it belongs to."""
    found: list[UserNews] = []
    fill: Fill | None = None
    accounts: list[Account] = []
    positions: list[Position] = []
    for event in events:
        if isinstance(event, FillHappened):
            if fill is not None:
                found.append(UserNews(fill=fill))
            fill = event.fill
        elif isinstance(event, OrderChanged):
            if fill is not None and fill.exchange_order_id != event.order.exchange_order_id:
                found.append(UserNews(fill=fill))
                fill = None
            found.append(UserNews(fill=fill, order=event.order))
            fill = None
        elif isinstance(event, AccountChanged):
            accounts.append(event.balances)
        elif isinstance(event, PositionChanged):
            positions.append(event.position)
        elif isinstance(event, CashFlowHappened):
            found.append(UserNews(flow=event.cash_flow))
    if fill is not None:
        found.append(UserNews(fill=fill))
    if accounts or positions:
        found.append(UserNews(accounts=tuple(accounts[-1:]), positions=tuple(positions[-1:])))
    return found


def _public(event: TradePrint) -> PublicTrade:
    return PublicTrade(
        symbol=event.symbol,
        trade_id=event.trade_id,
        aggressor=event.aggressor,
        price_ticks=event.price_ticks,
        lots=event.lots,
        venue_time_ns=event.time_ns,
        receive_time_ns=event.time_ns,
    )
