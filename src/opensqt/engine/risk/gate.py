"""The gate: what a bot may send now, from the reasons that hold and the hard limits.

Reasons come and go; the worst of them is the state. Cancels always pass. The room for opening lots counts everything at
its worst: the larger of our position and the venue's, and orders of others on the symbol; the diff adds our own
working, pending and unknown orders to it.
"""

from typing import final

import msgspec

from opensqt._core.diff import UNLIMITED
from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.engine.risk.reasons import ACTION_POLICIES, POLICIES, Action, Code, Policy, Pull, TradingState

_PULLS_BY_STRENGTH = (Pull.FLATTEN, Pull.ALL, Pull.NOW)
_STATES_BY_WEIGHT = (TradingState.HALTED, TradingState.STARTING, TradingState.REDUCING)


class Reason(msgspec.Struct, kw_only=True):
    """One reason that holds; `until_ns` 0 = until it is lifted. `action` None = what its code does anyway."""

    code: Code
    message: str
    since_ns: int
    until_ns: int = 0
    action: Action | None = None

    @property
    def policy(self) -> Policy:
        """Return what it does."""
        return POLICIES[self.code] if self.action is None else ACTION_POLICIES[self.action]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Hard limits in units; 0 = none."""

    max_position_lots: int = 0
    max_notional_units: int = 0
    max_order_notional_units: int = 0
    max_leverage: int = 0


@final
class RiskGate:
    """Reasons, limits and the pace of one bot.

    Args:
        limits: hard limits.
        stale_pull_ms: how long data may stay unusable before opening orders are pulled.
        max_orders_per_second: pace of opening orders.
    """

    def __init__(self, limits: Limits, stale_pull_ms: int, max_orders_per_second: int) -> None:
        self.limits = limits
        self.reasons: dict[Code, Reason] = {}
        self.stopped = False
        self.changed = True
        self.state = TradingState.ACTIVE
        self._stale_pull_ns = stale_pull_ms * NS_PER_MS
        self._burst = max_orders_per_second
        self._tokens_ns = NS_PER_S
        self._refilled_ns = 0

    def add(self, code: Code, message: str, now_ns: int, *, until_ns: int = 0, action: Action | None = None) -> bool:
        """Let a reason hold; returns whether it is new."""
        known = self.reasons.get(code)
        if known is not None and known.message == message and known.action is action:
            known.until_ns = until_ns
            return False
        since_ns = known.since_ns if known is not None else now_ns
        self.reasons[code] = Reason(code=code, message=message, since_ns=since_ns, until_ns=until_ns, action=action)
        self._update()
        return known is None

    def lift(self, code: Code) -> bool:
        """Let a reason hold no longer; returns whether it did."""
        if self.reasons.pop(code, None) is None:
            return False
        self._update()
        return True

    def set(self, code: Code, holds: bool, message: str, now_ns: int) -> bool:
        """Add or lift; returns whether that changed whether it holds."""
        return self.add(code, message, now_ns) if holds else self.lift(code)

    def expire(self, now_ns: int) -> list[Code]:
        """Lift the reasons whose time is over."""
        over = [code for code, reason in self.reasons.items() if 0 < reason.until_ns <= now_ns]
        for code in over:
            self.lift(code)
        return over

    def stop(self) -> None:
        """End trading for good."""
        self.stopped = True
        self._update()

    def restart(self) -> None:
        """Let a stopped bot trade again."""
        self.stopped = False
        self._update()

    def pull(self, now_ns: int) -> Pull:
        """Return what must go now, by the strongest reason: KEEP, NOW, ALL or FLATTEN."""
        pulls = set()
        for reason in self.reasons.values():
            pull = reason.policy.pull
            stale = pull is Pull.WHEN_STALE and now_ns - reason.since_ns >= self._stale_pull_ns
            pulls.add(Pull.NOW if stale else pull)
        return next((pull for pull in _PULLS_BY_STRENGTH if pull in pulls), Pull.KEEP)

    def must_pull(self, now_ns: int) -> bool:
        """Return whether resting opening orders must go."""
        return self.pull(now_ns) is not Pull.KEEP

    @property
    def leading(self) -> Reason | None:
        """Return the reason that bars opening most, the oldest of equals; None when nothing does."""
        barring = [reason for reason in self.reasons.values() if reason.policy.state is not TradingState.ACTIVE]
        return min(
            barring, key=lambda reason: (_STATES_BY_WEIGHT.index(reason.policy.state), reason.since_ns), default=None
        )

    def opening_room_lots(self, position_lots: int, foreign_lots: int, notional_units_per_lot: int) -> int:
        """Return how many lots of opening orders may exist on the side that enlarges the position.

        Args:
            position_lots: the worst of what we and the venue believe, as a positive number.
            foreign_lots: open orders of others on that side.
            notional_units_per_lot: at the current price.
        """
        limits = self.limits
        cap = limits.max_position_lots or UNLIMITED
        if limits.max_notional_units:
            cap = min(cap, limits.max_notional_units // notional_units_per_lot)
        if cap == UNLIMITED:
            return UNLIMITED
        return max(0, cap - position_lots - foreign_lots)

    def take_order_token(self, now_ns: int) -> bool:
        """Spend one opening order of the pace; False when it is used up."""
        gained = max(0, now_ns - self._refilled_ns)
        self._tokens_ns = min(NS_PER_S, self._tokens_ns + gained)
        self._refilled_ns = now_ns
        cost = NS_PER_S // self._burst
        if self._tokens_ns < cost:
            return False
        self._tokens_ns -= cost
        return True

    def _update(self) -> None:
        state = TradingState.ACTIVE
        if self.stopped:
            state = TradingState.STOPPED
        elif self.reasons:
            states = {reason.policy.state for reason in self.reasons.values()}
            for worst in _STATES_BY_WEIGHT:
                if worst in states:
                    state = worst
                    break
        self.state = state
        self.changed = True
