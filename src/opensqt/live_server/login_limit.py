"""Guessing tokens is slow: failed logins are counted per address and in all, and too many shut the door a while.

One address that guesses shuts itself out long before the server shuts everybody out, so that a stranger cannot keep the
operator from logging in with a handful of wrong tokens.
"""

from collections import OrderedDict, deque
from typing import Final, final

from opensqt.domain.clock import NS_PER_S, Clock

WINDOW_NS: Final = 60 * NS_PER_S
MAX_PER_ADDRESS: Final = 10
MAX_IN_ALL: Final = 200
KEPT_ADDRESSES: Final = 1_000


@final
class LoginLimit:
    """Failed logins of the last minute.

    Args:
        clock: monotonic clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: deque[int] = deque(maxlen=MAX_IN_ALL)
        self._by_address: OrderedDict[str, deque[int]] = OrderedDict()

    @property
    def addresses(self) -> int:
        """How many addresses are remembered."""
        return len(self._by_address)

    def may_try(self, address: str) -> bool:
        """Return whether an address may try another token now."""
        return not (self._is_full(self._all) or self._is_full(self._by_address.get(address, deque())))

    def note_failure(self, address: str) -> None:
        """Count a wrong token."""
        now_ns = self._clock.monotonic_ns()
        self._all.append(now_ns)
        self._by_address.setdefault(address, deque(maxlen=MAX_PER_ADDRESS)).append(now_ns)
        self._by_address.move_to_end(address)
        while len(self._by_address) > KEPT_ADDRESSES:
            self._by_address.popitem(last=False)

    def _is_full(self, failures_ns: deque[int]) -> bool:
        return len(failures_ns) == failures_ns.maxlen and self._clock.monotonic_ns() - failures_ns[0] < WINDOW_NS
