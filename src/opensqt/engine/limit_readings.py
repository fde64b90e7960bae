"""Every limit of a bot with how much of it is used now, for the state stream; limits that are not set are left out."""

from decimal import Decimal

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.order import Side
from opensqt.engine.bot import Bot
from opensqt.engine.risk.limit_reading import START_CHECK, LimitReading
from opensqt.engine.risk.liquidation import liquidation_distance_percent
from opensqt.engine.risk.reasons import Code

PERCENT = "percent"
_PLACES = Decimal("0.01")


def read_limits(bot: Bot, mode: str, now_ns: int) -> tuple[LimitReading, ...]:
    """Return the readings in the order people look for them; none before the instrument is known."""
    if bot.instrument is None:
        return ()
    return (*_exposure(bot), *_rates(bot, now_ns), *_losses(bot), *_distances(bot, mode))


def worst_position_lots(bot: Bot) -> int:
    """Return the position with every opening order of its side filled, ours and those of others, unknown included."""
    return bot.worst_long_lots + bot.orders.open_lots(Side.BUY, reducing=False) + bot.orders.foreign_lots(Side.BUY)


def _exposure(bot: Bot) -> list[LimitReading]:
    instrument, limits = bot.instrument, bot.gate.limits
    assert instrument is not None, "readings need units"
    found = []
    worst = instrument.lots_to_quantity(worst_position_lots(bot))
    mark = bot.market.mark_price(instrument)
    if limits.max_position_lots:
        found.append(
            LimitReading(
                code=Code.MAX_POSITION,
                name="max_position",
                value=worst,
                cap=instrument.lots_to_quantity(limits.max_position_lots),
                unit=instrument.base_asset,
            )
        )
    if limits.max_notional_units:
        found.append(
            LimitReading(
                code=Code.MAX_NOTIONAL,
                name="max_notional",
                value=(worst * mark).quantize(_PLACES),
                cap=instrument.money(limits.max_notional_units),
                unit=instrument.quote_asset,
            )
        )
    if limits.max_leverage and bot.account is not None and bot.account.margin_balance > 0:
        value = abs(instrument.lots_to_quantity(bot.position.lots)) * mark / bot.account.margin_balance
        found.append(
            LimitReading(
                code=Code.START_CHECK,
                name="max_leverage",
                value=value.quantize(_PLACES),
                cap=Decimal(limits.max_leverage),
                unit="x",
                action=START_CHECK,
            )
        )
    found.append(
        LimitReading(
            code=Code.MAX_OPEN_ORDERS,
            name="max_open_orders",
            value=Decimal(len(bot.orders.open)),
            cap=Decimal(bot.config.grid.max_open_orders),
            unit="orders",
        )
    )
    return found


def _rates(bot: Bot, now_ns: int) -> list[LimitReading]:
    risk, watch = bot.config.risk, bot.watch
    return [
        LimitReading(
            code=Code.ORDER_RATE,
            name="max_orders_per_second",
            value=Decimal(watch.orders.busiest(now_ns)),
            cap=Decimal(risk.max_orders_per_second),
            unit="orders/s",
        ),
        LimitReading(
            code=Code.FILL_RATE,
            name="fill_rate.max_per_second",
            value=Decimal(watch.fills.busiest(now_ns)),
            cap=Decimal(risk.fill_rate.max_per_second),
            unit="fills/s",
            action=risk.fill_rate.action.value,
        ),
    ]


def _losses(bot: Bot) -> list[LimitReading]:
    instrument, losses = bot.instrument, bot.watch.losses
    assert instrument is not None, "readings need units"
    found = []
    for code, limit in losses.limits.items():
        loss, key = losses.losses[code], code.value.lower()
        if limit.amount is not None:
            found.append(
                LimitReading(
                    code=code,
                    name=f"{key}.amount",
                    value=loss.amount.quantize(_PLACES),
                    cap=limit.amount,
                    unit=instrument.settle_asset,
                    action=limit.action.value,
                )
            )
        if limit.percent:
            found.append(
                LimitReading(
                    code=code,
                    name=f"{key}.percent",
                    value=loss.percent.quantize(_PLACES),
                    cap=limit.percent,
                    unit=PERCENT,
                    action=limit.action.value,
                )
            )
    return found


def _distances(bot: Bot, mode: str) -> list[LimitReading]:
    instrument, risk = bot.instrument, bot.config.risk
    assert instrument is not None, "readings need units"
    found = []
    distance = liquidation_distance_percent(bot.position, bot.market.mark_price(instrument))
    if risk.liquidation.min_percent and distance is not None:
        found.append(
            LimitReading(
                code=Code.LIQUIDATION_NEAR,
                name="liquidation.min_percent",
                value=distance.quantize(_PLACES),
                cap=risk.liquidation.min_percent,
                unit=PERCENT,
                action=risk.liquidation.action.value,
                is_floor=True,
            )
        )
    skew_ns = bot.watch.clock.skew_ns
    if risk.clock.max_skew_ms and skew_ns is not None and mode != "paper":
        found.append(
            LimitReading(
                code=Code.CLOCK_SKEW,
                name="clock.max_skew_ms",
                value=Decimal(abs(skew_ns) // NS_PER_MS),
                cap=Decimal(risk.clock.max_skew_ms),
                unit="ms",
                action=risk.clock.action.value,
            )
        )
    return found
