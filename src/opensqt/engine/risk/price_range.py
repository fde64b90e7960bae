"""The price range: what happens when the price leaves it, and when it is back.

Leaving takes the reference price and the middle of a valid book, so that one odd print does not close a position. Being
back takes half an interval inside, so that a price that trembles at a limit does not pull and place the whole window
over and over.
"""

from opensqt.domain.money import plain
from opensqt.engine.bot import Bot
from opensqt.engine.commands import AuditRecord
from opensqt.engine.events import StopMode
from opensqt.engine.risk.reasons import Code
from opensqt.engine.strategy.classic_grid import ClassicGrid

STOP_MODES = {"stop": StopMode.CANCEL, "close": StopMode.FLATTEN}
BY = "price range"


def judge(bot: Bot, now_ns: int) -> None:
    """Let trading depend on where the price is."""
    grid, market = bot.grid, bot.market
    if grid is None or grid.config.range is None:
        if Code.OUT_OF_RANGE in bot.gate.reasons:
            bot.gate.lift(Code.OUT_OF_RANGE)
        return
    price2 = market.price2_ticks
    if price2 == 0 or not bot.start_checked or bot.gate.stopped:
        return
    prices2 = (price2, market.bid_ticks + market.ask_ticks)
    if Code.OUT_OF_RANGE not in bot.gate.reasons:
        if _has_left(grid, prices2):
            _leave(bot, grid, now_ns)
    elif _is_back(grid, prices2):
        bot.gate.lift(Code.OUT_OF_RANGE)
        bot.journal("info", Code.OUT_OF_RANGE.value, "the price is back in the range", now_ns)


def _has_left(grid: ClassicGrid, prices2: tuple[int, int]) -> bool:
    lower, upper = grid.range_ticks
    return bool((lower and max(prices2) < 2 * lower) or (upper and min(prices2) > 2 * upper))


def _is_back(grid: ClassicGrid, prices2: tuple[int, int]) -> bool:
    lower, upper = grid.range_ticks
    inward = grid.lattice.step_ticks(grid.lattice.index_near(prices2[0])) // 2
    if lower and upper:
        inward = min(inward, (upper - lower) // 4)  # a narrow range has an inside, too
    return bool(
        (not lower or min(prices2) >= 2 * (lower + inward)) and (not upper or max(prices2) <= 2 * (upper - inward))
    )


def _leave(bot: Bot, grid: ClassicGrid, now_ns: int) -> None:
    limits = grid.config.range
    assert limits is not None, "somebody asked about a range that is not there"
    instrument = grid.instrument
    lower, upper = ("none" if limit is None else plain(limit) for limit in (limits.lower, limits.upper))
    price = plain(instrument.ticks_to_price(bot.market.price2_ticks) / 2)
    message = f"price {price} left the range (lower {lower}, upper {upper}): {limits.action}"
    bot.gate.add(Code.OUT_OF_RANGE, message, now_ns)
    mode = STOP_MODES.get(limits.action)
    bot.journal("warning" if mode is None else "alarm", Code.OUT_OF_RANGE.value, message, now_ns)
    if mode is not None:
        bot.stop_mode = mode
        bot.gate.stop()
        bot.outbox.record(AuditRecord(time_ns=now_ns, bot_id=bot.id, action="stop", detail=message, who=BY))
        bot.outbox.record(bot.record())
