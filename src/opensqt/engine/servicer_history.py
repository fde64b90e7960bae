"""The stored history as EngineService tells it: journal, equity curve, days; and a copy of the state file."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import final

from opensqt.domain.convert_trade import cash_flow_to_wire, decimal_message, instrument_to_wire, order_to_wire
from opensqt.domain.errors import ErrorReason, InternalError, NotFoundError, UnavailableError, invalid_field
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT
from opensqt.engine.bot import Bot
from opensqt.engine.commands import EquityRecord
from opensqt.engine.shell import EngineShell
from opensqt.engine.state_messages import bot_fill, journal_entry
from opensqt.engine.store import history, queries
from opensqt.engine.store.days import DAY_NS, DaysOf, DayTotals, daily
from opensqt.proto import engine_pb2 as pb
from opensqt.runtime.sqlite import back_up

FLUSH_S = 5.0
ROWS_PAGE = 200
JOURNAL_PAGE, MAX_JOURNAL_PAGE = 500, 1_000
EQUITY_PAGE, MAX_EQUITY_PAGE = 1_000, 5_000
MAX_RESOLUTION_MS = 366 * 86_400_000


@final
class HistoryServicer:
    """RPCs that read the state file."""

    def __init__(self, shell: EngineShell) -> None:
        self._shell = shell

    async def journal(self, request: pb.GetJournalRequest) -> pb.GetJournalResponse:
        """Return a page of the journal."""
        bots = self._shell.core.bots
        bot_ids = (one_bot(bots, request.bot_id).id,) if request.bot_id else tuple(bots)
        level = request.min_level or "info"
        if level not in history.LEVELS:
            raise invalid_field("min_level", repr(request.min_level), f"must be one of {', '.join(history.LEVELS)}")
        page = partial(
            history.journal_page,
            bot_ids=bot_ids,
            since_ns=_since(request.since_ns),
            min_level=level,
            limit=_limit(request.limit, JOURNAL_PAGE, MAX_JOURNAL_PAGE),
            page_token=request.page_token,
            newest_first=request.newest_first,
        )
        history.read_token(request.page_token, parts=2)
        await self._shell.store.settle()
        records, token = await self._shell.store.read(page)
        return pb.GetJournalResponse(entries=[journal_entry(record) for record in records], next_page_token=token)

    async def bot_fills(self, request: pb.GetBotFillsRequest) -> pb.GetBotFillsResponse:
        """Return the newest stored fills of a bot before a time."""
        bot = self._named(request.bot_id)
        limit = _limit(request.limit, ROWS_PAGE, queries.MAX_LIMIT)
        before = (request.before_time_ns or queries.MAX_TIME_NS, request.before_trade_id)
        await self._shell.store.settle()
        fills, has_older = await self._shell.store.read(
            lambda connection: queries.fills_before(connection, bot.symbol, bot.id, before, limit)
        )
        return pb.GetBotFillsResponse(fills=[bot_fill(bot, booked) for booked in fills], has_older=has_older)

    async def bot_orders(self, request: pb.GetBotOrdersRequest) -> pb.GetBotOrdersResponse:
        """Return the newest stored orders of a bot before a time, whatever became of them."""
        bot = self._named(request.bot_id)
        limit = _limit(request.limit, ROWS_PAGE, queries.MAX_LIMIT)
        before = (request.before_time_ns or queries.MAX_TIME_NS, request.before_client_order_id)
        await self._shell.store.settle()
        records, has_older = await self._shell.store.read(
            lambda connection: queries.orders_before(connection, bot.symbol, bot.id, before, limit)
        )
        orders = [
            pb.BotOrder(order=order_to_wire(record.order), slot=record.slot, rule=record.rule) for record in records
        ]
        return pb.GetBotOrdersResponse(orders=orders, has_older=has_older)

    def _named(self, bot_id: str) -> Bot:
        if not bot_id:
            raise invalid_field("bot_id", "''", "must name a bot")
        return one_bot(self._shell.core.bots, bot_id)

    async def equity_curve(self, request: pb.GetEquityCurveRequest) -> pb.GetEquityCurveResponse:
        """Return a page of the sampled equity."""
        bot, instrument = self._with_units(request.bot_id)
        since_ns, until_ns = _since(request.since_ns), request.until_ns or queries.MAX_TIME_NS
        if until_ns < since_ns:
            raise invalid_field("until_ns", request.until_ns, f"must be 0 (now) or at least since_ns, {since_ns}")
        if not 0 <= request.resolution_ms <= MAX_RESOLUTION_MS:
            raise invalid_field(
                "resolution_ms", request.resolution_ms, f"must lie between 0 (every sample) and {MAX_RESOLUTION_MS}"
            )
        page = partial(
            history.equity_page,
            bot_id=bot.id,
            since_ns=since_ns,
            until_ns=until_ns,
            step_ns=request.resolution_ms * 1_000_000,
            limit=_limit(request.limit, EQUITY_PAGE, MAX_EQUITY_PAGE),
            page_token=request.page_token,
        )
        history.read_token(request.page_token, parts=1)
        await self._shell.store.settle()
        samples, token = await self._shell.store.read(page)
        return pb.GetEquityCurveResponse(
            bot_id=bot.id,
            asset=instrument.settle_asset,
            points=[_point(sample) for sample in samples],
            next_page_token=token,
        )

    async def daily_pnl(self, request: pb.GetDailyPnlRequest) -> pb.GetDailyPnlResponse:
        """Return the profit by UTC day."""
        bot, instrument = self._with_units(request.bot_id)
        of = DaysOf(
            bot_id=bot.id,
            instrument=instrument,
            mark_price=bot.market.mark_price(instrument),
            started_ns=bot.started_ns,
            now_ns=self._shell.clock.now_ns(),
        )
        since_ns = _since(request.since_ns)
        await self._shell.store.settle()
        days, before = await self._shell.store.read(partial(daily, of=of, since_ns=since_ns))
        return pb.GetDailyPnlResponse(
            bot_id=bot.id,
            asset=instrument.settle_asset,
            days=[_day(day) for day in days],
            before=_day(before),
            history_complete=bot.history_complete,
        )

    async def fills(self, request: pb.GetLedgerFillsRequest) -> pb.GetLedgerFillsResponse:
        """Return a page of the fills the ledger booked."""
        bot, instrument = self._with_units(request.bot_id)
        span = queries.Span(
            (bot.symbol,),
            _since(request.since_ns),
            queries.MAX_TIME_NS,
            _limit(request.limit, queries.DEFAULT_LIMIT, queries.MAX_LIMIT),
            request.page_token,
        )
        await self._shell.store.settle()
        found, token = await self._shell.store.read(partial(queries.fills_page, span=span))
        return pb.GetLedgerFillsResponse(
            fills=[bot_fill(bot, booked) for booked in found],
            next_page_token=token,
            instrument=instrument_to_wire(instrument),
        )

    async def cash_flows(self, request: pb.GetLedgerCashFlowsRequest) -> pb.GetLedgerCashFlowsResponse:
        """Return a page of the funding and transfers the ledger booked."""
        page = partial(
            history.cash_flows_page,
            bot_id=one_bot(self._shell.core.bots, request.bot_id).id,
            since_ns=_since(request.since_ns),
            limit=_limit(request.limit, queries.DEFAULT_LIMIT, queries.MAX_LIMIT),
            page_token=request.page_token,
        )
        history.read_token(request.page_token, parts=2)
        await self._shell.store.settle()
        flows, token = await self._shell.store.read(page)
        return pb.GetLedgerCashFlowsResponse(
            cash_flows=[cash_flow_to_wire(flow) for flow in flows], next_page_token=token
        )

    async def backup(self, request: pb.BackupRequest) -> pb.BackupResponse:
        """Copy the state file while the engine goes on."""
        if not await self._shell.store.settle(FLUSH_S):
            raise InternalError(
                ErrorReason.INTERNAL,
                f"the disk takes no writes: nothing was copied within {FLUSH_S:g} s; free it first",
            )
        size = await asyncio.to_thread(_copy, self._shell.store.path, request.path)
        return pb.BackupResponse(path=request.path, size_bytes=size)

    def _with_units(self, bot_id: str) -> tuple[Bot, Instrument]:
        bot = one_bot(self._shell.core.bots, bot_id)
        if bot.instrument is None:
            raise UnavailableError(
                ErrorReason.NOT_CONNECTED,
                f"{bot.id} was not attached since the engine started, so the units of its amounts are not known; "
                "start the connector and try again",
            )
        return bot, bot.instrument


def _copy(source: Path, target: str) -> int:
    path = Path(target)
    if not target or not path.is_absolute():
        raise invalid_field("path", repr(target), "must be an absolute path on the engine's machine")
    if path.exists():
        raise invalid_field("path", repr(target), "exists already, and a backup never replaces a file")
    if not path.parent.is_dir():
        raise invalid_field("path", repr(target), f"needs the folder {path.parent}; create it or choose another")
    try:
        return back_up(source, path)
    except OSError as error:
        raise InternalError(
            ErrorReason.INTERNAL, f"the copy to {path} was not made ({error}); free the disk or choose another path"
        ) from None


def one_bot(bots: Mapping[str, Bot], bot_id: str) -> Bot:
    """Return a bot by id; without an id the only one. Raises NotFoundError or RequestError."""
    if not bot_id and len(bots) == 1:
        return next(iter(bots.values()))
    if not bot_id:
        raise invalid_field("bot_id", "''", f"must name one of {', '.join(bots)}")
    if bot_id not in bots:
        raise NotFoundError(ErrorReason.NOT_FOUND, f"no bot {bot_id!r}; known are {', '.join(bots)}")
    return bots[bot_id]


def _since(since_ns: int) -> int:
    if since_ns < 0:
        raise invalid_field("since_ns", since_ns, "must be a Unix time in ns, or 0 for the beginning")
    return since_ns


def _limit(limit: int, default: int, most: int) -> int:
    if not 0 <= limit <= most:
        raise invalid_field("limit", limit, f"must lie between 0 (= {default}) and {most}")
    return limit or default


def _point(sample: EquityRecord) -> pb.EquityPoint:
    change = sample.grid_profit
    for part in (sample.inventory, sample.fees, sample.funding, sample.transfers):
        change = EXACT.add(change, part)
    return pb.EquityPoint(
        time_ns=sample.time_ns,
        equity=decimal_message(sample.equity),
        equity_change=decimal_message(change),
        grid_profit=decimal_message(sample.grid_profit),
        inventory_pnl=decimal_message(sample.inventory),
        fees=decimal_message(sample.fees),
        funding=decimal_message(sample.funding),
        transfers=decimal_message(sample.transfers),
        unexplained=decimal_message(sample.unexplained),
        mark_price=decimal_message(sample.mark_price),
        position_lots=sample.position_lots,
    )


def _day(day: DayTotals) -> pb.DayPnl:
    date = dt.date(1970, 1, 1) + dt.timedelta(days=day.day)
    return pb.DayPnl(
        date=date.isoformat(),
        start_ns=day.day * DAY_NS,
        grid_profit=decimal_message(day.grid_profit),
        inventory_pnl=decimal_message(day.inventory),
        fees=decimal_message(day.fees),
        funding=decimal_message(day.funding),
        transfers=decimal_message(day.transfers),
        equity_change=decimal_message(day.equity_change),
        fills=day.fills,
        maker_fills=day.maker_fills,
        turnover=decimal_message(day.turnover),
        cycles=day.cycles,
        position_lots=day.position_lots,
        mark_price=decimal_message(day.mark_price),
        other_assets=[_amount(asset, amount) for asset, amount in sorted(day.other_assets.items())],
    )


def _amount(asset: str, amount: Decimal) -> pb.AssetAmount:
    return pb.AssetAmount(asset=asset, amount=decimal_message(amount))
