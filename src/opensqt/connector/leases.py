"""Which engine trades which bot, and what to do when it vanishes. Pure.

A lease belongs to an engine id; it names the bots (tags and epochs, as in their client order ids), and what the
connector shall do when the engine's stream has been gone for longer than the grace time. An epoch lower than one that
was seen before is refused (FENCED), for the engine and for each bot; so of two engines that believe to run the same
bot, the one that started later trades.

Leases outlive the connector: they are kept in its state file, and after a restart every engine counts as vanished
until it attaches.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum, unique
from typing import final

import msgspec

from opensqt.domain.client_id import EPOCH_LENGTH, PREFIX, PREFIX_LENGTH, bot_prefix, epoch_text
from opensqt.domain.errors import ErrorReason, LimitError, StateError
from opensqt.domain.order import Order

MAX_LEASES = 1_000
MAX_BOT_EPOCHS = 10_000

REMEDY = (
    "If the newer claim was a mistake: stop whoever made it, stop this connector, remove the bot under bot_epochs (and "
    "the claimant under leases) in its state_file, then start the connector and the right engine again"
)
"""What an operator does about a bot that somebody else has claimed."""


@unique
class VanishPolicy(IntEnum):
    """What happens to an engine's orders after it vanished; the numbers are those of the wire."""

    CANCEL = 1
    KEEP = 2
    REDUCE = 3


class Lease(msgspec.Struct, kw_only=True):
    """One engine's claim. `bots` maps tags to epochs."""

    engine_id: str
    epoch: int
    symbols: tuple[str, ...]
    bots: dict[str, int]
    on_vanish: VanishPolicy
    grace_ns: int


class _Held(msgspec.Struct):
    lease: Lease
    session: int | None
    vanished_ns: int


