"""A bot's risk rules at work: evidence in, reasons in the gate out.

The rules themselves are pure objects below `risk`; this tells them what happened to one bot and lets what they find
hold. Prices are judged when they come, the rest a few times per second. A limit that is reached raises an alarm once.
"""

from decimal import Decimal

import msgspec

from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.fill import Fill
from opensqt.domain.money import EXACT, plain
from opensqt.engine.bot import Bot
from opensqt.engine.events import LastTrade, SettingsSeen
from opensqt.engine.limit_readings import read_limits
from opensqt.engine.risk.liquidation import is_too_near, liquidation_distance_percent
from opensqt.engine.risk.reasons import Action, Code
from opensqt.engine.risk.settings import changed_settings

READ_PERIOD_NS = NS_PER_S
SAVE_PERIOD_NS = 10 * NS_PER_S
PAPER = "paper"


def judge_price(bot: Bot, now_ns: int) -> None:
    """Look for a jump in the touch that was just taken."""
    market, watch = bot.market, bot.watch
    if not market.valid:
        watch.jumps.forget_reference()
        return
    if watch.jumps.see(market.bid_ticks + market.ask_ticks, now_ns):
        config = watch.config.jumps
        message = (
            f"the mid moved {watch.jumps.last_jump_bps:+.0f} bps at once, more than {watch.jumps.threshold_bps:.0f}; "
            f"opening waits until it was calm for {config.hold_ms} ms"
        )
        is_new = bot.gate.add(Code.PRICE_JUMP, message, now_ns, until_ns=watch.jumps.calm_at_ns, action=config.action)
        if is_new:
            bot.journal("warning", Code.PRICE_JUMP.value, message, now_ns)


def is_bad_print(bot: Bot, trade: LastTrade) -> bool:
    """Return whether a trade is too far from a valid book to price anything."""
    market = bot.market
    return market.valid and bot.watch.jumps.is_bad_print(trade.price_ticks, market.bid_ticks, market.ask_ticks)


def judge_fill(bot: Bot, fill: Fill, now_ns: int) -> None:
    """Count a fill that was just booked, and stop opening when there are too many at once."""
    watch, config = bot.watch, bot.watch.config.fill_rate
    watch.fills.add(fill.side, now_ns)
    if watch.fills.per_second(fill.side, now_ns) >= config.max_per_second:
        message = (
            f"{config.max_per_second} {fill.side.name} fills within a second, the limit of `risk.fill_rate`; opening "
            f"waits {config.hold_ms} ms"
        )
        until_ns = now_ns + config.hold_ms * NS_PER_MS
        _hold(bot, Code.FILL_RATE, message, config.action, now_ns, until_ns=until_ns)


def judge_settings(bot: Bot, now_ns: int) -> None:
    """Compare leverage and margin mode of the last position report with the configuration."""
    if not bot.start_checked or bot.leverage_asked_ns:
        return
    message = bot.mode_refusal or changed_settings(bot.position, bot.config.leverage, bot.config.margin_mode)
    if message:
        _hold(bot, Code.SETTINGS_CHANGED, message, bot.watch.config.settings_action, now_ns)
    else:
        _lift(bot, Code.SETTINGS_CHANGED, "leverage and margin mode are as configured again", now_ns)


def take_settings(bot: Bot, event: SettingsSeen, now_ns: int) -> None:
    """Take what the venue answered about leverage and margin mode; 0 and an empty text are not known."""
    position = msgspec.structs.replace(
        bot.position,
        leverage=event.leverage or bot.position.leverage,
        margin_type=event.margin_mode or bot.position.margin_type,
    )
    bot.unsaid.position = bot.unsaid.position or position != bot.position
    bot.position = position
    judge_settings(bot, now_ns)


def tick(bot: Bot, mode: str, now_ns: int) -> None:
    """Judge what changes by time and by money, and read the limits for people."""
    _judge_losses(bot, now_ns)
    _judge_liquidation(bot, now_ns)
    _judge_clock(bot, mode, now_ns)
    judge_settings(bot, now_ns)
    if now_ns >= bot.read_limits_at_ns:
        bot.read_limits_at_ns = now_ns + READ_PERIOD_NS
        readings = read_limits(bot, mode, now_ns)
        if readings != bot.readings:
            bot.readings = readings
            bot.unsaid.limits = True


