"""What a configuration means in an instrument's units."""

from opensqt.domain.instrument import Instrument
from opensqt.domain.money import to_units
from opensqt.engine.bot import Bot
from opensqt.engine.config import BotConfig
from opensqt.engine.risk.gate import Limits
from opensqt.engine.strategy.classic_grid import ClassicGrid


def configured_limits(config: BotConfig, instrument: Instrument) -> Limits:
    """Return the configured limits in units."""
    risk = config.risk
    scale = instrument.money_scale
    return Limits(
        max_position_lots=0
        if risk.max_position is None
        else int(risk.max_position / (instrument.lot_size * instrument.contract_multiplier)),
        max_notional_units=0 if risk.max_notional is None else to_units(risk.max_notional, scale),
        max_order_notional_units=0 if risk.max_order_notional is None else to_units(risk.max_order_notional, scale),
        max_leverage=risk.max_leverage,
    )


def grid_of(bot: Bot, config: BotConfig, instrument: Instrument) -> ClassicGrid:
    """Return the bot's grid with a configuration, on prices and sizes the venue takes. Raises as `ClassicGrid`."""
    units = bot.units
    tick_step, lot_step = (units.tick_step, units.lot_step) if units is not None else (1, 1)
    return ClassicGrid(config.grid, instrument, bot.anchor_ticks, tick_step, lot_step)
