"""What the engine shows to Prometheus: read from the core when asked, so nothing is counted on the order path.

Labels are bots, states, reason codes and limits: all bounded by the configuration and by enums. Metric values are
floats by Prometheus's nature; they are for charts and alerts, and no decision reads them.
"""

from collections.abc import Iterator
from typing import final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.order_state import OrderState
from opensqt.engine.bot import Bot
from opensqt.engine.core import EngineCore
from opensqt.engine.limit_readings import read_limits
from opensqt.engine.risk.reasons import TradingState
from opensqt.engine.store.store import Store


@final
class EngineCollector(Collector):
    """Collects one core's figures."""

    def __init__(self, core: EngineCore, store: Store, clock: Clock) -> None:
        self._core = core
        self._store = store
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of now."""
        store = self._store.reading
        for name, text, value in (
            ("opensqt_engine_attached", "1 while the connector is attached", float(self._core.attached)),
            ("opensqt_engine_store_healthy", "1 while the last write went well", float(not store.error)),
            ("opensqt_engine_store_backlog", "Turns that are not on disk yet", float(store.backlog)),
            ("opensqt_engine_store_wait_seconds", "How long the oldest of them waits", store.oldest_wait_ns / NS_PER_S),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        bots = list(self._core.bots.values())
        yield from _states(bots)
        yield from _counts(bots)
        yield from _money(bots)
        yield from self._limits(bots)

    def _limits(self, bots: list[Bot]) -> Iterator[Metric]:
        used = GaugeMetricFamily(
            "opensqt_bot_limit_used_ratio", "How much of a limit is used, 1 = reached", labels=["bot", "limit"]
        )
        now_ns = self._clock.now_ns()
        for bot in bots:
            for reading in read_limits(bot, self._core.mode, now_ns):
                part, whole = (reading.cap, reading.value) if reading.is_floor else (reading.value, reading.cap)
                if whole > 0:
                    used.add_metric([bot.id, reading.name], float(part / whole))
        yield used


def _states(bots: list[Bot]) -> Iterator[Metric]:
    state = GaugeMetricFamily("opensqt_bot_state", "1 for the state a bot is in", labels=["bot", "state"])
    reasons = GaugeMetricFamily("opensqt_bot_reason", "1 while a reason holds a bot back", labels=["bot", "code"])
    denied = CounterMetricFamily(
        "opensqt_bot_orders_denied", "Orders the risk gate held back, by reason", labels=["bot", "code"]
    )
    for bot in bots:
        for one in TradingState:
            state.add_metric([bot.id, one.name.lower()], float(bot.gate.state is one))
        for code in list(bot.gate.reasons):
            reasons.add_metric([bot.id, code.value], 1.0)
        for denial, count in list(bot.watch.denials.items()):
            denied.add_metric([bot.id, denial], count)
    yield from (state, reasons, denied)


def _counts(bots: list[Bot]) -> Iterator[Metric]:
    orders = GaugeMetricFamily("opensqt_bot_open_orders", "Orders that may rest at the venue", labels=["bot"])
    unknown = GaugeMetricFamily("opensqt_bot_unknown_orders", "Orders whose fate is unknown", labels=["bot"])
    placed = CounterMetricFamily("opensqt_bot_orders_placed", "Orders sent", labels=["bot"])
    fills = CounterMetricFamily("opensqt_bot_fills", "Fills booked", labels=["bot"])
    corrections = GaugeMetricFamily("opensqt_bot_corrections", "Corrections kept, newest 200", labels=["bot"])
    for bot in bots:
        open_orders = list(bot.orders.open.values())
        orders.add_metric([bot.id], len(open_orders))
        unknown.add_metric([bot.id], sum(order.state is OrderState.UNKNOWN for order in open_orders))
        placed.add_metric([bot.id], bot.orders_placed)
        fills.add_metric([bot.id], bot.ledger.totals.fills)
        corrections.add_metric([bot.id], len(bot.corrections))
    yield from (orders, unknown, placed, fills, corrections)


def _money(bots: list[Bot]) -> Iterator[Metric]:
    position = GaugeMetricFamily("opensqt_bot_position", "Position in base currency, signed", labels=["bot", "asset"])
    parts = GaugeMetricFamily(
        "opensqt_bot_pnl", "Profit since the start by part, in the settle asset", labels=["bot", "asset", "part"]
    )
    equity = GaugeMetricFamily("opensqt_bot_equity", "The account's margin balance", labels=["bot", "asset"])
    unexplained = GaugeMetricFamily(
        "opensqt_bot_unexplained", "The venue's wallet less what the ledger explains", labels=["bot", "asset"]
    )
    for bot in bots:
        instrument, pnl = bot.instrument, bot.pnl()
        if instrument is None or pnl is None:
            continue
        asset = instrument.settle_asset
        size = instrument.lots_to_quantity(abs(bot.position.lots))
        position.add_metric([bot.id, instrument.base_asset], float(size if bot.position.lots >= 0 else -size))
        for name in ("grid_profit", "inventory", "fees", "funding"):
            parts.add_metric([bot.id, asset, name], float(getattr(pnl, name)))
        if bot.account is not None:
            equity.add_metric([bot.id, asset], float(bot.account.margin_balance))
        if bot.account_book is not None:
            unexplained.add_metric([bot.id, asset], float(bot.account_book.unexplained))
    yield from (position, parts, equity, unexplained)
