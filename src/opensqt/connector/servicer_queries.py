"""Questions about the venue and the account: the venue is asked, and a failed question is an error."""

import asyncio
from typing import Any, final

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.core import ConnectorCore
from opensqt.connector.shared_question import SharedQuestion
from opensqt.connector.symbols import canonical, canonical_or_all
from opensqt.domain.account import Position
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.convert_exchange import (
    account_message,
    order_message,
    position_message,
    symbol_info_message,
)
from opensqt.domain.convert_trade import cash_flow_to_wire, decimal_message, fill_to_wire, instrument_to_wire
from opensqt.domain.errors import ErrorReason, NotFoundError, invalid_field
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order
from opensqt.proto import exchange_pb2, latency_pb2, resources_pb2, trade_pb2, types_pb2

Context = Any

DEFAULT_PAGE = 500
MAX_PAGE = 1000


@final
class QueryServicer:
    """Unary RPCs that read."""

    def __init__(self, core: ConnectorCore, adapter: VenueAdapter) -> None:
        self._core = core
        self._adapter = adapter
        self._accounts = SharedQuestion(adapter.account.accounts)
        self._positions = SharedQuestion(adapter.account.positions)

    async def get_name(self, _request: exchange_pb2.GetNameRequest, _context: Context) -> exchange_pb2.GetNameResponse:
        """Return the venue's name."""
        return exchange_pb2.GetNameResponse(name=self._core.capabilities.exchange)

    async def get_type(self, _request: exchange_pb2.GetTypeRequest, _context: Context) -> exchange_pb2.GetTypeResponse:
        """Return what is traded: perpetual futures."""
        return exchange_pb2.GetTypeResponse(type=types_pb2.EXCHANGE_TYPE_FUTURES, is_unified_margin=False)

    async def get_latency(
        self, request: latency_pb2.GetLatencyRequest, _context: Context
    ) -> latency_pb2.GetLatencyResponse:
        """Return how long the connector's hops take."""
        return self._core.latency.response(request)

    async def get_order(self, request: exchange_pb2.GetOrderRequest, _context: Context) -> resources_pb2.Order:
        """Return one order in whatever state, with its fills."""
        symbol = canonical(self._core.mirror, request.symbol)
        exchange_order_id = request.exchange_order_id or (str(request.order_id) if request.order_id else "")
        if not request.client_order_id and not exchange_order_id:
            raise invalid_field(
                "order_id", "missing", "name the order by order_id, client_order_id or exchange_order_id"
            )
        order = await self._adapter.account.order(symbol, request.client_order_id, exchange_order_id)
        return self._message(order, with_fills=True)

    async def get_open_orders(
        self, request: exchange_pb2.GetOpenOrdersRequest, _context: Context
    ) -> exchange_pb2.GetOpenOrdersResponse:
        """Return the open orders of a symbol, or of all."""
        symbol = canonical(self._core.mirror, request.symbol) if request.symbol else ""
        orders = await self._adapter.account.open_orders(symbol)
        return exchange_pb2.GetOpenOrdersResponse(orders=[self._message(order) for order in orders])

    async def get_account(self, _request: exchange_pb2.GetAccountRequest, _context: Context) -> resources_pb2.Account:
        """Return the balances with the positions."""
        accounts, positions = await asyncio.gather(self._accounts.ask(), self._positions.ask())
        if not accounts:
            raise NotFoundError(ErrorReason.NOT_FOUND, "the venue reports no balance of any asset for this account")
        exchange = self._core.capabilities.exchange
        messages = [position_message(p, self._counted_in(p), exchange) for p in positions]
        return account_message(accounts[0], messages, exchange)

    async def get_positions(
        self, request: exchange_pb2.GetPositionsRequest, _context: Context
    ) -> exchange_pb2.GetPositionsResponse:
        """Return the position of a symbol, or all."""
        symbol = canonical(self._core.mirror, request.symbol) if request.symbol else ""
        positions = await (self._adapter.account.positions(symbol) if symbol else self._positions.ask())
        exchange = self._core.capabilities.exchange
        return exchange_pb2.GetPositionsResponse(
            positions=[position_message(p, self._counted_in(p), exchange) for p in positions]
        )

    async def get_balance(
        self, request: exchange_pb2.GetBalanceRequest, _context: Context
    ) -> exchange_pb2.GetBalanceResponse:
        """Return the wallet balance of one asset."""
        if not request.asset:
            raise invalid_field("asset", "empty", "name the asset, for example USDT")
        accounts = {account.asset: account for account in await self._accounts.ask()}
        if request.asset not in accounts:
            raise NotFoundError(
                ErrorReason.NOT_FOUND,
                f"the account holds no {request.asset}; it has {', '.join(sorted(accounts)) or 'nothing'}",
                metadata={"field": "asset", "value": request.asset},
            )
        return exchange_pb2.GetBalanceResponse(balance=decimal_message(accounts[request.asset].wallet_balance))

    async def fetch_exchange_info(
        self, request: exchange_pb2.FetchExchangeInfoRequest, _context: Context
    ) -> exchange_pb2.FetchExchangeInfoResponse:
        """Read the venue's filters again; changes become new instrument revisions."""
        canonical_or_all(self._core.mirror, request.symbol)
        await self._adapter.market.refresh_instruments()
        return exchange_pb2.FetchExchangeInfoResponse()

    async def get_symbol_info(
        self, request: exchange_pb2.GetSymbolInfoRequest, _context: Context
    ) -> resources_pb2.SymbolInfo:
        """Return one instrument."""
        symbol = canonical(self._core.mirror, request.symbol)
        return symbol_info_message(self._core.mirror.instruments[symbol])

    async def get_symbols(
        self, _request: exchange_pb2.GetSymbolsRequest, _context: Context
    ) -> exchange_pb2.GetSymbolsResponse:
        """Return the canonical symbols that are served."""
        return exchange_pb2.GetSymbolsResponse(symbols=sorted(self._core.mirror.instruments))

    async def get_instruments(
        self, request: exchange_pb2.GetInstrumentsRequest, _context: Context
    ) -> exchange_pb2.GetInstrumentsResponse:
        """Return units, filters, fees and margin terms."""
        known = self._core.mirror.instruments
        symbols = [canonical(self._core.mirror, name) for name in request.symbols] or sorted(known)
        return exchange_pb2.GetInstrumentsResponse(instruments=[instrument_to_wire(known[name]) for name in symbols])

    async def get_capabilities(
        self, _request: exchange_pb2.GetCapabilitiesRequest, _context: Context
    ) -> exchange_pb2.Capabilities:
        """Return what the venue can do."""
        can = self._core.capabilities
        return exchange_pb2.Capabilities(
            exchange=can.exchange,
            mode=can.mode,
            max_batch_place=can.max_batch_place,
            max_batch_cancel=can.max_batch_cancel,
            amend=can.amend,
            amend_keeps_queue_on_size_decrease=can.amend_keeps_queue_on_size_decrease,
            stream_order_entry=can.stream_order_entry,
            dead_man_switch=can.dead_man_switch,
            book_checksum=can.book_checksum,
            hedge_mode=can.hedge_mode,
            reduce_only=can.reduce_only,
            post_only=can.post_only,
            refusal_reasons=can.refusal_reasons,
            client_order_id_pattern=can.client_order_id_pattern,
            kline_intervals=can.kline_intervals,
            symbols=sorted(self._core.mirror.instruments),
        )

    async def get_rate_budget(
        self, _request: exchange_pb2.GetRateBudgetRequest, _context: Context
    ) -> exchange_pb2.RateBudget:
        """Return every limit and what is used of it."""
        now_ns = self._core.clock.monotonic_ns()
        left_ns, reason = self._core.budget.circuit(now_ns)
        return exchange_pb2.RateBudget(
            windows=[
                exchange_pb2.RateWindow(
                    scope=use.window.scope,
                    name=use.window.name,
                    interval_ms=use.window.interval_ms,
                    limit=use.window.limit,
                    used=use.used,
                    cancel_reserve=use.window.cancel_reserve,
                )
                for use in self._core.budget.usage(now_ns)
            ],
            circuit_open=left_ns > 0,
            circuit_reason=reason,
            dead_man=[
                exchange_pb2.SymbolDeadMan(
                    symbol=symbol, state=trade_pb2.DeadManState.ValueType(self._core.dead_man(symbol))
                )
                for symbol in self._core.mirror.instruments
            ],
            circuit_opens_until=(self._core.clock.now_ns() + left_ns) // NS_PER_MS if left_ns else 0,
        )

    async def get_fills(
        self, request: exchange_pb2.GetFillsRequest, _context: Context
    ) -> exchange_pb2.GetFillsResponse:
        """Return own executions, oldest first, a page at a time."""
        symbol = canonical(self._core.mirror, request.symbol) if request.symbol else ""
        page = await self._adapter.account.fills(
            symbol, request.since_time_ns, request.after_trade_id, page_size(request.limit), request.page_token
        )
        return exchange_pb2.GetFillsResponse(
            fills=[fill_to_wire(fill) for fill in page.fills], next_page_token=page.next_token
        )

    async def get_cash_flows(
        self, request: exchange_pb2.GetCashFlowsRequest, _context: Context
    ) -> exchange_pb2.GetCashFlowsResponse:
        """Return funding and transfers, oldest first, a page at a time."""
        symbol = canonical(self._core.mirror, request.symbol) if request.symbol else ""
        page = await self._adapter.account.cash_flows(
            symbol, request.since_time_ns, page_size(request.limit), request.page_token
        )
        return exchange_pb2.GetCashFlowsResponse(
            cash_flows=[cash_flow_to_wire(flow) for flow in page.flows], next_page_token=page.next_token
        )

    def _counted_in(self, value: Order | Position) -> Instrument:
        return self._core.mirror.instrument_of(value.symbol, value.instrument_revision)

    def _message(self, order: Order, *, with_fills: bool = False) -> resources_pb2.Order:
        instrument = self._counted_in(order)
        fills = (
            [fill for fill in self._core.mirror.fills if fill.exchange_order_id == order.exchange_order_id]
            if with_fills and order.filled_lots
            else []
        )
        return order_message(order, instrument, fills)


def page_size(limit: int) -> int:
    """Return how many entries a page holds: 500 when it was not said.

    Raises:
        RequestError: negative or above 1000.
    """
    if not 0 <= limit <= MAX_PAGE:
        raise invalid_field("limit", limit, f"must be between 1 and {MAX_PAGE}, or 0 for {DEFAULT_PAGE}")
    return limit or DEFAULT_PAGE
