"""Price-time matching of our orders on one symbol, inside an external market that is only observed.

The external market is given as data: the levels an arriving order may take, what is displayed where it rests, trades,
and changes of depth. Resting orders keep a queue position (`ahead_lots`): trades at the price consume it, changes of the
display shorten it (pessimistic or calibrated, see `match_side.pxd`), and what trades beyond it fills us. A trade through
our price, or an opposite best price that reaches it, fills us whatever the queue.

Orders carry an owner. Orders of different owners match each other, price-time, together with the external levels; at one
price the external lots ahead of a resting order trade before it. Positions are kept per owner and move with every fill;
reduce-only orders never exceed them: when a position shrinks the newest are trimmed first.

Every call returns what happened as a list of `MatchEvent` in order. External liquidity that we take is not remembered:
the caller deducts it from the levels it passes next, if it wants to.
"""

from cython cimport final, freelist
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free, realloc

from opensqt._core.match_side cimport (
    Order,
    Side,
    first_at,
    insert_order,
    remove_order,
    reserve_order,
    show_depth,
)

cdef extern from *:
    """
    typedef __int128 opensqt_int128;
    """
    ctypedef long long int128 "opensqt_int128"

BUY, SELL = range(2)
GTC, IOC, FOK = range(3)
ACCEPTED, REJECTED, FILL, CANCELED, EXPIRED, AMENDED = range(6)
EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH = range(3)
(
    NO_REASON,
    POST_ONLY_WOULD_CROSS,
    REDUCE_ONLY_REJECTED,
    SELF_TRADE,
    REMAINDER,
    FOK_NOT_FILLABLE,
    UNKNOWN_ORDER,
    DUPLICATE_ORDER_ID,
    TOO_MANY_ORDERS,
    REQUESTED,
    AMENDED_BELOW_FILLED,
) = range(11)

cdef enum:
    T_GTC = 0
    T_IOC = 1
    T_FOK = 2
    E_ACCEPTED = 0
    E_REJECTED = 1
    E_FILL = 2
    E_CANCELED = 3
    E_EXPIRED = 4
    E_AMENDED = 5
    S_TAKER = 0
    S_MAKER = 1
    S_BOTH = 2
    R_NONE = 0
    R_POST_ONLY = 1
    R_REDUCE_ONLY = 2
    R_SELF_TRADE = 3
    R_REMAINDER = 4
    R_FOK = 5
    R_UNKNOWN_ORDER = 6
    R_DUPLICATE = 7
    R_TOO_MANY = 8
    R_REQUESTED = 9
    R_BELOW_FILLED = 10

# Sums over all orders must fit an int64.
cdef int64_t MAX_LOTS = (<int64_t> 1) << 46
cdef int64_t MAX_PRICE = (<int64_t> 1) << 58
cdef int64_t MAX_ORDERS = 1 << 14


@final
@freelist(256)
cdef class MatchEvent:
    """One thing that happened to one order."""

    cdef readonly int64_t kind, order_id, owner, side, price_ticks, lots, remaining_lots, reason, counterparty_id
    cdef readonly bint is_maker

    def as_tuple(self):
        """Return (kind, order_id, price_ticks, lots, remaining_lots, is_maker, reason)."""
        return (
            self.kind, self.order_id, self.price_ticks, self.lots, self.remaining_lots, self.is_maker, self.reason
        )

    def __repr__(self):
        kind = ("ACCEPTED", "REJECTED", "FILL", "CANCELED", "EXPIRED", "AMENDED")[self.kind]
        return (
            f"MatchEvent({kind}, order_id={self.order_id}, owner={self.owner}, {'SELL' if self.side else 'BUY'}, "
            f"price_ticks={self.price_ticks}, lots={self.lots}, remaining_lots={self.remaining_lots}, "
            f"is_maker={self.is_maker}, reason={self.reason}, counterparty_id={self.counterparty_id})"
        )


cdef MatchEvent event_of(int64_t kind, int64_t side, Order* order, int64_t price_ticks, int64_t lots, int64_t reason):
    cdef MatchEvent event = MatchEvent.__new__(MatchEvent)
    event.kind, event.side, event.reason = kind, side, reason
    event.order_id, event.owner, event.remaining_lots = order.order_id, order.owner, order.lots
    event.price_ticks, event.lots = price_ticks, lots
    return event


