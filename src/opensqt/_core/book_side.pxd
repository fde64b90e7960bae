"""One side of an order book, header-only so that `set_key` compiles into every loop that uses it.

A side keeps *keys*: the price in ticks for bids, its negative for asks, so the best level is always the highest key
and one code serves both sides. Keys close to the best live in a ring of RING_TICKS slots with an occupancy bitmap:
setting a level is one store, and the next best is found by scanning words downwards. Keys below the ring live in a
sorted array, so that no level is ever dropped, however far away. The ring always holds the best key; when the best
leaves it, or sinks into its lowest eighth, the ring slides and levels move between ring and array at the array's
upper end, one step per level moved.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, memset

cdef extern from *:
    """
    #define OPENSQT_HIGHEST_BIT(word) (63 - __builtin_clzll(word))
    """
    int HIGHEST_BIT "OPENSQT_HIGHEST_BIT" (uint64_t word) noexcept nogil
    const int64_t NO_KEY "INT64_MIN"

cdef enum:
    RING_TICKS = 16384
    RING_WORDS = RING_TICKS >> 6
    RING_MASK = RING_TICKS - 1
    # Where the best sits after a slide: most of the ring below it, where the levels are.
    BEST_OFFSET = (RING_TICKS >> 2) * 3
    LOW_WATER = RING_TICKS >> 3
    # Past this many changes a reader is better served by the whole book.
    MAX_CHANGES = 4096


cdef struct Side:
    int64_t base             # lowest key the ring holds, a multiple of 64
    int64_t best             # highest key of the side, NO_KEY when the side is empty
    Py_ssize_t near_count    # levels in the ring
    int64_t* lots            # ring: lots of key k at k mod RING_TICKS
    uint64_t* words          # ring: one bit per key with lots
    int64_t* far             # pairs (key, lots), ascending by key, all below base
    Py_ssize_t far_count
    Py_ssize_t far_capacity
    int64_t* changed         # keys changed since the last take, with repeats
    Py_ssize_t changed_count  # above MAX_CHANGES: too many, or not known


cdef inline int init_side(Side* side) except -1:
    side.best = NO_KEY
    side.changed_count = MAX_CHANGES + 1
    side.lots = <int64_t*> calloc(RING_TICKS, sizeof(int64_t))
    side.words = <uint64_t*> calloc(RING_WORDS, sizeof(uint64_t))
    side.changed = <int64_t*> calloc(MAX_CHANGES, sizeof(int64_t))
    if side.lots == NULL or side.words == NULL or side.changed == NULL:
        raise MemoryError
    return 0


cdef inline void free_side(Side* side) noexcept nogil:
    free(side.lots)
    free(side.words)
    free(side.far)
    free(side.changed)


cdef inline void clear_side(Side* side) noexcept nogil:
    memset(side.lots, 0, RING_TICKS * sizeof(int64_t))
    memset(side.words, 0, RING_WORDS * sizeof(uint64_t))
    side.best = NO_KEY
    side.near_count = 0
    side.far_count = 0
    side.changed_count = MAX_CHANGES + 1


cdef inline int reserve_levels(Side* side, Py_ssize_t extra) except -1:
    """Make room for every level of the side to become a far one, so that applying can never fail half-way."""
    cdef Py_ssize_t needed = side.far_count + side.near_count + extra
    cdef int64_t* grown
    if needed <= side.far_capacity:
        return 0
    needed += needed // 2 + 64
    grown = <int64_t*> realloc(side.far, needed * 2 * sizeof(int64_t))
    if grown == NULL:
        raise MemoryError
    side.far = grown
    side.far_capacity = needed
    return 0


cdef inline void note_change(Side* side, int64_t key) noexcept nogil:
    if side.changed_count < MAX_CHANGES:
        side.changed[side.changed_count] = key
        side.changed_count += 1
    else:
        side.changed_count = MAX_CHANGES + 1


cdef inline uint64_t bit_of(int64_t key) noexcept nogil:
    return <uint64_t> 1 << (<uint64_t> key & 63)


cdef inline Py_ssize_t word_of(int64_t key) noexcept nogil:
    return <Py_ssize_t> ((<uint64_t> key >> 6) & (RING_WORDS - 1))


cdef inline int64_t near_at_or_below(const Side* side, int64_t key) noexcept nogil:
    """Return the highest occupied ring key <= key, or NO_KEY. `key` may lie just below the ring."""
    cdef uint64_t word
    cdef int64_t floor = key & ~<int64_t> 63
    if key < side.base:
        return NO_KEY
    word = side.words[word_of(key)] & (~<uint64_t> 0 >> (63 - (<uint64_t> key & 63)))
    while word == 0:
        floor -= 64
        if floor < side.base:
            return NO_KEY
        word = side.words[word_of(floor)]
    return floor + HIGHEST_BIT(word)


cdef inline Py_ssize_t far_at_or_above(const Side* side, int64_t key) noexcept nogil:
    """Return the index of the first far level whose key is >= key."""
    cdef Py_ssize_t low = 0
    cdef Py_ssize_t high = side.far_count
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) >> 1
        if side.far[2 * middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline void slide(Side* side, int64_t best) noexcept nogil:
    """Move the ring so that `best`, the side's highest key, sits at BEST_OFFSET; exchange levels with the array."""
    cdef int64_t base = (best - BEST_OFFSET) & ~<int64_t> 63
    cdef int64_t top = side.base + RING_TICKS
    cdef int64_t key = side.base
    cdef uint64_t word
    cdef int64_t* pair
    # Sliding up: what falls off the lower end is above every far key, so it is appended in order.
    while side.near_count > 0 and key < base and key < top:
        word = side.words[word_of(key)]
        side.words[word_of(key)] = 0
        while word:
            pair = side.far + 2 * side.far_count
            pair[0] = key + HIGHEST_BIT(word & (~word + 1))
            pair[1] = side.lots[pair[0] & RING_MASK]
            side.lots[pair[0] & RING_MASK] = 0
            side.far_count += 1
            side.near_count -= 1
            word &= word - 1
        key += 64
    side.base = base
    # Sliding down: no level lies above the best, so the slots entered are empty.
    while side.far_count > 0:
        pair = side.far + 2 * (side.far_count - 1)
        if pair[0] < base:
            break
        side.lots[pair[0] & RING_MASK] = pair[1]
        side.words[word_of(pair[0])] |= bit_of(pair[0])
        side.near_count += 1
        side.far_count -= 1


