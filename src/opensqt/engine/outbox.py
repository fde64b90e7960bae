"""Commands on their way out of the core, numbered, and which of them have no answer yet."""

from enum import Enum, unique
from typing import final

import msgspec

from opensqt.domain.order import OrderRequest
from opensqt.engine.commands import Ask, Cancel, Command, Place, Query, StoreRecord


@unique
class Kind(Enum):
    """What was asked."""

    PLACE = "place"
    CANCEL = "cancel"
    QUERY = "query"


class InFlight(msgspec.Struct, frozen=True):
    """One command without an answer."""

    symbol: str
    client_order_id: str
    kind: Kind
    sent_ns: int


@final
class Outbox:
    """Collects one turn's commands. Command ids rise for as long as the object lives."""

    def __init__(self) -> None:
        self.in_flight: dict[int, InFlight] = {}
        self._commands: list[Command] = []
        self._records: list[Command] = []
        self._asks: dict[Ask, None] = {}
        self._last_id = 0

    def place(self, request: OrderRequest, now_ns: int) -> None:
        """Send a placement."""
        command_id = self._track(request.symbol, request.client_order_id, Kind.PLACE, now_ns)
        self._commands.append(Place(command_id, request))

    def cancel(self, symbol: str, client_order_id: str, exchange_order_id: str, now_ns: int) -> None:
        """Send a cancel."""
        command_id = self._track(symbol, client_order_id, Kind.CANCEL, now_ns)
        self._commands.append(Cancel(command_id, symbol, client_order_id, exchange_order_id))

    def query(self, symbol: str, client_order_id: str, now_ns: int) -> None:
        """Send a query."""
        command_id = self._track(symbol, client_order_id, Kind.QUERY, now_ns)
        self._commands.append(Query(command_id, symbol, client_order_id))

    def send(self, command: Command) -> None:
        """Send a command that has no result."""
        self._commands.append(command)

    def ask(self, ask: Ask) -> None:
        """Have something asked for; the same twice is asked once."""
        self._asks[ask] = None

    def take_asks(self) -> list[Ask]:
        """Return what is to be asked for, and forget it."""
        taken = list(self._asks)
        self._asks.clear()
        return taken

    def record(self, record: StoreRecord) -> None:
        """Store something."""
        self._records.append(record)

    def answered(self, command_id: int) -> InFlight | None:
        """Take the command an answer belongs to; None when nobody waits for it any more."""
        return self.in_flight.pop(command_id, None)

    def overdue(self, before_ns: int) -> list[int]:
        """Return the ids of commands sent before a time and still without an answer; they are sent in order."""
        found = []
        for command_id, command in self.in_flight.items():
            if command.sent_ns > before_ns:
                break
            found.append(command_id)
        return found

    def take(self) -> list[Command]:
        """Return this turn's commands, records last, and start the next turn."""
        taken = self._commands + self._records if self._records else self._commands
        self._commands, self._records = [], []
        return taken

    def _track(self, symbol: str, client_order_id: str, kind: Kind, now_ns: int) -> int:
        self._last_id += 1
        self.in_flight[self._last_id] = InFlight(symbol, client_order_id, kind, now_ns)
        return self._last_id
