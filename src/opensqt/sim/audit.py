"""What an account did at its boldest: the referee of limits that a client promises to keep.

It sees every event of the exchange in the order in which they happen, so nothing can lie between two looks. Per account
and symbol it keeps the highest values ever reached; after a whole command or market event was carried out, never in
the middle of one. Pure; it changes nothing.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import final

import msgspec

from opensqt.domain.clock import NS_PER_S
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT
from opensqt.domain.order import Order, OrderType, Side
from opensqt.matching.events import FillHappened, OrderChanged, PositionChanged, VenueEvent
from opensqt.matching.venue import SimulatedVenue

_BPS = 10_000


class Peaks(msgspec.Struct, kw_only=True):
    """The highest values of one account and symbol.

    `order_notional` is of one order that may open something, `reducing_notional` of one that is reduce-only.
    `exposure_notional` is the position plus all that rests on its side (reduce-only orders cannot add to it), at the
    mark when an order came or grew: only that adds to it. `collar_bps` is how far beyond the mark, on the aggressive
    side, a limit order was when it came or was changed. `orders_per_second` counts placements and amendments in any
    second.
    """

    open_orders: int = 0
    order_notional: Decimal = Decimal(0)
    reducing_notional: Decimal = Decimal(0)
    exposure_notional: Decimal = Decimal(0)
    collar_bps: int = -_BPS
    orders_per_second: int = 0
    orders: int = 0
    amendments: int = 0
    fills: int = 0


class _Symbol(msgspec.Struct):
    instrument: Instrument
    peaks: Peaks
    open: dict[str, Order]
    recent_ns: deque[int]
    position_lots: int = 0
    newest: int = 0


@final
class Audit:
    """The peaks of every account.

    Args:
        venue: asked for marks and instruments.
    """

    def __init__(self, venue: SimulatedVenue) -> None:
        self._venue = venue
        self._instruments = {item.symbol: item for item in venue.view.instruments()}
        self._symbols: dict[tuple[str, str], _Symbol] = {}

    def peaks(self, account: str) -> dict[str, Peaks]:
        """Return an account's peaks by symbol; symbols that it never touched are left out."""
        return {symbol: entry.peaks for (name, symbol), entry in self._symbols.items() if name == account}

    def observe(self, events: Iterable[VenueEvent]) -> None:
        """Take everything that one command or market event caused."""
        touched: dict[int, _Symbol] = {}
        growing: set[int] = set()
        for event in events:
            if isinstance(event, OrderChanged):
                entry = self._entry(event.account, event.order.symbol)
                if self._order(entry, event.order, event.time_ns):
                    growing.add(id(entry))
            elif isinstance(event, PositionChanged):
                entry = self._entry(event.account, event.position.symbol)
                entry.position_lots = event.position.lots
            elif isinstance(event, FillHappened):
                entry = self._entry(event.account, event.fill.symbol)
                entry.peaks.fills += 1
            else:
                continue
            touched[id(entry)] = entry
        for key, entry in touched.items():
            entry.peaks.open_orders = max(entry.peaks.open_orders, len(entry.open))
            if key in growing:
                self._measure(entry)

    def _entry(self, account: str, symbol: str) -> _Symbol:
        entry = self._symbols.get((account, symbol))
        if entry is None:
            entry = _Symbol(self._instruments[symbol], Peaks(), {}, deque())
            self._symbols[account, symbol] = entry
        return entry

    def _order(self, entry: _Symbol, order: Order, now_ns: int) -> bool:
        """Take an order; return whether it is new or was amended."""
        number, peaks = order.exchange_order_id, entry.peaks
        before = entry.open.get(number)
        is_new = int(number) > entry.newest  # numbers rise
        is_amended = before is not None and (before.price_ticks, before.lots) != (order.price_ticks, order.lots)
        if is_new:
            entry.newest = int(number)
            peaks.orders += 1
        elif is_amended:
            peaks.amendments += 1
        if is_new or is_amended:
            recent = entry.recent_ns
            recent.append(now_ns)
            while recent[0] <= now_ns - NS_PER_S:
                recent.popleft()
            peaks.orders_per_second = max(peaks.orders_per_second, len(recent))
            self._price(entry, order)
        if order.state.is_terminal:
            entry.open.pop(number, None)
        else:
            entry.open[number] = order
        return is_new or is_amended

    def _price(self, entry: _Symbol, order: Order) -> None:
        instrument, peaks = entry.instrument, entry.peaks
        mark = self._venue.view.mark(order.symbol)
        price = mark.mark_price if mark is not None else Decimal(0)
        if order.type is OrderType.LIMIT:
            limit = instrument.ticks_to_price(order.price_ticks)
            if price:
                peaks.collar_bps = max(peaks.collar_bps, int((limit - price) * order.side.sign * _BPS / price))
            price = limit
        notional = EXACT.multiply(price, instrument.lots_to_quantity(order.lots))
        if order.reduce_only:
            peaks.reducing_notional = max(peaks.reducing_notional, notional)
        else:
            peaks.order_notional = max(peaks.order_notional, notional)

    def _measure(self, entry: _Symbol) -> None:
        peaks, open_orders = entry.peaks, entry.open.values()
        mark = self._venue.view.mark(entry.instrument.symbol)
        if mark is None:
            return
        for side in (Side.BUY, Side.SELL):
            resting = sum(o.remaining_lots for o in open_orders if o.side is side and not o.reduce_only)
            lots = max(0, entry.position_lots * side.sign + resting)
            notional = EXACT.multiply(mark.mark_price, entry.instrument.lots_to_quantity(lots))
            peaks.exposure_notional = max(peaks.exposure_notional, notional)