def begin_losses_anew(bot: Bot) -> None:
    """An operator goes on in spite of a loss that was reached: day and peak begin here; else they stay."""
    losses = bot.watch.losses
    if not any(losses.reached(code) for code in losses.limits):
        return
    losses.begin_anew()
    for code in (Code.DAILY_LOSS, Code.DRAWDOWN):
        bot.gate.lift(code)


def _judge_losses(bot: Bot, now_ns: int) -> None:
    losses, account, instrument = bot.watch.losses, bot.account, bot.instrument
    if bot.start_checked and not bot.proving and account is not None and instrument is not None:
        mark = bot.market.mark_price(instrument)
        pnl = bot.pnl()
        # Without a mark the inventory would be worth nothing, and with unproven fills the wrong amount.
        if mark > 0 and pnl is not None and bot.ledger.position_lots == bot.position.lots:
            was = losses.state
            profit = EXACT.subtract(pnl.equity_change, pnl.transfers)
            losses.update(profit, account.margin_balance, now_ns)
            now = losses.state
            is_urgent = (was.day, was.daily_reached, was.drawdown_reached) != (
                now.day,
                now.daily_reached,
                now.drawdown_reached,
            )
            if is_urgent or (now != was and now_ns >= bot.save_losses_at_ns):
                bot.save_losses_at_ns = now_ns + SAVE_PERIOD_NS
                bot.outbox.record(bot.record())
    for code, limit in losses.limits.items():
        message = losses.reached(code)
        if message:
            _hold(bot, code, message, limit.action, now_ns)
        else:
            _lift(bot, code, "is over", now_ns)


def _judge_liquidation(bot: Bot, now_ns: int) -> None:
    instrument, config = bot.instrument, bot.watch.config.liquidation
    if instrument is None:
        return
    distance = liquidation_distance_percent(bot.position, bot.market.mark_price(instrument))
    was = Code.LIQUIDATION_NEAR in bot.gate.reasons
    if not is_too_near(distance, config.min_percent, was_too_near=was):
        _lift(bot, Code.LIQUIDATION_NEAR, "the distance is large enough again", now_ns)
    elif not was:
        message = (
            f"liquidation at {plain(bot.position.liquidation_price)} is {plain(distance or Decimal(0))} % from the "
            f"mark, the limit is {plain(config.min_percent)} % (`risk.liquidation.min_percent`); deposit, or reduce"
        )
        _hold(bot, Code.LIQUIDATION_NEAR, message, config.action, now_ns)


def _judge_clock(bot: Bot, mode: str, now_ns: int) -> None:
    config, skew_ns = bot.watch.config.clock, bot.watch.clock.skew_ns
    if config.max_skew_ms == 0 or mode == PAPER or skew_ns is None:
        return
    known = bot.gate.reasons.get(Code.CLOCK_SKEW)
    if known is not None and known.until_ns:
        return  # the venue said so itself; that ends by its own time
    if abs(skew_ns) <= config.max_skew_ms * NS_PER_MS:
        _lift(bot, Code.CLOCK_SKEW, "the clocks agree again", now_ns)
    elif known is None:
        message = (
            f"our clock is {skew_ns // NS_PER_MS:+d} ms from the exchange's, the limit is {config.max_skew_ms} ms "
            "(`risk.clock.max_skew_ms`); set this machine's clock and restart the engine"
        )
        _hold(bot, Code.CLOCK_SKEW, message, config.action, now_ns)


def _hold(bot: Bot, code: Code, message: str, action: Action, now_ns: int, *, until_ns: int = 0) -> None:
    if bot.gate.add(code, message, now_ns, until_ns=until_ns, action=action):
        bot.journal("alarm", code.value, message, now_ns)


def _lift(bot: Bot, code: Code, message: str, now_ns: int) -> None:
    if bot.gate.lift(code):
        bot.journal("info", code.value, message, now_ns)
