"""What the exchange says of the account when asked."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, final

import msgspec
import structlog

from opensqt.connector.adapter import CashFlowPage, FillPage
from opensqt.connector.venues.ccxt_any.client import CcxtClient
from opensqt.connector.venues.ccxt_any.config import CcxtConfig
from opensqt.connector.venues.ccxt_any.figures import ZERO, UnreadableError, payload, rows, text, unreadable
from opensqt.connector.venues.ccxt_any.order_lookup import OrderLookup
from opensqt.connector.venues.ccxt_any.order_table import OrderTable
from opensqt.connector.venues.ccxt_any.parse_account import parse_accounts, parse_funding, parse_positions
from opensqt.connector.venues.ccxt_any.parse_orders import parse_fill, parse_order, since_ms
from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason, NotFoundError, RequestError, UnsupportedError
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT
from opensqt.domain.order import Order

MAX_PAGE: Final = 500

_log = structlog.get_logger(__name__)


@final
class CcxtAccountQueries:
    """The account's queries; what they find also completes the order table."""

    def __init__(
        self,
        client: CcxtClient,
        config: CcxtConfig,
        instruments: Mapping[str, Instrument],
        table: OrderTable,
    ) -> None:
        self._client = client
        self._config = config
        self._instruments = instruments
        self._table = table
        self._clock = client.clock
        self._lookup = OrderLookup(client, table, client.clock)
        self.leverages: dict[str, int] = {}

    def instrument(self, symbol: str) -> Instrument:
        """Return an instrument.

        Raises:
            RequestError: UNKNOWN_SYMBOL.
        """
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise RequestError(ErrorReason.UNKNOWN_SYMBOL, f"{symbol} is not configured here; add it to ccxt.symbols")
        return instrument

    async def order(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        """Return one order in whatever state."""
        instrument = self.instrument(symbol)
        if client_order_id:
            return await self._lookup.by_client_id(instrument, client_order_id)
        return await self._lookup.by_exchange_id(instrument, exchange_order_id)

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Return the open orders of a symbol, or of all."""
        found: list[Order] = []
        for instrument in self._wanted(symbol):
            asked_ns = self._clock.monotonic_ns()

            def read(value: Any, instrument: Instrument = instrument) -> list[Order]:
                return [parse_order(row, instrument) for row in rows(value, "open orders")]

            listed = await self._client.ask("fetchOpenOrders", "query open orders", read, instrument.symbol)
            found += [self._table.report(order, asked_ns) for order in listed]
        return [order for order in found if not order.state.is_terminal]

    async def accounts(self) -> list[Account]:
        """Return the balances of the settle assets."""
        return await self.accounts_with(await self.positions())

    async def accounts_with(self, positions: Iterable[Position]) -> list[Account]:
        """Return the balances, for all positions as just asked for."""
        unrealized: dict[str, Decimal] = {}
        for position in positions:
            asset = self._instruments[position.symbol].settle_asset
            unrealized[asset] = EXACT.add(unrealized.get(asset, ZERO), position.unrealized_pnl)
        assets = dict.fromkeys(instrument.settle_asset for instrument in self._instruments.values())
        return await self._client.ask(
            "fetchBalance",
            "query balances",
            lambda value: parse_accounts(value, assets, unrealized, self._config.balance_total, self._clock.now_ns()),
        )

    async def positions(self, symbol: str = "") -> list[Position]:
        """Return the position of a symbol, or all of them."""
        wanted = self._wanted(symbol)
        return await self._client.ask(
            "fetchPositions",
            "query positions",
            lambda value: parse_positions(rows(value, "positions"), wanted, self.leverages, self._clock.now_ns()),
            [instrument.symbol for instrument in wanted],
        )

    async def fills(
        self, symbol: str, since_time_ns: int, after_trade_id: str, limit: int, page_token: str = ""
    ) -> FillPage:
        """Return executions, oldest first. ccxt unifies asking by time only: one page, within one symbol.

        Raises:
            UnsupportedError: for paging by a trade id.
        """
        if after_trade_id or page_token:
            raise UnsupportedError(
                ErrorReason.NOT_SUPPORTED,
                "ccxt does not unify asking for fills after a trade id; ask with since_time",
            )
        wanted = min(limit or MAX_PAGE, MAX_PAGE)
        found: list[Fill] = []
        for instrument in self._wanted(symbol):
            found += await self._fills_of(instrument, since_time_ns, wanted)
        found.sort(key=lambda fill: fill.venue_time_ns)
        return FillPage(found[:wanted])

    async def cash_flows(self, symbol: str, since_time_ns: int, limit: int, page_token: str = "") -> CashFlowPage:
        """Return funding payments, oldest first; ccxt does not unify transfers of a futures wallet.

        Raises:
            UnsupportedError: the exchange lists none, or for a page token.
        """
        if page_token:
            raise UnsupportedError(ErrorReason.NOT_SUPPORTED, "ccxt has no pages of funding; ask with since_time")
        wanted = min(limit or MAX_PAGE, MAX_PAGE)
        flows: list[CashFlow] = []
        for instrument in self._wanted(symbol):

            def read(value: Any, name: str = instrument.symbol) -> list[CashFlow]:
                return [parse_funding(row, name) for row in rows(value, "funding history")]

            flows += await self._client.ask(
                "fetchFundingHistory",
                "query funding payments",
                read,
                instrument.symbol,
                since_ms(since_time_ns),
                wanted,
            )
        flows.sort(key=lambda flow: flow.venue_time_ns)
        return CashFlowPage(
            [
                flow if flow.asset else msgspec.structs.replace(flow, asset=self._instruments[flow.symbol].settle_asset)
                for flow in flows
            ][:wanted]
        )

    async def _fills_of(self, instrument: Instrument, since_time_ns: int, limit: int) -> list[Fill]:
        trades = await self._client.ask(
            "fetchMyTrades",
            "query fills",
            lambda value: [payload(row, "trade") for row in rows(value, "trades")],
            instrument.symbol,
            since_ms(since_time_ns),
            limit,
        )
        now_ns = self._clock.now_ns()
        fills = []
        for trade in trades:
            order = await self._order_of(instrument, text(trade, "order"))
            try:
                fill = parse_fill(trade, instrument, order, now_ns)
            except UnreadableError as error:
                raise unreadable("query fills", error) from None
            if fill.venue_time_ns >= since_time_ns:
                fills.append(fill)
        return fills

    async def _order_of(self, instrument: Instrument, exchange_order_id: str) -> Order | None:
        known = self._table.get(instrument.symbol, exchange_order_id)
        if known is not None or not exchange_order_id:
            return known
        try:
            return await self._lookup.by_exchange_id(instrument, exchange_order_id)
        except NotFoundError:
            _log.warning("order_of_fill_not_found", symbol=instrument.symbol, exchange_order_id=exchange_order_id)
            return None

    def _wanted(self, symbol: str) -> list[Instrument]:
        return [self.instrument(symbol)] if symbol else list(self._instruments.values())
