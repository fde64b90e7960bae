"""One world: a seed, a timeline, an exchange, a connector, an engine, their wires, and the checks that watch them.

world = World(seed=7)
world.start()
world.run(5 * SECOND)
world.engine.crash()
world.run(2 * SECOND)
world.engine.start()
world.settle()          # faults end, everything must converge
world.check()           # and does
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from random import Random
from typing import Any

from simulation.world.connector_host import ConnectorHost
from simulation.world.engine_host import EngineHost
from simulation.world.exchange import ACCOUNT, ORDERS_PER_10S, Exchange
from simulation.world.faults import FAULTS, Fault
from simulation.world.invariants import Checks
from simulation.world.port import VenuePort
from simulation.world.reads import VenueReads
from simulation.world.timeline import MS, SECOND, Timeline
from simulation.world.wires import NS_PER_US, Connection, Weather, Wire

from opensqt.connector.veto import VetoConfig
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import OrderState
from opensqt.engine.bot import Bot
from opensqt.engine.commands import Command
from opensqt.engine.config import BotConfig, EngineConfig, GridConfig, ReconcileConfig, RiskConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Event, Resume
from opensqt.engine.risk.reasons import Code, TradingState
from opensqt.matching.sources.instruments import known_instrument
from opensqt.runtime.config import GrpcClientConfig

START_TICKS = 340_000
SETTLE_NS = 90 * SECOND
VENUE_WIRES = ("order", "reply", "query", "user", "market")


class World:
    """Everything, and the way to look at it and to hurt it.

    Args:
        seed: of everything random.
        grid, risk: what differs from the usual bot.
        engine: what differs in the engine's configuration.
        veto: the connector's caps.
        orders_per_10s: what the venue allows.
    """

    def __init__(
        self,
        seed: int,
        *,
        grid: dict[str, Any] | None = None,
        risk: dict[str, Any] | None = None,
        engine: dict[str, Any] | None = None,
        veto: VetoConfig | None = None,
        orders_per_10s: int = ORDERS_PER_10S,
    ) -> None:
        self.seed = seed
        self.timeline = Timeline()
        self.instrument = known_instrument("ETHUSDT")
        self.symbol = self.instrument.symbol
        self.exchange = Exchange(self.timeline, self.instrument, self.rng("exchange"), start_ticks=START_TICKS)
        self.exchange.orders_per_10s = orders_per_10s
        self.weather = {name: Weather(4 * MS, 6 * MS) for name in VENUE_WIRES}
        self.link_weather = Weather(200 * NS_PER_US, 200 * NS_PER_US)
        wires = {name: Wire(self.timeline, weather, self.rng(name), name) for name, weather in self.weather.items()}
        self.port = VenuePort(self.exchange, wires)
        self.connector = ConnectorHost(
            self.timeline, self.port, self.rng("connector"), veto or VetoConfig(max_orders_per_second=200)
        )
        self.engine = EngineHost(
            self.timeline,
            self._config(grid or {}, risk or {}, engine or {}),
            self.rng("engine"),
            self.link_weather,
            self._connect,
        )
        self.reads = VenueReads(self)
        self.engine.on_asks = self.reads.answer
        self.checks = Checks(self)
        self.known_tops = _Tops(self.exchange)
        self._crash_at = (0, 0)
        self.tell: Callable[[EngineCore, Fill | Order, int], object] = _tell
        self._wire_checks()

    @classmethod
    def trading(cls, seed: int, seconds: float = 3.0, **settings: Any) -> "World":
        """Return a world that has traded for a while and has orders on both sides."""
        world = cls(seed, **settings)
        world.start()
        world.run(int(seconds * SECOND))
        world.wait_until(
            lambda: bool(world.own(Side.BUY)) and bool(world.own(Side.SELL)), 30.0, what="both sides quoted"
        )
        assert world.bot.gate.state is TradingState.ACTIVE, world.codes()
        return world

    def rng(self, name: str) -> Random:
        """Return a generator of this seed for one purpose."""
        return Random(f"{self.seed}:{name}")

    def start(self) -> None:
        """Start everything."""
        self.exchange.start()
        self.connector.start()
        self.timeline.at(self.timeline.now_ns + 50 * MS, None, "engine start", self.engine.start)

    def run(self, duration_ns: int) -> None:
        """Let time pass."""
        self.timeline.run(self.timeline.now_ns + duration_ns)

    def close(self) -> None:
        """Remove what the world left on the machine."""
        self.connector.die()
        self.engine.die()
        self.engine.disk.close()

    # ---- hurting

    def inject(self, kind: str, seconds: float = 1.0, intensity: float = 1.0) -> None:
        """Make one fault of the table happen now."""
        self._make(Fault(0, kind, int(seconds * SECOND), intensity))

    def plan(self, faults: Iterable[Fault]) -> None:
        """Make faults happen at their times, counted from now."""
        for fault in faults:
            self.timeline.at(self.timeline.now_ns + fault.at_ns, None, f"fault {fault.kind}", self._make, fault)

    def _make(self, fault: Fault) -> None:
        undo = FAULTS[fault.kind][1](self, fault.duration_ns, fault.intensity)
        if undo is not None:
            self.timeline.at(self.timeline.now_ns + fault.duration_ns, None, f"end of {fault.kind}", undo)

    def crash_engine(self, down_ns: int = 0) -> None:
        """Kill the engine; with a time, start it again after it."""
        self.engine.crash()
        if down_ns:
            self.timeline.at(self.timeline.now_ns + down_ns, None, "engine start", self.start_engine)

    def crash_engine_after_placements(self, count: int, down_ns: int) -> None:
        """Kill the engine in the turn in which it has sent `count` more placements, before anything of it is stored."""
        self._crash_at = (self.checks.placements + count, down_ns)

    def freeze_engine(self, duration_ns: int) -> None:
        """Pause the engine's machine: nothing of it runs, and what is sent to it waits."""
        self.engine.freeze(duration_ns)
        self.link_weather.down_until_ns = max(self.link_weather.down_until_ns, self.timeline.now_ns + duration_ns)

    def crash_connector(self, down_ns: int = 0) -> None:
        """Kill the connector; with a time, start it again after it."""
        self.connector.crash()
        if down_ns:
            self.timeline.at(self.timeline.now_ns + down_ns, None, "connector start", self.start_connector)

    def start_engine(self) -> None:
        """Start the engine unless it runs."""
        if not self.engine.is_up:
            self.engine.start()

    def start_connector(self) -> None:
        """Start the connector unless it runs."""
        if not self.connector.is_up:
            self.connector.start()

    def operate(self, event: Event) -> None:
        """Let an operator do something, when the engine is up to hear it."""
        if self.engine.is_up:
            self.engine.take([event])

    def cancel_by_hand(self, order: Order) -> None:
        """Let somebody cancel one of the account's orders at the venue."""
        self.exchange.by_hand(
            lambda venue, command_id, now_ns: venue.cancel(
                ACCOUNT, order.symbol, exchange_order_id=order.exchange_order_id, command_id=command_id, now_ns=now_ns
            )
        )

    # ---- waiting and looking

    def wait_until(self, holds: Callable[[], bool], seconds: float = 10.0, *, what: str = "") -> None:
        """Let time pass until something holds; an AssertionError says what did not."""
        deadline_ns = self.timeline.now_ns + int(seconds * SECOND)
        while not holds():
            assert self.timeline.now_ns < deadline_ns, f"not within {seconds} s: {what or holds}"
            self.run(5 * MS)

    @property
    def bot(self) -> Bot:
        """Return the bot of the engine's present run."""
        return self.engine.bot

    def codes(self) -> set[Code]:
        """Return the reasons that hold."""
        return set(self.bot.gate.reasons)

    def journal(self, code: str) -> list[str]:
        """Return what the bot noted for people under a code, in this run."""
        return [record.message for record in self.bot.recent_journal if record.code == code]

    def own(self, side: Side) -> list[Order]:
        """Return our orders of a side at the venue, the one nearest to the price first."""
        orders = [
            order for order in self.venue_orders() if order.side is side and self.bot.owner(order.client_order_id)
        ]
        return sorted(orders, key=lambda order: -order.side.sign * order.price_ticks)

    @property
    def now_s(self) -> float:
        """Return how long the world has lived."""
        return (self.connector.monotonic_ns() - SECOND) / SECOND

    def venue_orders(self) -> list[Order]:
        """Return our orders that rest at the venue."""
        return self.exchange.view.open_orders(ACCOUNT)

    def unknown_orders(self) -> list[str]:
        """Return the ids of the engine's orders nobody knows the fate of."""
        return [one.client_order_id for one in self.engine.bot.orders.open.values() if one.state is OrderState.UNKNOWN]

    # ---- the end

    def calm(self) -> None:
        """End every fault: wires, venue, disk; start what is down."""
        for weather in (*self.weather.values(), self.link_weather):
            weather.calm()
        mood = self.exchange.mood
        self.exchange.mood = type(mood)()
        self.exchange.walk.speed = 1.0
        self._crash_at = (0, 0)
        if self.engine.is_up and self.engine.bot.paused_reason:
            self.operate(Resume("eth"))
        self.engine.disk.stalled_until_ns = 0
        self.engine.disk.error = ""
        self.reads.release()
        if not self.connector.is_up:
            self.connector.start()
        if not self.engine.is_up:
            self.engine.start()

    def settle(self, limit_ns: int = SETTLE_NS) -> None:
        """End the faults and wait until nothing is open; fails with what is, when that takes too long."""
        self.calm()
        deadline_ns = self.timeline.now_ns + limit_ns
        open_ = self.unsettled()
        while open_ and self.timeline.now_ns < deadline_ns:
            self.run(500 * MS)
            if not self.engine.is_up:
                self.engine.start()
            open_ = self.unsettled()
        if open_:
            self.checks.fail("fills_never_lost", f"{limit_ns // SECOND} s after the last fault: {'; '.join(open_)}")

    def unsettled(self) -> list[str]:
        """Return what has not converged: in words, empty when everything has."""
        engine, connector = self.engine, self.connector
        if not engine.is_up or not connector.listening:
            return ["a process is down"]
        bot, found = engine.bot, []
        if not bot.attached or bot.gate.reasons:
            found.append(f"the bot is {bot.gate.state.name}: {', '.join(bot.gate.reasons)}")
        if self.checks.unbooked:
            found.append(f"fills not booked: {', '.join(list(self.checks.unbooked)[:5])}")
        settled = {OrderState.LIVE, OrderState.PARTIALLY_FILLED}
        ours = {one.client_order_id: one for one in bot.orders.open.values()}
        found += [f"{one.client_order_id} is {one.state.value}" for one in ours.values() if one.state not in settled]
        venue = {one.client_order_id: one for one in self.venue_orders() if bot.owner(one.client_order_id)}
        if ours.keys() != venue.keys():
            found.append(f"orders differ: {sorted(ours.keys() ^ venue.keys())[:4]}")
        else:
            for key, order in venue.items():
                mine = ours[key]
                if (mine.price_ticks, mine.lots) != (order.price_ticks, order.lots):
                    found.append(f"{key} differs")
                if mine.booked_lots != order.filled_lots:
                    found.append(f"{key} has {mine.booked_lots} of {order.filled_lots} lots booked")
        position = self.exchange.view.position(ACCOUNT, self.symbol).lots
        if not bot.ledger.position_lots == bot.position.lots == position:
            found.append(f"position: ledger {bot.ledger.position_lots}, engine {bot.position.lots}, venue {position}")
        if len(connector.core.gateway.unsettled):
            found.append("the connector has orders of unknown fate")
        if engine.jobs:
            found.append("records wait for the disk")
        return found

    def check(self) -> None:
        """Check what must hold at the end: the ledger equals the venue's wallet to the last unit."""
        bot = self.engine.bot
        instrument = bot.instrument
        assert instrument is not None, "it attached"
        records = self.exchange.venue._records
        account = records.accounts[ACCOUNT]
        position = account.position(self.symbol)
        start = Decimal(100_000)
        # What the account would hold had the position been paid for in full: no rounding of an entry price in it.
        venue_cash = records.money(account.wallet_units - position.cost_units) - start
        if self.checks.ledger_is_whole:
            cash = bot.ledger.cash_change(instrument)
            if cash != venue_cash:
                self.checks.fail("pnl_parts_sum_to_equity", f"the ledger has {cash}, the venue's wallet {venue_cash}")
        book = bot.account_book
        if book is not None and book.unexplained:
            self.checks.fail("pnl_parts_sum_to_equity", f"{book.unexplained} are unexplained")
        assert self.checks.publisher is not None, "it was started"
        self.checks.publisher.flush()
        self.checks.read_replica()

    def finish(self) -> None:
        """End the faults, wait until everything agrees, check the ledger, and clean up."""
        try:
            self.settle()
            self.check()
        finally:
            self.close()

    # ---- inside

    def _turn(self, events: list[Event], commands: list[Command]) -> None:
        self.checks.engine_turn(events, commands)
        if 0 < self._crash_at[0] <= self.checks.placements:
            down_ns, self._crash_at = self._crash_at[1], (0, 0)
            # Behind everything of this turn, before anything else of this moment.
            self.timeline.at(self.timeline.now_ns, None, "engine crash", self.crash_engine, down_ns)

    def _connect(self, connection: Connection, kind: str) -> None:
        if self.connector.listening:
            self.connector.accept(connection, kind)
        else:
            connection.abandon_by_server("connection refused")

    def _config(self, grid: dict[str, Any], risk: dict[str, Any], engine: dict[str, Any]) -> EngineConfig:
        bot = BotConfig(
            id="eth",
            tag="eth",
            symbol=self.symbol,
            grid=GridConfig(
                **{
                    "interval": Decimal("1.50"),
                    "order_quantity": Decimal(170),
                    "buy_window": 5,
                    "sell_window": 5,
                    "max_open_orders": 14,
                    "price_source": "mid",
                    **grid,
                }
            ),
            risk=RiskConfig(
                **{
                    "max_position": Decimal("0.6"),
                    "stale_pull_ms": 2_000,
                    "command_timeout_ms": 4_000,
                    "max_orders_per_second": 50,
                    **risk,
                }
            ),
        )
        return EngineConfig(
            **{
                "connector": GrpcClientConfig(address="127.0.0.1:1"),
                "state_file": "unused",
                "bots": (bot,),
                "on_vanish": "cancel",
                "vanish_grace_ms": 5_000,
                # Far more often than in life, so that every run reads the venue through its faults.
                "reconcile": ReconcileConfig(interval_s=5, grace_ms=2_000),
                **engine,
            }
        )

    def _wire_checks(self) -> None:
        checks = self.checks
        self.engine.on_turn = self._turn
        self.engine.on_commit = checks.committed
        self.engine.on_lost = checks.lost_message
        self.engine.on_started = checks.engine_started
        self.connector.on_refused = checks.truth.never
        self.connector.on_started = checks.connector_started
        self.port.on_never = checks.never
        self.exchange.on_private = checks.venue_spoke
        self.exchange.on_counted = checks.request_counted
        self.timeline.after_event = checks.after_event


def _tell(core: EngineCore, event: Fill | Order, now_ns: int) -> object:
    return core.handle(event, now_ns)


class _Tops:
    """Whether a touch was ever the market's, lately."""

    def __init__(self, exchange: Exchange) -> None:
        self._walk = exchange.walk
        self._seen: set[tuple[int, int]] = set()
        self._last_id = 0

    def __contains__(self, top: tuple[int, int]) -> bool:
        if self._walk.update_id != self._last_id:
            for update_id in range(self._last_id + 1 if self._last_id else 1_000, self._walk.update_id + 1):
                known = self._walk.tops.get(update_id)
                if known is not None:
                    self._seen.add(known)
            self._last_id = self._walk.update_id
        return top in self._seen
