"""Hard caps that no engine can pass, held by the connector itself. Pure.

They are the last line, not the strategy's limits: generous, few, and counted from venue evidence plus everything that
is on its way. Cancels are never vetoed.

What is on its way counts at its worst: a placement from when it is sent until the venue has shown or denied it, an
amendment upward until it is refused or shown, and an execution that an order told of before the position did.
"""

from collections import deque
from decimal import Decimal
from typing import Annotated, final

import msgspec

from opensqt.connector.exposure import PendingExposure
from opensqt.connector.mirror import AccountMirror
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import ErrorReason, StateError
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import plain, to_units
from opensqt.domain.order import Order, OrderRequest, OrderType, Side

_BPS = 10_000


class VetoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Caps per symbol, in the settle asset where it is money. 0 turns one off, except for the collar's sides.

    `price_collar_bps`: a buy may be at most this far above the mark, a sell at most this far below it; orders on the
    passive side of the mark are free to rest anywhere.
    `max_order_notional`: of one order, amended size included; a reduce-only one may always be as large as the position
    that it closes, so that a position can be closed at once.
    `max_position_notional`: position plus everything open and on its way on the same side, at the mark. A position the
    other way counts as none: it may be closed before the rest is executed.
    Where a venue publishes no mark, the price of the last public trade stands for it; before either is known nothing
    but cancels passes.
    """

    max_order_notional: Annotated[Decimal, msgspec.Meta(ge=0)] = Decimal(100_000)
    max_position_notional: Annotated[Decimal, msgspec.Meta(ge=0)] = Decimal(1_000_000)
    max_open_orders: Annotated[int, msgspec.Meta(ge=0)] = 500
    max_orders_per_second: Annotated[int, msgspec.Meta(ge=0)] = 500
    price_collar_bps: Annotated[int, msgspec.Meta(ge=0, le=_BPS)] = 500


@final
class Veto:
    """Checks every order that would open or change something."""

    def __init__(self, config: VetoConfig, mirror: AccountMirror) -> None:
        self._config = config
        self._mirror = mirror
        self._sent_ns: deque[int] = deque(maxlen=max(1, config.max_orders_per_second))
        self._caps: dict[int, tuple[int, int]] = {}

    def check_place(self, instrument: Instrument, request: OrderRequest, pending: PendingExposure, now_ns: int) -> None:
        """Let a placement pass or say why not.

        Raises:
            StateError: RISK_VETO with the cap's name, the value and the limit.
        """
        config = self._config
        self._check_rate(now_ns)
        mark_ticks = self._mark_ticks(instrument)
        if request.type is OrderType.LIMIT:
            _check_collar(config, instrument, request.side, request.price_ticks, mark_ticks)
        price_ticks = request.price_ticks or mark_ticks
        self._check_notional(instrument, request.side, price_ticks, request.lots, reduce_only=request.reduce_only)
        if config.max_open_orders:
            count = self._mirror.open_count(instrument.symbol) + pending.orders
            if count >= config.max_open_orders:
                raise _veto("max_open_orders", str(count + 1), str(config.max_open_orders))
        if not request.reduce_only:
            self._check_position(instrument, request.side, request.lots, mark_ticks, pending)

    def check_amend(
        self,
        instrument: Instrument,
        order: Order,
        price_ticks: int,
        total_lots: int,
        pending: PendingExposure,
        now_ns: int,
    ) -> None:
        """Let an amendment pass or say why not; `total_lots` is the order's new size, executed part included.

        Raises:
            StateError: RISK_VETO with the cap's name, the value and the limit.
        """
        self._check_rate(now_ns)
        mark_ticks = self._mark_ticks(instrument)
        _check_collar(self._config, instrument, order.side, price_ticks, mark_ticks)
        self._check_notional(instrument, order.side, price_ticks, total_lots, reduce_only=order.reduce_only)
        added_lots = total_lots - order.lots
        # Less never needs room, not even when the room is overdrawn: it is how to get back below the cap.
        if added_lots > 0 and not order.reduce_only:
            self._check_position(instrument, order.side, added_lots, mark_ticks, pending)

    def sent(self, now_ns: int) -> None:
        """Count an order that is on its way now, for the rate."""
        self._sent_ns.append(now_ns)

    def _mark_ticks(self, instrument: Instrument) -> int:
        mirror, symbol = self._mirror, instrument.symbol
        ticks = mirror.mark_ticks.get(symbol, 0) or mirror.trade_ticks.get(symbol, 0)
        if not ticks:
            raise StateError(
                ErrorReason.RISK_VETO,
                f"neither a mark nor a trade of {symbol} has been seen, so no cap can be checked; wait for the first",
                metadata={"cap": "price_collar_bps", "value": "unknown", "limit": str(self._config.price_collar_bps)},
            )
        return ticks

    def _check_rate(self, now_ns: int) -> None:
        limit = self._config.max_orders_per_second
        if limit and len(self._sent_ns) == limit and now_ns - self._sent_ns[0] < NS_PER_S:
            raise _veto("max_orders_per_second", str(limit + 1), str(limit))

    def _check_notional(
        self, instrument: Instrument, side: Side, price_ticks: int, lots: int, *, reduce_only: bool
    ) -> None:
        max_order_units, _ = self._caps_in_units(instrument.money_scale)
        units = instrument.notional_units(price_ticks, lots)
        if not max_order_units or units <= max_order_units:
            return
        if reduce_only and lots <= -self._mirror.position_lots(instrument.symbol) * side.sign:
            return
        raise _veto("max_order_notional", plain(instrument.money(units)), plain(self._config.max_order_notional))

    def _check_position(
        self, instrument: Instrument, side: Side, lots: int, price_ticks: int, pending: PendingExposure
    ) -> None:
        _, max_units = self._caps_in_units(instrument.money_scale)
        if not max_units:
            return
        mirror, symbol = self._mirror, instrument.symbol
        held = mirror.position_lots(symbol) * side.sign + mirror.untold_lots(symbol, side)
        # A position the other way makes no room: reduce-only orders may close it first, and those are never vetoed.
        worst = max(0, held) + mirror.open_lots(symbol, side) + pending.lots(side, mirror) + lots
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
    beyond = (price_ticks - mark_ticks) * side.sign
    if beyond * _BPS > config.price_collar_bps * mark_ticks:
        raise _veto(
            "price_collar_bps",
            f"{-(-beyond * _BPS // mark_ticks)} (price {plain(instrument.ticks_to_price(price_ticks))}, mark "
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
