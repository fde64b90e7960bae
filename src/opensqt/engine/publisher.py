"""The state stream: a snapshot, then what changed, with a sequence and the hash of the state it leads to.

Fills, orders and states go out at the end of the loop's turn; prices and money at most once per beat. Each reader has a
bounded queue; one that does not keep up is cut off and starts over with a snapshot. A reader of all bots shares one
sequence with the others; a reader of some has its own, and a hash of those.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import final

from opensqt.domain.clock import Clock
from opensqt.domain.convert_trade import account_to_wire, position_to_wire
from opensqt.domain.errors import ErrorReason, LimitError, invalid_field
from opensqt.domain.latency import HopSummary, LatencyBoard
from opensqt.domain.latency import messages as latency_messages
from opensqt.domain.state_hash import combine, position_hash, replace
from opensqt.engine import state_messages as messages
from opensqt.engine.bot import Bot, Unsaid
from opensqt.engine.core import EngineCore
from opensqt.proto import engine_pb2, trade_pb2

BEAT_S = 0.05
MAX_QUEUED_EVENTS = 1_000
MAX_READERS = 100
LATENCY_BEATS = 20


@final
class StateReader:
    """One subscriber: its bots, its queue, its sequence. `wake` is set when there is something to take."""

    def __init__(self, bot_ids: frozenset[str]) -> None:
        self.bot_ids = bot_ids
        self.queue: deque[engine_pb2.StateEvent] = deque()
        self.wake = asyncio.Event()
        self.too_slow = False
        self.sequence = 1

    def put(self, event: engine_pb2.StateEvent) -> None:
        """Queue one event, or note that the reader does not keep up."""
        if len(self.queue) >= MAX_QUEUED_EVENTS:
            self.too_slow = True
            self.queue.clear()
        elif not self.too_slow:
            self.queue.append(event)
        self.wake.set()


@final
class _BotTale:
    """What was told of one bot: hashes of its elements, its connections."""

    def __init__(self) -> None:
        self.slots: dict[int, int] = {}
        self.orders: dict[str, int] = {}
        self.position = 0
        self.hash = 0
        self.connections: dict[str, engine_pb2.ConnectionState] = {}

    def retell(self, bot: Bot) -> None:
        """Compute all hashes anew."""
        self.slots = {slot: messages.hash_of_slot(bot, slot) for slot in messages.known_slots(bot)}
        self.orders = {
            item.client_order_id: messages.hash_of_order(bot, item.to_order()) for item in bot.orders.open.values()
        }
        for key, foreign in bot.orders.foreign.items():
            self.orders[key] = messages.hash_of_order(bot, foreign)
        self.position = position_hash(bot.id, bot.position.lots)
        self.hash = combine([*self.slots.values(), *self.orders.values(), self.position])

    def changed_connections(self, bot: Bot, now_ns: int) -> list[engine_pb2.ConnectionState]:
        """Return the connections that went up or down, or say something else."""
        changed = []
        for name, up, detail in messages.connection_facts(bot):
            known = self.connections.get(name)
            if known is None or known.up != up or known.detail != detail:
                since_ns = known.since_ns if known is not None and known.up == up else now_ns
                state = engine_pb2.ConnectionState(name=name, up=up, detail=detail, since_ns=since_ns)
                self.connections[name] = state
                changed.append(state)
        return changed


@final
class Publisher:
    """Tells readers what changed in the core's bots."""

    def __init__(self, core: EngineCore, clock: Clock, latency: LatencyBoard | None = None) -> None:
        self._core = core
        self._latency = latency
        self._beats = 0
        self._latency_news: list[HopSummary] = []
        self._clock = clock
        self._tales = {bot_id: _BotTale() for bot_id in core.bots}
        self._readers: set[StateReader] = set()
        self._flush_is_due = False
        self.sequence = 1

    @property
    def state_hash(self) -> int:
        """Return the hash of what was last told of all bots."""
        return combine(tale.hash for tale in self._tales.values())

    @property
    def readers(self) -> int:
        """Return how many readers there are."""
        return len(self._readers)

    def after_turn(self) -> None:
        """Let urgent changes go out when this turn of the loop ends; without readers the beat is soon enough."""
        if not self._readers:
            return
        if not self._flush_is_due and any(bot.unsaid.urgent for bot in self._core.bots.values()):
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush_urgent)

    async def run(self) -> None:
        """Tell the rest, beat by beat."""
        while True:
            await asyncio.sleep(BEAT_S)
            self._beats += 1
            if self._beats % LATENCY_BEATS == 0:
                self.tell_latency()
            self.flush()

    def tell_latency(self) -> None:
        """Let the next event carry the latency of every hop."""
        if self._latency is not None and self._readers:
            self._latency_news = self._latency.summaries()

    def flush(self) -> None:
        """Tell everything that changed."""
        bots = self._core.bots.values()
        if any(bot.unsaid.everything for bot in bots):
            self._tell_everything()
            return
        for bot in bots:
            unsaid = bot.unsaid
            if unsaid.urgent or unsaid.prices or unsaid.money or unsaid.limits:
                bot.unsaid = Unsaid(everything=False)
                self._tell(bot, unsaid, with_prices=unsaid.prices, with_money=unsaid.money)

    def states(self, bot_ids: Iterable[str] = ()) -> list[engine_pb2.BotState]:
        """Return whole bots, all or some. Call `flush` before, so that sequence and hash belong to them."""
        core = self._core
        now_ns = self._clock.now_ns()
        chosen = list(bot_ids) or list(core.bots)
        states = []
        for bot_id in chosen:
            bot, tale = core.bots[bot_id], self._tales[bot_id]
            tale.changed_connections(bot, now_ns)
            states.append(messages.bot_state(bot, tale.connections.values(), core.exchange, core.mode))
        return states

    async def subscribe(self, bot_ids: Iterable[str]) -> AsyncIterator[engine_pb2.StateEvent]:
        """Yield a snapshot and then events without holes.

        Raises:
            RequestError: an unknown bot.
            LimitError: SLOW_READER, subscribe again; or too many readers.
        """
        reader = self.open_reader(bot_ids)
        try:
            while True:
                await reader.wake.wait()
                reader.wake.clear()
                while reader.queue:
                    yield reader.queue.popleft()
                if reader.too_slow:
                    raise LimitError(
                        ErrorReason.SLOW_READER,
                        f"more than {MAX_QUEUED_EVENTS} events waited to be read; subscribe again for a snapshot",
                    )
        finally:
            self._readers.discard(reader)

    def open_reader(self, bot_ids: Iterable[str] = ()) -> StateReader:
        """Return a new reader of some bots or of all, with its snapshot.

        Raises:
            RequestError: an unknown bot.
            LimitError: there are too many readers.
        """
        if len(self._readers) >= MAX_READERS:
            raise LimitError(
                ErrorReason.RATE_LIMITED,
                f"{MAX_READERS} streams of the state are open already; close those that nobody reads",
            )
        chosen = frozenset(bot_ids)
        for bot_id in chosen:
            if bot_id not in self._core.bots:
                raise invalid_field("bot_ids", repr(bot_id), f"must be among {', '.join(self._core.bots)}")
        self.flush()
        reader = StateReader(chosen)
        self._readers.add(reader)
        reader.put(self._snapshot_event(reader))
        return reader

    # ---- telling ----

    def _flush_urgent(self) -> None:
        self._flush_is_due = False
        if any(bot.unsaid.everything for bot in self._core.bots.values()):
            self._tell_everything()
            return
        for bot in self._core.bots.values():
            unsaid = bot.unsaid
            if not unsaid.urgent:
                continue
            later = Unsaid(
                everything=False, prices=unsaid.prices, money=unsaid.money and not unsaid.fills, limits=unsaid.limits
            )
            unsaid.limits = False
            bot.unsaid = later
            self._tell(bot, unsaid, with_prices=False, with_money=bool(unsaid.fills))

    def _tell_everything(self) -> None:
        for bot_id, bot in self._core.bots.items():
            bot.unsaid = Unsaid(everything=False)
            self._tales[bot_id].retell(bot)
        self.sequence += 1
        for reader in self._keeping_up():
            reader.sequence += 1
            reader.put(self._snapshot_event(reader))

    def _keeping_up(self) -> list[StateReader]:
        """Return those to tell. Who was cut off is told so when it reads again, and nothing is prepared for it."""
        for reader in [one for one in self._readers if one.too_slow]:
            self._readers.discard(reader)
        return list(self._readers)

    def _snapshot_event(self, reader: StateReader) -> engine_pb2.StateEvent:
        chosen = reader.bot_ids or frozenset(self._core.bots)
        return engine_pb2.StateEvent(
            sequence=reader.sequence if reader.bot_ids else self.sequence,
            time_ns=self._clock.now_ns(),
            state_hash=combine(self._tales[bot_id].hash for bot_id in chosen),
            snapshot=engine_pb2.StateSnapshot(
                bots=self.states(bot_id for bot_id in self._core.bots if bot_id in chosen)
            ),
            latency=latency_messages(self._latency.summaries()) if self._latency is not None else (),
        )

    def _tell(self, bot: Bot, unsaid: Unsaid, *, with_prices: bool, with_money: bool) -> None:
        now_ns = self._clock.now_ns()
        delta = engine_pb2.BotDelta(bot_id=bot.id)
        self._add_orders(bot, unsaid, delta)
        self._add_slots(bot, unsaid, delta)
        tale = self._tales[bot.id]
        delta.connections.extend(tale.changed_connections(bot, now_ns))
        delta.fills.extend(messages.bot_fill(bot, booked) for booked in unsaid.fills)
        delta.journal.extend(messages.journal_entry(record) for record in unsaid.journal)
        if unsaid.state:
            delta.state = engine_pb2.TradingState.ValueType(bot.gate.state)
            delta.dead_man = trade_pb2.DeadManState.ValueType(bot.dead_man)
            delta.reasons.extend(messages.reasons(bot))
        new = position_hash(bot.id, bot.position.lots)
        if unsaid.position or with_money or new != tale.position:
            delta.position.CopyFrom(position_to_wire(bot.position))
            tale.hash, tale.position = replace(tale.hash, tale.position, new), new
        if with_money:
            delta.pnl.CopyFrom(messages.pnl_state(bot))
            if bot.account is not None:
                delta.account.CopyFrom(account_to_wire(bot.account))
        if unsaid.corrections or unsaid.reconcile:
            delta.corrections.extend(messages.correction(bot, *change) for change in unsaid.corrections)
            delta.reconcile.CopyFrom(messages.reconcile_state(bot))
        if unsaid.limits:
            delta.limits.extend(messages.risk_limit(reading) for reading in bot.readings)
            halt = messages.volume_halt(bot)
            if halt is not None:
                delta.volume_halt.CopyFrom(halt)
        if with_prices:
            messages.fill_prices(delta, bot)
        self._send(delta, now_ns)

    def _add_orders(self, bot: Bot, unsaid: Unsaid, delta: engine_pb2.BotDelta) -> None:
        tale, orders = self._tales[bot.id], bot.orders
        for client_id in unsaid.orders:
            tracked, foreign = orders.open.get(client_id), orders.foreign.get(client_id)
            old = tale.orders.get(client_id)
            new: int | None = None
            if tracked is not None:
                delta.orders.append(messages.own_order(tracked))
                new = messages.hash_of_order(bot, tracked.to_order())
            elif foreign is not None:
                delta.orders.append(messages.foreign_order(foreign))
                new = messages.hash_of_order(bot, foreign)
            elif old is not None:
                delta.removed_client_order_ids.append(client_id)
            tale.hash = replace(tale.hash, old, new)
            if new is None:
                tale.orders.pop(client_id, None)
            else:
                tale.orders[client_id] = new

    def _add_slots(self, bot: Bot, unsaid: Unsaid, delta: engine_pb2.BotDelta) -> None:
        if not unsaid.slots:
            return
        tale = self._tales[bot.id]
        known, working = messages.known_slots(bot), messages.working_orders(bot)
        for slot in unsaid.slots:
            old = tale.slots.get(slot)
            new: int | None = None
            if slot in known:
                delta.slots.append(messages.slot_state(bot, slot, working))
                new = messages.hash_of_slot(bot, slot)
            elif old is not None:
                delta.removed_slots.append(slot)
            tale.hash = replace(tale.hash, old, new)
            if new is None:
                tale.slots.pop(slot, None)
            else:
                tale.slots[slot] = new

    def _send(self, delta: engine_pb2.BotDelta, now_ns: int) -> None:
        self.sequence += 1
        latency, self._latency_news = latency_messages(self._latency_news), []
        shared: engine_pb2.StateEvent | None = None
        for reader in self._keeping_up():
            if not reader.bot_ids:
                if shared is None:
                    shared = engine_pb2.StateEvent(
                        sequence=self.sequence,
                        time_ns=now_ns,
                        state_hash=self.state_hash,
                        delta=delta,
                        latency=latency,
                    )
                reader.put(shared)
            elif delta.bot_id in reader.bot_ids:
                reader.sequence += 1
                reader.put(
                    engine_pb2.StateEvent(
                        sequence=reader.sequence,
                        time_ns=now_ns,
                        state_hash=combine(self._tales[bot_id].hash for bot_id in reader.bot_ids),
                        delta=delta,
                        latency=latency,
                    )
                )
