"""The account as the venue's pushes say it is: open orders, positions, balances, marks, recent fills. Pure.

Snapshots of streams are taken from here, in the same turn of the loop in which the events after them begin; so nothing
lies between a snapshot and its events. Only venue evidence changes it. Evidence that is older than what is known (a
replayed update, a REST answer that lost a race) changes nothing.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from decimal import ROUND_UP, Decimal
from typing import final

import msgspec

from opensqt.domain.account import Account, Position
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import MarkPrice
from opensqt.domain.order import Order, Side
from opensqt.domain.packed import PackedHistory, Packer

# Packed, because they are many and seldom asked for.
MAX_ENDED_ORDERS = 20_000
MAX_RECENT_FILLS = 10_000
MAX_RECENT_FLOWS = 2_000
MAX_UNTOLD = 10_000
KEPT_REVISIONS = 16

_ORDERS = Packer(Order)


def order_key(client_order_id: str, exchange_order_id: str) -> str:
    """Return what names an order here: its client id, or the venue's id for orders that were placed without one."""
    return client_order_id or f"#{exchange_order_id}"


@final
class AccountMirror:
    """Newest venue evidence of one account."""

    def __init__(self) -> None:
        self.instruments: dict[str, Instrument] = {}
        self._older: dict[str, dict[int, Instrument]] = {}
        self.positions: dict[str, Position] = {}
        self.accounts: dict[str, Account] = {}
        self.marks: dict[str, MarkPrice] = {}
        self.mark_ticks: dict[str, int] = {}
        self.trade_ticks: dict[str, int] = {}
        self.fills: deque[Fill] = deque(maxlen=MAX_RECENT_FILLS)
        self.flows: deque[CashFlow] = deque(maxlen=MAX_RECENT_FLOWS)
        self._open: dict[str, Order] = {}
        self._ended: PackedHistory[str, Order] = PackedHistory(_ORDERS)
        self._by_exchange_id: dict[tuple[str, str], str] = {}
        self._trade_ids: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._flow_ids: OrderedDict[str, None] = OrderedDict()
        self._open_count: dict[str, int] = {}
        self._open_lots: dict[tuple[str, Side], int] = {}
        self._untold: dict[str, deque[tuple[int, Side, int]]] = {}

    def on_instrument(self, instrument: Instrument) -> None:
        """Take an instrument or its new revision; what older revisions count in stays known for a while."""
        known = self.instruments.get(instrument.symbol)
        if known is not None and known.revision != instrument.revision:
            older = self._older.setdefault(instrument.symbol, {})
            older[known.revision] = known
            if len(older) > KEPT_REVISIONS:
                del older[next(iter(older))]
        self.instruments[instrument.symbol] = instrument
        if known is not None and known.lot_size != instrument.lot_size:
            self._count_anew(known, instrument)

    def instrument_of(self, symbol: str, revision: int) -> Instrument:
        """Return the instrument as the revision has it that a number is counted in; 0 = the one in force."""
        return self._older.get(symbol, {}).get(revision) or self.instruments[symbol]

    def on_order(self, order: Order) -> bool:
        """Take an order's state; return False when it says nothing new."""
        key = order_key(order.client_order_id, order.exchange_order_id)
        known = self._open.get(key) or self._ended.get(key)
        if known is not None and _says_the_same(order, known):
            # Told twice, by a reply and by a stream: only the time is news, and only here.
            if order.updated_time_ns > known.updated_time_ns:
                (self._ended if known.state.is_terminal else self._open)[key] = order
            return False
        known_filled = 0 if known is None else self._filled_in_units_of(known, order)
        if known is not None and not _is_newer(order, known, known_filled):
            return False
        if known is not None and not known.state.is_terminal:
            self._count(known, -1)
        self._executed(order, order.filled_lots - known_filled)
        if order.exchange_order_id:
            self._by_exchange_id[order.symbol, order.exchange_order_id] = key
        if order.state.is_terminal:
            self._open.pop(key, None)
            self._ended[key] = order
            self._forget_oldest()
        else:
            self._ended.pop(key, None)
            self._open[key] = order
            self._count(order, 1)
        return True

    def on_position(self, position: Position) -> None:
        """Take a position: it has what was executed until its time."""
        self.positions[position.symbol] = position
        untold = self._untold.get(position.symbol)
        while untold and (untold[0][0] <= position.venue_time_ns or not position.venue_time_ns):
            untold.popleft()

    def on_fill(self, fill: Fill) -> bool:
        """Take an execution; return False when its trade id was seen."""
        key = (fill.symbol, fill.trade_id)
        if key in self._trade_ids:
            return False
        self._trade_ids[key] = self._trade(fill)
        if len(self._trade_ids) > 2 * MAX_RECENT_FILLS:
            self._trade_ids.popitem(last=False)
        self.fills.append(fill)
        return True

    def contradicts(self, fill: Fill) -> bool:
        """Return whether a trade id that was seen comes with other data now."""
        known = self._trade_ids.get((fill.symbol, fill.trade_id))
        return known is not None and known != self._trade(fill)

    def on_cash_flow(self, flow: CashFlow) -> bool:
        """Take a wallet change; return False when its id was seen."""
        if flow.id in self._flow_ids:
            return False
        self._flow_ids[flow.id] = None
        if len(self._flow_ids) > 2 * MAX_RECENT_FLOWS:
            self._flow_ids.popitem(last=False)
        self.flows.append(flow)
        return True

    def on_mark(self, mark: MarkPrice) -> None:
        """Take a mark price."""
        self.marks[mark.symbol] = mark
        instrument = self.instruments.get(mark.symbol)
        if instrument is not None:
            # Only the collar reads this: a fraction of a tick does not matter to it.
            self.mark_ticks[mark.symbol] = int(mark.mark_price / instrument.tick_size)

    def order(self, client_order_id: str, symbol: str = "", exchange_order_id: str = "") -> Order | None:
        """Return an order, open or ended, by client id or else by the venue's id."""
        key = client_order_id or self._by_exchange_id.get((symbol, exchange_order_id), "")
        return self._open.get(key) or self._ended.get(key)

    def open_orders(self, symbol: str = "") -> Iterator[Order]:
        """Yield the open orders of a symbol, or all."""
        return (order for order in self._open.values() if not symbol or order.symbol == symbol)

    def open_count(self, symbol: str) -> int:
        """Return how many orders are open in a symbol."""
        return self._open_count.get(symbol, 0)

    def open_lots(self, symbol: str, side: Side) -> int:
        """Return what the open orders of one side can still fill; reduce-only ones cannot add to a position."""
        return self._open_lots.get((symbol, side), 0)

    def untold_lots(self, symbol: str, side: Side) -> int:
        """Return what orders of one side have told as executed and the position has not."""
        untold = self._untold.get(symbol)
        return sum(lots for _time_ns, filled, lots in untold if filled is side) if untold else 0

    def position_lots(self, symbol: str) -> int:
        """Return the signed position."""
        position = self.positions.get(symbol)
        return 0 if position is None else self._in_force(symbol, position.instrument_revision, position.lots)

    def _in_force(self, symbol: str, revision: int, lots: int) -> int:
        """Return lots of a revision in lots of the one in force, rounded away from zero: a limit has to hold."""
        instrument = self.instruments.get(symbol)
        if instrument is None or revision in (0, instrument.revision):
            return lots
        return _lots_in(lots, self.instrument_of(symbol, revision), instrument)

    def _count_anew(self, known: Instrument, instrument: Instrument) -> None:
        """Count what is open, and what the position has not told yet, in lots of a new revision."""
        symbol = instrument.symbol
        for side in Side:
            self._open_lots[symbol, side] = sum(
                self._in_force(symbol, order.instrument_revision, order.remaining_lots)
                for order in self.open_orders(symbol)
                if order.side is side and not order.reduce_only
            )
        untold = self._untold.get(symbol, ())
        self._untold[symbol] = deque(
            ((time_ns, side, _lots_in(lots, known, instrument)) for time_ns, side, lots in untold), maxlen=MAX_UNTOLD
        )

    def _filled_in_units_of(self, known: Order, order: Order) -> int:
        """Return what a known order had filled, in the lots another report of it counts in."""
        if known.instrument_revision == order.instrument_revision or order.symbol not in self.instruments:
            return known.filled_lots
        counted = self.instrument_of(known.symbol, known.instrument_revision)
        wanted = self.instrument_of(order.symbol, order.instrument_revision)
        return _lots_in(known.filled_lots, counted, wanted)

    def _trade(self, fill: Fill) -> int:
        """Return a fingerprint of what a trade was, whatever it is counted in: the numbers themselves are long."""
        price, size = Decimal(fill.price_ticks), Decimal(fill.lots)
        if fill.symbol in self.instruments:
            instrument = self.instrument_of(fill.symbol, fill.instrument_revision)
            price, size = instrument.ticks_to_price(fill.price_ticks), instrument.lots_to_quantity(fill.lots)
        return hash((fill.side, price, size))

    def _count(self, order: Order, sign: int) -> None:
        self._open_count[order.symbol] = self._open_count.get(order.symbol, 0) + sign
        if not order.reduce_only:
            key = (order.symbol, order.side)
            lots = self._in_force(order.symbol, order.instrument_revision, order.remaining_lots)
            self._open_lots[key] = self._open_lots.get(key, 0) + sign * lots

    def _executed(self, order: Order, lots: int) -> None:
        position = self.positions.get(order.symbol)
        known_ns = 0 if position is None else position.venue_time_ns
        if lots > 0 and order.updated_time_ns > known_ns:
            untold = self._untold.setdefault(order.symbol, deque(maxlen=MAX_UNTOLD))
            lots = self._in_force(order.symbol, order.instrument_revision, lots)
            untold.append((order.updated_time_ns, order.side, lots))

    def _forget_oldest(self) -> None:
        if len(self._ended) > MAX_ENDED_ORDERS:
            _key, order = self._ended.pop_oldest()
            self._by_exchange_id.pop((order.symbol, order.exchange_order_id), None)


def _says_the_same(order: Order, known: Order) -> bool:
    times = {"created_time_ns": known.created_time_ns, "updated_time_ns": known.updated_time_ns}
    return order == known or msgspec.structs.replace(order, **times) == known


def _lots_in(lots: int, counted: Instrument, wanted: Instrument) -> int:
    """Return lots of one revision in lots of another, rounded away from zero."""
    return int((lots * counted.lot_size / wanted.lot_size).to_integral_value(ROUND_UP))


def _is_newer(order: Order, known: Order, known_filled: int) -> bool:
    if known.state.is_terminal and not order.state.is_terminal:
        # An ended order can only be followed by a fill that came late and completes it. One that counted as never
        # placed, because the venue denied it, has no id there: if it shows up after all, it exists.
        return not known.exchange_order_id or order.filled_lots > known_filled
    if order.filled_lots < known_filled:
        return False
    return order.updated_time_ns >= known.updated_time_ns or order.filled_lots > known_filled
