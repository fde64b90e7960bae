"""What the engine said, event by event: a naive reader of its state stream that keeps every state by its sequence.

Written apart from the web server's replica, so that a mistake there cannot hide itself.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

import grpc

from opensqt.proto.engine_pb2 import BotState, SubscribeStateRequest
from opensqt.proto.engine_pb2_grpc import EngineServiceStub

KEPT_STATES = 3_000

_WHOLE = (
    "grid",
    "instrument",
    "position",
    "account",
    "pnl",
    "last_price",
    "mark_price",
    "funding_rate",
    "volume_halt",
    "reconcile",
)
_SCALARS = (
    "best_bid_ticks",
    "best_ask_ticks",
    "window_low_slot",
    "window_high_slot",
    "next_funding_time_ms",
    "dead_man",
)


def number(text: str) -> Decimal:
    return Decimal(text or "0")


@dataclass
class FillEvent:
    """When the engine told a fill."""

    trade_id: str
    slot: int
    total_fills: int
    time_ns: int


@dataclass
class EngineStory:
    """Reads the stream of one engine with one bot, in a thread of its own."""

    address: str
    fills: list[FillEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._channel = grpc.insecure_channel(self.address)
        self._states: OrderedDict[int, BotState] = OrderedDict()
        self._lock = threading.Lock()
        self._call: Any = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._call = EngineServiceStub(self._channel).SubscribeState(SubscribeStateRequest())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._call.cancel()
        self._thread.join(5)
        self._channel.close()

    def at(self, sequence: int) -> BotState | None:
        """Return the bot as it was after an event; None when that event has not come or is long past."""
        with self._lock:
            return self._states.get(sequence)

    def _read(self) -> None:
        bot = BotState()
        try:
            for event in self._call:
                if event.HasField("snapshot"):
                    bot = event.snapshot.bots[0]
                elif event.HasField("delta"):
                    bot = _after(bot, event.delta)
                    self.fills += [
                        FillEvent(told.fill.trade_id, told.slot, bot.pnl.fills, event.time_ns)
                        for told in event.delta.fills
                    ]
                with self._lock:
                    self._states[event.sequence] = bot
                    if len(self._states) > KEPT_STATES:
                        self._states.popitem(last=False)
        except grpc.RpcError:
            return


def _after(before: BotState, delta: Any) -> BotState:
    bot = BotState()
    bot.CopyFrom(before)
    if delta.HasField("state"):
        bot.state = delta.state
        del bot.reasons[:]
        bot.reasons.extend(delta.reasons)
    for name in _WHOLE:
        if delta.HasField(name):
            getattr(bot, name).CopyFrom(getattr(delta, name))
    for name in _SCALARS:
        if delta.HasField(name):
            setattr(bot, name, getattr(delta, name))
    if delta.limits:
        del bot.limits[:]
        bot.limits.extend(delta.limits)
    slots = {slot.slot: slot for slot in [*bot.slots, *delta.slots] if slot.slot not in delta.removed_slots}
    orders = {
        order.order.client_order_id: order
        for order in [*bot.orders, *delta.orders]
        if order.order.client_order_id not in delta.removed_client_order_ids
    }
    connections = {one.name: one for one in [*bot.connections, *delta.connections]}
    lists = (
        ("slots", slots.values()),
        ("orders", orders.values()),
        ("connections", connections.values()),
        ("recent_fills", [*bot.recent_fills, *delta.fills][-200:]),
        ("recent_journal", [*bot.recent_journal, *delta.journal][-100:]),
        ("corrections", [*bot.corrections, *delta.corrections][-20:]),
    )
    for name, items in lists:
        kept = [type(item)() for item in items]
        for copy, item in zip(kept, items, strict=True):
            copy.CopyFrom(item)
        bot.ClearField(name)  # type: ignore[arg-type]  # one of these names
        getattr(bot, name).extend(kept)
    return bot
