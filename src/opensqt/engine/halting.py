"""The volume halt at work: one rule per engine, its reason in the gate of every bot."""

from collections.abc import Iterable
from typing import final

from opensqt.domain.clock import NS_PER_S
from opensqt.engine.bot import Bot
from opensqt.engine.risk.reasons import Code
from opensqt.engine.risk.volume_halt import HaltView, VolumeHalt

JUDGE_PERIOD_NS = NS_PER_S
BLIND = "VOLUME_HALT_BLIND"


@final
class Halting:
    """Judges now and then, and lets what was found hold.

    Args:
        rule: the pure rule.
    """

    def __init__(self, rule: VolumeHalt) -> None:
        self.rule = rule
        self._view: HaltView | None = None
        self._next_ns = 0

    def tick(self, bots: Iterable[Bot], now_ns: int) -> None:
        """Judge when it is time."""
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + JUDGE_PERIOD_NS
        was, now = self._view, self.rule.judge(now_ns)
        self._view = now
        for bot in bots:
            self._apply(bot, was, now, now_ns)

    def _apply(self, bot: Bot, was: HaltView | None, now: HaltView, now_ns: int) -> None:
        config = self.rule.config
        if now.is_halted and Code.VOLUME_HALT not in bot.gate.reasons:
            message = (
                f"all of {', '.join(config.symbols)} fall on more than {config.multiplier} times their usual volume; "
                f"waiting for {config.recovery_threshold} of them to close a candle above their mean"
            )
            bot.gate.add(Code.VOLUME_HALT, message, now_ns, action=config.action)
            bot.journal("alarm", Code.VOLUME_HALT.value, message, now_ns)
        elif not now.is_halted and bot.gate.lift(Code.VOLUME_HALT):
            bot.journal("info", Code.VOLUME_HALT.value, f"{now.recovered} symbols have recovered", now_ns)
        was_blind = was is not None and was.is_blind
        if now.is_blind and not was_blind:
            lost = "; ".join(f"{one.symbol}: {one.detail}" for one in now.symbols if not one.is_fresh)
            bot.journal("alarm", BLIND, f"the volume halt cannot trigger: {lost}", now_ns)
        elif was_blind and not now.is_blind:
            bot.journal("info", BLIND, "every symbol of the volume halt is watched again", now_ns)
        if now != was:
            bot.halt_view = now
            bot.unsaid.limits = True