cdef inline void set_far(Side* side, int64_t key, int64_t lots) noexcept nogil:
    cdef Py_ssize_t index = far_at_or_above(side, key)
    cdef int64_t* pair = side.far + 2 * index
    cdef size_t tail = (side.far_count - index) * 2 * sizeof(int64_t)
    if index < side.far_count and pair[0] == key:
        if pair[1] == lots:
            return
        if lots == 0:
            memmove(pair, pair + 2, tail - 2 * sizeof(int64_t))
            side.far_count -= 1
        else:
            pair[1] = lots
    elif lots == 0:
        return
    else:
        memmove(pair + 2, pair, tail)
        pair[0] = key
        pair[1] = lots
        side.far_count += 1
    note_change(side, key)


cdef inline void find_best(Side* side) noexcept nogil:
    """Find the new best after the old one was removed; slide when it has sunk low or out of the ring."""
    cdef int64_t best = near_at_or_below(side, side.best - 1)
    if best == NO_KEY and side.far_count > 0:
        best = side.far[2 * (side.far_count - 1)]
    side.best = best
    if best != NO_KEY and best < side.base + LOW_WATER:
        slide(side, best)


cdef inline void set_key(Side* side, int64_t key, int64_t lots) noexcept nogil:
    """Set or, with lots 0, remove one level. Room for it must have been reserved."""
    cdef int64_t previous
    if <uint64_t> key - <uint64_t> side.base >= RING_TICKS:
        if key < side.best or lots == 0:
            set_far(side, key, lots)
            return
        slide(side, key)
    previous = side.lots[key & RING_MASK]
    if previous == lots:
        return
    side.lots[key & RING_MASK] = lots
    note_change(side, key)
    if lots == 0:
        side.words[word_of(key)] &= ~bit_of(key)
        side.near_count -= 1
        if key == side.best:
            find_best(side)
        return
    if previous == 0:
        side.words[word_of(key)] |= bit_of(key)
        side.near_count += 1
        if key > side.best:
            side.best = key


cdef inline int64_t lots_at_key(const Side* side, int64_t key) noexcept nogil:
    cdef Py_ssize_t index
    if <uint64_t> key - <uint64_t> side.base < RING_TICKS:
        return side.lots[key & RING_MASK]
    index = far_at_or_above(side, key)
    if index < side.far_count and side.far[2 * index] == key:
        return side.far[2 * index + 1]
    return 0


cdef inline Py_ssize_t copy_levels(const Side* side, int64_t sign, Py_ssize_t limit, int64_t* out) noexcept nogil:
    """Write up to `limit` pairs (ticks, lots), best first; return how many."""
    cdef Py_ssize_t count = 0
    cdef Py_ssize_t index = side.far_count
    cdef int64_t key = side.best
    while count < limit and key != NO_KEY:
        out[2 * count] = key * sign
        out[2 * count + 1] = side.lots[key & RING_MASK]
        count += 1
        key = near_at_or_below(side, key - 1)
    while count < limit and index > 0:
        index -= 1
        out[2 * count] = side.far[2 * index] * sign
        out[2 * count + 1] = side.far[2 * index + 1]
        count += 1
    return count
