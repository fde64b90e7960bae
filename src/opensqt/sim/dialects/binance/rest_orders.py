"""Order endpoints: single, batch, all; queries of orders and of fills."""

from collections.abc import Callable
from typing import Any, Final, final

import orjson

from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.api_types import Call, Endpoint, Security, one_order
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.order_desk import OrderDesk
from opensqt.sim.dialects.binance.params import Params

MAX_BATCH: Final = 5
MAX_BATCH_CANCEL: Final = 10
_WEEK_MS: Final = 7 * 86_400_000
_END_OF_TIME: Final = 1 << 60


@final
class OrderRest:
    """Answers everything about orders and fills."""

    def __init__(self, exchange: Exchange, desk: OrderDesk) -> None:
        self._exchange = exchange
        self._desk = desk

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return (method, path) -> endpoint."""
        desk, signed = self._desk, Security.SIGNED
        return {
            ("POST", "/fapi/v1/order"): Endpoint(lambda c: desk.place(c.user, c.params), signed, -1, one_order),
            ("PUT", "/fapi/v1/order"): Endpoint(lambda c: desk.amend(c.user, c.params), signed, -1, one_order),
            ("DELETE", "/fapi/v1/order"): Endpoint(lambda c: desk.cancel(c.user, c.params), signed),
            ("POST", "/fapi/v1/order/test"): Endpoint(lambda c: desk.test(c.user, c.params), signed, 0),
            ("POST", "/fapi/v1/batchOrders"): Endpoint(self._place_batch, signed, 5, _batch_count),
            ("PUT", "/fapi/v1/batchOrders"): Endpoint(self._amend_batch, signed, 5, _batch_count),
            ("DELETE", "/fapi/v1/batchOrders"): Endpoint(self._cancel_batch, signed),
            ("DELETE", "/fapi/v1/allOpenOrders"): Endpoint(lambda c: desk.cancel_all(c.user, c.params), signed),
            ("POST", "/fapi/v1/countdownCancelAll"): Endpoint(lambda c: desk.countdown(c.user, c.params), signed, 10),
            ("GET", "/fapi/v1/order"): Endpoint(lambda c: desk.query(c.user, c.params, only_open=False), signed),
            ("GET", "/fapi/v1/openOrder"): Endpoint(lambda c: desk.query(c.user, c.params, only_open=True), signed),
            ("GET", "/fapi/v1/openOrders"): Endpoint(
                lambda c: desk.open_orders(c.user, c.params), signed, lambda p: 1 if p.has("symbol") else 40
            ),
            ("GET", "/fapi/v1/allOrders"): Endpoint(lambda c: desk.all_orders(c.user, c.params), signed, 5),
            ("GET", "/fapi/v1/userTrades"): Endpoint(self._user_trades, signed, 5),
        }

    def _place_batch(self, call: Call) -> list[dict[str, Any]]:
        return self._each(call, self._desk.place)

    def _amend_batch(self, call: Call) -> list[dict[str, Any]]:
        return self._each(call, self._desk.amend)

    def _each(self, call: Call, act: Callable[[User, Params], dict[str, Any]]) -> list[dict[str, Any]]:
        orders = read_list(call.params.text("batchOrders"), "batchOrders")
        if not 1 <= len(orders) <= MAX_BATCH:
            raise ApiError(-4082)
        replies: list[dict[str, Any]] = []
        for order in orders:
            if not isinstance(order, dict):
                raise ApiError(-1130, "batchOrders")
            try:
                replies.append(act(call.user, Params.of_json(order)))
            except ApiError as error:
                replies.append(error.body())
        return replies

    def _cancel_batch(self, call: Call) -> list[dict[str, Any]]:
        params = call.params
        symbol = params.text("symbol")
        name, key = ("orderIdList", "orderId") if params.has("orderIdList") else ("origClientOrderIdList", "")
        values = read_list(params.text(name), name)
        if not 1 <= len(values) <= MAX_BATCH_CANCEL:
            raise ApiError(-4082)
        replies: list[dict[str, Any]] = []
        for value in values:
            one = Params.of_json({"symbol": symbol, key or "origClientOrderId": value})
            try:
                replies.append(self._desk.cancel(call.user, one))
            except ApiError as error:
                replies.append(error.body())
        return replies

    def _user_trades(self, call: Call) -> list[dict[str, Any]]:
        params = call.params
        symbol = self._exchange.rule(params.text("symbol")).symbol
        limit = params.integer("limit", 500, 1, 1_000)
        from_id, order_id = params.integer("fromId", 0), params.integer("orderId", 0)
        start_ms, end_ms = params.integer("startTime", 0), params.integer("endTime", _END_OF_TIME)
        if params.has("startTime") and params.has("endTime") and end_ms - start_ms > _WEEK_MS:
            raise ApiError(-4165, text="The query time interval is too long; it may be at most 7 days.")
        if not params.has("startTime") and not params.has("fromId"):
            start_ms = min(call.now_ms, end_ms) - _WEEK_MS
        rows = [
            trade.row
            for trade in call.user.trades
            if trade.symbol == symbol
            and trade.id >= from_id
            and start_ms <= trade.time_ms <= end_ms
            and order_id in {0, trade.order_id}
        ]
        return rows[:limit] if params.has("fromId") or params.has("startTime") else rows[-limit:]


def read_list(text: str, name: str) -> list[Any]:
    """Parse a JSON list given as a parameter.

    Raises:
        ApiError: -1130, it is none.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ApiError(-1130, name) from None
    if not isinstance(found, list):
        raise ApiError(-1130, name)
    return found


def _batch_count(params: Params) -> tuple[int, int]:
    try:
        return min(MAX_BATCH, len(read_list(params.get("batchOrders"), "batchOrders"))), 1
    except ApiError:
        return 1, 1
