"""A simulated exchange as one pure object: market events and commands in, private events out.

Time is given with every call and never goes back. A call first executes the commands that have reached the exchange
before its time (market data wins at the same instant), then does its own work, and returns the private events that
have reached the client by then. With latency, call `advance` when `next_due_ns` is reached.

    venue = SimulatedVenue(VenueConfig(), source.instruments())
    for event in source.pop(now_ns):
        handle(venue.on_market(event))
    handle(venue.place("paper", request, command_id=1, now_ns=now_ns))
    if venue.has_changes:
        write(venue.take_changes().rows())    # durable before anybody hears of it

Accounts share the market; their orders meet each other as well as the market's.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import final

from opensqt._core.match import MatchEvent
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, RequestError, invalid_field
from opensqt.domain.fill import CashFlow, CashFlowKind
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity
from opensqt.domain.order import OrderRequest
from opensqt.matching import persistence
from opensqt.matching.booking import Booking
from opensqt.matching.commands import Amend, Cancel, CancelAll, Command, Place, SelfTrade, SetLeverage
from opensqt.matching.config import VenueConfig
from opensqt.matching.delay import DelayLine
from opensqt.matching.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    CandleHistory,
    MarketEvent,
    MarkUpdate,
    TradePrint,
    VenueEvent,
)
from opensqt.matching.market import SymbolMarket
from opensqt.matching.order_entry import OrderEntry
from opensqt.matching.records import Records
from opensqt.matching.settlement import Settlement
from opensqt.matching.state import VenueChanges, VenueState
from opensqt.matching.view import VenueView


@final
class SimulatedVenue:
    """The exchange. `view` answers questions; the methods here change it."""

    def __init__(self, config: VenueConfig, instruments: Iterable[Instrument]) -> None:
        self._records = Records(config, instruments)
        self._booking = Booking(self._records)
        self._entry = OrderEntry(self._records, self._booking)
        self._settlement = Settlement(self._records, self._booking)
        self._line = DelayLine(config.latency, self._records.random)
        self.view = VenueView(self._records)

    # ---- time and market

    def on_market(self, event: MarketEvent) -> list[VenueEvent]:
        """Take one market event.

        Raises:
            RequestError: UNKNOWN_SYMBOL for a symbol this venue does not trade.
            BookError: packed levels are malformed; the book is unchanged.
        """
        records = self._records
        market = records.markets.get(event.symbol)
        if market is None:
            raise RequestError(ErrorReason.UNKNOWN_SYMBOL, f"a market event names {event.symbol}, which is not traded")
        time_ns = event.time_ns
        if self._line.commands:
            self._run_commands(time_ns - 1)
        if time_ns > records.meta.clock_ns:
            records.meta.clock_ns = time_ns
        self._tick(market, time_ns)
        if isinstance(event, BookDelta):
            self._book(market, market.on_delta(event))
        elif isinstance(event, TradePrint):
            matched, closed = market.on_trade(event)
            if closed:
                records.add_candles(event.symbol, closed)
            self._book(market, matched)
        elif isinstance(event, BookSnapshot):
            self._book(market, market.on_snapshot(event))
        elif isinstance(event, MarkUpdate):
            self._settlement.on_mark(market, market.mark.on_update(event))
        elif isinstance(event, BookLost):
            market.on_lost(event)
        elif isinstance(event, CandleHistory):
            records.add_candles(event.symbol, market.candles.load_history(event.candles))
        return self._deliver() if records.out or self._line.events else []

    def set_instrument(self, instrument: Instrument) -> None:
        """Trade a symbol by new limits, fees or another status from now on.

        Raises:
            StateError: STALE_INSTRUMENT, its units changed.
        """
        self._records.markets[instrument.symbol].set_instrument(instrument)

    def advance(self, now_ns: int) -> list[VenueEvent]:
        """Move the clock: execute commands that have arrived, return private events that have."""
        self._run_commands(now_ns)
        if now_ns > self._records.meta.clock_ns:
            self._records.meta.clock_ns = now_ns
        return self._deliver()

    def next_due_ns(self) -> int | None:
        """Return when `advance` next has something to do, None when nothing is under way."""
        return self._line.next_due_ns()

    # ---- commands

    def place(
        self, account: str, request: OrderRequest, command_id: int, now_ns: int,
        self_trade: SelfTrade = SelfTrade.EXPIRE_TAKER,
    ) -> list[VenueEvent]:  # fmt: skip
        """Send an order; exactly one CommandDone with this id will follow, as for every command."""
        return self._send(Place(account, command_id, request, self_trade), now_ns)

    def amend(
        self, account: str, symbol: str, client_order_id: str, *, price_ticks: int, total_lots: int,
        instrument_revision: int, command_id: int, now_ns: int,
    ) -> list[VenueEvent]:  # fmt: skip
        """Send new values for a working order: its price and total size, executed part included."""
        command = Amend(
            account=account,
            command_id=command_id,
            symbol=symbol,
            client_order_id=client_order_id,
            price_ticks=price_ticks,
            total_lots=total_lots,
            instrument_revision=instrument_revision,
        )
        return self._send(command, now_ns)

    def cancel(
        self, account: str, symbol: str, *, client_order_id: str = "", exchange_order_id: str = "", command_id: int,
        now_ns: int,
    ) -> list[VenueEvent]:  # fmt: skip
        """Send a cancel of one order."""
        command = Cancel(
            account=account,
            command_id=command_id,
            symbol=symbol,
            client_order_id=client_order_id,
            exchange_order_id=exchange_order_id,
        )
        return self._send(command, now_ns)

    def cancel_all(self, account: str, symbol: str, prefix: str, command_id: int, now_ns: int) -> list[VenueEvent]:
        """Send a cancel of every working order of a symbol whose client id starts with `prefix`."""
        return self._send(CancelAll(account=account, command_id=command_id, symbol=symbol, prefix=prefix), now_ns)

    def set_leverage(self, account: str, symbol: str, leverage: int, command_id: int, now_ns: int) -> list[VenueEvent]:
        """Send a change of leverage."""
        return self._send(SetLeverage(account=account, command_id=command_id, symbol=symbol, leverage=leverage), now_ns)

    def transfer(self, account: str, amount: Decimal, transfer_id: str, now_ns: int) -> list[VenueEvent]:
        """Move money in (or out, negative); a transfer id that was seen before does nothing.

        Raises:
            RequestError: unknown account, or an amount finer than a money unit.
        """
        state = self._records.accounts.get(account)
        if state is None:
            raise invalid_field("account", account, f"must be one of {', '.join(self._records.accounts)}")
        early = self.advance(now_ns)
        key = f"transfer-{transfer_id}"
        if key not in self._records.cash_flows:
            flow = CashFlow(
                id=key,
                kind=CashFlowKind.TRANSFER,
                asset=self._records.asset,
                amount=amount,
                venue_time_ns=self._records.clock_ns,
            )
            self._booking.cash(state, flow)
        return early + self._deliver()

    # ---- persistence

    @property
    def has_changes(self) -> bool:
        """Return whether an order, fill, cash flow or account changed since `take_changes`: write before answering."""
        return self._records.has_changes

    def take_changes(self) -> VenueChanges:
        """Return what changed since the last call; also the clock, marks and candles, which alone need no hurry."""
        return persistence.take_changes(self._records)

    def dump_state(self) -> VenueState:
        """Return everything, books and what is in flight included."""
        return persistence.dump(self._records, self._line)

    def load_state(self, state: VenueState) -> None:
        """Replace everything by a saved state. Without books (rows), books are SYNCING until the source's snapshot.

        Raises:
            RequestError: the state names a symbol that is not traded here.
        """
        persistence.load(self._records, self._line, state)

    # ---- parts

    def _send(self, command: Command, now_ns: int) -> list[VenueEvent]:
        self._line.send(command, now_ns)
        return self.advance(now_ns)

    def _run_commands(self, until_ns: int) -> None:
        commands = self._line.commands
        while commands and commands[0].due_ns <= until_ns:
            delayed = commands.popleft()
            self._records.meta.clock_ns = max(self._records.meta.clock_ns, delayed.due_ns)
            self._entry.execute(delayed.command)
            self._flush()

    def _tick(self, market: SymbolMarket, time_ns: int) -> None:
        time_ms = time_ns // NS_PER_MS
        market.last_event_ns = time_ns
        if time_ms >= market.candles.end_ms:
            self._records.add_candles(market.instrument.symbol, market.candles.on_time(time_ms))
        if time_ms >= market.funding.due_ms:
            self._settlement.on_clock(market, time_ms)
        if market.mark.is_due(time_ns) and market.validity is BookValidity.VALID:
            mid2_ticks = market.book.mid2_ticks
            if mid2_ticks is not None:
                self._settlement.on_mark(market, market.mark.on_mid(time_ns, mid2_ticks))

    def _book(self, market: SymbolMarket, matched: list[MatchEvent]) -> None:
        if matched:
            self._booking.apply(market, matched)

    def _flush(self) -> None:
        if self._records.out:
            self._line.answer(self._records.out, self._records.clock_ns)
            self._records.out.clear()

    def _deliver(self) -> list[VenueEvent]:
        self._flush()
        return self._line.arrived(self._records.clock_ns)
