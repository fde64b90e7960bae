"""How far an order may reach through the market's reference prices: mark and index."""

from decimal import Decimal

from opensqt.domain.market import MarkPrice
from opensqt.domain.money import plain
from opensqt.domain.order import Side

_BPS = Decimal(10_000)
_PLACES = Decimal("0.1")


def beyond_collar(side: Side, price: Decimal, mark: MarkPrice | None, collar_bps: int) -> str:
    """Return why a price reaches too far through mark or index; empty when it does not.

    A buy may be at most `collar_bps` above the lower of both, a sell as much below the higher. On their passive side
    orders are free to rest anywhere. Without a mark there is nothing to measure against, and the book alone protects.
    """
    if mark is None:
        return ""
    references = [value for value in (mark.mark_price, mark.index_price) if value > 0]
    for reference in references:
        through_bps = (price - reference) * side.sign / reference * _BPS
        if through_bps > collar_bps:
            return (
                f"{side.name} at {plain(price)} reaches {plain(through_bps.quantize(_PLACES))} bps through "
                f"{plain(reference)}, the limit is {collar_bps} bps (`risk.price_collar_bps`)"
            )
    return ""
