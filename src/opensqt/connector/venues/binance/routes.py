"""Which routes stand, as one status: the market is up while both of its routes are, and the clock is good. Pure."""

from typing import final

from opensqt.connector.adapter import SessionStatus
from opensqt.connector.venues.binance.stream import Route


@final
class RouteBoard:
    """The state of every route, with the reason of those that are down."""

    def __init__(self) -> None:
        self._up = dict.fromkeys(Route, False)
        self._reasons = dict.fromkeys(Route, "")
        self._clock_problem = ""

    def is_up(self, route: Route) -> bool:
        """Return whether a route stands."""
        return self._up[route]

    def set(self, route: Route, is_up: bool, why: str) -> SessionStatus:
        """Note a route's state and return the status of all."""
        self._up[route] = is_up
        self._reasons[route] = "" if is_up else why
        return self._status()

    def set_clock(self, problem: str) -> SessionStatus:
        """Note what is wrong with the clock (empty: nothing) and return the status of all.

        A bad clock counts as a market that is down: nothing may be opened by it, while cancels still leave.
        """
        self._clock_problem = problem
        return self._status()

    def _status(self) -> SessionStatus:
        reasons = (*self._reasons.values(), self._clock_problem)
        return SessionStatus(
            market_stream_up=self._up[Route.PUBLIC] and self._up[Route.MARKET] and not self._clock_problem,
            private_stream_up=self._up[Route.PRIVATE],
            reason="; ".join(reason for reason in reasons if reason),
        )
