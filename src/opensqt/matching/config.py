"""What a simulated exchange is made of: accounts, latency, queue model, history it keeps."""

from decimal import Decimal

import msgspec

from opensqt.domain.clock import NS_PER_MS


class LatencyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One-way delays in venue time: command to venue per kind, and venue to client for every private event.

    `jitter_ns` adds a uniform 0 .. jitter to each command, drawn from the venue's seed; commands never overtake.
    """

    place_ns: int = 5 * NS_PER_MS
    amend_ns: int = 5 * NS_PER_MS
    cancel_ns: int = 5 * NS_PER_MS
    response_ns: int = 5 * NS_PER_MS
    jitter_ns: int = 0


ZERO_LATENCY = LatencyConfig(place_ns=0, amend_ns=0, cancel_ns=0, response_ns=0)


class QueueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How queue position is estimated; the defaults are the pessimistic ones (see `_core.match`)."""

    power: int = 0
    partial_fills: bool = True
    print_through_fills_all: bool = True
    keep_on_decrease: bool = True


class HistoryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How much the venue remembers; older entries are forgotten first."""

    ended_orders: int = 20_000
    fills: int = 100_000
    cash_flows: int = 10_000
    candles: int = 2_000


class VenueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated exchange.

    `keep_changes` notes what `take_changes` returns; turn it off where nobody calls that (a backtest).
    `funding_rate` is used for symbols whose market publishes no funding terms (None: those pay no funding).
    """

    wallets: dict[str, Decimal] = msgspec.field(default_factory=lambda: {"paper": Decimal(10_000)})
    default_leverage: int = 10
    seed: int = 1
    latency: LatencyConfig = LatencyConfig()
    queue: QueueConfig = QueueConfig()
    history: HistoryConfig = HistoryConfig()
    funding_rate: Decimal | None = None
    liquidation_fee_rate: Decimal = Decimal("0.005")
    max_working_orders: int = 10_000
    keep_changes: bool = True
