"""How far the liquidation price is from the mark."""

from decimal import Decimal

from opensqt.domain.account import Position

HUNDRED = Decimal(100)
CLEAR_FACTOR = Decimal("1.2")
"""A reached limit clears when the distance has grown by a fifth above it, so that it does not flicker."""

_PLACES = Decimal("0.0001")


def liquidation_distance_percent(position: Position, mark_price: Decimal) -> Decimal | None:
    """Return the distance in percent of the mark, at least 0; None without a position or a liquidation price."""
    if position.lots == 0 or position.liquidation_price <= 0 or mark_price <= 0:
        return None
    gap = mark_price - position.liquidation_price
    if position.lots < 0:
        gap = -gap
    return max(Decimal(0), gap / mark_price * HUNDRED).quantize(_PLACES)


def is_too_near(distance: Decimal | None, min_percent: Decimal, *, was_too_near: bool) -> bool:
    """Return whether the limit is reached, with hysteresis."""
    if distance is None or min_percent == 0:
        return False
    return distance < (min_percent * CLEAR_FACTOR if was_too_near else min_percent)
