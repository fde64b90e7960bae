"""C interface of match events, their codes, and the checks the matching modules share."""

from libc.stdint cimport int64_t

from opensqt._core.match_side cimport Order


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


cdef class MatchEvent:
    cdef readonly int64_t kind, order_id, owner, side, price_ticks, lots, remaining_lots, reason, counterparty_id
    cdef readonly bint is_maker


cdef MatchEvent event_of(int64_t kind, int64_t side, Order* order, int64_t price_ticks, int64_t lots, int64_t reason)
cdef MatchEvent unknown_order(int64_t order_id)
cdef int check_side(int64_t side) except -1
cdef int check_lots(str name, int64_t lots, int64_t low, int64_t high) except -1