cdef inline int64_t key_of(int64_t side, int64_t price_ticks) noexcept nogil:
    return price_ticks if side else -price_ticks


cdef int check_side(int64_t side) except -1:
    if side != 0 and side != 1:
        raise ValueError(f"side was {side}: it must be BUY (0) or SELL (1)")
    return 0


cdef int check_lots(str name, int64_t lots, int64_t low, int64_t high) except -1:
    if not low <= lots <= high:
        raise ValueError(f"{name} was {lots}: it must lie between {low} and {high}")
    return 0


cdef int64_t level_count(bytes packed) except -1:
    cdef int64_t size = PyBytes_GET_SIZE(packed)
    if size % 16:
        raise ValueError(f"packed levels were {size} bytes long: each level is 16 (int64 ticks, int64 lots)")
    return size // 16


def fee_units(int64_t notional_units, int64_t rate_ppb):
    """Return `notional_units * rate_ppb / 1e9`, rounded half to even; a negative rate is a rebate."""
    cdef int128 product = <int128> notional_units * rate_ppb
    cdef bint negative = product < 0
    cdef int128 size = -product if negative else product
    cdef int128 whole = size // 1_000_000_000
    cdef int64_t rest = <int64_t> (size - whole * 1_000_000_000)
    if rest > 500_000_000 or (rest == 500_000_000 and whole & 1):
        whole += 1
    if whole > INT64_MAX:
        raise OverflowError(
            f"the fee on {notional_units} units at {rate_ppb} ppb does not fit 64 bits: use a coarser money unit"
        )
    return <int64_t> (-whole if negative else whole)


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
        self.where = {}
        self.next_seq = 1

    def __dealloc__(self):
        free(self.sides[0].orders)
        free(self.sides[1].orders)
        free(self.owners)

    def __len__(self):
        return len(self.where)

    def __contains__(self, order_id):
        return order_id in self.where

    # ---- commands

    def submit(self, int64_t order_id, int64_t owner, int64_t side, int64_t price_ticks, int64_t lots, *,
               int64_t tif=T_GTC, bint post_only=False, bint reduce_only=False, bytes opposite=b"",
               int64_t displayed_lots=0, int64_t stp=S_TAKER):
        """Match an arriving order against the opposite side and rest what remains (GTC)."""
        cdef list events = []
        cdef Order order
        cdef Side* own
        cdef Owner* account
        cdef const int64_t* levels = <const int64_t*> PyBytes_AS_STRING(opposite)
        cdef int64_t count = level_count(opposite), limit, i
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
        if order_id in self.where:
            events.append(event_of(E_REJECTED, side, &order, price_ticks, lots, R_DUPLICATE))
            return events
        if tif == T_GTC and <int64_t> len(self.where) >= self.max_orders:
            events.append(event_of(E_REJECTED, side, &order, price_ticks, lots, R_TOO_MANY))
            return events
        if price_ticks == 0:
            order.price_ticks = 1 if side else MAX_PRICE
        account = self.owner_of(owner)
        if reduce_only:
            limit = account.position_lots if side else -account.position_lots
            if not self.crosses(side, order.price_ticks, levels, count):
                own = &self.sides[side]
                for i in range(own.count):
                    if own.orders[i].owner == owner and own.orders[i].reduce_only:
                        limit -= own.orders[i].lots
            if limit <= 0:
                events.append(event_of(E_REJECTED, side, &order, price_ticks, lots, R_REDUCE_ONLY))
                return events
            order.lots = min(order.lots, limit)
        if post_only and self.crosses(side, price_ticks, levels, count):
            events.append(event_of(E_REJECTED, side, &order, price_ticks, lots, R_POST_ONLY))
            return events
        events.append(event_of(E_ACCEPTED, side, &order, price_ticks, order.lots, R_NONE))
        self.arrive(events, side, &order, tif, levels, count, displayed_lots, stp)
        return events

    def cancel(self, int64_t order_id):
        """Cancel an order; REJECTED with UNKNOWN_ORDER if it does not rest here."""
        cdef Order order
        cdef int64_t side = 0, index = self.find(order_id, &side)
        if index < 0:
            return [_unknown(order_id)]
        order = self.sides[side].orders[index]
        self.drop(side, index)
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
        index = self.find(order_id, &side)
        if index < 0:
            return [_unknown(order_id)]
        order = self.sides[side].orders[index]
        remaining = lots - order.filled_lots
        if remaining <= 0:
            self.drop(side, index)
            return [event_of(E_CANCELED, side, &order, order.price_ticks, order.lots, R_BELOW_FILLED)]
        if price_ticks == order.price_ticks and remaining == order.lots:
            return [event_of(E_AMENDED, side, &order, price_ticks, remaining, R_NONE)]
        if price_ticks == order.price_ticks and remaining < order.lots and self.keep_queue_on_decrease:
            self.sides[side].orders[index].lots = remaining
            return [event_of(E_AMENDED, side, &self.sides[side].orders[index], price_ticks, remaining, R_NONE)]
        self.drop(side, index)
        if order.post_only and self.crosses(side, price_ticks, levels, count):
            return [event_of(E_CANCELED, side, &order, order.price_ticks, order.lots, R_POST_ONLY)]
        if order.reduce_only:
            account = self.owner_of(order.owner)
            remaining = min(remaining, account.position_lots if side else -account.position_lots)
        order.lots, order.price_ticks = remaining, price_ticks
        events.append(event_of(E_AMENDED, side, &order, price_ticks, remaining, R_NONE))
        self.arrive(events, side, &order, T_GTC, levels, count, displayed_lots, stp)
        return events

    def set_position(self, int64_t owner, int64_t lots):
        """Set an owner's signed position; reduce-only orders beyond it are trimmed, newest first."""
        cdef list events = []
        cdef Owner* account = self.owner_of(owner)
        check_lots("lots", lots, -MAX_PRICE, MAX_PRICE)
        account.position_lots = lots
        self.trim_reduce_only(events, account)
        return events

    def position(self, int64_t owner):
        """Return an owner's signed position in lots."""
        return self.owner_of(owner).position_lots

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
        own = &self.sides[side]
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
                order.ahead_lots = 0
                used += got
                self.fill(events, side, index, got, 0)
            elif reach > 0:
                order.ahead_lots -= reach

    def on_depth(self, int64_t side, int64_t price_ticks, int64_t lots):
        """Take note of what the external book now displays at one price of one side."""
        cdef Side* own
        cdef int64_t key, index
        check_side(side)
        check_lots("price_ticks", price_ticks, 1, MAX_PRICE)
        check_lots("lots", lots, 0, MAX_PRICE)
        own = &self.sides[side]
        key = key_of(side, price_ticks)
        index = first_at(own, key, 0)
        while index < own.count and own.orders[index].key == key:
            show_depth(own.orders + index, lots, self.queue_power)
            index += 1

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
            if self.sides[side].count == 0:
                continue
            levels = <const int64_t*> PyBytes_AS_STRING(packed)
            for i in range(count):
                self.on_depth(side, levels[2 * i], levels[2 * i + 1])
        return self.on_best(best_bid_ticks, best_ask_ticks)

    # ---- state

    def dump(self):
        """Return every resting order, oldest first, as `load` takes it."""
        cdef int64_t side, i
        cdef Order* order
        rows = []
        for side in range(2):
            for i in range(self.sides[side].count):
                order = self.sides[side].orders + i
                rows.append((order.seq, (
                    order.order_id, order.owner, side, order.price_ticks, order.lots, order.filled_lots,
                    order.ahead_lots, order.displayed_lots, order.traded_lots, bool(order.reduce_only),
                    bool(order.post_only),
                )))
        rows.sort()
        return [row for _, row in rows]

    def positions(self):
        """Return the signed position of every owner that has one."""
        return {
            self.owners[i].owner: self.owners[i].position_lots
            for i in range(self.owner_count)
            if self.owners[i].position_lots
        }

    def load(self, orders, positions):
        """Replace the whole state by one that `dump` and `positions` returned."""
        cdef Order order
        cdef int64_t side
        fresh = []
        for row in orders:
            (order.order_id, order.owner, side, order.price_ticks, order.lots, order.filled_lots, order.ahead_lots,
             order.displayed_lots, order.traded_lots, order.reduce_only, order.post_only) = row
            check_side(side)
            check_lots("price_ticks", order.price_ticks, 1, MAX_PRICE)
            check_lots("lots", order.lots, 1, MAX_LOTS)
            for name, value in (("filled_lots", order.filled_lots), ("ahead_lots", order.ahead_lots),
                                ("displayed_lots", order.displayed_lots), ("traded_lots", order.traded_lots)):
                check_lots(name, value, 0, INT64_MAX)
            fresh.append(order.order_id)
        if len(fresh) > self.max_orders or len(set(fresh)) != len(fresh):
            raise ValueError(
                f"the saved state has {len(fresh)} orders under {len(set(fresh))} ids: ids must be unique and at most "
                f"{self.max_orders} orders may rest"
            )
        self.sides[0].count = self.sides[1].count = 0
        self.owner_count = 0
        self.where.clear()
        for owner, lots in positions.items():
            check_lots("position", lots, -MAX_PRICE, MAX_PRICE)
            self.owner_of(owner).position_lots = lots
        for row in orders:
            (order.order_id, order.owner, side, order.price_ticks, order.lots, order.filled_lots, order.ahead_lots,
             order.displayed_lots, order.traded_lots, order.reduce_only, order.post_only) = row
            self.rest(side, &order)

    # ---- C parts

    cdef Owner* owner_of(self, int64_t owner) except NULL:
        cdef int64_t i
        cdef Owner* larger
        for i in range(self.owner_count):
            if self.owners[i].owner == owner:
                return self.owners + i
        if self.owner_count == self.owner_room:
            larger = <Owner*> realloc(self.owners, <size_t> (2 * self.owner_room + 8) * sizeof(Owner))
            if larger is NULL:
                raise MemoryError
            self.owners = larger
            self.owner_room = 2 * self.owner_room + 8
        self.owners[self.owner_count].owner = owner
        self.owners[self.owner_count].position_lots = 0
        self.owners[self.owner_count].reduce_only_orders = 0
        self.owner_count += 1
        return self.owners + self.owner_count - 1

    cdef int64_t find(self, int64_t order_id, int64_t* side) except -2:
        """Return the index of a resting order, -1 if it does not rest here."""
        place = self.where.get(order_id)
        if place is None:
            return -1
        side[0] = place[0]
        return first_at(&self.sides[side[0]], place[1], place[2])

    cdef int drop(self, int64_t side, int64_t index) except -1:
        cdef Order* order = self.sides[side].orders + index
        if order.reduce_only:
            self.owner_of(order.owner).reduce_only_orders -= 1
        del self.where[order.order_id]
        remove_order(&self.sides[side], index)
        return 0

    cdef int rest(self, int64_t side, Order* order) except -1:
        """Queue an order behind everything at its price."""
        if reserve_order(&self.sides[side]) < 0:
            raise MemoryError
        order.key = key_of(side, order.price_ticks)
        order.seq = self.next_seq
        self.next_seq += 1
        if order.reduce_only:
            self.owner_of(order.owner).reduce_only_orders += 1
        insert_order(&self.sides[side], order)
        self.where[order.order_id] = (side, order.key, order.seq)
        return 0

    cdef int fill(self, list events, int64_t side, int64_t index, int64_t lots, int64_t counterparty) except -1:
        """Fill a resting order as the maker, at its price."""
        cdef Order* order = self.sides[side].orders + index
        cdef int64_t owner = order.owner
        cdef MatchEvent event
        order.lots -= lots
        order.filled_lots += lots
        event = event_of(E_FILL, side, order, order.price_ticks, lots, R_NONE)
        event.is_maker, event.counterparty_id = True, counterparty
        events.append(event)
        if order.lots == 0:
            self.drop(side, index)
        self.move_position(events, owner, -lots if side else lots)
        return 0

    cdef int move_position(self, list events, int64_t owner, int64_t lots) except -1:
        cdef Owner* account = self.owner_of(owner)
        account.position_lots += lots
        if account.reduce_only_orders:
            self.trim_reduce_only(events, account)
        return 0

    cdef int trim_reduce_only(self, list events, Owner* account) except -1:
        """Cut the owner's reduce-only orders down to the position, the newest first."""
        cdef int64_t side, limit, total, newest, i, cut
        cdef Side* own
        cdef Order* order
        for side in range(2):
            own = &self.sides[side]
            limit = max(account.position_lots if side else -account.position_lots, 0)
            while True:
                total, newest = 0, -1
                for i in range(own.count):
                    if own.orders[i].reduce_only and own.orders[i].owner == account.owner:
                        total += own.orders[i].lots
                        if newest < 0 or own.orders[i].seq > own.orders[newest].seq:
                            newest = i
                if total <= limit:
                    break
                order = own.orders + newest
                cut = min(order.lots, total - limit)
                order.lots -= cut
                if order.lots:
                    events.append(event_of(E_AMENDED, side, order, order.price_ticks, order.lots, R_REDUCE_ONLY))
                else:
                    events.append(event_of(E_EXPIRED, side, order, order.price_ticks, cut, R_REDUCE_ONLY))
                    self.drop(side, newest)
        return 0

    cdef bint crosses(self, int64_t side, int64_t price_ticks, const int64_t* levels, int64_t count) noexcept:
        """Whether an order at this price would trade on arrival, with an external level or a resting order."""
        cdef Side* other = &self.sides[1 - side]
        cdef int64_t key = key_of(1 - side, price_ticks)
        if count and key_of(1 - side, levels[0]) <= key:
            return True
        return other.count > 0 and other.orders[0].key <= key

    cdef int64_t fillable(self, int64_t side, Order* order, const int64_t* levels, int64_t count, int64_t stp) noexcept:
        """Return how many lots an order could take now, at most its own size."""
        cdef Side* other = &self.sides[1 - side]
        cdef int64_t limit = key_of(1 - side, order.price_ticks), found = 0, i, block = limit + 1, block_ahead = 0
        cdef int64_t level
        for i in range(other.count):
            if other.orders[i].key > limit:
                break
            if other.orders[i].owner != order.owner:
                found = min(order.lots, found + other.orders[i].lots)
            elif stp != S_MAKER:
                # Nothing behind one of our own orders is reachable.
                block, block_ahead = other.orders[i].key, other.orders[i].ahead_lots
                break
        for i in range(count):
            level = key_of(1 - side, levels[2 * i])
            if level > limit or level > block:
                break
            found = min(order.lots, found + (min(levels[2 * i + 1], block_ahead) if level == block
                                             else levels[2 * i + 1]))
        return found

    cdef int take(self, list events, int64_t side, Order* order, const int64_t* levels, int64_t count,
                  int64_t stp, int64_t* reason) except -1:
        """Walk the opposite side while the order has lots and the price allows; set why it stopped early."""
        cdef Side* other = &self.sides[1 - side]
        cdef int64_t limit = key_of(1 - side, order.price_ticks), i = 0, taken = 0, best, lots, ahead, j, maker_id
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
                    if lots == ahead and levels[2 * i + 1] == taken:
                        other.orders[0].ahead_lots = 0
                    continue
                if maker.owner == order.owner:
                    if stp != S_TAKER:
                        copy = maker[0]
                        self.drop(1 - side, 0)
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
                self.fill(events, 1 - side, 0, lots, order.order_id)
                events.append(event)
                self.move_position(events, order.owner, -lots if side else lots)
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
        self.move_position(events, order.owner, -lots if side else lots)
        return 0

    cdef int arrive(self, list events, int64_t side, Order* order, int64_t tif, const int64_t* levels, int64_t count,
                    int64_t displayed_lots, int64_t stp) except -1:
        """Take what crosses, then rest or expire the remainder."""
        cdef int64_t reason = R_NONE
        if tif == T_FOK and self.fillable(side, order, levels, count, stp) < order.lots:
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
        self.rest(side, order)
        if order.reduce_only:
            self.trim_reduce_only(events, self.owner_of(order.owner))
        return 0

    cdef int fill_through(self, list events, int64_t side, int64_t key, int64_t* left, bint all_lots) except -1:
        """Fill the resting orders strictly better than a key, best first: all of them, or as far as lots are left."""
        cdef Side* own = &self.sides[side]
        cdef int64_t lots
        while own.count and own.orders[0].key < key:
            lots = own.orders[0].lots if all_lots else min(own.orders[0].lots, left[0])
            if lots == 0:
                return 0
            left[0] -= lots
            self.fill(events, side, 0, lots, 0)
        return 0


cdef MatchEvent _unknown(int64_t order_id):
    cdef MatchEvent event = MatchEvent.__new__(MatchEvent)
    event.kind, event.order_id, event.reason = E_REJECTED, order_id, R_UNKNOWN_ORDER
    return event
