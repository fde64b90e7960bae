"""Limits of one bot and of the engine, as configured: bounds, units, safe defaults.

Limits that hold back single orders need no action. The others have one: what happens while they are reached.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from opensqt.engine.risk.reasons import Action
from opensqt.runtime.config import ConfigError

PositiveDecimal = Annotated[Decimal, msgspec.Meta(gt=0)]
Percent = Annotated[Decimal, msgspec.Meta(ge=0, le=100)]


class LossLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much may be lost: `amount` in the settle asset, `percent` of the account's equity before the loss.

    Whichever is reached first counts; `percent: 0` turns that one off.
    """

    amount: PositiveDecimal | None = None
    percent: Percent = Decimal(0)
    action: Action = Action.REDUCE_ONLY


class LiquidationLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How near to the mark the liquidation price may come, in percent of the mark; 0 turns it off."""

    min_percent: Percent = Decimal(10)
    action: Action = Action.REDUCE_ONLY


class FillRateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fills per second and side; reached, the action holds for `hold_ms`."""

    max_per_second: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    hold_ms: Annotated[int, msgspec.Meta(ge=100, le=3_600_000)] = 10_000
    action: Action = Action.REDUCE_ONLY


class JumpFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a move is no price any more: more than `sigmas` standard deviations and more than `min_bps`.

    The deviation is that of moves over `horizon_ms`. A jump holds the action until the price was calm for `hold_ms`; a
    trade that far from the book is a bad print and prices nothing. `sigmas: 0` turns the filter off.
    """

    sigmas: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 12
    min_bps: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    horizon_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 1_000
    hold_ms: Annotated[int, msgspec.Meta(ge=100, le=3_600_000)] = 5_000
    action: Action = Action.REDUCE_ONLY


class ClockLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How far the exchange's clock may be from ours; 0 turns it off. Paper venues have a time of their own."""

    max_skew_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 1_000
    action: Action = Action.PAUSE_OPENING


class RiskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one bot. `max_position` is in base currency, `max_notional` and `max_order_notional` in quote.

    Limits count the position with everything working, pending and unknown on top. `position_safety_check` is how many
    levels the account must be able to afford before the bot starts. Opening orders are pulled when data stayed unusable
    for `stale_pull_ms`. `price_collar_bps` is how far an order may reach through mark and index.
    `max_orders_per_second` paces opening orders; the fill rate counts each side.
    """

    max_position: PositiveDecimal | None = None
    max_notional: PositiveDecimal | None = None
    max_order_notional: PositiveDecimal | None = None
    max_leverage: Annotated[int, msgspec.Meta(ge=1, le=125)] = 10
    position_safety_check: Annotated[int, msgspec.Meta(ge=1)] = 100
    max_orders_per_second: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    price_collar_bps: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    daily_loss: LossLimit = LossLimit(percent=Decimal(10))
    drawdown: LossLimit = LossLimit(percent=Decimal(25))
    liquidation: LiquidationLimit = LiquidationLimit()
    fill_rate: FillRateLimit = FillRateLimit()
    jumps: JumpFilter = JumpFilter()
    clock: ClockLimit = ClockLimit()
    settings_action: Action = Action.REDUCE_ONLY
    stale_pull_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 5_000
    command_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 5_000
    reject_cooldown_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 500
    flatten_collar_bps: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100

    def __post_init__(self) -> None:
        """Require that flattening stays inside the collar."""
        if self.flatten_collar_bps > self.price_collar_bps:
            raise ConfigError.single(
                "flatten_collar_bps",
                self.flatten_collar_bps,
                f"must be at most price_collar_bps, {self.price_collar_bps}: orders beyond it are not sent",
                "lower `flatten_collar_bps`",
            )


class VolumeHaltConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The multi-symbol volume halt; one per engine, its symbols need not be traded here.

    It halts opening when every symbol's newest candle closes below the mean close of the last `window` closed candles
    with more than `multiplier` times their mean volume. It clears when `recovery_threshold` symbols have a last closed
    candle above its mean with less volume than that. A symbol is stale without news for `stale_after_ms`.
    """

    enabled: bool = False
    symbols: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=20)] = (
        "BTC/USDT:USDT",
        "ETH/USDT:USDT",
        "SOL/USDT:USDT",
        "XRP/USDT:USDT",
        "DOGE/USDT:USDT",
    )
    interval: Literal["1m", "3m", "5m"] = "1m"
    window: Annotated[int, msgspec.Meta(ge=2, le=500)] = 20
    multiplier: Annotated[Decimal, msgspec.Meta(ge=1, le=100)] = Decimal(3)
    recovery_threshold: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    stale_after_ms: Annotated[int, msgspec.Meta(ge=1_000, le=3_600_000)] = 90_000
    action: Action = Action.REDUCE_ONLY

    def __post_init__(self) -> None:
        """Require a threshold that can be reached, and no symbol twice."""
        if self.recovery_threshold > len(self.symbols):
            raise ConfigError.single(
                "recovery_threshold",
                self.recovery_threshold,
                f"must be at most the number of symbols, {len(self.symbols)}: else a halt could never clear",
                "lower `recovery_threshold`",
            )
        if len(set(self.symbols)) < len(self.symbols):
            raise ConfigError.single("symbols", list(self.symbols), "must not name a symbol twice", "remove one")
