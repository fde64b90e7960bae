"""What the shells need of the server."""

from typing import Protocol

from opensqt.sim.connections import Connections
from opensqt.sim.dialects.binance.actions import Actions
from opensqt.sim.dialects.binance.venue import BinanceVenue
from opensqt.sim.faults import FaultPlan


class Host(Protocol):
    """A running venue, as the shells see it."""

    venue: BinanceVenue
    plan: FaultPlan
    connections: Connections
    actions: Actions
    market_over: bool

    def turn(self) -> None:
        """Bring the venue up to now."""
        ...

    def real_ms(self) -> int:
        """Return this machine's time in ms."""
        ...
