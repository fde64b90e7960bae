"""Numbers as the browser sees them: decimal text in ordinary units, never floats.

The engine speaks ticks and lots of an instrument; a `UnitScale` turns them into prices and sizes, exactly.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, final

from google.type.decimal_pb2 import Decimal as DecimalMessage

from opensqt._core.fixed import Increment
from opensqt.proto.trade_pb2 import InstrumentSpec

NS_PER_MS: Final = 1_000_000
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_AVERAGE_EXTRA_PLACES: Final = 2


def decimal_text(message: DecimalMessage) -> str:
    """Return the plain digits of a decimal message; an empty one is zero."""
    value: str = message.value
    if not value:
        return "0"
    if "e" in value or "E" in value:
        return format(Decimal(value), "f")
    return value


def optional_decimal_text(message: DecimalMessage) -> str | None:
    """Return the plain digits, or None where the message carries no number or zero stands for "none"."""
    text = decimal_text(message)
    return None if not text.strip("-0.") else text


@final
class UnitScale:
    """Ticks and lots of one instrument revision, to decimal text and back to nothing: display only.

    Args:
        spec: instrument as the engine reports it; without a tick or lot size, plain integers are shown.
    """

    def __init__(self, spec: InstrumentSpec) -> None:
        self._tick = Increment(decimal_text(spec.tick_size) if spec.HasField("tick_size") else "1")
        self._lot = Increment(decimal_text(spec.lot_size) if spec.HasField("lot_size") else "1")
        self._average_step = Decimal(1).scaleb(-(self._tick.decimals + _AVERAGE_EXTRA_PLACES))

    @property
    def price_decimals(self) -> int:
        """Digits after the point in a price."""
        return self._tick.decimals

    @property
    def size_decimals(self) -> int:
        """Digits after the point in a size."""
        return self._lot.decimals

    def price(self, ticks: int) -> str:
        """Return a price for a number of ticks."""
        return self._tick.format(ticks)

    def size(self, lots: int) -> str:
        """Return a size in base units for a number of lots."""
        return self._lot.format(lots)

    def average_price(self, cost_ticks_lots: int, lots: int) -> str | None:
        """Return the mean price of lots, to two places beyond the tick; None for no lots."""
        if lots == 0:
            return None
        ticks = _EXACT.divide(Decimal(cost_ticks_lots), Decimal(lots))
        price = _EXACT.multiply(ticks, Decimal(self._tick.text))
        return format(price.quantize(self._average_step, context=_EXACT), "f")


def ms(ns: int) -> int:
    """Return whole milliseconds of a time in ns; 0 stays "never"."""
    return ns // NS_PER_MS
