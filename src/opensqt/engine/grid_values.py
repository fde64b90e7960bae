"""What previewing and applying an edit of a running grid answers: plain values, in ticks and lots."""

from enum import IntEnum, unique

import msgspec

from opensqt.domain.errors import ErrorReason
from opensqt.domain.order import Side
from opensqt.engine.config import BotConfig


@unique
class StepKind(IntEnum):
    """What happens to an order; the numbers are those of the wire."""

    ADD = 1
    MOVE = 2  # another price or size for the same slot and side: cancelled, then placed anew
    CANCEL = 3


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One order an edit touches; `slot` counts on the edited lattice. For CANCEL price and size are the order's own."""

    kind: StepKind
    side: Side
    slot: int
    price_ticks: int
    lots: int
    reduce_only: bool
    reason: str
    client_order_id: str = ""
    old_price_ticks: int = 0
    old_lots: int = 0


class Carry(msgspec.Struct, frozen=True, kw_only=True):
    """A held lot on a new lattice: it may get another slot number, or a higher take-profit."""

    from_slot: int
    to_slot: int
    lots: int
    cost_ticks_lots: int
    old_take_profit_ticks: int
    new_take_profit_ticks: int

    @property
    def is_change(self) -> bool:
        """Return whether anything of it is another than before."""
        return self.from_slot != self.to_slot or self.old_take_profit_ticks != self.new_take_profit_ticks


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a grid needs and earns at a price; `cost_ticks_lots` and `lots` with every level in reach filled."""

    price2_ticks: int
    lowest_ticks: int
    lots: int
    cost_ticks_lots: int
    top_ticks: int
    """The highest level that may be bought, whose step earns the least after fees."""
    step_ticks: int
    top_lots: int


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an edit would do now. With refusals it would not be applied, and steps may be missing."""

    bot_id: str
    base_version: int
    time_ns: int
    before: BotConfig
    after: BotConfig | None = None
    what: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    untouched: int = 0
    resting_buys: int = 0
    resting_sells: int = 0
    carries: tuple[Carry, ...] = ()
    figures_before: Figures | None = None
    figures_after: Figures | None = None
    interval_ticks: int = 0
    ratio_ppb: int = 0
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    token: str = ""


class EditAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of applying an edit: the version it made, or why not."""

    version: int = 0
    preview: Preview | None = None
    reason: ErrorReason | None = None
    message: str = ""
