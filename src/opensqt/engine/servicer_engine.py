"""EngineService: what the engine tells and what it can be told."""

from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Any, final

from opensqt import __version__
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.convert_trade import fill_to_wire, order_to_wire
from opensqt.domain.errors import ErrorReason, NotFoundError, OpensqtError, UnavailableError, invalid_field
from opensqt.domain.latency import LatencyBoard
from opensqt.engine.api_messages import operator_name
from opensqt.engine.bot import Bot
from opensqt.engine.commands import OrderRecord
from opensqt.engine.events import Pause, Reconcile, Resume, Stop, StopMode
from opensqt.engine.recovery import order_record
from opensqt.engine.servicer_grid import GridDesk
from opensqt.engine.servicer_history import HistoryServicer
from opensqt.engine.servicer_ledger import LedgerServicer
from opensqt.engine.shell import EngineShell
from opensqt.engine.state_messages import correction
from opensqt.engine.stopping import Stopper
from opensqt.engine.store import queries
from opensqt.engine.winding import is_wound_down
from opensqt.proto import engine_pb2, exchange_pb2, latency_pb2
from opensqt.proto.engine_pb2_grpc import EngineServiceServicer
from opensqt.runtime.grpc_client import call

STOP_PATIENCE_S = 15.0
RECONCILE_PATIENCE_S = 10.0
QUERY_S = 5.0


