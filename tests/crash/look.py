"""What engine and venue say of each other while processes die around them."""

import time
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import grpc

from crash.world import TAG, World, wait_until
from opensqt.domain.client_id import bot_prefix
from opensqt.proto import engine_pb2, engine_pb2_grpc, types_pb2

ORPHAN_S = 15.0
MIN_WORKING = 8
_WORKING = frozenset({types_pb2.ORDER_STATE_LIVE, types_pb2.ORDER_STATE_PARTIALLY_FILLED})


class Look:
    """Asks the engine; remembers orders at the venue that nobody claims."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._channel: grpc.Channel | None = None
        self._unclaimed: dict[str, float] = {}
        self.orphans: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.reset()

    def reset(self) -> None:
        """Connect anew: an old channel waits before it tries again."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def call(self, rpc: str, request: Any, timeout_s: float = 2.0) -> Any:
        """Call the engine; None while it does not answer."""
        if self._channel is None:
            self._channel = grpc.insecure_channel(
                f"unix:{self._world.engine_socket}", options=[("grpc.use_local_subchannel_pool", 1)]
            )
        try:
            return getattr(engine_pb2_grpc.EngineServiceStub(self._channel), rpc)(request, timeout=timeout_s)
        except grpc.RpcError:
            self.reset()
            return None

    def status(self) -> engine_pb2.GetStatusResponse | None:
        found: engine_pb2.GetStatusResponse | None = self.call("GetStatus", engine_pb2.GetStatusRequest())
        return found

    def bot(self) -> engine_pb2.BotState | None:
        status = self.status()
        return status.bots[0] if status is not None and status.bots else None

    def quoting(self, since_ns: int) -> bool:
        """Return whether the bot trades in a session with the connector that began after a moment.

        It has orders out, or holds all that its limit allows: then it only sells, and there may be few sells in reach.
        """
        status = self.status()
        if status is None or not status.connector_up or not status.bots:
            return False
        bot = status.bots[0]
        link = next((item for item in bot.connections if item.name == "connector"), None)
        if link is None or not link.up or link.since_ns < since_ns:
            return False
        working = sum(item.order.state in _WORKING for item in bot.orders)
        return bot.state == engine_pb2.TRADING_STATE_ACTIVE and (working >= MIN_WORKING or _is_full(bot))

    def watch_orphans(self) -> None:
        """Note orders at the venue that the engine has not known of for long."""
        truth = self._world.sim.audit()
        bot = self.bot()
        if bot is None:
            return
        known = {item.order.client_order_id for item in bot.orders}
        now_s = time.monotonic()
        unclaimed = {
            order["client_order_id"]
            for order in truth["open_orders"]
            if order["client_order_id"].startswith(bot_prefix(TAG)) and order["client_order_id"] not in known
        }
        self._unclaimed = {name: self._unclaimed.get(name, now_s) for name in unclaimed}
        self.orphans |= {name for name, since_s in self._unclaimed.items() if now_s - since_s > ORPHAN_S}

    def agreement(self, timeout_s: float) -> bool:
        """Wait until engine and venue agree on every order and every fill."""
        return bool(wait_until(self._agree, timeout_s, 0.2))

    def _agree(self) -> bool:
        before, bot, after = self._world.sim.audit(), self.bot(), self._world.sim.audit()
        if bot is None or len(before["fills"]) != len(after["fills"]) or bot.pnl.fills != len(after["fills"]):
            return False
        ours = {item.order.client_order_id for item in bot.orders if not item.foreign}
        return ours == {order["client_order_id"] for order in after["open_orders"]}


def _is_full(bot: engine_pb2.BotState) -> bool:
    """Return whether one more level would pass the limit of the position's worth."""
    lots = max((slot.held_lots for slot in bot.slots), default=0)
    level = lots * Decimal(bot.instrument.lot_size.value or 0) * Decimal(bot.last_price.value or 0)
    return any(
        limit.name == "max_notional" and Decimal(limit.value.value) + level > Decimal(limit.cap.value)
        for limit in bot.limits
    )
