"""Desired orders against live ones: the shortest list of actions, by slot identity.

Both sets keep the rows of a side sorted by slot, so the difference is one merge walk. A live order that already is what
its slot wants costs nothing and keeps its queue place. Only WORKING orders are acted on; one in flight (PENDING,
UNKNOWN, CANCELLING) blocks its slot until its outcome is known: that is what keeps one order per slot and side.

Limits are applied in two steps. First the desired rows are ranked (orders that reduce, then orders that open; nearest
to the reference price first) and whatever exceeds the order budget or the room for opening lots is not wanted, so that
its live order goes. Then each placement is admitted only if the limit holds with everything still open counted, orders
about to be cancelled included; what must wait is counted as `deferred`. A placement at or through one of our own
opposite orders is never sent; it is counted as `withheld`.
"""

from cython cimport final
from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free, qsort, realloc
from libc.string cimport memcmp, memmove, memset

from opensqt._core.order_sets cimport (
    F_KEEP_ONLY, F_REDUCE_ONLY, F_STATE, SIDE_BUY, SIDE_SELL, Desired, Live, Row, RowSet,
)

from opensqt._core.order_sets import BUY, CANCELLING, PENDING, SELL, UNKNOWN, WORKING  # no-cython-lint: re-exported

# A cimported type is no module attribute by itself; callers find the sets next to their difference.
globals().update(Desired=Desired, Live=Live)

PLACE, CANCEL, AMEND = range(3)

cdef enum:
    K_PLACE = 0
    K_CANCEL = 1
    K_AMEND = 2
    K_KEPT = 3
    # Ranks: what lowers risk goes first. Orders kept by hysteresis only are listed last, to be shed if need be.
    R_CANCEL_OPENING = 0
    R_CANCEL_REDUCING = 1
    R_REDUCE = 2
    R_OPEN = 3
    R_KEPT = 4

UNLIMITED = INT64_MAX


@final
cdef class Action:
    """One thing to send. PLACE: everything but the handle (0). CANCEL: the order as it is. AMEND: its new values."""

    cdef readonly int64_t kind, handle, slot, side, price_ticks, lots
    cdef readonly bint reduce_only

    def __repr__(self):
        return (
            f"Action({('PLACE', 'CANCEL', 'AMEND')[self.kind]}, handle={self.handle}, slot={self.slot}, "
            f"{'SELL' if self.side else 'BUY'}, price_ticks={self.price_ticks}, lots={self.lots}, "
            f"reduce_only={self.reduce_only})"
        )


cdef int _by_rank(const void* a, const void* b) noexcept nogil:
    cdef const ActionRow* x = <const ActionRow*>a
    cdef const ActionRow* y = <const ActionRow*>b
    if x.rank != y.rank:
        return -1 if x.rank < y.rank else 1
    if x.distance2 != y.distance2:
        return -1 if x.distance2 < y.distance2 else 1
    if x.side != y.side:
        return -1 if x.side < y.side else 1
    if x.row.slot != y.row.slot:
        return -1 if x.row.slot < y.row.slot else 1
    return (x.handle > y.handle) - (x.handle < y.handle)


cdef int _by_priority(const void* a, const void* b) noexcept nogil:
    cdef const RankedRow* x = <const RankedRow*>a
    cdef const RankedRow* y = <const RankedRow*>b
    if x.rank != y.rank:
        return -1 if x.rank < y.rank else 1
    if x.distance2 != y.distance2:
        return -1 if x.distance2 < y.distance2 else 1
    if x.side != y.side:
        return -1 if x.side < y.side else 1
    return (x.index > y.index) - (x.index < y.index)


cdef inline int64_t _distance2(int64_t price_ticks, int64_t price2) noexcept nogil:
    cdef int64_t distance = 2 * price_ticks - price2
    return distance if distance >= 0 else -distance


cdef inline int64_t _equal_rows(const Row* a, const Row* b, int64_t count) noexcept nogil:
    """Return how many leading rows are the same."""
    cdef int64_t i = 0
    # Most of a lattice is unchanged: whole blocks at the speed of memory, the block that differs row by row.
    while i + 16 <= count and memcmp(a + i, b + i, 16 * sizeof(Row)) == 0:
        i += 16
    while i < count and (
        (a[i].slot ^ b[i].slot) | (a[i].price_ticks ^ b[i].price_ticks) | (a[i].lots ^ b[i].lots)
        | (a[i].flags ^ b[i].flags)
    ) == 0:
        i += 1
    return i


