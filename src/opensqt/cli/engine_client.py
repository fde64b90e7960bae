"""The running engine, found and called: for every command that talks to it, and the demo's report."""

import getpass
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import final

from grpc.aio import AioRpcError

from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.cli.state_dir import RunningInstance, read_instance
from opensqt.domain.errors import OpensqtError, UnavailableError
from opensqt.proto import engine_pb2, engine_pb2_grpc, latency_pb2
from opensqt.runtime.config import GrpcClientConfig, Secret
from opensqt.runtime.grpc_client import call, open_channel, to_typed_error

CALL_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 60.0  # cancelling is verified by query, flattening waits for fills
CHECK_TIMEOUT_S = 180.0  # a long history is fetched page by page, at the venue's pace
BACKUP_TIMEOUT_S = 600.0
PAGE = 1_000
MAX_NAME = 50
KILL_TIMEOUT_S = 30.0
PROBE_TIMEOUT_S = 2.0
STATE_ROOT = Path("var")

STOP_MODES = {
    "keep": engine_pb2.STOP_MODE_KEEP,
    "cancel": engine_pb2.STOP_MODE_CANCEL,
    "flatten": engine_pb2.STOP_MODE_FLATTEN,
}


@final
class EngineClient:
    """EngineService with deadlines and typed errors."""

    def __init__(self, stub: "engine_pb2_grpc.EngineServiceAsyncStub") -> None:  # a name of the stubs only
        self._stub = stub

    async def get_status(self, bot_id: str = "") -> engine_pb2.GetStatusResponse:
        """Return the whole state of one bot, or of all."""
        request = engine_pb2.GetStatusRequest(bot_id=bot_id)
        return await call(self._stub.GetStatus, request, timeout_s=CALL_TIMEOUT_S)

    async def get_latency(self, *, since_start: bool) -> latency_pb2.GetLatencyResponse:
        """Return how long every hop takes."""
        request = latency_pb2.GetLatencyRequest(since_start=since_start)
        return await call(self._stub.GetLatency, request, timeout_s=CALL_TIMEOUT_S)

    async def pause(self, bot_id: str, reason: str) -> list[str]:
        """Pause one bot or all; returns those that are paused."""
        request = engine_pb2.PauseRequest(bot_id=bot_id, reason=reason, operator=who())
        return list((await call(self._stub.Pause, request, timeout_s=CALL_TIMEOUT_S)).bot_ids)

    async def resume(self, bot_id: str) -> list[str]:
        """Resume one bot or all; returns those that go on."""
        request = engine_pb2.ResumeRequest(bot_id=bot_id, operator=who())
        return list((await call(self._stub.Resume, request, timeout_s=CALL_TIMEOUT_S)).bot_ids)

    async def kill(self, bot_id: str, *, flatten: bool, everything: bool) -> engine_pb2.KillResponse:
        """Stop one bot or all for good; returns what is left at the venue. An engine that hangs is found out first."""
        await call(self._stub.GetStatus, engine_pb2.GetStatusRequest(bot_id=bot_id), timeout_s=PROBE_TIMEOUT_S)
        request = engine_pb2.KillRequest(bot_id=bot_id, flatten=flatten, everything=everything, operator=who())
        return await call(self._stub.Kill, request, timeout_s=KILL_TIMEOUT_S)

    async def stop(self, bot_id: str, mode: str) -> engine_pb2.StopResponse:
        """Stop one bot or all; returns what is left at the venue."""
        request = engine_pb2.StopRequest(bot_id=bot_id, mode=STOP_MODES[mode], operator=who())
        return await call(self._stub.Stop, request, timeout_s=STOP_TIMEOUT_S)

    async def reconcile(self, bot_id: str) -> engine_pb2.ReconcileResponse:
        """Have every open order proven by the venue and the position compared."""
        request = engine_pb2.ReconcileRequest(bot_id=bot_id, operator=who())
        return await call(self._stub.Reconcile, request, timeout_s=STOP_TIMEOUT_S)

    async def explain(self, order_id: str) -> engine_pb2.ExplainResponse:
        """Return why an order exists, by client or venue id."""
        request = engine_pb2.ExplainRequest(client_order_id=order_id)
        return await call(self._stub.Explain, request, timeout_s=CALL_TIMEOUT_S)

    async def check_ledger(self, bot_id: str, since_ns: int) -> engine_pb2.CheckLedgerResponse:
        """Compare the ledger with the venue."""
        request = engine_pb2.CheckLedgerRequest(bot_id=bot_id, since_ns=since_ns)
        return await call(self._stub.CheckLedger, request, timeout_s=CHECK_TIMEOUT_S)

    async def backup(self, path: str) -> engine_pb2.BackupResponse:
        """Copy the state file on the engine's machine."""
        return await call(self._stub.Backup, engine_pb2.BackupRequest(path=path), timeout_s=BACKUP_TIMEOUT_S)

    async def fills(self, bot_id: str, since_ns: int) -> AsyncIterator[engine_pb2.GetLedgerFillsResponse]:
        """Read the booked fills page by page."""
        token = ""
        while True:
            request = engine_pb2.GetLedgerFillsRequest(bot_id=bot_id, since_ns=since_ns, limit=PAGE, page_token=token)
            page = await call(self._stub.GetLedgerFills, request, timeout_s=CALL_TIMEOUT_S)
            yield page
            token = page.next_page_token
            if not token:
                return

    async def cash_flows(self, bot_id: str, since_ns: int) -> AsyncIterator[engine_pb2.GetLedgerCashFlowsResponse]:
        """Read the booked funding and transfers page by page."""
        token = ""
        while True:
            request = engine_pb2.GetLedgerCashFlowsRequest(
                bot_id=bot_id, since_ns=since_ns, limit=PAGE, page_token=token
            )
            page = await call(self._stub.GetLedgerCashFlows, request, timeout_s=CALL_TIMEOUT_S)
            yield page
            token = page.next_page_token
            if not token:
                return

    async def fills_back(self, bot_id: str) -> AsyncIterator[Sequence[engine_pb2.BotFill]]:
        """Read a bot's fills back from now, page by page, each oldest first; pages are never empty."""
        request = engine_pb2.GetBotFillsRequest(bot_id=bot_id, limit=PAGE)
        while True:
            page = await call(self._stub.GetBotFills, request, timeout_s=CALL_TIMEOUT_S)
            if page.fills:
                yield page.fills
                oldest = page.fills[0].fill
                request.before_time_ns, request.before_trade_id = oldest.venue_time_ns, oldest.trade_id
            if not page.has_older:
                return

    async def orders_back(self, bot_id: str) -> AsyncIterator[Sequence[engine_pb2.BotOrder]]:
        """Read a bot's orders back from now by last change, page by page, each oldest first; never empty."""
        request = engine_pb2.GetBotOrdersRequest(bot_id=bot_id, limit=PAGE)
        while True:
            page = await call(self._stub.GetBotOrders, request, timeout_s=CALL_TIMEOUT_S)
            if page.orders:
                yield page.orders
                oldest = page.orders[0].order
                request.before_time_ns = oldest.updated_time_ns
                request.before_client_order_id = oldest.client_order_id
            if not page.has_older:
                return

    async def journal(self, bot_id: str, level: str, since_ns: int, limit: int) -> engine_pb2.GetJournalResponse:
        """Return the newest journal entries of a level and above, newest first."""
        request = engine_pb2.GetJournalRequest(
            bot_id=bot_id, min_level=level, since_ns=since_ns, limit=limit, newest_first=True
        )
        return await call(self._stub.GetJournal, request, timeout_s=CALL_TIMEOUT_S)

    async def journal_pages(self, bot_id: str) -> AsyncIterator[Sequence[engine_pb2.JournalEntry]]:
        """Read the whole journal, oldest first."""
        request = engine_pb2.GetJournalRequest(bot_id=bot_id, limit=PAGE)
        while True:
            page = await call(self._stub.GetJournal, request, timeout_s=CALL_TIMEOUT_S)
            yield page.entries
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return

    async def equity_pages(self, bot_id: str) -> AsyncIterator[Sequence[engine_pb2.EquityPoint]]:
        """Read every sample of a bot's equity, oldest first."""
        request = engine_pb2.GetEquityCurveRequest(bot_id=bot_id, limit=PAGE)
        while True:
            page = await call(self._stub.GetEquityCurve, request, timeout_s=CALL_TIMEOUT_S)
            yield page.points
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return

    async def follow_state(self, bot_id: str) -> AsyncIterator[engine_pb2.StateEvent]:
        """Yield a snapshot and then changes until the stream ends. Raises OpensqtError."""
        request = engine_pb2.SubscribeStateRequest(bot_ids=[bot_id] if bot_id else [])
        try:
            async for event in self._stub.SubscribeState(request):
                yield event
        except AioRpcError as error:
            raise to_typed_error(error) from None

    async def daily_pnl(self, bot_id: str, since_ns: int) -> engine_pb2.GetDailyPnlResponse:
        """Return the profit by UTC day."""
        request = engine_pb2.GetDailyPnlRequest(bot_id=bot_id, since_ns=since_ns)
        return await call(self._stub.GetDailyPnl, request, timeout_s=CALL_TIMEOUT_S)


