"""Daily loss and drawdown from the equity peak, of one bot's own profit.

Transfers are no profit, so a withdrawal is no loss. The day is the UTC day. A day that begins while nobody looks begins
at the last profit that was seen, so what was lost in between counts. Percentages are of the account's equity before the
loss: its equity now plus the loss.
"""

from decimal import Decimal
from typing import final

import msgspec

from opensqt.domain.clock import NS_PER_S
from opensqt.domain.money import EXACT, plain
from opensqt.engine.risk.config import LossLimit
from opensqt.engine.risk.reasons import Code

ZERO = Decimal(0)
HUNDRED = Decimal(100)
DAY_NS = 86_400 * NS_PER_S

_CENT = Decimal("0.01")
_PERCENT = Decimal("0.0001")


class LossState(msgspec.Struct, frozen=True, kw_only=True):
    """What must survive a restart; `day` counts UTC days since 1970, 0 = nothing was seen yet.

    A limit that was reached stays so, with the words for it, until the day or an operator ends it: a bot that recovers
    a little by selling must not begin to buy again.
    """

    day: int = 0
    day_start_profit: Decimal = ZERO
    peak_profit: Decimal = ZERO
    last_profit: Decimal = ZERO
    daily_reached: str = ""
    drawdown_reached: str = ""


class Loss(msgspec.Struct, frozen=True):
    """One loss, as money and as part of the equity before it."""

    amount: Decimal = ZERO
    percent: Decimal = ZERO


@final
class LossWatch:
    """Follows one bot's profit.

    Args:
        daily: limit of one UTC day.
        drawdown: limit from the highest profit ever seen.
        state: as an earlier run left it.
    """

    def __init__(self, daily: LossLimit, drawdown: LossLimit, state: LossState | None = None) -> None:
        self.limits = {Code.DAILY_LOSS: daily, Code.DRAWDOWN: drawdown}
        self.losses = {Code.DAILY_LOSS: Loss(), Code.DRAWDOWN: Loss()}
        self.state = state or LossState()

    def update(self, profit: Decimal, equity: Decimal, now_ns: int) -> None:
        """Take the profit (without transfers) and the account's equity as they are now."""
        state = self.state
        day = now_ns // DAY_NS
        if state.day == 0:
            state = LossState(day=day, day_start_profit=profit, peak_profit=profit, last_profit=profit)
        elif day > state.day:
            state = msgspec.structs.replace(state, day=day, day_start_profit=state.last_profit, daily_reached="")
        peak = max(state.peak_profit, profit)
        self.losses[Code.DAILY_LOSS] = _loss(state.day_start_profit, profit, equity)
        self.losses[Code.DRAWDOWN] = _loss(peak, profit, equity)
        self.state = msgspec.structs.replace(
            state,
            peak_profit=peak,
            last_profit=profit,
            daily_reached=state.daily_reached or self._judge(Code.DAILY_LOSS),
            drawdown_reached=state.drawdown_reached or self._judge(Code.DRAWDOWN),
        )

    def begin_anew(self) -> None:
        """Let day and peak begin at the last profit: an operator has seen the loss and goes on."""
        state = self.state
        self.state = LossState(
            day=state.day,
            day_start_profit=state.last_profit,
            peak_profit=state.last_profit,
            last_profit=state.last_profit,
        )
        self.losses = {Code.DAILY_LOSS: Loss(), Code.DRAWDOWN: Loss()}

    def reached(self, code: Code) -> str:
        """Return why DAILY_LOSS or DRAWDOWN is reached, with number, limit and fix; empty when it is not."""
        return self.state.daily_reached if code is Code.DAILY_LOSS else self.state.drawdown_reached

    def _judge(self, code: Code) -> str:
        limit, loss = self.limits[code], self.losses[code]
        what = "lost today (UTC)" if code is Code.DAILY_LOSS else "below the highest profit"
        key = code.value.lower()
        if limit.amount is not None and loss.amount >= limit.amount:
            return (
                f"{plain(loss.amount.quantize(_CENT))} {what}, the limit is {plain(limit.amount)}; `resume` goes on "
                f"from here, or raise `risk.{key}.amount`"
            )
        if limit.percent and loss.percent >= limit.percent:
            return (
                f"{plain(loss.percent.quantize(_CENT))} % of the equity {what}, the limit is {plain(limit.percent)} %; "
                f"`resume` goes on from here, or raise `risk.{key}.percent`"
            )
        return ""


def _loss(before: Decimal, now: Decimal, equity: Decimal) -> Loss:
    amount = EXACT.subtract(before, now)
    if amount <= 0:
        return Loss()
    equity_before = EXACT.add(equity, amount)
    # Equity that is gone altogether is a loss of all of it.
    percent = (amount / equity_before * HUNDRED).quantize(_PERCENT) if equity_before > 0 else HUNDRED
    return Loss(amount, min(percent, HUNDRED) if equity > 0 else HUNDRED)