@final
class EngineServicer(EngineServiceServicer):
    """Serves EngineService over the shell."""

    def __init__(self, shell: EngineShell, latency: LatencyBoard) -> None:
        self._shell = shell
        self._grids = GridDesk(shell)
        self._latency = latency
        self._started_ns = shell.clock.monotonic_ns()
        self._history = HistoryServicer(shell)
        self._ledger = LedgerServicer(shell)

    async def SubscribeState(  # noqa: N802
        self, request: engine_pb2.SubscribeStateRequest, _context: Any
    ) -> AsyncIterator[engine_pb2.StateEvent]:
        """Stream a snapshot and then changes."""
        async for event in self._shell.publisher.subscribe(request.bot_ids):
            yield event

    async def GetStatus(  # noqa: N802
        self, request: engine_pb2.GetStatusRequest, _context: Any
    ) -> engine_pb2.GetStatusResponse:
        """Describe all bots, or one."""
        chosen = [bot.id for bot in self._chosen(request.bot_id)]
        publisher = self._shell.publisher
        publisher.flush()
        return engine_pb2.GetStatusResponse(
            bots=publisher.states(chosen),
            sequence=publisher.sequence,
            state_hash=publisher.state_hash,
            version=__version__,
            uptime_ms=(self._shell.clock.monotonic_ns() - self._started_ns) // NS_PER_MS,
            connector_up=self._shell.core.attached,
        )

    async def GetLatency(  # noqa: N802
        self, request: latency_pb2.GetLatencyRequest, _context: Any
    ) -> latency_pb2.GetLatencyResponse:
        """Return how long every hop takes, as this engine saw it."""
        return self._latency.response(request)

    async def Pause(self, request: engine_pb2.PauseRequest, _context: Any) -> engine_pb2.PauseResponse:  # noqa: N802
        """Stop opening; take-profits stay."""
        who = operator_name(request.operator)
        bots = self._chosen(request.bot_id)
        self._shell.take([Pause(bot.id, request.reason, who) for bot in bots])
        return engine_pb2.PauseResponse(bot_ids=[bot.id for bot in bots])

    async def Resume(self, request: engine_pb2.ResumeRequest, _context: Any) -> engine_pb2.ResumeResponse:  # noqa: N802
        """Lift a pause or a stop; the start checks run again."""
        who = operator_name(request.operator)
        bots = self._chosen(request.bot_id)
        self._shell.take([Resume(bot.id, who) for bot in bots])
        return engine_pb2.ResumeResponse(bot_ids=[bot.id for bot in bots])

    async def Stop(self, request: engine_pb2.StopRequest, _context: Any) -> engine_pb2.StopResponse:  # noqa: N802
        """End trading, and say by query of the venue what is left."""
        who = operator_name(request.operator)
        try:
            mode = StopMode(request.mode)
        except ValueError:
            raise invalid_field("mode", request.mode, "must be STOP_MODE_KEEP, _CANCEL or _FLATTEN") from None
        bots = self._chosen(request.bot_id)
        self._shell.take([Stop(bot.id, mode, who) for bot in bots])
        await self._shell.wait_until(lambda: all(is_wound_down(bot) for bot in bots), STOP_PATIENCE_S)
        try:
            orders, lots = await self._left(bots)
        except OpensqtError as error:
            return engine_pb2.StopResponse(
                bot_ids=[bot.id for bot in bots],
                open_orders_left=sum(len(bot.orders.open) for bot in bots),
                position_lots_left=sum(abs(bot.position.lots) for bot in bots),
                message=f"what is left could not be verified: {error.message}",
            )
        done = mode is StopMode.KEEP or (orders == 0 and (mode is StopMode.CANCEL or lots == 0))
        return engine_pb2.StopResponse(
            bot_ids=[bot.id for bot in bots],
            open_orders_left=orders,
            position_lots_left=lots,
            verified=True,
            message="done" if done else f"{orders} orders and {lots} lots are left; try again or look at the venue",
        )

    async def Kill(self, request: engine_pb2.KillRequest, _context: Any) -> engine_pb2.KillResponse:  # noqa: N802
        """Stop for good, cancel, verify by query of the venue, and close the position if asked."""
        who = operator_name(request.operator)
        bots = self._chosen(request.bot_id)
        return await Stopper(self._shell).kill(
            bots, flatten=request.flatten, everything=request.everything, who=who, reason=request.reason
        )

    async def Reconcile(  # noqa: N802
        self, request: engine_pb2.ReconcileRequest, _context: Any
    ) -> engine_pb2.ReconcileResponse:
        """Prove every open order again, and compare the position."""
        bots = self._chosen(request.bot_id)
        await self.reconcile(bots, operator_name(request.operator))
        local = sum(bot.ledger.position_lots for bot in bots)
        venue = sum(bot.position.lots for bot in bots)
        return engine_pb2.ReconcileResponse(
            corrections=[correction(bot, *change) for bot in bots for change in bot.corrections],
            position_match=all(bot.ledger.position_lots == bot.position.lots for bot in bots),
            local_lots=local,
            venue_lots=venue,
        )

    async def reconcile(self, bots: Iterable[Bot], who: str = "") -> None:
        """Ask for every open order and wait for the answers. Raises UnavailableError without a connector."""
        bots = list(bots)
        if not self._shell.core.attached:
            raise UnavailableError(
                ErrorReason.NOT_CONNECTED, "the connector is down: nothing can be compared; start it and try again"
            )
        self._shell.take([Reconcile(bot.id, who) for bot in bots])
        await self._shell.wait_until(lambda: not any(bot.proving for bot in bots), RECONCILE_PATIENCE_S)

    async def Explain(self, request: engine_pb2.ExplainRequest, _context: Any) -> engine_pb2.ExplainResponse:  # noqa: N802
        """Say why an order exists and what became of it."""
        order_id = request.client_order_id or request.exchange_order_id
        if not order_id:
            raise invalid_field("client_order_id", "''", "or exchange_order_id must name an order")
        await self._shell.store.settle()
        record = self._in_memory(order_id) or await self._shell.store.read(
            lambda connection: queries.find_order(connection, order_id)
        )
        if record is None:
            raise NotFoundError(ErrorReason.NOT_FOUND, f"no order {order_id} of this engine is known")
        client_id = record.order.client_order_id
        fills = await self._shell.store.read(lambda connection: queries.fills_of_order(connection, client_id))
        return engine_pb2.ExplainResponse(
            bot_id=record.bot_id,
            order=order_to_wire(record.order),
            slot=record.slot,
            rule=record.rule,
            inputs=record.inputs,
            config_version=record.config_version,
            history=record.history,
            fills=[fill_to_wire(booked.fill) for booked in fills],
        )

    async def GetBotFills(  # noqa: N802
        self, request: engine_pb2.GetBotFillsRequest, _context: Any
    ) -> engine_pb2.GetBotFillsResponse:
        """Return stored fills of a bot, the newest before a time."""
        return await self._history.bot_fills(request)

    async def GetBotOrders(  # noqa: N802
        self, request: engine_pb2.GetBotOrdersRequest, _context: Any
    ) -> engine_pb2.GetBotOrdersResponse:
        """Return stored orders of a bot, the newest before a time."""
        return await self._history.bot_orders(request)

    async def GetJournal(  # noqa: N802
        self, request: engine_pb2.GetJournalRequest, _context: Any
    ) -> engine_pb2.GetJournalResponse:
        """Return a page of the journal."""
        return await self._history.journal(request)

    async def GetEquityCurve(  # noqa: N802
        self, request: engine_pb2.GetEquityCurveRequest, _context: Any
    ) -> engine_pb2.GetEquityCurveResponse:
        """Return a page of the sampled equity."""
        return await self._history.equity_curve(request)

    async def GetDailyPnl(  # noqa: N802
        self, request: engine_pb2.GetDailyPnlRequest, _context: Any
    ) -> engine_pb2.GetDailyPnlResponse:
        """Return the profit by UTC day."""
        return await self._history.daily_pnl(request)

    async def GetLedgerFills(  # noqa: N802
        self, request: engine_pb2.GetLedgerFillsRequest, _context: Any
    ) -> engine_pb2.GetLedgerFillsResponse:
        """Return a page of booked fills."""
        return await self._history.fills(request)

    async def GetLedgerCashFlows(  # noqa: N802
        self, request: engine_pb2.GetLedgerCashFlowsRequest, _context: Any
    ) -> engine_pb2.GetLedgerCashFlowsResponse:
        """Return a page of booked cash flows."""
        return await self._history.cash_flows(request)

    async def CheckLedger(  # noqa: N802
        self, request: engine_pb2.CheckLedgerRequest, _context: Any
    ) -> engine_pb2.CheckLedgerResponse:
        """Compare the ledger with the venue."""
        return await self._ledger.check(self._chosen(request.bot_id), request.since_ns)

    async def Backup(self, request: engine_pb2.BackupRequest, _context: Any) -> engine_pb2.BackupResponse:  # noqa: N802
        """Copy the state file while the engine goes on."""
        return await self._history.backup(request)

    async def PreviewGrid(  # noqa: N802
        self, request: engine_pb2.PreviewGridRequest, _context: Any
    ) -> engine_pb2.PreviewGridResponse:
        """Say what an edit of a running grid would do now."""
        return self._grids.preview(request)

    async def ApplyGrid(self, request: engine_pb2.ApplyGridRequest, _context: Any) -> engine_pb2.ApplyGridResponse:  # noqa: N802
        """Apply an edit that was previewed."""
        return await self._grids.apply(request)

    async def UndoGrid(self, request: engine_pb2.UndoGridRequest, _context: Any) -> engine_pb2.ApplyGridResponse:  # noqa: N802
        """Go back to the version before."""
        return await self._grids.undo(request)

    async def ListGridVersions(  # noqa: N802
        self, request: engine_pb2.ListGridVersionsRequest, _context: Any
    ) -> engine_pb2.ListGridVersionsResponse:
        """List what was in force when."""
        return self._grids.versions(request)

    def _in_memory(self, order_id: str) -> OrderRecord | None:
        for bot in self._shell.core.bots.values():
            order = bot.orders.by_id.get(order_id) or next(
                (one for one in bot.orders.by_id.values() if one.exchange_order_id == order_id), None
            )
            if order is not None:
                return order_record(bot, order)
        return None

    def _chosen(self, bot_id: str) -> list[Bot]:
        bots = self._shell.core.bots
        if not bot_id:
            return list(bots.values())
        if bot_id not in bots:
            raise NotFoundError(ErrorReason.NOT_FOUND, f"no bot {bot_id!r}; known are {', '.join(bots)}")
        return [bots[bot_id]]

    async def _left(self, bots: list[Bot]) -> tuple[int, int]:
        """Return our open orders and the position, as the venue answers now."""
        client = self._shell.client
        if client is None:
            raise UnavailableError(ErrorReason.NOT_CONNECTED, "there is no connector")
        orders = lots = 0
        for bot in bots:
            open_orders = await call(
                client.stub.GetOpenOrders, exchange_pb2.GetOpenOrdersRequest(symbol=bot.symbol), timeout_s=QUERY_S
            )
            orders += sum(1 for order in open_orders.orders if bot.owner(order.client_order_id) is not None)
            positions = await call(
                client.stub.GetPositions, exchange_pb2.GetPositionsRequest(symbol=bot.symbol), timeout_s=QUERY_S
            )
            for position in positions.positions:
                if position.symbol == bot.symbol and bot.instrument is not None:
                    lots += _lots_of(bot, position.size.value)
        return orders, lots


def _lots_of(bot: Bot, size_text: str) -> int:
    instrument = bot.instrument
    assert instrument is not None, "sizes need units"
    size = Decimal(size_text or "0")
    return instrument.quantity_to_lots(abs(size)) if size else 0
