"""The engine's configuration: where its connector is, where it keeps its state, which bots it runs."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from opensqt.domain.symbols import unified_symbol
from opensqt.engine.risk.config import RiskConfig, VolumeHaltConfig
from opensqt.runtime.alerts import AlertsConfig
from opensqt.runtime.config import (
    ConfigError,
    ConfigProblem,
    GrpcClientConfig,
    GrpcServerConfig,
    LogConfig,
    MetricsConfig,
)

PositiveDecimal = Annotated[Decimal, msgspec.Meta(gt=0)]

DEFAULT_PORT = 50052


class RangeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Prices, in quote, between which the grid opens; either side may be left open.

    A level is bought only when it and its take-profit lie inside. When the price itself leaves: `hold` pulls what would
    open and goes on when the price is back, `stop` cancels everything and stops the bot, `close` also closes the
    position.
    """

    lower: PositiveDecimal | None = None
    upper: PositiveDecimal | None = None
    action: Literal["hold", "stop", "close"] = "hold"

    def __post_init__(self) -> None:
        """Require a limit, and in order."""
        if self.lower is None and self.upper is None:
            raise ConfigError.single("range", None, "has no limit", "set `lower`, `upper` or both, or remove `range`")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ConfigError.single(
                "range.lower", self.lower, f"must be below range.upper, {self.upper}", "swap or correct the limits"
            )


class GridConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The lattice and what rests on it. Prices and `order_quantity` are in quote currency, windows in levels.

    `arithmetic` spacing needs `interval`, `geometric` needs `ratio` (0.001 = levels 0.1 % apart). Without `anchor` the
    first valid price becomes it; it is kept for the bot's life. `order_quantity` is spent per level.
    """

    spacing: Literal["arithmetic", "geometric"] = "arithmetic"
    interval: PositiveDecimal | None = None
    ratio: Annotated[Decimal, msgspec.Meta(gt=0, le=1)] | None = None
    anchor: PositiveDecimal | None = None
    order_quantity: PositiveDecimal
    buy_window: Annotated[int, msgspec.Meta(ge=1, le=500)] = 20
    sell_window: Annotated[int, msgspec.Meta(ge=1, le=500)] = 20
    max_open_orders: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 100
    price_source: Literal["last", "mid"] = "last"
    range: RangeConfig | None = None

    def __post_init__(self) -> None:
        """Require exactly the step that the spacing uses."""
        needed, other = ("interval", "ratio") if self.spacing == "arithmetic" else ("ratio", "interval")
        if getattr(self, needed) is None:
            raise ConfigError.single(needed, None, f"{self.spacing} spacing needs `{needed}`", f"set `{needed}`")
        if getattr(self, other) is not None:
            raise ConfigError.single(
                other, getattr(self, other), f"has no meaning with {self.spacing} spacing", f"remove `{other}`"
            )


class BotConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One bot: one symbol, one grid. `tag` marks its client order ids for life: 1 to 5 of a-z and 0-9.

    `symbol` may be in the exchange's spelling, BTCUSDT for BTC/USDT:USDT.
    `existing_position` says what to do with a position that was there before the bot: take it over, or refuse to start.
    `leverage` is set at the exchange, `margin_mode` must be what is set there; the account must be in one-way mode.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.-]+$")]
    tag: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]{0,4}$")]
    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    grid: GridConfig
    risk: RiskConfig = RiskConfig()
    leverage: Annotated[int, msgspec.Meta(ge=1, le=125)] = 5
    margin_mode: Literal["cross", "isolated"] = "cross"
    existing_position: Literal["adopt", "refuse"] = "refuse"

    def __post_init__(self) -> None:
        """Give the symbol its unified name, and check the leverage against the bot's own limit."""
        try:
            msgspec.structs.force_setattr(self, "symbol", unified_symbol(self.symbol))
        except ValueError as error:
            fix = "write its unified name, for example BTC/USDT:USDT"
            raise ConfigError.single("symbol", self.symbol, str(error), fix) from None
        if self.leverage > self.risk.max_leverage:
            raise ConfigError.single(
                "leverage",
                self.leverage,
                f"must be at most risk.max_leverage, {self.risk.max_leverage}",
                "lower `leverage`, or raise `risk.max_leverage` knowingly",
            )


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the state file is guarded.

    Below `min_free_mb` of free disk the engine refuses to start, and a running one stops opening. A write that waits
    longer than `stall_ms` stops opening too; after `halt_after_s` without a successful write all orders are cancelled.
    """

    min_free_mb: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 64
    stall_ms: Annotated[int, msgspec.Meta(ge=100, le=600_000)] = 2_000
    halt_after_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 60


class ReconcileConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How orders and positions are compared with the venue's, every `interval_s` and after every anomaly.

    Orders younger than `grace_ms` are not judged. A position may differ by `position_tolerance_lots`, or by
    `position_tolerance_ppm` millionths of itself where that is more.
    """

    interval_s: Annotated[int, msgspec.Meta(ge=5, le=86_400)] = 60
    grace_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 3_000
    position_tolerance_lots: Annotated[int, msgspec.Meta(ge=0)] = 0
    position_tolerance_ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


class EngineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One engine: its connector, its own gRPC server, its state file, its bots.

    `on_vanish` is what the connector does with our orders when this engine is gone for longer than `vanish_grace_ms`:
    `cancel` them, `keep` them, or `reduce` (cancel those that open, keep take-profits).

    `on_stop` is what a SIGTERM does before the engine ends: `keep` orders and position (a restart goes on where it was;
    `on_vanish` still applies when none follows), `cancel` our orders, or `flatten` the position as well.
    After the engine was held up for `max_stall_ms` every stream is taken for stale and begun anew; when its loop stands
    still for `watchdog_exit_s` the process ends itself to be started anew (0 = never). Leverage and margin
    mode are asked for every `settings_check_s`.
    """

    connector: GrpcClientConfig
    grpc: GrpcServerConfig = GrpcServerConfig(port=DEFAULT_PORT)
    state_file: Path
    store: StoreConfig = StoreConfig()
    reconcile: ReconcileConfig = ReconcileConfig()
    bots: Annotated[tuple[BotConfig, ...], msgspec.Meta(min_length=1, max_length=100)]
    engine_id: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] = "engine"
    on_vanish: Literal["cancel", "keep", "reduce"] = "reduce"
    vanish_grace_ms: Annotated[int, msgspec.Meta(ge=1_000, le=3_600_000)] = 30_000
    on_stop: Literal["keep", "cancel", "flatten"] = "keep"
    book_depth: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    max_stall_ms: Annotated[int, msgspec.Meta(ge=200, le=60_000)] = 2_000
    watchdog_exit_s: Annotated[int, msgspec.Meta(ge=0, le=3_600)] = 60
    settings_check_s: Annotated[int, msgspec.Meta(ge=5, le=3_600)] = 60
    volume_halt: VolumeHaltConfig = VolumeHaltConfig()
    alerts: AlertsConfig = AlertsConfig()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()

    def __post_init__(self) -> None:
        """Require that no two bots share an id, a tag or a symbol."""
        problems = []
        for name, why in (
            ("id", "ids name bots in commands and in the database"),
            ("tag", "tags mark whose an order is"),
            ("symbol", "two grids on one symbol would trade with each other"),
        ):
            seen: set[str] = set()
            for index, bot in enumerate(self.bots):
                value = getattr(bot, name)
                if value in seen:
                    problems.append(
                        ConfigProblem(
                            f"bots[{index}].{name}", repr(value), f"must be unique: {why}", f"choose another {name}"
                        )
                    )
                seen.add(value)
        if problems:
            raise ConfigError(problems)
