"""Price lattices: a level is an index, its price a pure function of a persisted anchor and step.

An arithmetic lattice has `level(k) = anchor + k * interval`. A geometric one has `level(k) = anchor * (1 + ratio)^k`,
rounded half away from zero to a tick and strictly increasing: where rounding would repeat a price, the level moves one
tick outward from the anchor. Geometric levels are computed outward from the anchor in fixed point (integers with 256
fractional bits, no libm), so every machine has the same lattice, and kept in a table that grows on demand.

A lattice may keep to multiples of `unit_ticks`: that is the venue's tick where it is coarser than the tick prices are
counted in. A geometric one is then rounded to the unit; an anchor and an interval must be multiples of it.

Prices near the market come in half ticks (`price2_ticks`, twice the price), so that a mid price is exact. Levels at or
below zero, or above 2^58 ticks, do not exist: asking for one is a ValueError, and windows are cut there.
"""

from cython cimport final, overflowcheck
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc

cdef extern from *:
    """
    typedef __int128 opensqt_int128;
    """
    ctypedef long long int128 "opensqt_int128"

cdef int64_t MAX_PRICE = (<int64_t>1) << MAX_PRICE_SHIFT
cdef int64_t MAX_TABLE = (<int64_t>1) << 20
cdef int64_t MIN_RATIO_PPB = 10_000
cdef int64_t MAX_RATIO_PPB = 1_000_000_000
cdef int64_t MAX_WINDOW = 1_000_000

_PPB = 1_000_000_000
_FRACTION_BITS = 256
_HALF = 1 << (_FRACTION_BITS - 1)

# The highest price a level may have.
MAX_PRICE_TICKS = MAX_PRICE


cdef inline int64_t floor_div(int64_t a, int64_t b) noexcept nogil:
    cdef int64_t q = a // b
    if q * b > a:
        q -= 1
    return q


