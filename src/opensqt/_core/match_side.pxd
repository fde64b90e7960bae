"""The resting orders of one side in price-time order, and the arithmetic of their queue position.

One sorted block of records: the best price first, and at a price the oldest first. A key makes both sides ascend: the
price of a sell, the negated price of a buy. Orders are few (a grid, not a venue), so moving records beats linking them.
"""

from cython cimport overflowcheck
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memmove

cdef extern from *:
    """
    typedef unsigned __int128 opensqt_uint128;
    """
    ctypedef unsigned long long uint128 "opensqt_uint128"


cdef struct Order:
    int64_t key               # see above
    int64_t seq               # arrival; a later one queues behind
    int64_t order_id
    int64_t owner
    int64_t price_ticks
    int64_t lots              # remaining
    int64_t filled_lots
    int64_t ahead_lots        # external lots in front of us at our price
    int64_t displayed_lots    # external lots last displayed at our price
    int64_t traded_lots       # external lots traded at our price since that display
    bint reduce_only
    bint post_only


cdef struct Side:
    Order* orders
    int64_t count
    int64_t room


cdef inline int64_t key_of(int64_t side, int64_t price_ticks) noexcept nogil:
    return price_ticks if side else -price_ticks


cdef inline int64_t limit_key(int64_t side, int64_t price_ticks) noexcept nogil:
    """Return the worst opposite key an order may take; a price of 0 is a market order's: any."""
    return key_of(1 - side, price_ticks) if price_ticks else INT64_MAX - 1


cdef inline int reserve_order(Side* side) noexcept nogil:
    """Make room for one more order; -1 if memory ran out."""
    cdef Order* larger
    cdef int64_t room
    if side.count < side.room:
        return 0
    room = 2 * side.room + 64
    larger = <Order*> realloc(side.orders, <size_t> room * sizeof(Order))
    if larger is NULL:
        return -1
    side.orders = larger
    side.room = room
    return 0


cdef inline int64_t first_at(Side* side, int64_t key, int64_t seq) noexcept nogil:
    """Return the index of the first order at or behind (key, seq)."""
    cdef int64_t low = 0
    cdef int64_t high = side.count
    cdef int64_t middle
    while low < high:
        middle = (low + high) // 2
        if side.orders[middle].key < key or (side.orders[middle].key == key and side.orders[middle].seq < seq):
            low = middle + 1
        else:
            high = middle
    return low


cdef inline void insert_order(Side* side, Order* order) noexcept nogil:
    """Insert a copy in price-time order; the room must be reserved."""
    cdef int64_t index = first_at(side, order.key, order.seq)
    memmove(
        side.orders + index + 1, side.orders + index, <size_t> (side.count - index) * sizeof(Order)
    )
    side.orders[index] = order[0]
    side.count += 1


cdef inline void remove_order(Side* side, int64_t index) noexcept nogil:
    memmove(
        side.orders + index, side.orders + index + 1, <size_t> (side.count - index - 1) * sizeof(Order)
    )
    side.count -= 1


cdef inline uint64_t power_of(int64_t lots, int64_t shift, int64_t power) noexcept nogil:
    """Return (lots / 2^shift) ^ power; the shift keeps it within 63 bits."""
    cdef uint64_t base = <uint64_t> (lots >> shift)
    cdef uint64_t result = 1
    cdef int64_t _
    for _ in range(power):
        result *= base
    return result


# Overflow checks, on in debug builds, know no 128-bit type.
@overflowcheck(False)
cdef inline void show_depth(Order* order, int64_t lots, int64_t power) noexcept nogil:
    """Move an order forward in its queue after the external display at its price changed.

    With power 0 (pessimistic) every cancel was behind us: only the display caps the queue ahead. Otherwise what left
    without trading is split between the lots ahead and behind in proportion to (lots ahead) ^ power and
    (lots behind) ^ power, rounded against us.
    """
    cdef int64_t left = order.displayed_lots - order.traded_lots - lots
    cdef int64_t behind, ahead, from_ahead, largest, shift
    cdef uint64_t weight_ahead, weight_behind
    order.traded_lots = 0
    if power > 0 and left > 0 and order.ahead_lots > 0:
        ahead = order.ahead_lots
        behind = order.displayed_lots - ahead
        if behind < 0:
            behind = 0
        largest = ahead if ahead > behind else behind
        shift = 0
        # 3 * 20 bits of weight and 58 of lots stay within 128.
        while largest >> shift >= 1 << 20:
            shift += 1
        weight_ahead = power_of(ahead, shift, power)
        weight_behind = power_of(behind, shift, power)
        from_ahead = 0
        if weight_ahead + weight_behind > 0:
            from_ahead = <int64_t> (<uint128> left * weight_ahead // (weight_ahead + weight_behind))
        if left - from_ahead > behind:
            from_ahead = left - behind
        order.ahead_lots = ahead - from_ahead if ahead > from_ahead else 0
    if order.ahead_lots > lots:
        order.ahead_lots = lots
    order.displayed_lots = lots


cdef inline bint crosses(
    Side* other, int64_t limit, int64_t other_side, const int64_t* levels, int64_t count
) noexcept nogil:
    """Whether an order with this limit key would trade on arrival, with an external level or a resting order."""
    if count and key_of(other_side, levels[0]) <= limit:
        return True
    return other.count > 0 and other.orders[0].key <= limit


cdef inline int64_t fillable(
    Side* other, Order* order, int64_t limit, int64_t other_side, bint own_orders_step_aside,
    const int64_t* levels, int64_t count
) noexcept nogil:
    """Return how many lots an order could take now, at most its own size.

    Nothing behind an order of the same owner is reachable, unless such orders step aside (expire) on contact.
    """
    cdef int64_t found = 0, i, level, lots
    cdef int64_t block = limit + 1
    cdef int64_t ahead = 0
    for i in range(other.count):
        if other.orders[i].key > limit:
            break
        if i == 0 or other.orders[i].key != other.orders[i - 1].key:
            ahead = 0
        # External lots in front of an order trade before it, so reaching a later one takes the most of them.
        ahead = max(ahead, other.orders[i].ahead_lots)
        if other.orders[i].owner != order.owner:
            found = min(order.lots, found + other.orders[i].lots)
        elif not own_orders_step_aside:
            block = other.orders[i].key
            break
    for i in range(count):
        level = key_of(other_side, levels[2 * i])
        if level > limit or level > block:
            break
        lots = min(levels[2 * i + 1], ahead) if level == block else levels[2 * i + 1]
        found = min(order.lots, found + lots)
    return found
