"""Hard caps that no engine can pass, held by the connector itself. Pure.

They are the last line, not the strategy's limits: generous, few, and counted from venue evidence plus everything that
is on its way. Cancels are never vetoed.
"""

from collections import deque
from decimal import Decimal
from typing import Annotated, final

import msgspec

from opensqt.connector.mirror import AccountMirror
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import ErrorReason, StateError
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import plain, to_units
from opensqt.domain.order import OrderRequest, OrderType, Side

_BPS = 10_000


class VetoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Caps per symbol, in the settle asset where it is money. 0 turns one off, except for the collar's sides.

    `price_collar_bps`: a buy may be at most this far above the mark, a sell at most this far below it; orders on the
    passive side of the mark are free to rest anywhere.
    `max_position_notional`: position plus everything open and on its way on the same side, at the mark.
    """

    max_order_notional: Annotated[Decimal, msgspec.Meta(ge=0)] = Decimal(100_000)
    max_position_notional: Annotated[Decimal, msgspec.Meta(ge=0)] = Decimal(1_000_000)
    max_open_orders: Annotated[int, msgspec.Meta(ge=0)] = 500
    max_orders_per_second: Annotated[int, msgspec.Meta(ge=0)] = 500
    price_collar_bps: Annotated[int, msgspec.Meta(ge=0, le=_BPS)] = 500


class PendingExposure(msgspec.Struct):
    """What the gateway has on its way in one symbol and is not in the mirror yet."""

    orders: int = 0
    buy_lots: int = 0
    sell_lots: int = 0

    def count(self, request: OrderRequest, sign: int) -> None:
        """Add an order that is on its way now (+1), or take off one that is no longer (-1)."""
        self.orders += sign
        if not request.reduce_only:
            if request.side is Side.BUY:
                self.buy_lots += sign * request.lots
            else:
                self.sell_lots += sign * request.lots


@final
class Veto:
    """Checks every order that would open or change something."""

    def __init__(self, config: VetoConfig, mirror: AccountMirror) -> None:
        self._config = config
        self._mirror = mirror
        self._sent_ns: deque[int] = deque(maxlen=max(1, config.max_orders_per_second))
        self._caps: dict[int, tuple[int, int]] = {}

    def check(
        self,
        instrument: Instrument,
        side: Side,
        type_: OrderType,
        price_ticks: int,
        lots: int,
        *,
        reduce_only: bool,
        adds_order: bool,
        pending: PendingExposure,
        now_ns: int,
    ) -> None:
        """Let an order pass or say why not.

        Raises:
            StateError: RISK_VETO with the cap's name, the value and the limit.
        """
        config = self._config
        mark_ticks = self._mirror.mark_ticks.get(instrument.symbol, 0)
        self._check_rate(now_ns)
        if type_ is OrderType.LIMIT and mark_ticks:
            _check_collar(config, instrument, side, price_ticks, mark_ticks)
        price = price_ticks or mark_ticks
        notional_units = instrument.notional_units(price, lots)
        max_order_units, max_position_units = self._caps_in_units(instrument.money_scale)
        if max_order_units and notional_units > max_order_units:
            raise _veto("max_order_notional", plain(instrument.money(notional_units)), plain(config.max_order_notional))
        if adds_order and config.max_open_orders:
            count = self._mirror.open_count(instrument.symbol) + pending.orders
            if count >= config.max_open_orders:
                raise _veto("max_open_orders", str(count + 1), str(config.max_open_orders))
        if max_position_units and not reduce_only:
            self._check_position(instrument, side, lots, mark_ticks or price, pending, max_position_units)

    def sent(self, now_ns: int) -> None:
        """Count an order that is on its way now, for the rate."""
        self._sent_ns.append(now_ns)

    def _check_rate(self, now_ns: int) -> None:
        limit = self._config.max_orders_per_second
        if limit and len(self._sent_ns) == limit and now_ns - self._sent_ns[0] < NS_PER_S:
            raise _veto("max_orders_per_second", str(limit + 1), str(limit))

    def _check_position(
        self,
        instrument: Instrument,
        side: Side,
        lots: int,
        price_ticks: int,
        pending: PendingExposure,
        max_units: int,
    ) -> None:
        symbol = instrument.symbol
        on_its_way = pending.buy_lots if side is Side.BUY else pending.sell_lots
        held = self._mirror.position_lots(symbol) * side.sign
        worst = held + self._mirror.open_lots(symbol, side) + on_its_way + lots
        units = instrument.notional_units(price_ticks, worst)
        if units > max_units:
            limit = plain(self._config.max_position_notional)
            raise _veto("max_position_notional", plain(instrument.money(units)), limit)

    def _caps_in_units(self, scale: int) -> tuple[int, int]:
        caps = self._caps.get(scale)
        if caps is None:
            config = self._config
            caps = (to_units(config.max_order_notional, scale), to_units(config.max_position_notional, scale))
            self._caps[scale] = caps
        return caps


def _check_collar(config: VetoConfig, instrument: Instrument, side: Side, price_ticks: int, mark_ticks: int) -> None:
    distance_bps = (price_ticks - mark_ticks) * side.sign * _BPS // mark_ticks
    if distance_bps > config.price_collar_bps:
        raise _veto(
            "price_collar_bps",
            f"{distance_bps} (price {plain(instrument.ticks_to_price(price_ticks))}, mark "
            f"{plain(instrument.ticks_to_price(mark_ticks))})",
            str(config.price_collar_bps),
        )


def _veto(cap: str, value: str, limit: str) -> StateError:
    return StateError(
        ErrorReason.RISK_VETO,
        f"the connector's cap {cap} is {limit} and this order would make it {value}; raise `limits.{cap}` only if that "
        "is really intended",
        metadata={"cap": cap, "value": value, "limit": limit},
    )