cdef inline int64_t round_half_away(int64_t a, int64_t b) noexcept nogil:
    """Return a / b for b > 0, rounded half away from zero."""
    if a >= 0:
        return (2 * a + b) // (2 * b)
    return -((b - 2 * a) // (2 * b))


cdef int check_price2(int64_t price2_ticks) except -1:
    if not 0 < price2_ticks <= 2 * MAX_PRICE:
        raise ValueError(f"price2_ticks was {price2_ticks}: twice a price is between 1 and {2 * MAX_PRICE}")
    return 0


cdef int _check_window(str name, int64_t window) except -1:
    if not 0 <= window <= MAX_WINDOW:
        raise ValueError(f"{name} was {window}: it must lie between 0 and {MAX_WINDOW} levels")
    return 0


cdef int64_t* _resize(int64_t* table, int64_t count) except NULL:
    cdef int64_t* larger = <int64_t*>realloc(table, <size_t>count * sizeof(int64_t))
    if larger is NULL:
        raise MemoryError
    return larger


@final
cdef class Lattice:
    """An immutable ladder of price levels; make one with `Lattice.arithmetic` or `Lattice.geometric`."""

    def __cinit__(self, int64_t anchor_ticks, int64_t interval_ticks, int64_t ratio_ppb, int64_t unit_ticks=1):
        if not 0 < anchor_ticks <= MAX_PRICE:
            raise ValueError(f"anchor_ticks was {anchor_ticks}: an anchor is a price between 1 and {MAX_PRICE} ticks")
        if unit_ticks <= 0 or anchor_ticks % unit_ticks or interval_ticks % unit_ticks:
            raise ValueError(
                f"unit_ticks was {unit_ticks}: it must be positive and divide anchor_ticks {anchor_ticks} and "
                f"interval_ticks {interval_ticks}"
            )
        self.anchor_ticks = anchor_ticks
        # The levels of equal distances are what they are, whatever they are multiples of.
        self.unit_ticks = unit_ticks if ratio_ppb else 1
        self.interval_ticks = interval_ticks
        self.ratio_ppb = ratio_ppb
        if ratio_ppb == 0:
            if not 0 < interval_ticks <= MAX_PRICE:
                raise ValueError(f"interval_ticks was {interval_ticks}: levels must lie 1 to {MAX_PRICE} ticks apart")
            self.lowest = -((anchor_ticks - 1) // interval_ticks)
            return
        if interval_ticks != 0:
            raise ValueError("a lattice has an interval or a ratio, not both: leave one of them 0")
        if not MIN_RATIO_PPB <= ratio_ppb <= MAX_RATIO_PPB:
            raise ValueError(
                f"ratio_ppb was {ratio_ppb}: the step of a geometric lattice lies between {MIN_RATIO_PPB} (0.001 %) "
                f"and {MAX_RATIO_PPB} (100 %) parts per billion"
            )
        self.up = _resize(NULL, 64)
        self.up_room = 64
        self.down = _resize(NULL, 64)
        self.down_room = 64
        self.up[0] = anchor_ticks // unit_ticks
        self.up_count = 1
        self.up_exact = self.down_exact = int(self.up[0]) << _FRACTION_BITS

    def __dealloc__(self):
        free(self.up)
        free(self.down)

    @staticmethod
    def arithmetic(int64_t anchor_ticks, int64_t interval_ticks):
        """Make a lattice of equal distances; ValueError unless both are positive prices."""
        if interval_ticks <= 0:
            raise ValueError(f"interval_ticks was {interval_ticks}: levels must lie at least one tick apart")
        return Lattice(anchor_ticks, interval_ticks, 0)

    @staticmethod
    def geometric(int64_t anchor_ticks, int64_t ratio_ppb):
        """Make a lattice of equal ratios; ValueError unless the ratio lies in 10_000 .. 1_000_000_000 ppb."""
        if ratio_ppb <= 0:
            raise ValueError(f"ratio_ppb was {ratio_ppb}: a geometric step must be positive")
        return Lattice(anchor_ticks, 0, ratio_ppb)

    def __reduce__(self):
        return Lattice, (self.anchor_ticks, self.interval_ticks, self.ratio_ppb, self.unit_ticks)

    def __eq__(self, other):
        if not isinstance(other, Lattice):
            return NotImplemented
        cdef Lattice that = other
        return (
            self.anchor_ticks == that.anchor_ticks
            and self.interval_ticks == that.interval_ticks
            and self.ratio_ppb == that.ratio_ppb
            and self.unit_ticks == that.unit_ticks
        )

    def __hash__(self):
        return hash((self.anchor_ticks, self.interval_ticks, self.ratio_ppb, self.unit_ticks))

    def __repr__(self):
        if self.ratio_ppb:
            return f"Lattice.geometric(anchor_ticks={self.anchor_ticks}, ratio_ppb={self.ratio_ppb})"
        return f"Lattice.arithmetic(anchor_ticks={self.anchor_ticks}, interval_ticks={self.interval_ticks})"

    def level_ticks(self, int64_t k):
        """Return the price of level k; ValueError where it does not exist."""
        cdef int64_t level = self.level_c(k)
        if level == 0:
            raise ValueError(
                f"{self!r} has no level {k}: its price would not lie between 1 and {MAX_PRICE} ticks; "
                f"the lowest level is {self._lowest()}"
            )
        return level

    def index_near(self, int64_t price2_ticks):
        """Return the existing level nearest to half of `price2_ticks`; a tie goes away from the anchor."""
        check_price2(price2_ticks)
        return self.index_near_c(price2_ticks)

    def index_at_or_below(self, int64_t price_ticks):
        """Return the highest level at most the price, or `lowest_index - 1` where all levels are above it."""
        if not 0 < price_ticks <= MAX_PRICE:
            raise ValueError(f"price_ticks was {price_ticks}: a price lies between 1 and {MAX_PRICE} ticks")
        return self.index_at_or_below_c(price_ticks)

    def step_ticks(self, int64_t k):
        """Return `level(k + 1) - level(k)`; ValueError where either does not exist."""
        self.level_ticks(k)
        self.level_ticks(k + 1)
        return self.step_c(k)

    @property
    def lowest_index(self):
        """The lowest level that exists."""
        return self._lowest()

    # Overflow checks, on in debug builds, know no 128-bit type.
    @overflowcheck(False)
    cdef int64_t level_c(self, int64_t k) except -1:
        cdef int128 level
        if self.ratio_ppb:
            return self._geometric_level(k)
        level = <int128>self.anchor_ticks + <int128>k * self.interval_ticks
        if level <= 0 or level > MAX_PRICE:
            return 0
        return <int64_t>level

    cdef int64_t step_c(self, int64_t k) except -1:
        """Return the distance from level k to the next; at the end of a lattice, the distance before it."""
        cdef int64_t low, high
        if not self.ratio_ppb:
            return self.interval_ticks
        low, high = self.level_c(k), self.level_c(k + 1)
        if high == 0:
            low, high = self.level_c(k - 1), low
        return high - low

    cdef int64_t _lowest(self) except? -1:
        if not self.ratio_ppb:
            return self.lowest
        while not self.down_ended:
            self._grow_down()
        return -self.down_count

    cdef int64_t index_at_or_below_c(self, int64_t price_ticks) except? -1:
        """Return the highest index whose level is at most the price: one below the lowest where there is none."""
        cdef int64_t k
        if self.ratio_ppb:
            return self._geometric_at_or_below(price_ticks)
        k = floor_div(price_ticks - self.anchor_ticks, self.interval_ticks)
        return k if k >= self.lowest else self.lowest - 1

    cdef int64_t index_near_c(self, int64_t price2_ticks) except? -1:
        cdef int64_t k, below, above, low, high
        if not self.ratio_ppb:
            k = round_half_away(price2_ticks - 2 * self.anchor_ticks, 2 * self.interval_ticks)
            return k if k >= self.lowest else self.lowest
        below = self._geometric_at_or_below(price2_ticks // 2)
        low, high = self._geometric_level(below), self._geometric_level(below + 1)
        if low == 0:
            return below + 1
        if high == 0:
            return below
        above = 2 * high - price2_ticks
        low = price2_ticks - 2 * low
        # A tie goes away from the anchor, as in the arithmetic rule.
        if low < above or (low == above and below < 0):
            return below
        return below + 1

    cdef int64_t buy_top_c(self, int64_t price2_ticks, int64_t centre, int64_t safety_permille) except? -1:
        """Return the highest index, at most the centre, whose level keeps the safety distance below the price."""
        cdef int64_t step = self.step_c(centre)
        # level < P - permille * step / 1000, doubled; split so that no product leaves 64 bits.
        cdef int64_t bound = (
            price2_ticks
            - 2 * safety_permille * (step // 1000)
            - (2 * safety_permille * (step % 1000)) // 1000
        )
        cdef int64_t top
        if bound <= 2:
            return self._lowest() - 1
        top = self.index_at_or_below_c((bound - 1) // 2)
        return top if top < centre else centre

    @overflowcheck(False)
    cdef int64_t sell_top_c(self, int64_t price2_ticks, int64_t centre, int64_t sell_window) except? -1:
        """Return the highest index inside the sell window."""
        cdef int128 bound
        if self.ratio_ppb:
            return centre + sell_window
        bound = price2_ticks // 2 + <int128>sell_window * self.interval_ticks
        return self.index_at_or_below_c(<int64_t>bound if bound < MAX_PRICE else MAX_PRICE)

    cdef int _grow_up(self) except -1:
        """Compute the next level above the table, or note that there is none."""
        cdef object exact = self.up_exact * (_PPB + self.ratio_ppb) // _PPB
        cdef object level = (exact + _HALF) >> _FRACTION_BITS
        cdef int64_t last = self.up[self.up_count - 1]
        if level > MAX_PRICE // self.unit_ticks or last >= MAX_PRICE // self.unit_ticks:
            self.up_ended = True
            return 0
        if self.up_count >= MAX_TABLE:
            raise ValueError(f"{self!r} would need more than {MAX_TABLE} levels to reach this price: widen its ratio")
        if self.up_count == self.up_room:
            self.up = _resize(self.up, 2 * self.up_room)
            self.up_room *= 2
        self.up[self.up_count] = max(<int64_t>level, last + 1)
        self.up_count += 1
        self.up_exact = exact
        return 0

    cdef int _grow_down(self) except -1:
        """Compute the next level below the table, or note that there is none."""
        cdef object exact = self.down_exact * _PPB // (_PPB + self.ratio_ppb)
        cdef int64_t level = (exact + _HALF) >> _FRACTION_BITS
        cdef int64_t last = self.down[self.down_count - 1] if self.down_count else self.up[0]
        if level >= last:
            level = last - 1
        if level <= 0:
            self.down_ended = True
            return 0
        if self.down_count >= MAX_TABLE:
            raise ValueError(f"{self!r} would need more than {MAX_TABLE} levels to reach this price: widen its ratio")
        if self.down_count == self.down_room:
            self.down = _resize(self.down, 2 * self.down_room)
            self.down_room *= 2
        self.down[self.down_count] = level
        self.down_count += 1
        self.down_exact = exact
        return 0

    cdef int64_t _geometric_level(self, int64_t k) except -1:
        if k >= 0:
            while k >= self.up_count and not self.up_ended:
                self._grow_up()
            return self.up[k] * self.unit_ticks if k < self.up_count else 0
        while -1 - k >= self.down_count and not self.down_ended:
            self._grow_down()
        return self.down[-1 - k] * self.unit_ticks if -1 - k < self.down_count else 0

    cdef int64_t _geometric_at_or_below(self, int64_t price_ticks) except? -1:
        cdef int64_t low, high, middle
        price_ticks //= self.unit_ticks
        if price_ticks >= self.up[0]:
            while self.up[self.up_count - 1] <= price_ticks and not self.up_ended:
                self._grow_up()
            low, high = 0, self.up_count
            while high - low > 1:
                middle = (low + high) // 2
                if self.up[middle] <= price_ticks:
                    low = middle
                else:
                    high = middle
            return low
        while (self.down_count == 0 or self.down[self.down_count - 1] > price_ticks) and not self.down_ended:
            self._grow_down()
        # The first of the falling levels that is at or below the price.
        low, high = 0, self.down_count
        while low < high:
            middle = (low + high) // 2
            if self.down[middle] <= price_ticks:
                high = middle
            else:
                low = middle + 1
        return -1 - low


def buy_window(Lattice lattice not None, int64_t price2_ticks, int64_t window, int64_t safety_permille=100):
    """Return the levels to buy, nearest to the price first.

    Candidates are `centre - i` for i in 0 .. window-1 with centre = `index_near(price)`. A level is left out where
    `level >= price - safety_permille / 1000 * step(centre)` (compared exactly), or where it does not exist.
    """
    cdef int64_t centre, k, low
    check_price2(price2_ticks)
    _check_window("window", window)
    if not 0 <= safety_permille <= 1000:
        raise ValueError(f"safety_permille was {safety_permille}: it must lie between 0 and 1000 of an interval")
    centre = lattice.index_near_c(price2_ticks)
    k = lattice.buy_top_c(price2_ticks, centre, safety_permille)
    low = centre - window + 1
    slots = []
    while k >= low and lattice.level_c(k) > 0:
        slots.append(k)
        k -= 1
    return slots


def sell_window(Lattice lattice not None, int64_t price2_ticks, int64_t window, filled):
    """Return those filled slots whose lot should rest for sale, nearest to the price first.

    Arithmetic: `level(k) <= price + window * interval`. Geometric: `level(k) <= level(centre + window)`.
    """
    cdef int64_t centre, top
    check_price2(price2_ticks)
    _check_window("window", window)
    centre = lattice.index_near_c(price2_ticks)
    top = lattice.sell_top_c(price2_ticks, centre, window)
    inside = [k for k in filled if k <= top]
    inside.sort(key=lambda k: (abs(2 * lattice.level_ticks(k) - price2_ticks), k))
    return inside


def lots_for_quote(int64_t quote_units, int64_t price_ticks, int64_t units_per_tick_lot):
    """Return the whole lots that `quote_units` of money buy at a price (floor).

    One lot at one tick is worth `units_per_tick_lot` of the same units. ValueError on a negative amount or a price or
    unit that is not positive.
    """
    if quote_units < 0 or price_ticks <= 0 or units_per_tick_lot <= 0:
        raise ValueError(
            f"quote_units was {quote_units}, price_ticks {price_ticks}, units_per_tick_lot {units_per_tick_lot}: "
            "the amount must not be negative, the other two must be positive"
        )
    return lots_for_quote_c(quote_units, price_ticks, units_per_tick_lot)


@overflowcheck(False)
cdef int64_t lots_for_quote_c(int64_t quote_units, int64_t price_ticks, int64_t units_per_tick_lot) noexcept nogil:
    cdef int128 price_units = <int128>price_ticks * units_per_tick_lot
    if price_units > quote_units:
        return 0
    return quote_units // <int64_t>price_units
