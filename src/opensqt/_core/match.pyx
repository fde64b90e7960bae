"""Price-time matching of our orders on one symbol, inside an external market that is only observed.

The external market is given as data: the levels an arriving order may take, what is displayed where it rests, trades,
and changes of depth. Resting orders keep a queue position (`ahead_lots`): trades at the price consume it, changes of
the display shorten it (pessimistic or calibrated, see `match_side.pxd`), and what trades beyond it fills us. A trade
through our price, or an opposite best price that reaches it, fills us whatever the queue.

Orders carry an owner. Orders of different owners match each other, price-time, together with the external levels; at
one price the external lots ahead of a resting order trade before it. Positions are kept per owner and move with every
fill; reduce-only orders never exceed them: when a position shrinks the newest are trimmed first.

Every call returns what happened as a list of `MatchEvent` in order. External liquidity that we take is not remembered:
the caller deducts it from the levels it passes next, if it wants to.
"""

from cython cimport final
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t

from opensqt._core.match_event cimport (
    E_ACCEPTED, E_AMENDED, E_CANCELED, E_EXPIRED, E_FILL, E_REJECTED, R_BELOW_FILLED, R_DUPLICATE, R_FOK,
    R_NONE, R_POST_ONLY, R_REDUCE_ONLY, R_REMAINDER, R_REQUESTED, R_SELF_TRADE, R_TOO_MANY, S_BOTH, S_MAKER,
    S_TAKER, T_FOK, T_GTC, T_IOC, MatchEvent, check_lots, check_side, event_of, unknown_order,
)
from opensqt._core.match_side cimport (
    Order, Side, crosses, fillable, first_at, key_of, limit_key, show_depth,
)
from opensqt._core.match_store cimport Owner, RestingOrders

from opensqt._core.match_event import (
    ACCEPTED, AMENDED, AMENDED_BELOW_FILLED, BUY, CANCELED, DUPLICATE_ORDER_ID,  # no-cython-lint: re-exported
    EXPIRE_BOTH, EXPIRE_MAKER, EXPIRE_TAKER, EXPIRED, FILL, FOK, FOK_NOT_FILLABLE, GTC,  # no-cython-lint: re-exported
    IOC, NO_REASON, POST_ONLY_WOULD_CROSS, REDUCE_ONLY_REJECTED, REJECTED, REMAINDER,  # no-cython-lint: re-exported
    REQUESTED, SELF_TRADE, SELL, TOO_MANY_ORDERS, UNKNOWN_ORDER, fee_units,  # no-cython-lint: re-exported
)

# A cimported type is no module attribute by itself.
globals().update(MatchEvent=MatchEvent)

# Sums over all orders must fit an int64.
cdef int64_t MAX_LOTS = (<int64_t> 1) << 46
cdef int64_t MAX_PRICE = (<int64_t> 1) << 58
cdef int64_t MAX_ORDERS = 1 << 14


cdef int64_t level_count(bytes packed) except -1:
    cdef int64_t size = PyBytes_GET_SIZE(packed)
    if size % 16:
        raise ValueError(f"packed levels were {size} bytes long: each level is 16 (int64 ticks, int64 lots)")
    return size // 16


