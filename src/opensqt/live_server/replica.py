"""What the engine told about its bots, kept as a replica that can prove it is the same.

`EngineReplica.apply` takes the engine's state events in order. The first is a snapshot; each later one must carry the
next sequence number, and the state it leads to must have the hash the event names. Anything else raises
`ReplicaDivergedError`: the reader drops the stream and takes a new snapshot, it never guesses.

The hash is the sum of its elements' hashes (`opensqt.domain.state_hash`), so a change costs only what changed.

Changes are collected in `BotChange`s until somebody takes them, so that many events become one message to the browser.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, final

from opensqt.domain.state_hash import combine, order_hash, position_hash, replace, slot_hash
from opensqt.live_server import names
from opensqt.live_server.units import UnitScale
from opensqt.proto.engine_pb2 import (
    BotDelta,
    BotFill,
    BotOrder,
    BotState,
    ConnectionState,
    JournalEntry,
    SlotState,
    StateEvent,
)
from opensqt.proto.latency_pb2 import HopLatency

MAX_FILLS: Final = 200
MAX_JOURNAL: Final = 100
MAX_CORRECTIONS: Final = 20
COPY_HEAD_EVERY: Final = 200
"""Changes. A message keeps all memory it ever took for its parts until it is gone; so it must go now and then."""

# Parts of a bot that are replaced whole, under the name the browser knows them by.
PART_STATE: Final = "state"
PART_GRID: Final = "grid"
PART_POSITION: Final = "position"
PART_ACCOUNT: Final = "account"
PART_PNL: Final = "pnl"
PART_CONNECTIONS: Final = "connections"
PART_PRICES: Final = "prices"
PART_WINDOW: Final = "window"
PART_FUNDING: Final = "funding"
PART_LIMITS: Final = "limits"
PART_VOLUME_HALT: Final = "volume_halt"
PART_DEAD_MAN: Final = "dead_man"
PART_RECONCILE: Final = "reconcile"


def order_key(order: BotOrder) -> str:
    """Return the id that names an order here: the client's, or the venue's for a foreign order that has none."""
    return order.order.client_order_id or order.order.exchange_order_id


class ReplicaDivergedError(Exception):
    """The stream of state events has a hole, or leads to another state than the engine has."""


@dataclass(slots=True)
class BotChange:
    """What changed in one bot since changes were last taken."""

    full: bool = False  # everything: the browser replaces the bot
    parts: set[str] = field(default_factory=set)
    slots: set[int] = field(default_factory=set)
    removed_slots: set[int] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    removed_orders: set[str] = field(default_factory=set)
    fills: deque[BotFill] = field(default_factory=lambda: deque(maxlen=MAX_FILLS))
    journal: deque[JournalEntry] = field(default_factory=lambda: deque(maxlen=MAX_JOURNAL))


@final
class BotReplica:
    """One bot as the engine last described it.

    Attributes:
        head: identity and the parts that are replaced whole; its lists are kept apart below.
        slots: by lattice index.
        orders: not terminal, by client order id.
        fills: newest last, at most 200.
        journal: newest last, at most 100.
    """

    __slots__ = (
        "_changes",
        "_hashes",
        "connections",
        "fills",
        "head",
        "journal",
        "orders",
        "scale",
        "slots",
        "state_hash",
    )

    def __init__(self, state: BotState) -> None:
        self.head = BotState()
        self.head.CopyFrom(state)
        for name in ("slots", "orders", "recent_fills", "connections", "recent_journal"):
            self.head.ClearField(name)
        self.slots: dict[int, SlotState] = {slot.slot: slot for slot in state.slots}
        self.orders: dict[str, BotOrder] = {order_key(order): order for order in state.orders}
        self.fills: deque[BotFill] = deque(state.recent_fills, maxlen=MAX_FILLS)
        self.journal: deque[JournalEntry] = deque(state.recent_journal, maxlen=MAX_JOURNAL)
        self.connections: dict[str, ConnectionState] = {item.name: item for item in state.connections}
        self.scale = UnitScale(self.head.instrument)
        self._hashes: dict[tuple[str, str | int], int] = {}
        self._changes = 0
        self.state_hash = 0
        for slot in state.slots:
            self._hash_slot(slot)
        for order in state.orders:
            self._hash_order(order)
        if state.HasField("position"):
            self._hash_position()

    def apply(self, delta: BotDelta, change: BotChange) -> None:
        """Take what changed, and note it in `change`."""
        self._changes += 1
        if self._changes % COPY_HEAD_EVERY == 0:
            worn, self.head = self.head, BotState()
            self.head.CopyFrom(worn)
        self._apply_parts(delta, change)
        self._apply_numbers(delta, change)
        for slot in delta.slots:
            self.slots[slot.slot] = slot
            self._hash_slot(slot)
            change.slots.add(slot.slot)
            change.removed_slots.discard(slot.slot)
        for index in delta.removed_slots:
            self.slots.pop(index, None)
            self._set_hash(("slot", index), None)
            change.slots.discard(index)
            change.removed_slots.add(index)
        for order in delta.orders:
            client_id = order_key(order)
            self.orders[client_id] = order
            self._hash_order(order)
            change.orders.add(client_id)
            change.removed_orders.discard(client_id)
        for client_id in delta.removed_client_order_ids:
            self.orders.pop(client_id, None)
            self._set_hash(("order", client_id), None)
            change.orders.discard(client_id)
            change.removed_orders.add(client_id)
        self.fills.extend(delta.fills)
        change.fills.extend(delta.fills)
        self.journal.extend(delta.journal)
        change.journal.extend(delta.journal)
        for connection in delta.connections:
            self.connections[connection.name] = connection
            change.parts.add(PART_CONNECTIONS)

    def _apply_parts(self, delta: BotDelta, change: BotChange) -> None:
        head = self.head
        if delta.HasField("state"):
            head.state = delta.state
            del head.reasons[:]
            head.reasons.extend(delta.reasons)
            change.parts.add(PART_STATE)
        if delta.HasField("grid"):
            head.grid.CopyFrom(delta.grid)
            change.parts.add(PART_GRID)
        if delta.HasField("instrument"):
            # Another tick or lot size gives every price and size on the page a new meaning.
            head.instrument.CopyFrom(delta.instrument)
            self.scale = UnitScale(head.instrument)
            change.full = True
        if delta.HasField("position"):
            head.position.CopyFrom(delta.position)
            self._hash_position()
            change.parts.add(PART_POSITION)
        if delta.HasField("account"):
            head.account.CopyFrom(delta.account)
            change.parts.add(PART_ACCOUNT)
        if delta.HasField("pnl"):
            head.pnl.CopyFrom(delta.pnl)
            change.parts.add(PART_PNL)
        if delta.limits:
            del head.limits[:]
            head.limits.extend(delta.limits)
            change.parts.add(PART_LIMITS)
        if delta.HasField("volume_halt"):
            head.volume_halt.CopyFrom(delta.volume_halt)
            change.parts.add(PART_VOLUME_HALT)
        if delta.HasField("reconcile"):
            head.reconcile.CopyFrom(delta.reconcile)
            head.corrections.extend(delta.corrections)
            del head.corrections[:-MAX_CORRECTIONS]
            change.parts.add(PART_RECONCILE)

    def _apply_numbers(self, delta: BotDelta, change: BotChange) -> None:
        head = self.head
        if delta.HasField("dead_man"):
            head.dead_man = delta.dead_man
            change.parts.add(PART_DEAD_MAN)
        if delta.HasField("last_price"):
            head.last_price.CopyFrom(delta.last_price)
            change.parts.add(PART_PRICES)
        if delta.HasField("mark_price"):
            head.mark_price.CopyFrom(delta.mark_price)
            change.parts.add(PART_PRICES)
        if delta.HasField("best_bid_ticks"):
            head.best_bid_ticks = delta.best_bid_ticks
            change.parts.add(PART_PRICES)
        if delta.HasField("best_ask_ticks"):
            head.best_ask_ticks = delta.best_ask_ticks
            change.parts.add(PART_PRICES)
        if delta.HasField("window_low_slot"):
            head.window_low_slot = delta.window_low_slot
            change.parts.add(PART_WINDOW)
        if delta.HasField("window_high_slot"):
            head.window_high_slot = delta.window_high_slot
            change.parts.add(PART_WINDOW)
        if delta.HasField("funding_rate"):
            head.funding_rate.CopyFrom(delta.funding_rate)
            change.parts.add(PART_FUNDING)
        if delta.HasField("next_funding_time_ms"):
            head.next_funding_time_ms = delta.next_funding_time_ms
            change.parts.add(PART_FUNDING)

    def _hash_slot(self, slot: SlotState) -> None:
        value = slot_hash(self.head.bot_id, slot.slot, slot.held_lots, slot.cost_ticks_lots, slot.cycles)
        self._set_hash(("slot", slot.slot), value)

    def _hash_order(self, bot_order: BotOrder) -> None:
        order = bot_order.order
        state = names.order_state(order.state)
        value = order_hash(
            self.head.bot_id, order.client_order_id, order.price_ticks, order.lots, order.filled_lots, state
        )
        self._set_hash(("order", order_key(bot_order)), value)

    def _hash_position(self) -> None:
        self._set_hash(("position", ""), position_hash(self.head.bot_id, self.head.position.lots))

    def _set_hash(self, key: tuple[str, str | int], value: int | None) -> None:
        old = self._hashes.pop(key, None)
        if value is not None:
            self._hashes[key] = value
        self.state_hash = replace(self.state_hash, old, value)


@final
class EngineReplica:
    """All bots of the engine, kept current by its state events.

    Attributes:
        is_verified: whether the engine's hashes are checked: not so when it sends none, or when the hash of its own
            snapshot cannot be reproduced here, as with an engine of another version.
        latency: how long each part of the way takes, as the engine said last.
    """

    def __init__(self) -> None:
        self.is_verified = False
        self.latency: tuple[HopLatency, ...] = ()
        self._has_new_latency = False
        self._sequence = 0
        self._has_snapshot = False
        self._bots: dict[str, BotReplica] = {}
        self._changes: dict[str, BotChange] = {}
        self._removed: set[str] = set()

    @property
    def bots(self) -> dict[str, BotReplica]:
        """The bots by id, in the engine's order."""
        return self._bots

    @property
    def sequence(self) -> int:
        """Sequence number of the last event applied."""
        return self._sequence

    @property
    def changed(self) -> bool:
        """Whether changes wait to be taken."""
        return bool(self._changes or self._removed or self._has_new_latency)

    def expect_snapshot(self) -> None:
        """Require a snapshot next, as after a reconnect; the bots known so far stay until it comes."""
        self._has_snapshot = False

    def apply(self, event: StateEvent) -> None:
        """Take the next event.

        Raises:
            ReplicaDivergedError: a delta came before a snapshot, the sequence has a hole, a delta names an unknown
                bot, or the hash differs.
        """
        kind = event.WhichOneof("event")
        if kind == "snapshot":
            self._replace(event.snapshot.bots)
            self._has_snapshot = True
            # A snapshot is the engine's own word: a hash that differs here means another way to compute it.
            self.is_verified = event.state_hash == self._hash()
        elif kind == "delta":
            self._check_sequence(event)
            self._apply_delta(event.delta)
        else:
            # A newer engine may send kinds we do not know; they still count in the sequence and in the hash.
            self._check_sequence(event)
        if event.latency:
            self.latency = tuple(event.latency)
            self._has_new_latency = True
        self._sequence = event.sequence
        self._check_hash(event)

    def take_changes(self) -> tuple[dict[str, BotChange], set[str]]:
        """Return changes by bot id and the ids of removed bots, and start afresh."""
        changes, removed = self._changes, self._removed
        self._changes, self._removed = {}, set()
        return changes, removed

    def take_latency(self) -> tuple[HopLatency, ...]:
        """Return the latencies when they are new since the last call, else none."""
        is_new, self._has_new_latency = self._has_new_latency, False
        return self.latency if is_new else ()

    def _replace(self, states: Iterable[BotState]) -> None:
        known = set(self._bots)
        self._bots = {state.bot_id: BotReplica(state) for state in states}
        self._changes = {bot_id: BotChange(full=True) for bot_id in self._bots}
        self._removed = (self._removed | known) - set(self._bots)

    def _apply_delta(self, delta: BotDelta) -> None:
        bot = self._bots.get(delta.bot_id)
        if bot is None:
            raise ReplicaDivergedError(f"a change names bot {delta.bot_id!r}, which no snapshot described")
        bot.apply(delta, self._changes.setdefault(delta.bot_id, BotChange()))

    def _check_sequence(self, event: StateEvent) -> None:
        if not self._has_snapshot:
            raise ReplicaDivergedError(f"event {event.sequence} came before any snapshot")
        if event.sequence != self._sequence + 1:
            raise ReplicaDivergedError(f"event {event.sequence} followed {self._sequence}: events between were lost")

    def _check_hash(self, event: StateEvent) -> None:
        if not self.is_verified:
            return
        ours = self._hash()
        if ours != event.state_hash:
            raise ReplicaDivergedError(
                f"state after event {event.sequence} has hash {ours:016x}, the engine's has {event.state_hash:016x}"
            )

    def _hash(self) -> int:
        return combine(bot.state_hash for bot in self._bots.values())
