"""WebSocket order entry (`/ws-fapi/v1`): the same endpoints, asked by method name over one connection.

Every request carries its own signature unless the session logged on, which only Ed25519 keys may. Replies echo the id
and, unless the client declined, carry the counters in `rateLimits`. Source: Binance "Websocket API General Info".
"""

from collections.abc import Mapping
from typing import Any, Final, final

import orjson

from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.api_types import Call, Endpoint, Security
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.gate import Gate
from opensqt.sim.dialects.binance.limits import LimitConfig
from opensqt.sim.dialects.binance.params import Params
from opensqt.sim.dialects.binance.signing import KeyKind, ws_payload

_METHODS: Final[dict[str, tuple[str, str]]] = {
    "order.place": ("POST", "/fapi/v1/order"),
    "order.test": ("POST", "/fapi/v1/order/test"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "account.status": ("GET", "/fapi/v2/account"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
    "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
    "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "depth": ("GET", "/fapi/v1/depth"),
}
HANDSHAKE_WEIGHT: Final = 5
_LOGON_WEIGHT: Final = 2


@final
class WsApiSession:
    """One connection to the order entry."""

    __slots__ = ("address", "authorized_ms", "connected_ms", "returns_limits", "user")

    def __init__(self, address: str, connected_ms: int, *, returns_limits: bool) -> None:
        self.address = address
        self.connected_ms = connected_ms
        self.returns_limits = returns_limits
        self.user: User | None = None
        self.authorized_ms = 0


@final
class WsApi:
    """Answers frames of any session."""

    def __init__(
        self, exchange: Exchange, gate: Gate, endpoints: Mapping[tuple[str, str], Endpoint], limits: LimitConfig
    ) -> None:
        self._exchange = exchange
        self._gate = gate
        self._limits = limits
        self._endpoints = {method: endpoints[where] for method, where in _METHODS.items()}

    def open(self, address: str, *, returns_limits: bool) -> WsApiSession:
        """Begin a session; the handshake costs weight.

        Raises:
            ApiError: the address is over its limit or banned.
        """
        now_ms = self._exchange.now_ms
        self._gate.address(address).spend(HANDSHAKE_WEIGHT, now_ms)
        return WsApiSession(address, now_ms, returns_limits=returns_limits)

    def method_of(self, text: str) -> str:
        """Return the method a frame asks for, empty when it is not readable."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return ""
        method = message.get("method") if isinstance(message, dict) else None
        return method if isinstance(method, str) else ""

    def id_of(self, text: str) -> Any:
        """Return the id a frame carries, None when it has none."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        return message.get("id") if isinstance(message, dict) else None

    def handle(self, session: WsApiSession, text: str) -> bytes:
        """Answer one frame."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            return orjson.dumps({"id": None, "status": 400, "error": {"code": -1000, "msg": "Invalid JSON request."}})
        method, params = message.get("method"), message.get("params", {})
        reply: dict[str, Any] = {"id": message.get("id")}
        try:
            reply |= {"status": 200, "result": self._dispatch(session, method, params)}
        except ApiError as error:
            reply |= {"status": error.http, "error": error.body()}
            if error.retry_after_s is not None:
                reply["error"]["data"] = {"retryAfter": self._exchange.now_ms + error.retry_after_s * 1_000}
        if session.returns_limits:
            reply["rateLimits"] = self._rate_limits(session, str(method), params if isinstance(params, dict) else {})
        return orjson.dumps(reply)

    def _dispatch(self, session: WsApiSession, method: object, raw: object) -> Any:
        if not isinstance(method, str) or not isinstance(raw, dict):
            raise ApiError(-1102, "method")
        if method.startswith("session."):
            return self._session(session, method, raw)
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            raise ApiError(-1000, text=f"Method '{method}' is not supported.")
        params = Params.of_json(raw)
        self._gate.spend(endpoint, params, session.address)
        user = session.user
        if endpoint.security is not Security.NONE and (user is None or "apiKey" in raw):
            user = self._gate.identify(params.get("apiKey"), session.address)
            if endpoint.security is Security.SIGNED:
                self._check(user, raw, params)
        elif endpoint.security is Security.SIGNED and user is not None:
            if user.is_revoked:
                raise ApiError(-2015, session.address)
            self._gate.check_signed(user, params, _nothing, is_logged_on=True)
        self._gate.count_orders(endpoint, user, params)
        return endpoint.handler(Call(params, self._exchange.now_ms, user))

    def _check(self, user: User, raw: dict[str, Any], params: Params) -> None:
        signature = raw.get("signature")
        if not isinstance(signature, str):
            raise ApiError(-1102, "signature")
        self._gate.check_signed(user, params, lambda: (ws_payload(raw), signature))

    def _session(self, session: WsApiSession, method: str, raw: dict[str, Any]) -> dict[str, Any]:
        now_ms = self._exchange.now_ms
        self._gate.address(session.address).spend(_LOGON_WEIGHT, now_ms)
        if method == "session.logon":
            params = Params.of_json(raw)
            user = self._gate.identify(params.get("apiKey"), session.address)
            if user.pair.kind is not KeyKind.ED25519:
                raise ApiError(-4056, text="HMAC_SHA256 API key is not supported.")
            self._check(user, raw, params)
            session.user, session.authorized_ms = user, now_ms
        elif method == "session.logout":
            session.user, session.authorized_ms = None, 0
        elif method != "session.status":
            raise ApiError(-1000, text=f"Method '{method}' is not supported.")
        return {
            "apiKey": None if session.user is None else session.user.pair.key,
            "authorizedSince": session.authorized_ms or None,
            "connectedSince": session.connected_ms,
            "returnRateLimits": session.returns_limits,
            "serverTime": now_ms,
        }

    def _rate_limits(self, session: WsApiSession, method: str, raw: dict[str, Any]) -> list[dict[str, Any]]:
        endpoint = self._endpoints.get(method)
        window = self._gate.address(session.address).window
        hidden = endpoint is not None and endpoint.weight == -1
        rows = [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, *((-1, -1) if hidden else (self._limits.weight_1m, window.count)))
        ]
        key = raw.get("apiKey")
        user = self._exchange.by_key.get(key) if isinstance(key, str) else session.user
        if endpoint is not None and endpoint.orders is not None and user is not None:
            rows.append(_limit("ORDERS", "SECOND", 10, self._limits.orders_10s, user.orders.short.count))
            rows.append(_limit("ORDERS", "MINUTE", 1, self._limits.orders_1m, user.orders.minute.count))
        return rows


def _limit(kind: str, interval: str, number: int, limit: int, count: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit, "count": count}


def _nothing() -> tuple[bytes, str]:
    return b"", ""