@final
class LeaseBook:
    """All leases by engine id, and the highest epoch seen of every bot."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._bot_epochs: dict[str, int] = {}
        self._floors: dict[str, str] = {}

    def restore(self, leases: Iterable[Lease], bot_epochs: dict[str, int], now_ns: int) -> None:
        """Take over what a former connector knew; its engines count as vanished now."""
        for lease in leases:
            self._held[lease.engine_id] = _Held(lease, None, now_ns)
        self._raise_epochs(bot_epochs)

    def leases(self) -> list[Lease]:
        """Return every lease, to be kept."""
        return [held.lease for held in self._held.values()]

    def claimed_symbols(self) -> frozenset[str]:
        """Return the symbols of engines that are attached, or vanished without taking their leave."""
        return frozenset(symbol for lease in self.leases() for symbol in lease.symbols)

    def bot_epochs(self) -> dict[str, int]:
        """Return the highest epoch seen of every bot, to be kept."""
        return dict(self._bot_epochs)

    def attach(self, lease: Lease, session: int) -> list[int]:
        """Give an engine its lease.

        Returns:
            The sessions that it replaces: they are to be ended as fenced.

        Raises:
            StateError: FENCED, a newer engine or run holds it.
        """
        held = self._held.get(lease.engine_id)
        if held is not None and lease.epoch < held.lease.epoch:
            raise _fenced(f"engine {lease.engine_id}", lease.epoch, held.lease.epoch)
        for tag, epoch in lease.bots.items():
            seen = self._bot_epochs.get(tag, 0)
            if epoch < seen:
                raise _fenced(f"bot {tag}", epoch, seen)
        if lease.engine_id not in self._held and len(self._held) >= MAX_LEASES:
            raise _too_many("engines hold leases or vanished a short while ago", MAX_LEASES)
        if len(self._bot_epochs.keys() | lease.bots.keys()) > MAX_BOT_EPOCHS:
            raise _too_many("bot tags are remembered in the state file", MAX_BOT_EPOCHS)
        replaced = self._take_bots(lease)
        if held is not None and held.session is not None:
            replaced.append(held.session)
        self._raise_epochs(lease.bots)
        self._held[lease.engine_id] = _Held(lease, session, 0)
        return replaced

    def check_id(self, client_order_id: str) -> None:
        """Refuse the id of a bot's earlier run: whoever uses it was replaced and does not know it yet.

        Raises:
            StateError: FENCED.
        """
        floor = self._floors.get(client_order_id[:PREFIX_LENGTH])
        if floor is not None and client_order_id[PREFIX_LENGTH : PREFIX_LENGTH + EPOCH_LENGTH] < floor:
            tag = client_order_id[len(PREFIX) : PREFIX_LENGTH].rstrip("Z")
            raise StateError(
                ErrorReason.FENCED,
                f"order {client_order_id} is of an earlier run of bot {tag}, which run {self._bot_epochs[tag]} has "
                "replaced; nothing was sent; stop whoever sent it",
                metadata={"client_order_id": client_order_id, "needed": str(self._bot_epochs[tag])},
            )

    def detach(self, session: int, now_ns: int) -> None:
        """Note that an engine's stream ended; the grace time begins."""
        for held in self._held.values():
            if held.session == session:
                held.session = None
                held.vanished_ns = now_ns

    def release(self, session: int) -> None:
        """Drop the lease of an engine that took its leave: its orders are left as they are."""
        for engine_id, held in list(self._held.items()):
            if held.session == session:
                del self._held[engine_id]

    def due(self, now_ns: int) -> list[Lease]:
        """Return leases whose engine has been gone for longer than its grace; again and again, until `drop`."""
        return [
            held.lease
            for held in self._held.values()
            if held.session is None and now_ns - held.vanished_ns >= held.lease.grace_ns
        ]

    def drop(self, engine_id: str) -> None:
        """Forget a lease: its engine is gone and everything that its policy wanted is done."""
        self._held.pop(engine_id, None)

    def _raise_epochs(self, epochs: Mapping[str, int]) -> None:
        self._bot_epochs.update(epochs)
        for tag, epoch in epochs.items():
            self._floors[bot_prefix(tag)] = epoch_text(epoch)

    def _take_bots(self, lease: Lease) -> list[int]:
        # Another engine that holds one of these bots with an older epoch loses them; with the same epoch we would not
        # know whose orders are whose.
        replaced = []
        for other in list(self._held.values()):
            shared = other.lease.bots.keys() & lease.bots.keys()
            if other.lease.engine_id == lease.engine_id or not shared:
                continue
            for tag in shared:
                if other.session is not None and other.lease.bots[tag] >= lease.bots[tag]:
                    raise _fenced(f"bot {tag} (held by engine {other.lease.engine_id})", lease.bots[tag],
                                  other.lease.bots[tag] + 1)  # fmt: skip
            if other.session is not None:
                replaced.append(other.session)
            del self._held[other.lease.engine_id]
        return replaced


def orders_to_cancel(lease: Lease, open_orders: Iterable[Order]) -> list[Order]:
    """Return the orders that a vanished engine's policy wants cancelled: its own tags only, never anybody else's."""
    if lease.on_vanish is VanishPolicy.KEEP:
        return []
    prefixes = tuple(bot_prefix(tag) for tag in lease.bots)
    return [
        order
        for order in open_orders
        if order.client_order_id.startswith(prefixes)
        and not (lease.on_vanish is VanishPolicy.REDUCE and order.reduce_only)
    ]


def _fenced(who: str, epoch: int, needed: int) -> StateError:
    return StateError(
        ErrorReason.FENCED,
        f"{who} came with epoch {epoch}, but {needed} is needed: a newer run holds it; stop this one. {REMEDY}",
        metadata={"epoch": str(epoch), "needed": str(needed)},
    )


def _too_many(what: str, limit: int) -> LimitError:
    return LimitError(
        ErrorReason.RATE_LIMITED,
        f"{limit} {what} already, which no set-up needs; end the ones that are not wanted",
        retry_after_ms=1_000,
    )