def who() -> str:
    """Return who uses this command line, for the engine's audit."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "unknown"
    return "cli:" + "".join(sign for sign in name if sign.isprintable())[:MAX_NAME]


@asynccontextmanager
async def engine_client(config: GrpcClientConfig) -> AsyncIterator[EngineClient]:
    """Open a client for a known address. Raises CliError when nobody answers there."""
    async with open_channel(config) as channel:
        try:
            yield EngineClient(engine_pb2_grpc.EngineServiceStub(channel))
        except UnavailableError as error:
            raise CliError(f"the engine at {config.address} does not answer: {error.message}") from None
        except OpensqtError as error:
            raise CliError(f"the engine refused: {error.message} ({error.reason.value})") from None


def find_engine(state: Path | None, config: Path | None) -> GrpcClientConfig:
    """Return how to reach the engine: of a state folder, of a config file, or the only one that runs below `var/`.

    Raises CliError that says where it looked when nothing, or more than one instance, runs.
    """
    if config is not None:
        return _engine_of_config(config)
    if state is not None:
        instance = read_instance(state)
        if instance is None:
            raise CliError(f"nothing runs in {state}; start it with `opensqt demo` or `opensqt up CONFIG`")
        return client_config(instance)
    return client_config(_only_instance()[1])


def find_state(state: Path | None) -> Path:
    """Return the given state folder, or that of the only instance that runs below `var/`. Raises CliError."""
    return state if state is not None else _only_instance()[0]


def _only_instance() -> tuple[Path, RunningInstance]:
    running = {
        path.parent: found
        for path in sorted(STATE_ROOT.glob("*/runtime.json"))
        if (found := read_instance(path.parent))
    }
    if not running:
        raise CliError(
            f"nothing is running (looked in {STATE_ROOT.absolute()}); start it with `opensqt demo` or"
            " `opensqt up CONFIG`, or say where it is with --state DIR or --config FILE"
        )
    if len(running) > 1:
        names = ", ".join(str(path) for path in running)
        raise CliError(f"more than one instance is running: {names}; choose one with --state", EXIT_USAGE)
    return next(iter(running.items()))


def client_config(instance: RunningInstance) -> GrpcClientConfig:
    """Return how to reach a running instance's engine. Raises CliError when its token cannot be read."""
    token = None
    if instance.token_file is not None:
        try:
            token = Secret(Path(instance.token_file).read_text(encoding="utf-8").strip())
        except OSError as error:
            raise CliError(f"the token of the running instance cannot be read: {error}") from None
    return GrpcClientConfig(address=instance.engine_address, token=token)


def _engine_of_config(path: Path) -> GrpcClientConfig:
    from opensqt.cli.umbrella_config import engine_client_config, load_any

    return engine_client_config(load_any(path))
