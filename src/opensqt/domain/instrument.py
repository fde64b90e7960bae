"""One instrument: its units, filters and fees, and the exact arithmetic they define.

Ticks and lots are counts of `tick_size` and `lot_size`; an off-tick price cannot be expressed, only refused at the
border. A tick-lot (one lot times one tick) is worth `units_per_tick_lot` integer money units of the settle asset.
"""

from decimal import Decimal
from enum import IntEnum, unique
from functools import cached_property

import msgspec

from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.money import EXACT, MIN_MONEY_SCALE, decimals_of, from_units, plain, to_units, whole_multiple


@unique
class InstrumentStatus(IntEnum):
    """Whether the venue trades it; the numbers are those of the wire."""

    TRADING = 1
    HALTED = 2
    SETTLING = 3


class Instrument(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A linear perpetual. Rates are fractions (0.0002 = 2 bps); a price band of 0 means none.

    `symbol` is the canonical name (BTC/USDT:USDT), `venue_symbol` the venue's own (BTCUSDT). `revision` rises with
    every change of a filter; commands name the revision their ticks and lots are counted in.
    """

    symbol: str
    venue_symbol: str
    base_asset: str
    quote_asset: str
    settle_asset: str
    tick_size: Decimal
    lot_size: Decimal
    contract_multiplier: Decimal = Decimal(1)
    min_lots: int = 1
    max_lots: int = 10**9
    min_notional: Decimal = Decimal(0)
    maker_fee_rate: Decimal = Decimal("0.0002")
    taker_fee_rate: Decimal = Decimal("0.0005")
    max_open_orders: int = 200
    revision: int = 1
    status: InstrumentStatus = InstrumentStatus.TRADING
    price_band_up: Decimal = Decimal(0)
    price_band_down: Decimal = Decimal(0)
    maintenance_margin_rate: Decimal = Decimal("0.004")
    max_leverage: int = 125

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_size", "contract_multiplier"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value <= 0:
                raise RequestError(
                    ErrorReason.FILTER_REJECTED, f"{self.symbol}: {name} was {value}; it must be positive"
                )

    @cached_property
    def money_scale(self) -> int:
        """Return the decimals of one money unit: fine enough for one tick-lot and for the venue's fees."""
        tick_lot = EXACT.multiply(EXACT.multiply(self.tick_size, self.lot_size), self.contract_multiplier)
        return max(MIN_MONEY_SCALE, decimals_of(tick_lot))

    @cached_property
    def units_per_tick_lot(self) -> int:
        """Return what one tick-lot is worth, in money units."""
        tick_lot = EXACT.multiply(EXACT.multiply(self.tick_size, self.lot_size), self.contract_multiplier)
        return to_units(tick_lot, self.money_scale)

    @cached_property
    def min_notional_units(self) -> int:
        """Return the smallest allowed notional, in money units."""
        return to_units(self.min_notional, self.money_scale)

    def price_to_ticks(self, price: Decimal, field: str = "price") -> int:
        """Convert a price exactly.

        Raises:
            RequestError: FILTER_REJECTED naming the tick size when the price is off-tick or not positive.
        """
        ticks = whole_multiple(price, self.tick_size)
        if ticks is None:
            raise RequestError(
                ErrorReason.FILTER_REJECTED,
                f"{field} {plain(price) if price.is_finite() else price} is not a positive multiple of the tick size "
                f"{plain(self.tick_size)} of {self.symbol}",
                metadata={"field": field, "value": str(price), "tick_size": plain(self.tick_size)},
            )
        return ticks

    def quantity_to_lots(self, quantity: Decimal, field: str = "quantity") -> int:
        """Convert a base quantity (of contracts times multiplier) exactly.

        Raises:
            RequestError: FILTER_REJECTED naming the lot size when it is not a positive multiple.
        """
        step = EXACT.multiply(self.lot_size, self.contract_multiplier)
        lots = whole_multiple(quantity, step)
        if lots is None:
            raise RequestError(
                ErrorReason.FILTER_REJECTED,
                f"{field} {plain(quantity) if quantity.is_finite() else quantity} is not a positive multiple of the "
                f"lot size {plain(step)} of {self.symbol}",
                metadata={"field": field, "value": str(quantity), "lot_size": plain(step)},
            )
        return lots

    def ticks_to_price(self, ticks: int) -> Decimal:
        """Return the price of a count of ticks."""
        return EXACT.multiply(Decimal(ticks), self.tick_size)

    def lots_to_quantity(self, lots: int) -> Decimal:
        """Return the base quantity of a count of lots."""
        return EXACT.multiply(EXACT.multiply(Decimal(lots), self.lot_size), self.contract_multiplier)

    def notional_units(self, price_ticks: int, lots: int) -> int:
        """Return price times size, in money units."""
        return price_ticks * lots * self.units_per_tick_lot

    def money(self, units: int) -> Decimal:
        """Return money units as an exact amount of the settle asset."""
        return from_units(units, self.money_scale)

    def check_order(self, price_ticks: int, lots: int, *, reduce_only: bool) -> None:
        """Check an order's size against the filters; a reduce-only order is exempt from the minimum notional.

        Raises:
            RequestError: FILTER_REJECTED or MIN_NOTIONAL, with the limit and the smallest workable size.
        """
        if not self.min_lots <= lots <= self.max_lots:
            raise RequestError(
                ErrorReason.FILTER_REJECTED,
                f"quantity {plain(self.lots_to_quantity(lots))} of {self.symbol} must be between "
                f"{plain(self.lots_to_quantity(self.min_lots))} and {plain(self.lots_to_quantity(self.max_lots))}",
                metadata={"field": "quantity"},
            )
        if not reduce_only and price_ticks and self.notional_units(price_ticks, lots) < self.min_notional_units:
            per_lot = self.notional_units(price_ticks, 1)
            workable = -(-self.min_notional_units // per_lot)
            raise RequestError(
                ErrorReason.MIN_NOTIONAL,
                f"notional {plain(self.money(self.notional_units(price_ticks, lots)))} {self.settle_asset} of "
                f"{self.symbol} is below the venue's minimum {plain(self.min_notional)}; the smallest workable "
                f"quantity at this price is {plain(self.lots_to_quantity(workable))}",
                metadata={"field": "quantity", "min_notional": plain(self.min_notional)},
            )
