"""The gate before every endpoint: rate limits, key, time, signature, order counters; REST and WebSocket alike."""

from collections.abc import Callable
from typing import final

from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.api_types import Endpoint, Security
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.limits import AddressLimit, LimitConfig
from opensqt.sim.dialects.binance.params import Params
from opensqt.sim.dialects.binance.signing import DEFAULT_RECV_WINDOW_MS, check_time


@final
class Gate:
    """Decides who may pass, and counts them.

    Args:
        exchange: knows the users.
        limits: of address and account.
        server_ms: the time the venue claims.
    """

    def __init__(self, exchange: Exchange, limits: LimitConfig, server_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._limits = limits
        self._server_ms = server_ms
        self._addresses: dict[str, AddressLimit] = {}

    def address(self, address: str) -> AddressLimit:
        """Return the limits of a caller's address."""
        found = self._addresses.get(address)
        if found is None:
            found = self._addresses[address] = AddressLimit(self._limits)
        return found

    def spend(self, endpoint: Endpoint, params: Params, address: str) -> None:
        """Count a call's weight.

        Raises:
            ApiError: 429 or 418.
        """
        weight = endpoint.weight if isinstance(endpoint.weight, int) else endpoint.weight(params)
        self.address(address).spend(max(0, weight), self._exchange.now_ms)

    def identify(self, api_key: str, address: str) -> User:
        """Return whose key it is.

        Raises:
            ApiError: -2014 without a key, -2015 with one the venue does not (or no longer) know.
        """
        if not api_key:
            raise ApiError(-2014)
        user = self._exchange.by_key.get(api_key)
        if user is None or user.is_revoked:
            raise ApiError(-2015, address)
        return user

    def check_signed(
        self, user: User, params: Params, signed: Callable[[], tuple[bytes, str]], *, is_logged_on: bool = False
    ) -> None:
        """Check time and signature of a signed call. `signed` returns what was signed and the signature.

        Raises:
            ApiError: -1102, -1021, -1022.
        """
        timestamp_ms = params.integer("timestamp")
        recv_window_ms = params.integer("recvWindow", DEFAULT_RECV_WINDOW_MS)
        if not is_logged_on:
            payload, signature = signed()
            if not user.verifier.check(payload, signature):
                raise ApiError(-1022)
        check_time(timestamp_ms, recv_window_ms, self._server_ms())

    def count_orders(self, endpoint: Endpoint, user: User | None, params: Params) -> None:
        """Count the orders a call would place.

        Raises:
            ApiError: -1015.
        """
        if endpoint.orders is not None and user is not None and endpoint.security is Security.SIGNED:
            short, minute = endpoint.orders(params)
            user.orders.spend(short, minute, self._exchange.now_ms)
