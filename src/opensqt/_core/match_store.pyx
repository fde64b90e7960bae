"""The resting orders of both sides and the positions of their owners, kept consistent with each other.

Every fill moves the owner's position, and every move of a position trims the owner's reduce-only orders to it, the
newest first, before anything else can trade.
"""

from cython cimport final
from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free, realloc

from opensqt._core.match_event cimport (
    E_AMENDED, E_EXPIRED, E_FILL, R_NONE, R_REDUCE_ONLY, MatchEvent, check_lots, check_side, event_of,
)
from opensqt._core.match_side cimport (
    Order, Side, first_at, insert_order, key_of, remove_order, reserve_order,
)

cdef int64_t MAX_OWNERS = 1 << 12
cdef int64_t MAX_LOTS = (<int64_t> 1) << 46
cdef int64_t MAX_PRICE = (<int64_t> 1) << 58


@final
cdef class RestingOrders:
    def __cinit__(self):
        self.where = {}
        self.next_seq = 1

    def __dealloc__(self):
        free(self.sides[0].orders)
        free(self.sides[1].orders)
        free(self.owners)

    cdef Owner* owner_of(self, int64_t owner) except NULL:
        cdef int64_t i
        cdef Owner* larger
        for i in range(self.owner_count):
            if self.owners[i].owner == owner:
                return self.owners + i
        if self.owner_count >= MAX_OWNERS:
            raise ValueError(f"owner {owner} is one more than the {MAX_OWNERS} owners a matcher keeps")
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
        order.ahead_lots = 0
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

    cdef list dump(self):
        """Return every resting order, oldest first, in the order of fields of `Matcher.dump`."""
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

    cdef dict positions(self):
        """Return the signed position of every owner that has one."""
        return {
            self.owners[i].owner: self.owners[i].position_lots
            for i in range(self.owner_count)
            if self.owners[i].position_lots
        }

    cdef int load(self, list orders, dict positions, int64_t max_orders) except -1:
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
        if len(fresh) > max_orders or len(set(fresh)) != len(fresh):
            raise ValueError(
                f"the saved state has {len(fresh)} orders under {len(set(fresh))} ids: ids must be unique and at most "
                f"{max_orders} orders may rest"
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
        return 0
