"""REST: finds the endpoint, lets the gate decide, words result or refusal with the venue's headers."""

from collections.abc import Mapping
from typing import Any, Final, final

import orjson

from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.api_types import Call, Endpoint, Request, Response, Security
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.gate import Gate
from opensqt.sim.dialects.binance.params import Params
from opensqt.sim.dialects.binance.signing import split_signature

_SERVER: Final = {"Server": "Bengine", "strict-transport-security": "max-age=31536000; includeSubdomains"}


@final
class RestApi:
    """All REST endpoints of the venue."""

    def __init__(self, exchange: Exchange, gate: Gate, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self._exchange = exchange
        self._gate = gate
        self._endpoints = dict(endpoints)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        endpoint = self._endpoints.get((request.method, request.path))
        params = Params.of_http(request.query, request.body)
        headers = dict(_SERVER)
        try:
            result, user = self._answer(request, endpoint, params)
        except ApiError as error:
            if error.retry_after_s is not None:
                headers["Retry-After"] = str(error.retry_after_s)
            headers |= self._counters(endpoint, None, request.address)
            return Response(status=error.http, body=orjson.dumps(error.body()), headers=headers)
        headers |= self._counters(endpoint, user, request.address)
        return Response(status=200, body=orjson.dumps(result), headers=headers)

    def _answer(self, request: Request, endpoint: Endpoint | None, params: Params) -> tuple[Any, User | None]:
        if endpoint is None:
            raise ApiError(-5000, request.path, request.method)
        self._gate.spend(endpoint, params, request.address)
        user: User | None = None
        if endpoint.security is not Security.NONE:
            user = self._gate.identify(request.api_key, request.address)
            if endpoint.security is Security.SIGNED:
                self._gate.check_signed(user, params, lambda: split_signature(request.query, request.body))
        self._gate.count_orders(endpoint, user, params)
        return endpoint.handler(Call(params, self._exchange.now_ms, user)), user

    def _counters(self, endpoint: Endpoint | None, user: User | None, address: str) -> dict[str, str]:
        """Return the counter headers; a refusal (no user) comes without those of orders, as recorded."""
        window = self._gate.address(address).window
        window.turn(self._exchange.now_ms)
        is_order = endpoint is not None and endpoint.orders is not None
        hides_weight = endpoint is not None and endpoint.weight == -1
        counters = {"x-mbx-used-weight-1m": "-1" if hides_weight else str(window.count)}
        if is_order and user is not None:
            counters["x-mbx-order-count-10s"] = str(user.orders.short.count)
            counters["x-mbx-order-count-1m"] = str(user.orders.minute.count)
        return counters
