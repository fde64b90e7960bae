"""What a venue must offer, and where it pushes what happens: the protocols between a venue's folder and the rest.

A venue is composed of four roles: market queries, account queries, order entry, and the session that holds them.
It pushes into an `AdapterSink` from the event loop's thread, never from inside a call that the connector made to it.
All events of one cause (an order update, its fill, the account, the position) are pushed in one turn of the loop, in
the venue's order; that is what keeps them together on the wire.

A query that failed raises a typed error of `opensqt.domain.errors`; it never returns an empty list instead.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from opensqt._core.book import OrderBook
from opensqt.connector.commands import OutcomeReport, VenueCommand
from opensqt.connector.market_types import Channel, FundingSettlement, FundingTerms, TickerStats
from opensqt.connector.rate_budget import CommandCosts, RateBudget, RateWindow
from opensqt.domain.account import Account, Position
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity, Candle, DeadManState, MarkPrice, PublicTrade
from opensqt.domain.order import Order


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue can do; nothing is pretended. Batch sizes of 1 mean no batches.

    `placement_window_ms` is for how long after it was sent a placement can still reach the venue and take effect: until
    then the venue's word that it has no such order proves nothing.
    `refusal_reasons`: a refused order is told at once, with its reason; without it a refusal may read as an unknown
    outcome first, until the venue was asked.
    """

    exchange: str
    mode: str
    max_batch_place: int = 1
    max_batch_cancel: int = 1
    amend: bool = False
    amend_keeps_queue_on_size_decrease: bool = False
    stream_order_entry: bool = False
    dead_man_switch: bool = False
    book_checksum: bool = False
    hedge_mode: bool = False
    reduce_only: bool = True
    post_only: bool = True
    refusal_reasons: bool = True
    client_order_id_pattern: str = r"[0-9A-Za-z]{1,36}"
    kline_intervals: tuple[str, ...] = ("1m",)
    command_costs: CommandCosts = CommandCosts()
    placement_window_ms: int = 5_000


class SessionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the sessions with the venue stand. `reason` says why not."""

    market_stream_up: bool
    private_stream_up: bool
    reason: str = ""


class FillPage(msgspec.Struct, frozen=True):
    """Fills, oldest first; an empty token is the end."""

    fills: list[Fill]
    next_token: str = ""


class CashFlowPage(msgspec.Struct, frozen=True):
    """Cash flows, oldest first; an empty token is the end."""

    flows: list[CashFlow]
    next_token: str = ""


class BookWriter(Protocol):
    """One symbol's book as its adapter writes it: change `book`, then say what was merged into it."""

    @property
    def book(self) -> OrderBook:
        """Return the book to change; only the adapter writes it."""
        ...

    def updated(self, first_sequence: int, last_sequence: int, venue_time_ns: int, receive_time_ns: int) -> None:
        """Say that the book holds the venue's messages `first_sequence` to `last_sequence` now."""
        ...

    def alive(self) -> None:
        """Say that the feed is current although nothing changed (a quiet market, a heartbeat)."""
        ...

    def set_validity(self, validity: BookValidity, reason: str = "") -> None:
        """Say whether the book may be believed, and why not."""
        ...


class MarketSink(Protocol):
    """Where the public half of a venue pushes. Nothing here blocks or raises."""

    @property
    def budget(self) -> RateBudget:
        """Return the venue's limits: commands were charged before they came; the adapter charges its own requests
        and feeds what replies say."""
        ...

    def book(self, symbol: str, book: OrderBook | None = None) -> BookWriter:
        """Return the writer of one symbol's book; one that the adapter keeps itself is handed in once."""
        ...

    def on_trade(self, trade: PublicTrade) -> None:
        """Take one trade of the market."""
        ...

    def on_candle(self, candle: Candle) -> None:
        """Take one forming or closed candle."""
        ...

    def on_mark(self, mark: MarkPrice) -> None:
        """Take a mark price with its funding terms."""
        ...

    def on_instrument(self, instrument: Instrument) -> None:
        """Take an instrument or its new revision."""
        ...

    def on_session(self, status: SessionStatus) -> None:
        """Take the state of the sessions with the venue."""
        ...


class AdapterSink(MarketSink, Protocol):
    """Where an adapter pushes: the market, and the account."""

    def on_order(self, order: Order) -> None:
        """Take the newest state of one order of the account, whoever placed it."""
        ...

    def on_dead_man(self, symbol: str, state: DeadManState) -> None:
        """Take whether the venue would cancel a symbol's orders by itself; told whenever it changes."""
        ...

    def on_fill(self, fill: Fill) -> None:
        """Take one execution; a trade id that was seen already is ignored."""
        ...

    def on_account(self, account: Account) -> None:
        """Take the newest balances of one asset."""
        ...

    def on_position(self, position: Position) -> None:
        """Take the newest position of one symbol."""
        ...

    def on_cash_flow(self, flow: CashFlow) -> None:
        """Take a wallet change that is no trade."""
        ...

    def on_outcome(self, report: OutcomeReport) -> None:
        """Take what became of a command: exactly one report per token."""
        ...


class OrderEntry(Protocol):
    """How orders reach the venue: now or never, nothing is kept for later."""

    def submit(self, commands: Sequence[VenueCommand]) -> None:
        """Send commands in order; the outcome of each is pushed later, also when nothing could be sent."""
        ...

    async def set_leverage(self, symbol: str, leverage: int) -> Position:
        """Set a symbol's leverage and return its position as it is now.

        Raises:
            StateError: LEVERAGE_LIMIT or the venue's refusal.
        """
        ...


