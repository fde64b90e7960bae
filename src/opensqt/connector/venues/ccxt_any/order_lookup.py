"""How an order is found, and when it may be said that there is none.

ccxt unifies asking by the exchange's id, not by the client's. A client id is asked for in four ways: `fetchOrder` with
the parameter most exchanges honour, the open orders, the ended ones, and the account's executions. "There is none"
needs every way that the exchange offers to have answered so: an exchange that ignores the parameter says "not found" of
an order that was filled at once, but its execution shows.
"""

from typing import Any, Final, final

from opensqt.connector.venues.ccxt_any.client import CcxtClient
from opensqt.connector.venues.ccxt_any.errors import Failure
from opensqt.connector.venues.ccxt_any.figures import UnreadableError, payload, rows, text, unreadable
from opensqt.connector.venues.ccxt_any.order_table import OrderTable
from opensqt.connector.venues.ccxt_any.parse_orders import parse_order, since_ms
from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.errors import ErrorReason, NotFoundError, UnavailableError
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order

ENDED_ORDERS: Final = ("fetchOrders", "fetchClosedOrders")
LOOK_BACK_NS: Final = 3_600 * NS_PER_S
PAGE: Final = 100

# The exchange does not take the question in this form; that says nothing of the order.
_NOT_ASKABLE: Final = frozenset({ErrorReason.INVALID_FIELD, ErrorReason.NOT_SUPPORTED, ErrorReason.VENUE_REJECTED})


@final
class OrderLookup:
    """Finds orders."""

    def __init__(self, client: CcxtClient, table: OrderTable, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    async def by_exchange_id(self, instrument: Instrument, exchange_order_id: str) -> Order:
        """Return an order by the exchange's id.

        Raises:
            NotFoundError: UNKNOWN_ORDER, the exchange says there is none.
            OpensqtError: it could not be asked.
        """
        asked_ns = self._clock.monotonic_ns()
        if self._client.has("fetchOrder"):
            found = await self._client.ask(
                "fetchOrder", "query order", lambda v: parse_order(v, instrument), exchange_order_id, instrument.symbol
            )
            return self._table.report(found, asked_ns)
        for listed in await self._listed(instrument):
            if text(listed, "id") == exchange_order_id:
                return self._read(listed, instrument, asked_ns)
        raise _none(instrument.symbol, exchange_order_id)

    async def by_client_id(self, instrument: Instrument, client_order_id: str) -> Order:
        """Return an order by its client id.

        Raises:
            NotFoundError: UNKNOWN_ORDER, every way to find it says there is none.
            OpensqtError: it could not be asked.
        """
        known = self._table.by_client_id(client_order_id)
        if known is not None:
            return await self.by_exchange_id(instrument, known.exchange_order_id)
        asked_ns = self._clock.monotonic_ns()
        listed = await self._directly(instrument, client_order_id)
        if listed is None:
            candidates = await self._listed(instrument)
            listed = next((row for row in candidates if text(row, "clientOrderId") == client_order_id), None)
        if listed is not None:
            return self._read(listed, instrument, asked_ns)
        return await self._by_executions(instrument, client_order_id)

    async def _directly(self, instrument: Instrument, client_order_id: str) -> Any:
        if not self._client.has("fetchOrder"):
            return None
        params = {"clientOrderId": client_order_id}
        found = await self._client.send("fetchOrder", "", instrument.symbol, params)
        if isinstance(found, Failure):
            reason = found.meaning.reason
            if reason is ErrorReason.UNKNOWN_ORDER or reason in _NOT_ASKABLE:
                return None
            raise found.query_error("query order")
        # An exchange that ignores the parameter may answer with any order.
        return found if isinstance(found, dict) and text(found, "clientOrderId") == client_order_id else None

    async def _listed(self, instrument: Instrument) -> list[Any]:
        def read(value: Any) -> list[Any]:
            return [payload(row, "order") for row in rows(value, "orders")]

        listed = await self._client.ask("fetchOpenOrders", "query open orders", read, instrument.symbol)
        since = since_ms(self._clock.now_ns() - LOOK_BACK_NS)
        for name in ENDED_ORDERS:
            if self._client.has(name):
                listed += await self._client.ask(name, "query orders", read, instrument.symbol, since, PAGE)
                break
        return listed

    async def _by_executions(self, instrument: Instrument, client_order_id: str) -> Order:
        since = since_ms(self._clock.now_ns() - LOOK_BACK_NS)
        trades = await self._client.ask(
            "fetchMyTrades", "query fills", lambda v: rows(v, "trades"), instrument.symbol, since, PAGE
        )
        for order_id in dict.fromkeys(text(trade, "order") for trade in trades):
            if order_id and self._table.get(instrument.symbol, order_id) is None:
                order = await self.by_exchange_id(instrument, order_id)
                if order.client_order_id == client_order_id:
                    return order
                if not order.client_order_id:
                    raise UnavailableError(
                        ErrorReason.VENUE_UNAVAILABLE,
                        f"whether {client_order_id} exists is not known: the exchange does not tell the client id of "
                        f"the executed order {order_id}; look at the exchange",
                    )
        raise _none(instrument.symbol, client_order_id)

    def _read(self, listed: Any, instrument: Instrument, asked_ns: int) -> Order:
        try:
            return self._table.report(parse_order(listed, instrument), asked_ns)
        except UnreadableError as error:
            raise unreadable("query order", error) from None


def _none(symbol: str, name: str) -> NotFoundError:
    return NotFoundError(
        ErrorReason.UNKNOWN_ORDER,
        f"the exchange knows no order {name} in {symbol}",
        metadata={"symbol": symbol, "order": name},
    )
