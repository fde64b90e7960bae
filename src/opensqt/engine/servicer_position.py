"""PositionService, the original's: positions, orders, fills and profit from the ledger and the stored history."""

from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from functools import partial
from typing import Any, final

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.convert_trade import decimal_message
from opensqt.domain.errors import ErrorReason, NotFoundError, invalid_field
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT
from opensqt.engine.api_messages import ZERO, api_fill, api_order, choose_bots, entry_price, ms, opened_ns
from opensqt.engine.bot import Bot
from opensqt.engine.shell import EngineShell
from opensqt.engine.store import queries
from opensqt.proto import position_pb2 as pb
from opensqt.proto.position_pb2_grpc import PositionServiceServicer


@final
class PositionServicer(PositionServiceServicer):
    """Serves PositionService over the shell. Times in requests are Unix milliseconds; an end of 0 is now."""

    def __init__(self, shell: EngineShell) -> None:
        self._shell = shell

    async def GetPositions(  # noqa: N802
        self, request: pb.PositionServiceGetPositionsRequest, _context: Any
    ) -> pb.PositionServiceGetPositionsResponse:
        """Return the positions of symbols, or all."""
        chosen = self._choose(request.symbols, request.exchanges)
        return pb.PositionServiceGetPositionsResponse(positions=[self._position(bot, one) for bot, one in chosen])

    async def GetPosition(  # noqa: N802
        self, request: pb.PositionServiceGetPositionRequest, _context: Any
    ) -> pb.PositionServiceGetPositionResponse:
        """Return one position with its open orders."""
        if not request.symbol:
            raise invalid_field("symbol", "''", "must name a symbol")
        for bot, instrument in self._choose([request.symbol], [request.exchange]):
            orders = [api_order(order.to_order(), instrument) for order in bot.orders.open.values()]
            position = self._position(bot, instrument)
            return pb.PositionServiceGetPositionResponse(position=position, open_orders=orders)
        raise NotFoundError(ErrorReason.NOT_FOUND, f"{request.symbol} has no position here yet")

    async def SubscribePositions(  # noqa: N802
        self, request: pb.PositionServiceSubscribePositionsRequest, _context: Any
    ) -> AsyncIterator[pb.PositionUpdate]:
        """Stream positions: as they are, then after every fill and every change the venue reports."""
        chosen = {bot.id: (bot, one) for bot, one in choose_bots(self._shell.core, request.symbols)}
        for bot, instrument in chosen.values():
            yield pb.PositionUpdate(position=self._position(bot, instrument), update_type="snapshot")
        async for event in self._shell.publisher.subscribe(chosen):
            delta = event.delta
            if not event.HasField("delta") or delta.bot_id not in chosen:
                continue
            bot, instrument = chosen[delta.bot_id]
            for told in delta.fills:
                order = bot.orders.by_id.get(told.fill.client_order_id)
                yield pb.PositionUpdate(
                    position=self._position(bot, instrument),
                    update_type="fill",
                    trigger_order=api_order(order.to_order(), instrument) if order else None,
                )
            if not delta.fills and delta.HasField("position"):
                yield pb.PositionUpdate(position=self._position(bot, instrument), update_type="update")

    async def GetOpenOrders(  # noqa: N802
        self, request: pb.PositionServiceGetOpenOrdersRequest, _context: Any
    ) -> pb.PositionServiceGetOpenOrdersResponse:
        """Return our open orders."""
        return pb.PositionServiceGetOpenOrdersResponse(
            orders=[
                api_order(order.to_order(), instrument)
                for bot, instrument in self._choose(request.symbols, request.exchanges)
                for order in bot.orders.open.values()
            ]
        )

    async def GetOrderHistory(  # noqa: N802
        self, request: pb.PositionServiceGetOrderHistoryRequest, _context: Any
    ) -> pb.PositionServiceGetOrderHistoryResponse:
        """Return stored orders by last change, oldest first; continue from the last one's update_time."""
        instruments = self._instruments(request.symbols)
        span = self._span(instruments, request.start_time, request.end_time, request.limit)
        records, cursor = await self._shell.store.read(lambda connection: queries.orders_page(connection, span))
        return pb.PositionServiceGetOrderHistoryResponse(
            orders=[api_order(record.order, instruments[record.order.symbol]) for record in records],
            next_cursor=cursor,
        )

    async def GetOrder(  # noqa: N802
        self, request: pb.PositionServiceGetOrderRequest, _context: Any
    ) -> pb.PositionServiceGetOrderResponse:
        """Return an order by client or venue id, with its fills."""
        if not request.order_id:
            raise invalid_field("order_id", "''", "must name an order by client or venue id")
        await self._shell.store.settle()
        record = await self._shell.store.read(lambda connection: queries.find_order(connection, request.order_id))
        instruments = self._instruments(())
        if record is None or record.order.symbol not in instruments:
            raise NotFoundError(ErrorReason.NOT_FOUND, f"no order {request.order_id} of this engine is known")
        instrument = instruments[record.order.symbol]
        find = partial(queries.fills_of_order, client_order_id=record.order.client_order_id)
        fills = await self._shell.store.read(find)
        return pb.PositionServiceGetOrderResponse(
            order=api_order(record.order, instrument), fills=[api_fill(booked.fill, instrument) for booked in fills]
        )

    async def GetFills(  # noqa: N802
        self, request: pb.PositionServiceGetFillsRequest, _context: Any
    ) -> pb.PositionServiceGetFillsResponse:
        """Return stored fills, oldest first; continue from the last one's filled_at."""
        instruments = self._instruments(request.symbols)
        span = self._span(instruments, request.start_time, request.end_time, request.limit)
        await self._shell.store.settle()
        fills, cursor = await self._shell.store.read(lambda connection: queries.fills_page(connection, span))
        return pb.PositionServiceGetFillsResponse(
            fills=[api_fill(booked.fill, instruments[booked.fill.symbol]) for booked in fills], next_cursor=cursor
        )

    async def GetPositionHistory(  # noqa: N802
        self, request: pb.PositionServiceGetPositionHistoryRequest, _context: Any
    ) -> pb.PositionServiceGetPositionHistoryResponse:
        """Return the sampled positions of a symbol."""
        if not request.symbol:
            raise invalid_field("symbol", "''", "must name a symbol")
        snapshots: list[pb.PositionSnapshotData] = []
        start_ns, end_ns = self._times(request.start_time, request.end_time)
        for bot, instrument in choose_bots(self._shell.core, [request.symbol]):
            samples = await self._shell.store.read(
                partial(queries.equity_between, bot_id=bot.id, start_ns=start_ns, end_ns=end_ns)
            )
            snapshots.extend(
                pb.PositionSnapshotData(
                    symbol=bot.symbol,
                    quantity=decimal_message(instrument.lots_to_quantity(sample.position_lots)),
                    entry_price=decimal_message(sample.entry_price),
                    market_price=decimal_message(sample.mark_price),
                    unrealized_pnl=decimal_message(sample.inventory),
                    timestamp=ms(sample.time_ns),
                )
                for sample in samples
            )
        return pb.PositionServiceGetPositionHistoryResponse(snapshots=snapshots)

    async def GetRealizedPnL(  # noqa: N802
        self, request: pb.PositionServiceGetRealizedPnLRequest, _context: Any
    ) -> pb.PositionServiceGetRealizedPnLResponse:
        """Return grid profit less fees of the time span, by symbol; wins and losses count closing fills."""
        start_ns, end_ns = self._times(request.start_time, request.end_time)
        await self._shell.store.settle()
        total, by_symbol = ZERO, []
        for bot, instrument in choose_bots(self._shell.core, request.symbols):
            found = await self._shell.store.read(
                partial(queries.realized, symbol=bot.symbol, start_ns=start_ns, end_ns=end_ns)
            )
            asset = instrument.settle_asset
            fees = await self._shell.store.read(
                partial(queries.paid_fees, symbol=bot.symbol, asset=asset, start_ns=start_ns, end_ns=end_ns)
            )
            profit = instrument.money(found.profit_ticks_lots * instrument.units_per_tick_lot)
            for fee in fees:
                profit = EXACT.subtract(profit, Decimal(fee))
            total = EXACT.add(total, profit)
            decided = found.winning + found.losing
            by_symbol.append(
                pb.SymbolPnL(
                    symbol=bot.symbol,
                    realized_pnl=decimal_message(profit),
                    num_trades=found.closing_fills,
                    winning_trades=found.winning,
                    losing_trades=found.losing,
                    win_rate=f"{found.winning / decided:.4f}" if decided else "0",
                )
            )
        return pb.PositionServiceGetRealizedPnLResponse(total_pnl=decimal_message(total), by_symbol=by_symbol)

    async def GetUnrealizedPnL(  # noqa: N802
        self, request: pb.PositionServiceGetUnrealizedPnLRequest, _context: Any
    ) -> pb.PositionServiceGetUnrealizedPnLResponse:
        """Return what the open lots are worth against their cost."""
        total, positions = ZERO, []
        for bot, instrument in choose_bots(self._shell.core, request.symbols):
            mark = bot.market.mark_price(instrument)
            inventory = bot.ledger.pnl(instrument, mark).inventory
            cost = instrument.money(abs(bot.ledger.cost_ticks_lots) * instrument.units_per_tick_lot)
            total = EXACT.add(total, inventory)
            positions.append(
                pb.PositionPnL(
                    symbol=bot.symbol,
                    quantity=decimal_message(instrument.lots_to_quantity(bot.ledger.position_lots)),
                    entry_price=decimal_message(entry_price(bot, instrument)),
                    current_price=decimal_message(mark),
                    unrealized_pnl=decimal_message(inventory),
                    pnl_percentage=f"{inventory / cost * 100:.4f}" if cost else "0",
                )
            )
        return pb.PositionServiceGetUnrealizedPnLResponse(total_pnl=decimal_message(total), positions=positions)

    def _position(self, bot: Bot, instrument: Instrument) -> pb.PositionData:
        mark = bot.market.mark_price(instrument)
        pnl = bot.ledger.pnl(instrument, mark)
        return pb.PositionData(
            symbol=bot.symbol,
            exchange=self._shell.core.exchange,
            quantity=decimal_message(instrument.lots_to_quantity(bot.position.lots)),
            entry_price=decimal_message(entry_price(bot, instrument)),
            current_price=decimal_message(mark),
            unrealized_pnl=decimal_message(pnl.inventory),
            realized_pnl=decimal_message(pnl.grid_profit),
            opened_at=ms(opened_ns(bot)),
            updated_at=ms(bot.position.venue_time_ns),
        )

    def _choose(self, symbols: Iterable[str], exchanges: Iterable[str]) -> list[tuple[Bot, Instrument]]:
        wanted = [name for name in exchanges if name]
        if wanted and self._shell.core.exchange not in wanted:
            return []
        return choose_bots(self._shell.core, symbols)

    def _instruments(self, symbols: Iterable[str]) -> dict[str, Instrument]:
        return {bot.symbol: instrument for bot, instrument in choose_bots(self._shell.core, symbols)}

    def _times(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        if start_ms < 0 or end_ms < 0 or (end_ms and end_ms < start_ms):
            raise invalid_field("end_time", end_ms, f"must be 0 (now) or at least start_time, {start_ms}")
        end_ns = min(end_ms * NS_PER_MS, queries.MAX_TIME_NS) if end_ms else queries.MAX_TIME_NS
        return min(start_ms * NS_PER_MS, queries.MAX_TIME_NS), end_ns

    def _span(self, instruments: dict[str, Instrument], start_ms: int, end_ms: int, limit: int) -> queries.Span:
        if not 0 <= limit <= queries.MAX_LIMIT:
            raise invalid_field(
                "limit", limit, f"must lie between 0 (= {queries.DEFAULT_LIMIT}) and {queries.MAX_LIMIT}"
            )
        start_ns, end_ns = self._times(start_ms, end_ms)
        return queries.Span(tuple(instruments), start_ns, end_ns, limit or queries.DEFAULT_LIMIT)
