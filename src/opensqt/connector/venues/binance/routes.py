"""Which routes stand, as one status: the market is up while both of its routes are. Pure."""

from typing import final

from opensqt.connector.adapter import SessionStatus
from opensqt.connector.venues.binance.stream import Route


@final
class RouteBoard:
    """The state of every route, with the reason of those that are down."""

    def __init__(self) -> None:
        self._up = dict.fromkeys(Route, False)
        self._reasons = dict.fromkeys(Route, "")

    def is_up(self, route: Route) -> bool:
        """Return whether a route stands."""
        return self._up[route]

    def set(self, route: Route, is_up: bool, why: str) -> SessionStatus:
        """Note a route's state and return the status of all."""
        self._up[route] = is_up
        self._reasons[route] = "" if is_up else why
        return SessionStatus(
            market_stream_up=self._up[Route.PUBLIC] and self._up[Route.MARKET],
            private_stream_up=self._up[Route.PRIVATE],
            reason="; ".join(reason for reason in self._reasons.values() if reason),
        )
