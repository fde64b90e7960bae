"""Edits of a running grid as messages of EngineService, and back."""

from decimal import Decimal

from google.type.decimal_pb2 import Decimal as DecimalMessage

from opensqt.domain.convert_trade import decimal_message, read_decimal
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT
from opensqt.engine.bot import Bot
from opensqt.engine.commands import GridVersionRecord
from opensqt.engine.config import BotConfig
from opensqt.engine.grid_preview import PREVIEW_LIFE_NS
from opensqt.engine.grid_settings import LIMIT_FIELDS, Settings, settings_of
from opensqt.engine.grid_values import Carry, Figures, Preview, Step
from opensqt.engine.risk.start_checks import liquidation_price
from opensqt.engine.strategy.classic_grid import DIRECTION
from opensqt.proto import engine_pb2, types_pb2

ZERO = Decimal(0)

_DECIMALS = ("interval", "ratio", "order_quantity", "range_lower", "range_upper", *LIMIT_FIELDS)
_PLAIN = ("buy_window", "sell_window", "max_open_orders", "range_action")
_CENTS = Decimal("0.00000001")


def read_changes(message: engine_pb2.GridChanges) -> Settings:
    """Read what to change; a field left out is not among the settings.

    Raises:
        RequestError: INVALID_FIELD, a decimal that is none.
    """
    changes: Settings = {}
    for name in _DECIMALS:
        if message.HasField(name):  # type: ignore[arg-type]  # the table names fields of the message
            changes[name] = read_decimal(getattr(message, name), f"changes.{name}")
    for name in _PLAIN:
        if message.HasField(name):  # type: ignore[arg-type]  # the table names fields of the message
            changes[name] = getattr(message, name)
    return changes


def preview_message(bot: Bot, found: Preview) -> engine_pb2.PreviewGridResponse:
    """Describe a preview."""
    instrument = bot.instrument
    message = engine_pb2.PreviewGridResponse(
        bot_id=found.bot_id,
        base_version=found.base_version,
        before=settings_message(bot, found.before, found.base_version),
        untouched_orders=found.untouched,
        refusals=found.refusals,
        warnings=found.warnings,
        preview_token=found.token,
        time_ns=found.time_ns,
        expires_ns=found.time_ns + PREVIEW_LIFE_NS if found.token else 0,
        what=found.what,
    )
    if found.after is not None:
        message.after.CopyFrom(settings_message(bot, found.after, found.base_version + 1))
        message.after.interval_ticks, message.after.ratio_ppb = found.interval_ticks, found.ratio_ppb
    if instrument is not None:
        message.steps.extend(_step(step, instrument) for step in found.steps)
        message.carries.extend(_carry(carry, instrument) for carry in found.carries)
        if found.figures_before is not None:
            message.figures_before.CopyFrom(_figures(bot, found.before, found.figures_before, instrument))
        if found.figures_after is not None and found.after is not None:
            figures = _figures(bot, found.after, found.figures_after, instrument)
            figures.buy_orders, figures.sell_orders = found.resting_buys, found.resting_sells
            message.figures_after.CopyFrom(figures)
    return message


def settings_message(bot: Bot, config: BotConfig, version: int) -> engine_pb2.GridSettings:
    """Describe the settings of one version; the step in ticks is that of the present lattice."""
    settings, grid = settings_of(config), bot.grid
    message = engine_pb2.GridSettings(
        spacing=config.grid.spacing,
        direction=DIRECTION,
        anchor_ticks=bot.anchor_ticks,
        interval_ticks=grid.lattice.interval_ticks if grid is not None else 0,
        ratio_ppb=grid.lattice.ratio_ppb if grid is not None else 0,
        order_quantity=decimal_message(config.grid.order_quantity),
        buy_window=config.grid.buy_window,
        sell_window=config.grid.sell_window,
        max_open_orders=config.grid.max_open_orders,
        price_source=config.grid.price_source,
        config_version=version,
        range_action=str(settings["range_action"] or ""),
    )
    for name in ("range_lower", "range_upper", *LIMIT_FIELDS, "interval", "ratio"):
        value = settings[name]
        if isinstance(value, Decimal):
            getattr(message, name).CopyFrom(decimal_message(value))
    return message


def version_message(bot: Bot, record: GridVersionRecord, config: BotConfig | None) -> engine_pb2.GridVersion:
    """Describe one version; without a readable configuration its settings stay empty."""
    return engine_pb2.GridVersion(
        version=record.version,
        time_ns=record.time_ns,
        action=record.action,
        operator=record.who,
        what=record.what,
        settings=settings_message(bot, config, record.version) if config is not None else None,
        undo_version=record.undo_version,
        is_current=record.version == bot.config_version,
    )


def _step(step: Step, instrument: Instrument) -> engine_pb2.GridStep:
    message = engine_pb2.GridStep(
        kind=engine_pb2.GridStepKind.ValueType(step.kind),
        side=types_pb2.OrderSide.ValueType(step.side),
        slot=step.slot,
        price=_price(instrument, step.price_ticks),
        quantity=decimal_message(instrument.lots_to_quantity(step.lots)),
        reduce_only=step.reduce_only,
        client_order_id=step.client_order_id,
        reason=step.reason,
    )
    if step.old_lots:
        message.old_price.CopyFrom(_price(instrument, step.old_price_ticks))
        message.old_quantity.CopyFrom(decimal_message(instrument.lots_to_quantity(step.old_lots)))
    return message


def _carry(carry: Carry, instrument: Instrument) -> engine_pb2.GridCarry:
    return engine_pb2.GridCarry(
        from_slot=carry.from_slot,
        to_slot=carry.to_slot,
        quantity=decimal_message(instrument.lots_to_quantity(carry.lots)),
        cost=decimal_message(instrument.money(carry.cost_ticks_lots * instrument.units_per_tick_lot)),
        old_take_profit=_price(instrument, carry.old_take_profit_ticks),
        new_take_profit=_price(instrument, carry.new_take_profit_ticks),
    )


def _figures(bot: Bot, config: BotConfig, figures: Figures, instrument: Instrument) -> engine_pb2.GridFigures:
    account = bot.account
    cost = instrument.money(figures.cost_ticks_lots * instrument.units_per_tick_lot)
    top = instrument.ticks_to_price(figures.top_ticks)
    step = instrument.ticks_to_price(figures.step_ticks)
    # Both orders of a step pay the maker fee: one at the level, one a step above.
    fees = EXACT.multiply(EXACT.add(EXACT.add(top, top), step), instrument.maker_fee_rate)
    profit = EXACT.subtract(step, fees)
    wallet = account.wallet_balance if account is not None else ZERO
    liquidation = liquidation_price(instrument, figures.lots, figures.cost_ticks_lots, wallet)
    return engine_pb2.GridFigures(
        price=decimal_message(instrument.ticks_to_price(figures.price2_ticks) / 2),
        lowest_level=_price(instrument, figures.lowest_ticks),
        worst_case_position=decimal_message(instrument.lots_to_quantity(figures.lots)),
        worst_case_notional=decimal_message(cost),
        margin_needed=decimal_message((cost / config.leverage).quantize(_CENTS)),
        equity=decimal_message(account.margin_balance if account is not None else ZERO),
        liquidation_price=decimal_message(liquidation.quantize(instrument.tick_size)),
        step=decimal_message(step),
        profit_per_unit=decimal_message(profit),
        profit_per_cycle=decimal_message(EXACT.multiply(profit, instrument.lots_to_quantity(figures.top_lots))),
    )


def _price(instrument: Instrument, ticks: int) -> DecimalMessage:
    return decimal_message(instrument.ticks_to_price(ticks))
