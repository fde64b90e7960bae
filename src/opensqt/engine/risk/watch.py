"""All that one bot's risk rules remember."""

from typing import final

from opensqt.engine.risk.clock_skew import ClockWatch
from opensqt.engine.risk.config import RiskConfig
from opensqt.engine.risk.jumps import JumpWatch
from opensqt.engine.risk.losses import LossState, LossWatch
from opensqt.engine.risk.rates import RateMeter


@final
class RiskWatch:
    """The watching parts of one bot.

    Args:
        config: limits.
        losses: as an earlier run left them.
    """

    def __init__(self, config: RiskConfig, losses: LossState | None = None) -> None:
        self.config = config
        self.fills = RateMeter()
        self.orders = RateMeter()
        self.losses = LossWatch(config.daily_loss, config.drawdown, losses)
        self.jumps = JumpWatch(config.jumps)
        self.clock = ClockWatch()
        self.denials: dict[str, int] = {}
        """How many orders each code held back, counted at every decision that wanted them."""

    def deny(self, code: str, orders: int = 1) -> None:
        """Count orders that were not sent."""
        self.denials[code] = self.denials.get(code, 0) + orders