class AccountQueries(Protocol):
    """What the venue says of the account when asked."""

    async def order(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        """Return one order in whatever state, by client id or else by the venue's.

        Raises:
            NotFoundError: UNKNOWN_ORDER, the venue answered that there is none.
        """
        ...

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Return the open orders of a symbol, or of all."""
        ...

    async def accounts(self) -> list[Account]:
        """Return the balances, one entry per asset."""
        ...

    async def positions(self, symbol: str = "") -> list[Position]:
        """Return the position of a symbol, or all of them; flat ones are included."""
        ...

    async def fills(
        self, symbol: str, since_time_ns: int, after_trade_id: str, limit: int, page_token: str = ""
    ) -> FillPage:
        """Return executions at or after a venue time, or after a trade id, which wins; oldest first."""
        ...

    async def cash_flows(self, symbol: str, since_time_ns: int, limit: int, page_token: str = "") -> CashFlowPage:
        """Return funding and transfers at or after a venue time, oldest first."""
        ...


class MarketQueries(Protocol):
    """What the venue says of the market when asked."""

    async def refresh_instruments(self) -> None:
        """Read the venue's filters again; changes are pushed as new revisions."""
        ...

    async def candles(self, symbol: str, interval_ms: int, limit: int, end_time_ms: int) -> list[Candle]:
        """Return up to `limit` candles that opened before a time (0 = now), oldest first."""
        ...

    async def ticker(self, symbol: str) -> TickerStats:
        """Return the last 24 hours of a symbol."""
        ...

    async def funding(self, symbol: str) -> FundingTerms:
        """Return the funding that applies next."""
        ...

    async def funding_history(self, symbol: str, limit: int) -> list[FundingSettlement]:
        """Return settled funding rates, oldest first."""
        ...

    async def open_interest_lots(self, symbol: str) -> int:
        """Return the open interest.

        Raises:
            UnsupportedError: the venue publishes none.
        """
        ...


class PublicMarket(Protocol):
    """The public half of a venue: its live market, without a key. The paper venue matches on it.

    It has no private stream: of the status it pushes only the market's part counts.
    """

    @property
    def capabilities(self) -> Capabilities:
        """Return what the venue can do; of it, its name, its candle intervals and its client order ids count here."""
        ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Return the instruments by canonical symbol; filled when `start` has returned."""
        ...

    @property
    def rate_windows(self) -> Sequence[RateWindow]:
        """Return the venue's limits on public requests."""
        ...

    @property
    def tls_hosts(self) -> Sequence[str]:
        """Return the hosts whose certificates are watched, as `name` or `name:port`; none without TLS."""
        ...

    @property
    def market(self) -> MarketQueries:
        """Return the market queries."""
        ...

    async def start(self, sink: MarketSink) -> None:
        """Connect, load instruments and push them with their marks.

        Raises:
            OpensqtError: the venue cannot be reached or refuses us; says what to do.
        """
        ...

    async def run(self) -> None:
        """Keep the streams alive until cancelled; reconnects by itself."""
        ...

    async def stop(self) -> None:
        """Close everything that `start` opened."""
        ...

    def venue_time_ns(self) -> int:
        """Return the venue's clock."""
        ...

    def subscribe(self, channel: Channel) -> None:
        """Open one upstream subscription."""
        ...

    def unsubscribe(self, channel: Channel) -> None:
        """Close one upstream subscription."""
        ...


class VenueAdapter(Protocol):
    """One venue's session and its roles."""

    @property
    def capabilities(self) -> Capabilities:
        """Return what the venue can do."""
        ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Return the instruments by canonical symbol; filled when `start` has returned."""
        ...

    @property
    def rate_windows(self) -> Sequence[RateWindow]:
        """Return the venue's limits."""
        ...

    @property
    def tls_hosts(self) -> Sequence[str]:
        """Return the hosts whose certificates are watched, as `name` or `name:port`; none without TLS."""
        ...

    @property
    def market(self) -> MarketQueries:
        """Return the market queries."""
        ...

    @property
    def account(self) -> AccountQueries:
        """Return the account queries."""
        ...

    @property
    def orders(self) -> OrderEntry:
        """Return the order entry."""
        ...

    async def start(self, sink: AdapterSink) -> None:
        """Connect, load instruments and push the whole account (open orders, positions, balances, marks).

        Raises:
            OpensqtError: the venue cannot be reached or refuses us; says what to do.
        """
        ...

    async def run(self) -> None:
        """Keep the sessions alive until cancelled; reconnects by itself."""
        ...

    async def stop(self) -> None:
        """Close everything that `start` opened."""
        ...

    def venue_time_ns(self) -> int:
        """Return the venue's clock."""
        ...

    def watch_engines(self, attended: frozenset[str], claimed: frozenset[str]) -> None:
        """Learn which symbols have an engine that is heard of, and which are held by one that may be silent.

        Called several times a second. A venue with a dead-man switch sets it again for the former while their books
        are valid, lets it run out for the rest of the latter, and stops it everywhere else.
        """
        ...

    def subscribe(self, channel: Channel) -> None:
        """Open one upstream subscription."""
        ...

    def unsubscribe(self, channel: Channel) -> None:
        """Close one upstream subscription."""
        ...
