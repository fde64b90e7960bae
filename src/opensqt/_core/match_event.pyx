"""What matching reports: events with coded kinds and reasons, and the fee on a fill."""

from cython cimport final, freelist, overflowcheck
from libc.stdint cimport INT64_MAX, int64_t

from opensqt._core.match_side cimport Order

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


@final
@freelist(256)
cdef class MatchEvent:
    """One thing that happened to one order."""

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


cdef MatchEvent unknown_order(int64_t order_id):
    cdef MatchEvent event = MatchEvent.__new__(MatchEvent)
    event.kind, event.order_id, event.reason = E_REJECTED, order_id, R_UNKNOWN_ORDER
    return event


cdef int check_side(int64_t side) except -1:
    if side != 0 and side != 1:
        raise ValueError(f"side was {side}: it must be BUY (0) or SELL (1)")
    return 0


cdef int check_lots(str name, int64_t lots, int64_t low, int64_t high) except -1:
    if not low <= lots <= high:
        raise ValueError(f"{name} was {lots}: it must lie between {low} and {high}")
    return 0


# Overflow checks, on in debug builds, know no 128-bit type.
@overflowcheck(False)
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
