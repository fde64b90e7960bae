"""Symbol rules as the venue publishes and enforces them: filters, precisions, status; and `exchangeInfo`.

The filters may be changed while the venue runs (a coarser tick or step, another notional): what is checked is what is
published. Source: Binance "Exchange Information" and "Common Definition, Filters".
"""

from decimal import Decimal
from typing import Any, Final, final

from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT, decimals_of, plain
from opensqt.domain.order import Side
from opensqt.sim.dialects.binance.errors import ApiError

ORDER_TYPES: Final = (
    "LIMIT",
    "MARKET",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)
TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK", "GTX", "GTD")
NO_DELIVERY_MS: Final = 4_133_404_800_000
_ONBOARD_MS: Final = 1_569_398_400_000
_PRICE_DECIMALS: Final = {"BTCUSDT": 2}
"""Where the venue writes more decimals than its tick has."""
_MAX_TICKS: Final = 40_000_000


@final
class SymbolRules:
    """One symbol's filters, and how its numbers are written."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.symbol = instrument.venue_symbol
        self.tick = instrument.tick_size
        self.step = instrument.lot_size
        self.min_notional = instrument.min_notional
        self.status = "TRADING"
        self.price_decimals = _PRICE_DECIMALS.get(self.symbol, decimals_of(instrument.tick_size))
        self.quantity_decimals = decimals_of(instrument.lot_size)
        self.delivery_ms = NO_DELIVERY_MS

    # ---- numbers

    def price(self, ticks: int) -> str:
        """Write a price with the venue's decimals."""
        return f"{self.instrument.ticks_to_price(ticks):.{self.price_decimals}f}"

    def quantity(self, lots: int) -> str:
        """Write a size with the venue's decimals."""
        return f"{self.instrument.lots_to_quantity(lots):.{self.quantity_decimals}f}"

    def plain_price(self, ticks: int) -> str:
        """Write a price without padding, as the user stream does."""
        return plain(self.instrument.ticks_to_price(ticks))

    def plain_quantity(self, lots: int) -> str:
        """Write a size without padding."""
        return plain(self.instrument.lots_to_quantity(lots))

    def notional(self, ticks_lots: int) -> Decimal:
        """Return what tick-lots are worth."""
        return EXACT.multiply(
            Decimal(ticks_lots), EXACT.multiply(self.instrument.ticks_to_price(1), self.instrument.lots_to_quantity(1))
        )

    def average(self, ticks_lots: int, lots: int) -> Decimal:
        """Return an average price to 8 decimals, 0 for no lots."""
        if not lots:
            return Decimal(0)
        return (Decimal(ticks_lots) * self.instrument.tick_size / lots).quantize(Decimal("1e-8"))

    # ---- checks

    def check_price(self, price: Decimal) -> int:
        """Return a price in ticks.

        Raises:
            ApiError: -1111, -4001, -4002, -4013, -4014.
        """
        if decimals_of(price) > self.price_decimals:
            raise ApiError(-1111)
        if price <= 0:
            raise ApiError(-4001)
        if price < self.min_price:
            raise ApiError(-4013)
        if price > self.max_price:
            raise ApiError(-4002)
        # A filter may have been made finer than the market behind it counts.
        if price % self.tick or price % self.instrument.tick_size:
            raise ApiError(-4014)
        return self.instrument.price_to_ticks(price)

    def check_quantity(self, quantity: Decimal, *, is_market: bool) -> int:
        """Return a size in lots.

        Raises:
            ApiError: -1111, -4003, -4004, -4005, -4023.
        """
        if decimals_of(quantity) > self.quantity_decimals:
            raise ApiError(-1111)
        if quantity <= 0:
            raise ApiError(-4003)
        if quantity < self.min_quantity:
            raise ApiError(-4004)
        if quantity > (self.max_market_quantity if is_market else self.max_quantity):
            raise ApiError(-4005)
        if quantity % self.step or quantity % self.instrument.lot_size:
            raise ApiError(-4023)
        return self.instrument.quantity_to_lots(quantity)

    def check_notional(self, price: Decimal, quantity: Decimal) -> None:
        """Refuse an opening order that is too small.

        Raises:
            ApiError: -4164.
        """
        if price * quantity < self.min_notional:
            raise ApiError(-4164, plain(self.min_notional))

    def check_band(self, side: Side, price: Decimal, mark: Decimal, *, is_market: bool = False) -> None:
        """Refuse a price too far on the wrong side of the mark.

        Raises:
            ApiError: -4016, -4024, or -4131 for a market order.
        """
        if mark <= 0:
            return
        high, low = mark * self.multiplier_up, mark * self.multiplier_down
        if side is Side.BUY and price > high:
            raise ApiError(-4131) if is_market else ApiError(-4016, f"{high:.{self.price_decimals}f}")
        if side is Side.SELL and price < low:
            raise ApiError(-4131) if is_market else ApiError(-4024, f"{low:.{self.price_decimals}f}")

    # ---- limits

    @property
    def min_price(self) -> Decimal:
        """Return the lowest price."""
        return self.tick

    @property
    def max_price(self) -> Decimal:
        """Return the highest price."""
        return self.instrument.ticks_to_price(_MAX_TICKS)

    @property
    def min_quantity(self) -> Decimal:
        """Return the smallest size."""
        return max(self.step, self.instrument.lots_to_quantity(self.instrument.min_lots))

    @property
    def max_quantity(self) -> Decimal:
        """Return the largest size of a limit order."""
        return self.instrument.lots_to_quantity(self.instrument.max_lots)

    @property
    def max_market_quantity(self) -> Decimal:
        """Return the largest size of a market order."""
        return self.instrument.lots_to_quantity(max(1, self.instrument.max_lots * 12 // 100))

    @property
    def multiplier_up(self) -> Decimal:
        """Return how far above the mark a buy may be."""
        return 1 + self.instrument.price_band_up

    @property
    def multiplier_down(self) -> Decimal:
        """Return how far below the mark a sell may be."""
        return 1 - self.instrument.price_band_down

    # ---- publication

    def listing(self) -> dict[str, Any]:
        """Return this symbol's entry of `exchangeInfo`."""
        instrument = self.instrument
        return {
            "symbol": self.symbol,
            "pair": self.symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": self.delivery_ms,
            "onboardDate": _ONBOARD_MS,
            "status": self.status,
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            "baseAsset": instrument.base_asset,
            "quoteAsset": instrument.quote_asset,
            "marginAsset": instrument.settle_asset,
            "pricePrecision": self.price_decimals,
            "quantityPrecision": self.quantity_decimals,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "underlyingSubType": ["PoW"],
            "triggerProtect": "0.0500",
            "liquidationFee": "0.012500",
            "marketTakeBound": plain(instrument.price_band_up),
            "maxMoveOrderLimit": 10_000,
            "filters": self._filters(),
            "orderTypes": list(ORDER_TYPES),
            "timeInForce": list(TIMES_IN_FORCE),
            "permissionSets": ["GRID", "COPY"],
        }

    def _filters(self) -> list[dict[str, Any]]:
        decimals = self.price_decimals
        return [
            {
                "filterType": "PRICE_FILTER",
                "maxPrice": plain(self.max_price),
                "minPrice": f"{self.min_price:.{decimals}f}",
                "tickSize": f"{self.tick:.{decimals}f}",
            },
            {
                "filterType": "LOT_SIZE",
                "maxQty": plain(self.max_quantity),
                "minQty": plain(self.min_quantity),
                "stepSize": plain(self.step),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "maxQty": plain(self.max_market_quantity),
                "minQty": plain(self.min_quantity),
                "stepSize": plain(self.step),
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": self.instrument.max_open_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": plain(self.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierDecimal": "4",
                "multiplierDown": f"{self.multiplier_down:.4f}",
                "multiplierUp": f"{self.multiplier_up:.4f}",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ]