@final
cdef class Differ:
    """Computes the actions from live orders to desired ones, within limits; reusable, keeps its buffers.

    `max_open_orders` bounds our open orders, `max_actions` the length of one list. With `allow_amend` a changed price
    or size is amended in place; without it the order is cancelled and its slot placed again once the cancel is
    confirmed.
    """

    def __cinit__(self, int64_t max_open_orders=100, int64_t max_actions=INT64_MAX, bint allow_amend=False):
        if max_open_orders < 0 or max_actions < 0:
            raise ValueError(
                f"max_open_orders was {max_open_orders} and max_actions {max_actions}: neither may be negative"
            )
        self.max_open_orders = max_open_orders
        self.max_actions = max_actions
        self.allow_amend = allow_amend

    def __dealloc__(self):
        free(self.actions)
        free(self.ranked)
        free(self.shed[0])
        free(self.shed[1])

    def run(self, Desired desired not None, Live live not None, int64_t buy_room_lots=INT64_MAX,
            int64_t sell_room_lots=INT64_MAX):
        """Return the actions in sending order.

        Cancels of opening orders, other cancels, reducing orders, opening orders; within each the nearest to the
        reference price first. The room is how many lots of opening orders each side may hold open, pending and unknown
        ones included; the outermost levels go first.
        """
        cdef int64_t i
        cdef Action action
        cdef ActionRow* row
        actions = []
        self.compute_c(desired, live, buy_room_lots, sell_room_lots)
        for i in range(self.count):
            row = self.actions + i
            action = Action.__new__(Action)
            action.kind, action.handle, action.side = row.kind, row.handle, row.side
            action.slot, action.price_ticks, action.lots = row.row.slot, row.row.price_ticks, row.row.lots
            action.reduce_only = row.row.flags & F_REDUCE_ONLY
            actions.append(action)
        return actions

    def compute(self, Desired desired not None, Live live not None, int64_t buy_room_lots=INT64_MAX,
                int64_t sell_room_lots=INT64_MAX):
        """Do the work of `run`, but return only the number of actions."""
        return self.compute_c(desired, live, buy_room_lots, sell_room_lots)

    cdef int64_t compute_c(self, Desired desired, Live live, int64_t buy_room, int64_t sell_room) except -1:
        cdef int64_t want = desired.buys.count + desired.sells.count
        cdef int64_t have = live.buys.count + live.sells.count
        cdef bint limited = want > self.max_open_orders or buy_room != INT64_MAX or sell_room != INT64_MAX
        self.count = self.wanted = self.kept = self.withheld = self.deferred = 0
        self.tight = want + have > self.max_open_orders
        if limited:
            self.shed_over_limits(desired, buy_room, sell_room)
        else:
            free(self.shed[0])
            free(self.shed[1])
            self.shed[0] = self.shed[1] = NULL
        self.walk(SIDE_BUY, desired.buys, live.buys, desired)
        self.walk(SIDE_SELL, desired.sells, live.sells, desired)
        if self.count == 0:
            return 0
        if self.count > 1:
            qsort(self.actions, <size_t>self.count, sizeof(ActionRow), _by_rank)
        if self.kept:
            self.shed_kept()
        self.admit(live, buy_room, sell_room)
        return self.count

    cdef int push(self, int64_t rank, int64_t kind, int64_t side, int64_t handle, int64_t old_lots, Row row,
                  int64_t price2) except -1:
        cdef ActionRow* action
        cdef void* larger
        if self.count == self.room:
            larger = realloc(self.actions, <size_t>(2 * self.room + 64) * sizeof(ActionRow))
            if larger is NULL:
                raise MemoryError
            self.actions = <ActionRow*>larger
            self.room = 2 * self.room + 64
        action = self.actions + self.count
        action.rank, action.kind, action.side, action.handle = rank, kind, side, handle
        action.old_lots, action.row = old_lots, row
        action.distance2 = _distance2(row.price_ticks, price2)
        self.count += 1
        return 0

    cdef int walk(self, int64_t side, RowSet want, RowSet have, Desired desired) except -1:
        """Merge one side: push what differs, and count the orders that would be open afterwards."""
        cdef Row* wants = want.rows
        cdef Row* haves = have.rows
        cdef Row* d
        cdef Row* h
        cdef char* shed = self.shed[side]
        cdef int64_t i = 0, j = 0, n = want.count, m = have.count, end, match, x, run
        cdef int64_t price2 = desired.price2
        cdef bint keep
        while i < n or j < m:
            if shed is NULL:
                run = _equal_rows(wants + i, haves + j, min(n - i, m - j))
                i += run
                j += run
                self.wanted += run
                if i == n and j == m:
                    break
            if j == m or (i < n and wants[i].slot < haves[j].slot):
                d = wants + i
                if not (shed is not NULL and shed[i]) and not d.flags & F_KEEP_ONLY:
                    self.wanted += 1
                    self.push(R_REDUCE if d.flags & F_REDUCE_ONLY else R_OPEN, K_PLACE, side, 0, 0, d[0], price2)
                i += 1
                continue
            match = -1
            if i < n and wants[i].slot == haves[j].slot:
                # Of several live orders in one slot the one that is right already is the slot's; else the oldest.
                d = wants + i
                end = j + 1
                match = j
                while end < m and haves[end].slot == d.slot:
                    end += 1
                for x in range(j, end):
                    if haves[x].price_ticks == d.price_ticks and haves[x].lots == d.lots and (
                        haves[x].flags == d.flags & F_REDUCE_ONLY
                    ):
                        match = x
                        break
                h = haves + match
                if shed is not NULL and shed[i]:
                    match = -1
                elif h.flags & F_STATE:
                    self.wanted += 1
                elif h.price_ticks == d.price_ticks and h.lots == d.lots and h.flags == d.flags & F_REDUCE_ONLY:
                    self.wanted += 1
                elif self.allow_amend and h.flags == d.flags & F_REDUCE_ONLY:
                    self.wanted += 1
                    self.push(R_REDUCE if h.flags & F_REDUCE_ONLY else R_OPEN, K_AMEND, side, have.handles[match],
                              h.lots, d[0], price2)
                else:
                    self.wanted += 1
                    self.push(R_CANCEL_REDUCING if h.flags & F_REDUCE_ONLY else R_CANCEL_OPENING, K_CANCEL, side,
                              have.handles[match], 0, h[0], price2)
                i += 1
                keep = False
            else:
                end = j + 1
                keep = (
                    desired.keep_low[side] <= haves[j].slot <= desired.keep_high[side]
                    and (j == 0 or haves[j - 1].slot != haves[j].slot)
                )
            for x in range(j, end):
                h = haves + x
                if x == match:
                    continue
                if h.flags & F_STATE:
                    self.wanted += 1
                elif not keep:
                    self.push(R_CANCEL_REDUCING if h.flags & F_REDUCE_ONLY else R_CANCEL_OPENING, K_CANCEL, side,
                              have.handles[x], 0, h[0], price2)
                else:
                    self.wanted += 1
                    if self.tight:
                        self.kept += 1
                        self.push(R_KEPT, K_KEPT, side, have.handles[x], 0, h[0], price2)
            j = end
        return 0

    cdef int shed_over_limits(self, Desired desired, int64_t buy_room, int64_t sell_room) except -1:
        """Mark the desired rows that the order budget or the room for opening lots leaves out."""
        cdef RowSet want
        cdef Row* row
        cdef RankedRow* ranked
        cdef void* larger
        cdef int64_t left[2]
        cdef int64_t side, i, total = desired.buys.count + desired.sells.count, used = 0, n = 0
        if total > self.ranked_room:
            larger = realloc(self.ranked, <size_t>total * sizeof(RankedRow))
            if larger is NULL:
                raise MemoryError
            self.ranked = <RankedRow*>larger
            self.ranked_room = total
        left[0], left[1] = buy_room, sell_room
        for side in range(2):
            want = desired.sells if side else desired.buys
            larger = realloc(self.shed[side], <size_t>(want.count + 1))
            if larger is NULL:
                raise MemoryError
            self.shed[side] = <char*>larger
            memset(self.shed[side], 0, <size_t>(want.count + 1))
            for i in range(want.count):
                row = want.rows + i
                ranked = self.ranked + n
                ranked.rank = (
                    R_KEPT if row.flags & F_KEEP_ONLY else R_REDUCE if row.flags & F_REDUCE_ONLY else R_OPEN
                )
                ranked.distance2 = _distance2(row.price_ticks, desired.price2)
                ranked.side = side
                ranked.index = i
                n += 1
        qsort(self.ranked, <size_t>n, sizeof(RankedRow), _by_priority)
        for i in range(n):
            ranked = self.ranked + i
            side = ranked.side
            row = (desired.sells if side else desired.buys).rows + ranked.index
            if used >= self.max_open_orders:
                self.shed[side][ranked.index] = 1
            elif not row.flags & F_REDUCE_ONLY and left[side] != INT64_MAX:
                # Outermost first: once one level does not fit, none beyond it does.
                if row.lots > left[side]:
                    left[side] = 0
                    self.shed[side][ranked.index] = 1
                else:
                    left[side] -= row.lots
                    used += 1
            else:
                used += 1
        return 0

    cdef int shed_kept(self) except -1:
        """Turn the farthest orders that only hysteresis keeps into cancels while the budget is exceeded."""
        cdef int64_t excess = self.wanted - self.max_open_orders, i
        cdef int64_t first = self.count - self.kept
        if excess <= 0:
            self.count = first
            return 0
        if excess > self.kept:
            excess = self.kept
        memmove(self.actions + first, self.actions + self.count - excess, <size_t>excess * sizeof(ActionRow))
        for i in range(first, first + excess):
            self.actions[i].kind = K_CANCEL
            self.actions[i].rank = (
                R_CANCEL_REDUCING if self.actions[i].row.flags & F_REDUCE_ONLY else R_CANCEL_OPENING
            )
        self.count = first + excess
        qsort(self.actions, <size_t>self.count, sizeof(ActionRow), _by_rank)
        return 0

    cdef void admit(self, Live live, int64_t buy_room, int64_t sell_room) noexcept:
        """Drop the actions that must not or cannot be sent now, keeping the order of the rest."""
        cdef ActionRow* action
        cdef RowSet rows
        cdef int64_t best[2]
        cdef int64_t room[2]
        cdef int64_t opening[2]
        cdef int64_t side, i, price_ticks, extra, sent = 0, open_orders = live.buys.count + live.sells.count
        best[SIDE_BUY], best[SIDE_SELL] = live.best_ticks(SIDE_BUY), live.best_ticks(SIDE_SELL)
        room[SIDE_BUY], room[SIDE_SELL] = buy_room, sell_room
        opening[0] = opening[1] = 0
        for side in range(2):
            if room[side] == INT64_MAX:
                continue
            rows = live.sells if side else live.buys
            for i in range(rows.count):
                if not rows.rows[i].flags & F_REDUCE_ONLY:
                    opening[side] += rows.rows[i].lots
        for i in range(self.count):
            action = self.actions + i
            side = action.side
            if action.kind == K_CANCEL:
                if sent >= self.max_actions:
                    self.deferred += 1
                    continue
            else:
                price_ticks = action.row.price_ticks
                if side == SIDE_BUY and best[SIDE_SELL] != 0 and price_ticks >= best[SIDE_SELL]:
                    self.withheld += 1
                    continue
                if side == SIDE_SELL and price_ticks <= best[SIDE_BUY]:
                    self.withheld += 1
                    continue
                extra = action.row.lots - action.old_lots
                if (
                    sent >= self.max_actions
                    or (action.kind == K_PLACE and open_orders >= self.max_open_orders)
                    or (extra > 0 and room[side] != INT64_MAX and not action.row.flags & F_REDUCE_ONLY
                        and opening[side] + extra > room[side])
                ):
                    self.deferred += 1
                    continue
                if action.kind == K_PLACE:
                    open_orders += 1
                if extra > 0 and not action.row.flags & F_REDUCE_ONLY:
                    opening[side] += extra
                if best[side] == 0 or (price_ticks < best[side] if side else price_ticks > best[side]):
                    best[side] = price_ticks
            self.actions[sent] = action[0]
            sent += 1
        self.count = sent
