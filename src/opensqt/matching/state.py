"""What must outlive a crash of whoever runs the exchange: rows, the whole state made of them, and what changed.

Every row has a kind and a key, so a store needs one table (kind, key, value). `VenueChanges.rows()` is what to write
(a value of None: delete), `VenueState.from_rows` what was written. Commands and private events still in flight are
part of a dump but not of the changes: a crash loses them as a broken connection would.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.market import MarkPrice
from opensqt.domain.order import Order
from opensqt.matching.candles import Bar
from opensqt.matching.commands import Command
from opensqt.matching.events import VenueEvent

Row = tuple[str, str, bytes | None]


class MetaRow(msgspec.Struct, kw_only=True):
    """Clock and counters."""

    clock_ns: int = 0
    next_order_number: int = 1_000_000_001
    next_trade_number: int = 1
    next_rank: int = 1
    random_state: int = 0


class PositionRow(msgspec.Struct):
    """One position; the cost is signed and exact."""

    symbol: str
    lots: int
    cost: Decimal
    leverage: int


class AccountRow(msgspec.Struct):
    """One account; `owner` is its number in the matcher."""

    name: str
    owner: int
    wallet: Decimal
    positions: list[PositionRow]


class QueueRow(msgspec.Struct):
    """Where a working order stands in its queue."""

    ahead_lots: int
    displayed_lots: int
    traded_lots: int


class OrderRow(msgspec.Struct):
    """One order; `queue` only while it works. `rank` orders arrivals in the queues, and endings in the history."""

    account: str
    order: Order
    rank: int
    queue: QueueRow | None = None


class FillRow(msgspec.Struct):
    """One fill."""

    account: str
    fill: Fill


class CashFlowRow(msgspec.Struct):
    """One cash flow."""

    account: str
    cash_flow: CashFlow


class CandleRow(msgspec.Struct):
    """One closed minute."""

    symbol: str
    bar: Bar


class SymbolRow(msgspec.Struct, kw_only=True):
    """The slow state of one symbol."""

    symbol: str
    mark: MarkPrice | None = None
    mark_published: bool = False
    last_trade_ticks: int = 0
    last_trade_ns: int = 0
    forming: Bar | None = None
    funding_due_ms: int = 0
    funding_announced: dict[str, Decimal] = {}
    funding_holders: dict[str, int] | None = None


class BookRow(msgspec.Struct):
    """One book; not part of the changes, the source sends a snapshot anyway."""

    symbol: str
    last_id: int
    bids: bytes
    asks: bytes
    validity: int
    reason: str


class DelayedCommand(msgspec.Struct):
    """A command under way and when it arrives."""

    due_ns: int
    command: Command


class DelayedEvent(msgspec.Struct):
    """A private event under way and when it arrives."""

    due_ns: int
    event: VenueEvent


class VenueChanges(msgspec.Struct, kw_only=True):
    """What changed since the last call, ready to be written in one transaction."""

    meta: MetaRow
    accounts: list[AccountRow]
    orders: list[OrderRow]
    fills: list[FillRow]
    cash_flows: list[CashFlowRow]
    candles: list[CandleRow]
    symbols: list[SymbolRow]
    forgotten: list[tuple[str, str]] = []
    """(kind, key) of rows that are no longer kept."""

    def rows(self) -> Iterator[Row]:
        """Yield (kind, key, JSON value); a value of None deletes the row."""
        encode = msgspec.json.encode
        yield "meta", "", encode(self.meta)
        for account in self.accounts:
            yield "account", account.name, encode(account)
        for order in self.orders:
            yield "order", order_key(order.order), encode(order)
        for fill in self.fills:
            yield "fill", fill_key(fill.fill), encode(fill)
        for flow in self.cash_flows:
            yield "cash_flow", flow_key(flow), encode(flow)
        for candle in self.candles:
            yield "candle", candle_key(candle.symbol, candle.bar), encode(candle)
        for symbol in self.symbols:
            yield "symbol", symbol.symbol, encode(symbol)
        for kind, key in self.forgotten:
            yield kind, key, None


class VenueState(msgspec.Struct, kw_only=True):
    """The whole exchange; `msgspec.json.encode` writes it, `msgspec.json.decode(data, type=VenueState)` reads it."""

    meta: MetaRow
    accounts: list[AccountRow] = []
    orders: list[OrderRow] = []
    fills: list[FillRow] = []
    cash_flows: list[CashFlowRow] = []
    candles: list[CandleRow] = []
    symbols: list[SymbolRow] = []
    books: list[BookRow] = []
    commands: list[DelayedCommand] = []
    events: list[DelayedEvent] = []

    @staticmethod
    def from_rows(rows: Iterable[tuple[str, str, bytes]]) -> "VenueState | None":
        """Build a state from stored rows in any order; None when there are none. Unknown kinds are ignored.

        Raises:
            msgspec.ValidationError, msgspec.DecodeError: a row is broken.
        """
        state = VenueState(meta=MetaRow())
        found = False
        for kind, _, value in rows:
            if kind == "meta":
                state.meta = msgspec.json.decode(value, type=MetaRow)
                found = True
            elif kind == "account":
                state.accounts.append(msgspec.json.decode(value, type=AccountRow))
            elif kind == "order":
                state.orders.append(msgspec.json.decode(value, type=OrderRow))
            elif kind == "fill":
                state.fills.append(msgspec.json.decode(value, type=FillRow))
            elif kind == "cash_flow":
                state.cash_flows.append(msgspec.json.decode(value, type=CashFlowRow))
            elif kind == "candle":
                state.candles.append(msgspec.json.decode(value, type=CandleRow))
            elif kind == "symbol":
                state.symbols.append(msgspec.json.decode(value, type=SymbolRow))
        return state if found else None


def order_key(order: Order) -> str:
    """Return the key of an order's row."""
    return order.exchange_order_id


def fill_key(fill: Fill) -> str:
    """Return the key of a fill's row."""
    return fill.trade_id


def flow_key(row: CashFlowRow) -> str:
    """Return the key of a cash flow's row."""
    return row.cash_flow.id


def candle_key(symbol: str, bar: Bar) -> str:
    """Return the key of a closed minute's row."""
    return f"{symbol}@{bar.open_time_ms}"