@final
cdef class Matcher:
    """The matching state of one symbol; see the module for how it matches."""

    def __cinit__(self, *, int64_t max_orders=2000, bint print_through_fills_all=True, bint partial_fills=True,
                  int64_t queue_power=0, bint keep_queue_on_decrease=False):
        check_lots("max_orders", max_orders, 1, MAX_ORDERS)
        check_lots("queue_power", queue_power, 0, 3)
        self.max_orders = max_orders
        self.print_through_fills_all = print_through_fills_all
        self.partial_fills = partial_fills
        self.queue_power = queue_power
        self.keep_queue_on_decrease = keep_queue_on_decrease
        self.resting = RestingOrders()

    def __len__(self):
        return len(self.resting.where)

    def __contains__(self, order_id):
        return order_id in self.resting.where

    # ---- commands

    def submit(self, int64_t order_id, int64_t owner, int64_t side, int64_t price_ticks, int64_t lots, *,
               int64_t tif=T_GTC, bint post_only=False, bint reduce_only=False, bytes opposite=b"",
               int64_t displayed_lots=0, int64_t stp=S_TAKER):
        """Match an arriving order against the opposite side and rest what remains (GTC).

        A price of 0 is a market order. `opposite` is the external book's other side, best first, packed as
        `OrderBook.pack` does, as deep as the order may reach; `displayed_lots` is what the external book shows at the
        order's own price, which queues ahead of it. A reduce-only order is cut down to what the owner's position leaves
        to close. `stp` says who expires when the order meets one of its own owner's. ValueError on numbers out of
        range; everything a venue would refuse is a REJECTED event.
        """
        cdef list events = []
        cdef Order order
        cdef Side* own
        cdef Owner* account
        cdef const int64_t* levels = <const int64_t*> PyBytes_AS_STRING(opposite)
        cdef int64_t count = level_count(opposite), limit = 0, i
        check_side(side)
        check_lots("price_ticks", price_ticks, 0, MAX_PRICE)
        check_lots("lots", lots, 1, MAX_LOTS)
        check_lots("displayed_lots", displayed_lots, 0, MAX_PRICE)
        check_lots("tif", tif, T_GTC, T_FOK)
        check_lots("stp", stp, S_TAKER, S_BOTH)
        if price_ticks == 0 and tif == T_GTC:
            tif = T_IOC
        if post_only and tif != T_GTC:
            raise ValueError("a post-only order must be GTC with a price: it exists to rest")
        order.order_id, order.owner, order.lots, order.filled_lots = order_id, owner, lots, 0
        order.reduce_only, order.post_only = reduce_only, post_only
        order.price_ticks = price_ticks
        if order_id in self.resting.where:
            events.append(event_of(E_REJECTED, side, &order, price_ticks, lots, R_DUPLICATE))
            return events
        if tif == T_GTC and <int64_t> len(self.resting.where) >= self.max_orders:
            events.append(event_of(E_REJECTED, side, &order, price_ticks, lots, R_TOO_MANY))
            return events
        account = self.resting.owner_of(owner)
        if reduce_only:
            limit = account.position_lots if side else -account.position_lots
            if not self.would_trade(side, price_ticks, levels, count):
                own = &self.resting.sides[side]
                for i in range(own.count):
                    if own.orders[i].owner == owner and own.orders[i].reduce_only:
                        limit -= own.orders[i].lots
            if limit <= 0:
                events.append(event_of(E_REJECTED, side, &order, price_ticks, lots, R_REDUCE_ONLY))
                return events
        if post_only and self.would_trade(side, price_ticks, levels, count):
            events.append(event_of(E_REJECTED, side, &order, price_ticks, lots, R_POST_ONLY))
            return events
        if reduce_only:
            order.lots = min(lots, limit)
        events.append(event_of(E_ACCEPTED, side, &order, price_ticks, order.lots, R_NONE))
        self.arrive(events, side, &order, tif, levels, count, displayed_lots, stp)
        return events

    def cancel(self, int64_t order_id):
        """Cancel an order; REJECTED with UNKNOWN_ORDER if it does not rest here."""
        cdef Order order
        cdef int64_t side = 0, index = self.resting.find(order_id, &side)
        if index < 0:
            return [unknown_order(order_id)]
        order = self.resting.sides[side].orders[index]
        self.resting.drop(side, index)
        return [event_of(E_CANCELED, side, &order, order.price_ticks, order.lots, R_REQUESTED)]

    def cancel_all(self, owner=None):
        """Cancel every order, or every order of one owner, oldest first."""
        events = []
        for order_id in [row[0] for row in self.dump() if owner is None or row[1] == owner]:
            events += self.cancel(order_id)
        return events

    def amend(self, int64_t order_id, int64_t price_ticks, int64_t lots, *, bytes opposite=b"",
              int64_t displayed_lots=0, int64_t stp=S_TAKER):
        """Change the price and the total size (filled lots included) of a resting order."""
        cdef list events = []
        cdef const int64_t* levels = <const int64_t*> PyBytes_AS_STRING(opposite)
        cdef int64_t count = level_count(opposite), side = 0, index, remaining
        cdef Order order
        cdef Owner* account
        check_lots("price_ticks", price_ticks, 1, MAX_PRICE)
        check_lots("lots", lots, 1, MAX_LOTS)
        check_lots("displayed_lots", displayed_lots, 0, MAX_PRICE)
        check_lots("stp", stp, S_TAKER, S_BOTH)
        index = self.resting.find(order_id, &side)
        if index < 0:
            return [unknown_order(order_id)]
        order = self.resting.sides[side].orders[index]
        remaining = lots - order.filled_lots
        if remaining <= 0:
            self.resting.drop(side, index)
            return [event_of(E_CANCELED, side, &order, order.price_ticks, order.lots, R_BELOW_FILLED)]
        if price_ticks == order.price_ticks and remaining == order.lots:
            return [event_of(E_AMENDED, side, &order, price_ticks, remaining, R_NONE)]
        if price_ticks == order.price_ticks and remaining < order.lots and self.keep_queue_on_decrease:
            self.resting.sides[side].orders[index].lots = remaining
            return [event_of(E_AMENDED, side, &self.resting.sides[side].orders[index], price_ticks, remaining, R_NONE)]
        self.resting.drop(side, index)
        if order.post_only and self.would_trade(side, price_ticks, levels, count):
            return [event_of(E_CANCELED, side, &order, order.price_ticks, order.lots, R_POST_ONLY)]
        if order.reduce_only:
            account = self.resting.owner_of(order.owner)
            remaining = min(remaining, account.position_lots if side else -account.position_lots)
        order.lots, order.price_ticks = remaining, price_ticks
        events.append(event_of(E_AMENDED, side, &order, price_ticks, remaining, R_NONE))
        self.arrive(events, side, &order, T_GTC, levels, count, displayed_lots, stp)
        return events

    def set_position(self, int64_t owner, int64_t lots):
        """Set an owner's signed position; reduce-only orders beyond it are trimmed, newest first."""
        cdef list events = []
        cdef Owner* account = self.resting.owner_of(owner)
        check_lots("lots", lots, -MAX_PRICE, MAX_PRICE)
        account.position_lots = lots
        self.resting.trim_reduce_only(events, account)
        return events

    def position(self, int64_t owner):
        """Return an owner's signed position in lots."""
        return self.resting.positions().get(owner, 0)

    # ---- the external market

    def on_trade(self, int64_t price_ticks, int64_t lots, int64_t aggressor_side):
        """Let an external trade consume the queue at its price and fill what it reaches."""
        cdef list events = []
        cdef int64_t side, key, left = lots, at_price, used = 0, seq = -1, index, reach, got
        cdef Side* own
        cdef Order* order
        check_side(aggressor_side)
        check_lots("price_ticks", price_ticks, 1, MAX_PRICE)
        check_lots("lots", lots, 0, MAX_PRICE)
        side = 1 - aggressor_side
        own = &self.resting.sides[side]
        key = key_of(side, price_ticks)
        if own.count == 0 or own.orders[0].key > key:
            return events
        self.fill_through(events, side, key, &left, self.print_through_fills_all)
        at_price = lots if self.print_through_fills_all else left
        while True:
            # Positions move with fills and may take any reduce-only order away: find the next one anew.
            index = first_at(own, key, seq + 1)
            if index == own.count or own.orders[index].key != key:
                return events
            order = own.orders + index
            seq = order.seq
            reach = at_price - used
            order.traded_lots += max(reach, 0)
            if reach > order.ahead_lots:
                got = min(order.lots, reach - order.ahead_lots) if self.partial_fills else order.lots
                used += got
                self.resting.fill(events, side, index, got, 0)
            elif reach > 0:
                order.ahead_lots -= reach

    def on_depth(self, int64_t side, int64_t price_ticks, int64_t lots):
        """Take note of what the external book now displays at one price of one side."""
        check_side(side)
        self.show_level(side, price_ticks, lots)

    cdef int show_level(self, int64_t side, int64_t price_ticks, int64_t lots) except -1:
        cdef Side* own
        cdef int64_t key, index
        check_lots("price_ticks", price_ticks, 1, MAX_PRICE)
        check_lots("lots", lots, 0, MAX_PRICE)
        own = &self.resting.sides[side]
        key = key_of(side, price_ticks)
        index = first_at(own, key, 0)
        while index < own.count and own.orders[index].key == key:
            show_depth(own.orders + index, lots, self.queue_power)
            index += 1
        return 0

    def on_best(self, int64_t best_bid_ticks, int64_t best_ask_ticks):
        """Fill every order that the opposite best price has reached; 0 stands for an empty side."""
        cdef list events = []
        cdef int64_t left = 0
        check_lots("best_bid_ticks", best_bid_ticks, 0, MAX_PRICE)
        check_lots("best_ask_ticks", best_ask_ticks, 0, MAX_PRICE)
        if best_ask_ticks:
            self.fill_through(events, 0, key_of(0, best_ask_ticks) + 1, &left, True)
        if best_bid_ticks:
            self.fill_through(events, 1, key_of(1, best_bid_ticks) + 1, &left, True)
        return events

    def on_book(self, bytes bids not None, bytes asks not None, int64_t best_bid_ticks, int64_t best_ask_ticks):
        """Apply packed changes of both sides (as `OrderBook.take_changes` packs them), then the new best prices."""
        cdef const int64_t* levels
        cdef int64_t count, i, side
        for side in range(2):
            packed = asks if side else bids
            count = level_count(packed)
            if self.resting.sides[side].count == 0:
                continue
            levels = <const int64_t*> PyBytes_AS_STRING(packed)
            for i in range(count):
                self.show_level(side, levels[2 * i], levels[2 * i + 1])
        return self.on_best(best_bid_ticks, best_ask_ticks)

    # ---- state

    def dump(self):
        """Return every resting order, oldest first, as `load` takes it."""
        return self.resting.dump()

    def positions(self):
        """Return the signed position of every owner that has one."""
        return self.resting.positions()

    def load(self, orders, positions):
        """Replace the whole state by one that `dump` and `positions` returned."""
        self.resting.load(list(orders), dict(positions), self.max_orders)

    # ---- C parts

    cdef bint would_trade(self, int64_t side, int64_t price_ticks, const int64_t* levels, int64_t count) noexcept:
        return crosses(&self.resting.sides[1 - side], limit_key(side, price_ticks), 1 - side, levels, count)

    cdef int take(self, list events, int64_t side, Order* order, const int64_t* levels, int64_t count,
                  int64_t stp, int64_t* reason) except -1:
        """Walk the opposite side while the order has lots and the price allows; set why it stopped early."""
        cdef Side* other = &self.resting.sides[1 - side]
        cdef int64_t limit = limit_key(side, order.price_ticks), i = 0, taken = 0, best, lots, ahead, j, maker_id
        cdef Order* maker
        cdef Order copy
        cdef MatchEvent event
        while order.lots:
            # The best of the external level (less what we took of it) and the first resting order.
            while i < count and levels[2 * i + 1] <= taken:
                i += 1
                taken = 0
            best = key_of(1 - side, levels[2 * i]) if i < count else INT64_MAX
            if other.count and other.orders[0].key <= best:
                maker = other.orders
                if maker.key > limit:
                    return 0
                if maker.key == best and maker.ahead_lots > 0:
                    # External lots in front of the resting order trade first.
                    ahead = min(maker.ahead_lots, levels[2 * i + 1] - taken)
                    lots = min(ahead, order.lots)
                    self.take_external(events, side, order, levels[2 * i], lots)
                    taken += lots
                    for j in range(other.count):
                        if other.orders[j].key != best:
                            break
                        other.orders[j].ahead_lots = max(0, other.orders[j].ahead_lots - lots)
                    continue
                if maker.owner == order.owner:
                    if stp != S_TAKER:
                        copy = maker[0]
                        self.resting.drop(1 - side, 0)
                        events.append(event_of(E_EXPIRED, 1 - side, &copy, copy.price_ticks, copy.lots, R_SELF_TRADE))
                    if stp != S_MAKER:
                        reason[0] = R_SELF_TRADE
                        return 0
                    continue
                lots = min(maker.lots, order.lots)
                maker_id, best = maker.order_id, maker.price_ticks
                order.lots -= lots
                order.filled_lots += lots
                event = event_of(E_FILL, side, order, best, lots, R_NONE)
                event.counterparty_id = maker_id
                self.resting.fill(events, 1 - side, 0, lots, order.order_id)
                events.append(event)
                self.resting.move_position(events, order.owner, -lots if side else lots)
                continue
            if best == INT64_MAX or best > limit:
                return 0
            lots = min(levels[2 * i + 1] - taken, order.lots)
            self.take_external(events, side, order, levels[2 * i], lots)
            taken += lots
        return 0

    cdef int take_external(self, list events, int64_t side, Order* order, int64_t price_ticks, int64_t lots) except -1:
        order.lots -= lots
        order.filled_lots += lots
        events.append(event_of(E_FILL, side, order, price_ticks, lots, R_NONE))
        self.resting.move_position(events, order.owner, -lots if side else lots)
        return 0

    cdef int arrive(self, list events, int64_t side, Order* order, int64_t tif, const int64_t* levels, int64_t count,
                    int64_t displayed_lots, int64_t stp) except -1:
        """Take what crosses, then rest or expire the remainder."""
        cdef int64_t reason = R_NONE
        if tif == T_FOK and fillable(
            &self.resting.sides[1 - side], order, limit_key(side, order.price_ticks), 1 - side, stp == S_MAKER,
            levels, count
        ) < order.lots:
            events.append(event_of(E_EXPIRED, side, order, order.price_ticks, order.lots, R_FOK))
            return 0
        self.take(events, side, order, levels, count, stp, &reason)
        if order.lots == 0:
            return 0
        if reason == R_NONE and tif != T_GTC:
            reason = R_REMAINDER
        if reason != R_NONE:
            events.append(event_of(E_EXPIRED, side, order, order.price_ticks, order.lots, reason))
            return 0
        order.ahead_lots = order.displayed_lots = displayed_lots
        order.traded_lots = 0
        self.resting.rest(side, order)
        if order.reduce_only:
            self.resting.trim_reduce_only(events, self.resting.owner_of(order.owner))
        return 0

    cdef int fill_through(self, list events, int64_t side, int64_t key, int64_t* left, bint all_lots) except -1:
        """Fill the resting orders strictly better than a key, best first: all of them, or as far as lots are left."""
        cdef Side* own = &self.resting.sides[side]
        cdef int64_t lots
        while own.count and own.orders[0].key < key:
            lots = own.orders[0].lots if all_lots else min(own.orders[0].lots, left[0])
            if lots == 0:
                return 0
            left[0] -= lots
            self.resting.fill(events, side, 0, lots, 0)
        return 0
