"""How much of one limit is used: what the page draws as a bar."""

from decimal import Decimal

import msgspec

from opensqt.engine.risk.reasons import Code

WITHHOLD = "withhold"
"""What a limit without an action does: the order that would pass it is not sent."""

START_CHECK = "start_check"
"""What a limit does that is only looked at before the first order."""


class LimitReading(msgspec.Struct, frozen=True, kw_only=True):
    """One limit. `name` is its key in the configuration; a floor must stay below the value, all others above it."""

    code: Code
    name: str
    value: Decimal
    cap: Decimal
    unit: str
    action: str = WITHHOLD
    is_floor: bool = False

    @property
    def is_reached(self) -> bool:
        """Return whether it holds something back."""
        return self.value <= self.cap if self.is_floor else self.value >= self.cap
