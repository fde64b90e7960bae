"""What the engine asks for beside its ordered stream: reads of the venue over the query wire, and cancelling all."""

from typing import TYPE_CHECKING

from simulation.world.exchange import ACCOUNT

from opensqt.domain.account import Position
from opensqt.domain.errors import OpensqtError
from opensqt.domain.order import Order
from opensqt.engine.commands import Ask, AskKind
from opensqt.engine.events import VenueRead

if TYPE_CHECKING:
    from simulation.world.world import World


class VenueReads:
    """Answers the engine. `hold` makes every read tell of the present moment from then on: a replica that lags.

    `hide` makes reads leave orders out that the venue has, `counts` says how many were answered and how many failed.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._held: tuple[list[Order], Position] | None = None
        self.hide = False
        self.answered = 0
        self.failed = 0

    def hold(self) -> None:
        """Stop the replica at this moment."""
        self._held = self._look()

    def release(self) -> None:
        """Let the replica follow again, and hide nothing."""
        self._held = None
        self.hide = False

    def answer(self, asks: list[Ask]) -> None:
        """Take what the engine asks for."""
        for ask in asks:
            if ask.kind is AskKind.READ:
                self._world.engine.spawn(self._read(ask.symbol))
            else:
                self._cancel_all(ask.symbol)

    async def _read(self, symbol: str) -> None:
        world = self._world
        # It is the connector that asks: what comes back passes through its view of the account first.
        book = world.connector.adapter.book if world.connector.listening else None
        known = book.asking() if book is not None else {}
        try:
            orders, position = await world.port.query(world.engine, "read", self._look_or_replica)
        except OpensqtError as error:
            self.failed += 1
            world.engine.take([VenueRead(symbol=symbol, error=f"{error.reason.value}: {error.message}")])
            return
        self.answered += 1
        if book is not None and world.connector.listening and world.connector.adapter.book is book:
            book.on_positions([world.port.told(position)], known)
        world.engine.take([VenueRead(symbol=symbol, orders=tuple(orders), position=position)])

    def _look_or_replica(self) -> tuple[list[Order], Position]:
        orders, position = self._held or self._look()
        return ([], position) if self.hide else (orders, position)

    def _look(self) -> tuple[list[Order], Position]:
        world = self._world
        view = world.exchange.view
        return view.open_orders(ACCOUNT, world.symbol), view.position(ACCOUNT, world.symbol)

    def _cancel_all(self, symbol: str) -> None:
        connector = self._world.connector
        if connector.listening:
            commands = connector.core.gateway.cancel_all(symbol, "", lambda _report: None, connector.monotonic_ns())
            connector.adapter.orders.submit(commands)
