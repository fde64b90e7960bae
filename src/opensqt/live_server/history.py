"""What a page asks for beyond the stream: older candles, fills and entries, days and equity, why an order exists.

    GET /api/candles?symbol=...&interval=5m&before_ms=...&limit=...
    GET /api/bots/{id}/fills?before_ms=... | cursor=...     (cursor: `older` of the answer before)
    GET /api/bots/{id}/orders?before_ms=... | cursor=...    orders that are over and open ones, by last change
    GET /api/bots/{id}/why?order=...
    GET /api/bots/{id}/daily                                profit per UTC day
    GET /api/bots/{id}/equity?limit=...                     the equity curve, thinned to so many points
    GET /api/bots/{id}/journal?cursor=...&limit=...         newest page first

Answers are read from the connector or the engine at once; when it is away they are errors, never empty lists.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.domain.errors import OpensqtError
from opensqt.live_server import bot_items, grid_view, market_view, money_view
from opensqt.live_server.auth import Authenticator, WebRole
from opensqt.live_server.controls import RefusedError, refusal_of
from opensqt.live_server.replica import BotReplica, EngineReplica
from opensqt.proto.engine_pb2 import (
    ExplainRequest,
    GetBotFillsRequest,
    GetBotOrdersRequest,
    GetDailyPnlRequest,
    GetEquityCurveRequest,
    GetJournalRequest,
    ListGridVersionsRequest,
)
from opensqt.proto.exchange_pb2 import GetHistoricalKlinesRequest
from opensqt.runtime.grpc_client import call

if TYPE_CHECKING:  # names of the type stubs alone
    from opensqt.proto.engine_pb2_grpc import EngineServiceAsyncStub
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

QUERY_TIMEOUT_S: Final = 5.0
MAX_ROWS: Final = 1_000
DEFAULT_ROWS: Final = 200
MAX_TIME_MS: Final = 10**13
MAX_TIME_NS: Final = (1 << 63) - 1
MAX_POINTS: Final = 5_000
MAX_CURSOR_CHARACTERS: Final = 200
MIN_RESOLUTION_MS: Final = 1_000
INTERVALS: Final = frozenset({"1m", "5m", "15m", "1h"})

Json = dict[str, Any]


@final
class History:
    """Answer a page's questions.

    Args:
        connector, engine: whom to ask.
        replica: the bots that are known, with the units of their instruments.
        auth: tells who may read.
        clock: wall clock, for how old a bot is.
    """

    def __init__(
        self,
        connector: "ExchangeServiceAsyncStub",
        engine: "EngineServiceAsyncStub",
        replica: EngineReplica,
        auth: Authenticator,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._connector = connector
        self._engine = engine
        self._replica = replica
        self._auth = auth

    async def candles(self, request: Request) -> Response:
        """Answer `GET /api/candles`: the newest candles before a time, oldest first."""
        return await self._answer(request, self._candles)

    async def fills(self, request: Request) -> Response:
        """Answer `GET /api/bots/{id}/fills`: the newest fills before a time, oldest first."""
        return await self._answer(request, self._fills)

    async def orders(self, request: Request) -> Response:
        """Answer `GET /api/bots/{id}/orders`: the newest orders before a time, oldest first, ended ones too."""
        return await self._answer(request, self._orders)

    async def why(self, request: Request) -> Response:
        """Answer `GET /api/bots/{id}/why`: slot, rule, what the rule saw, what became of the order."""
        return await self._answer(request, self._why)

    async def daily(self, request: Request) -> Response:
        """Answer `GET /api/bots/{id}/daily`: profit per UTC day; with `before` they sum exactly."""
        return await self._answer(request, self._daily)

    async def equity(self, request: Request) -> Response:
        """Answer `GET /api/bots/{id}/equity`: points of the equity curve since the bot began, oldest first."""
        return await self._answer(request, self._equity)

    async def journal(self, request: Request) -> Response:
        """Answer `GET /api/bots/{id}/journal`: a page of stored entries, oldest first, the newest page first."""
        return await self._answer(request, self._journal)

    async def versions(self, request: Request) -> Response:
        """Answer `GET /api/bots/{id}/grid/versions`: settings the grid had, newest first."""
        return await self._answer(request, self._versions)

    async def _versions(self, request: Request) -> Json:
        asked = ListGridVersionsRequest(bot_id=self._bot(request).head.bot_id)
        answer = await call(self._engine.ListGridVersions, asked, timeout_s=QUERY_TIMEOUT_S)
        return {"versions": [grid_view.version(item) for item in answer.versions]}

    async def _daily(self, request: Request) -> Json:
        bot = self._bot(request)
        asked = GetDailyPnlRequest(bot_id=bot.head.bot_id)
        answer = await call(self._engine.GetDailyPnl, asked, timeout_s=QUERY_TIMEOUT_S)
        return {
            "asset": answer.asset,
            "days": [money_view.day(day) for day in answer.days],
            "before": money_view.day(answer.before),
            "history_complete": answer.history_complete,
        }

    async def _equity(self, request: Request) -> Json:
        bot = self._bot(request)
        limit = _number(request, "limit", MAX_ROWS, MAX_POINTS)
        age_ms = max(0, self._clock.now_ns() - bot.head.started_ns) // NS_PER_MS
        asked = GetEquityCurveRequest(
            bot_id=bot.head.bot_id,
            # As coarse as the age asks for, so that one page always reaches from the beginning to now.
            resolution_ms=max(MIN_RESOLUTION_MS, -(-age_ms // max(1, limit - 1))),
            limit=limit,
        )
        answer = await call(self._engine.GetEquityCurve, asked, timeout_s=QUERY_TIMEOUT_S)
        return {"asset": answer.asset, "points": [money_view.equity_point(point) for point in answer.points]}

    async def _journal(self, request: Request) -> Json:
        bot = self._bot(request)
        asked = GetJournalRequest(
            bot_id=bot.head.bot_id,
            limit=_number(request, "limit", DEFAULT_ROWS, MAX_ROWS),
            page_token=request.query_params.get("cursor", "")[:MAX_CURSOR_CHARACTERS],
            newest_first=True,
        )
        answer = await call(self._engine.GetJournal, asked, timeout_s=QUERY_TIMEOUT_S)
        entries = [bot_items.journal_entry(entry) for entry in reversed(answer.entries)]
        return {"entries": entries, "older": answer.next_page_token or None}

    async def _candles(self, request: Request) -> Json:
        interval = request.query_params.get("interval", "1m")
        if interval not in INTERVALS:
            raise RefusedError(400, "INVALID_FIELD", f"`interval` must be one of {', '.join(sorted(INTERVALS))}")
        answer = await call(
            self._connector.GetHistoricalKlines,
            GetHistoricalKlinesRequest(
                symbol=request.query_params.get("symbol", ""),
                interval=interval,
                limit=_number(request, "limit", DEFAULT_ROWS, MAX_ROWS),
                end_time=_number(request, "before_ms", 0, MAX_TIME_MS),
            ),
            timeout_s=QUERY_TIMEOUT_S,
        )
        return {"candles": [market_view.candle_row(candle) for candle in answer.candles]}

    async def _fills(self, request: Request) -> Json:
        bot = self._bot(request)
        before_ns, before_id = _before(request)
        answer = await call(
            self._engine.GetBotFills,
            GetBotFillsRequest(
                bot_id=bot.head.bot_id,
                before_time_ns=before_ns,
                before_trade_id=before_id,
                limit=_number(request, "limit", DEFAULT_ROWS, MAX_ROWS),
            ),
            timeout_s=QUERY_TIMEOUT_S,
        )
        older = None
        if answer.has_older:
            oldest = answer.fills[0].fill
            older = f"{oldest.venue_time_ns}:{oldest.trade_id}"
        return {"fills": [bot_items.fill(bot.scale, fill) for fill in answer.fills], "older": older}

    async def _orders(self, request: Request) -> Json:
        bot = self._bot(request)
        before_ns, before_id = _before(request)
        answer = await call(
            self._engine.GetBotOrders,
            GetBotOrdersRequest(
                bot_id=bot.head.bot_id,
                before_time_ns=before_ns,
                before_client_order_id=before_id,
                limit=_number(request, "limit", DEFAULT_ROWS, MAX_ROWS),
            ),
            timeout_s=QUERY_TIMEOUT_S,
        )
        older = None
        if answer.has_older:
            oldest = answer.orders[0].order
            older = f"{oldest.updated_time_ns}:{oldest.client_order_id}"
        return {"orders": [bot_items.order(bot.scale, order) for order in answer.orders], "older": older}

    async def _why(self, request: Request) -> Json:
        bot = self._bot(request)
        order_id = request.query_params.get("order", "")
        explanation = await call(
            self._engine.Explain, ExplainRequest(client_order_id=order_id), timeout_s=QUERY_TIMEOUT_S
        )
        return bot_items.explanation(bot.scale, explanation)

    def _bot(self, request: Request) -> BotReplica:
        bot_id = request.path_params["bot_id"]
        bot = self._replica.bots.get(bot_id)
        if bot is None:
            raise RefusedError(404, "NOT_FOUND", f"no bot {bot_id!r} is known here")
        return bot

    async def _answer(self, request: Request, ask: Callable[[Request], Awaitable[Json]]) -> Response:
        if self._auth.role(request.headers, request.cookies) < WebRole.READ:
            return RefusedError(401, "LOGIN_REQUIRED", "log in first").response()
        try:
            body = await ask(request)
        except RefusedError as refusal:
            return refusal.response()
        except OpensqtError as error:
            return refusal_of(error).response()
        return JSONResponse(body, headers={"cache-control": "no-store"})


def _before(request: Request) -> tuple[int, str]:
    """Return the time and id that rows must lie before; 0 = up to now."""
    cursor = request.query_params.get("cursor", "")
    if not cursor:
        return _number(request, "before_ms", 0, MAX_TIME_MS) * NS_PER_MS, ""
    time_text, colon, row_id = cursor.partition(":")
    if (
        not colon
        or not time_text.isdecimal()
        or len(cursor) > MAX_CURSOR_CHARACTERS
        or int(time_text[:20]) > MAX_TIME_NS
    ):
        raise RefusedError(400, "INVALID_FIELD", "`cursor` must be `older` of an earlier answer")
    return int(time_text), row_id


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 15 or int(text) > most:
        raise RefusedError(400, "INVALID_FIELD", f"`{name}` must be a whole number of at most {most}")
    return int(text)
