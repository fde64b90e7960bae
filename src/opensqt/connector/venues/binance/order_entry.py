"""Orders to the venue: over the WebSocket API when it stands, over REST otherwise; each intent takes one way, once.

The way is chosen when the command is sent. What is lost on it has an unknown outcome; it is never tried on the other.
Over REST several placements travel as one batch, several cancels as another.

What an answer leaves open is asked for at once and pushed like any other evidence: how an order ended that the venue
does not know any more, which order holds a client id that was refused as a duplicate, what became of a cancel or an
amendment whose reply was lost (an unknown placement is the gateway's to settle).
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from itertools import groupby
from typing import Any, Final, final

import structlog

from opensqt.connector.adapter import AdapterSink
from opensqt.connector.commands import Amend, Cancel, CancelAll, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.connector.rate_budget import Lane
from opensqt.connector.venues.binance import requests_account as ask_account
from opensqt.connector.venues.binance import requests_orders as ask
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.account_queries import BinanceAccountQueries
from opensqt.connector.venues.binance.api_client import Answer, ApiClient
from opensqt.connector.venues.binance.error_codes import Action, Executed
from opensqt.connector.venues.binance.errors import Failure, lost_failure
from opensqt.connector.venues.binance.parse_orders import OrderReport, order_report, parse_batch, parse_order
from opensqt.connector.venues.binance.parse_settings import SymbolConfig, parse_ack, parse_leverage
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.requests import Request
from opensqt.domain.account import Position
from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.domain.errors import ErrorReason, NotFoundError, OpensqtError
from opensqt.domain.order import Order
from opensqt.runtime.crash_points import crash_point

ASK_AFTER_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0)

Result = OrderReport | Failure | None
"""An order, a failure, or neither: done, and the orders concerned tell by themselves."""

_SENDING = crash_point("binance.sending", "an order request is built and not written to the venue")
_SENT = crash_point("binance.sent", "an order request was written to the venue, its answer has not come")
_ANSWERED = crash_point("binance.answered", "the venue's answer was read, nobody was told")

_log = structlog.get_logger(__name__)


@final
class BinanceOrderEntry:
    """The account's order entry.

    Args:
        queries, account, book: to build requests, to ask, to merge.
        api: the WebSocket API; None = REST alone.
        sink: takes outcomes.
        clock: for the times of a report.
        on_trouble: told what a refusal asks for: the clock, or the symbol's rules.
    """

    def __init__(
        self,
        queries: BinanceQueries,
        account: BinanceAccountQueries,
        book: AccountBook,
        api: ApiClient | None,
        sink: AdapterSink,
        clock: Clock,
        style: ask.OrderStyle,
        on_trouble: Callable[[Action, str], None],
    ) -> None:
        self._q = queries
        self._account = account
        self._book = book
        self._api = api
        self._sink = sink
        self._clock = clock
        self._style = style
        self._on_trouble = on_trouble
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, commands: Sequence[VenueCommand]) -> None:
        """Send commands in order."""
        use_api = self._api is not None and self._api.is_up
        by_rest: list[tuple[VenueCommand, Request]] = []
        for command in commands:
            try:
                request = self._request(command)
            except OpensqtError as error:
                self._refuse(command, error)
                continue
            if not (use_api and request.api_method and self._send(command, request)):
                by_rest.append((command, request))
        for chunk in _chunks(by_rest):
            self._spawn(self._send_by_rest(chunk))

    async def set_leverage(self, symbol: str, leverage: int) -> Position:
        """Set a symbol's leverage."""
        name = self._q.listing(symbol).instrument.venue_symbol
        _, now = await self._q.ask(ask_account.set_leverage(name, leverage), "set leverage", parse_leverage)
        config = self._q.configs.get(name)
        self._q.configs[name] = SymbolConfig(name, now, config.is_isolated if config else False)
        (position,) = await self._account.positions(symbol)
        return position

    def close(self) -> None:
        """Stop asking."""
        for task in self._tasks:
            task.cancel()

    # ---- out

    def _request(self, command: VenueCommand) -> Request:
        if isinstance(command, Place):
            return ask.place(command.request, self._q.listing(command.request.symbol), self._style)
        listing = self._q.listing(command.symbol)
        name = listing.instrument.venue_symbol
        if isinstance(command, CancelAll):
            return ask.cancel_all(name)
        ref = ask.OrderRef(command.client_order_id, command.exchange_order_id)
        if isinstance(command, Cancel):
            return ask.cancel(name, ref)
        return ask.amend(
            ask.Amendment(
                listing=listing,
                ref=ref,
                side=command.side,
                price_ticks=command.price_ticks,
                total_lots=command.total_lots,
                instrument_revision=command.instrument_revision,
            )
        )

    def _send(self, command: VenueCommand, request: Request) -> bool:
        assert self._api is not None, "asked for before"
        # Answers come in a later turn of the loop, so the time after sending is known by then.
        _SENDING()
        is_sent = self._api.send(request, lambda answer: self._on_answer(command, sent_ns, answer))
        _SENT()
        sent_ns = self._clock.now_ns()
        return is_sent

    async def _send_by_rest(self, chunk: list[tuple[VenueCommand, Request]]) -> None:
        sent_ns = self._clock.now_ns()
        commands = [command for command, _request in chunk]
        request = chunk[0][1] if len(chunk) == 1 else self._batch(commands)
        _SENDING()
        found = await self._q.rest.send(request)
        results: list[Result]
        try:
            if isinstance(found, Failure):
                results = [found] * len(chunk)
            elif isinstance(commands[0], CancelAll):
                parse_ack(found, "cancel all")
                results = [None]
            elif len(chunk) == 1:
                results = [parse_order(found, self._q.listings)]
            else:
                now_ms = self._clock.now_ns() // NS_PER_MS
                results = list(parse_batch(found, self._q.listings, now_ms=now_ms))
        except PayloadError as error:
            results = [lost_failure(str(error), changes_state=True)] * len(chunk)
        missing = lost_failure("the reply to the batch did not name it", changes_state=True)
        for index, command in enumerate(commands):
            self._done(command, sent_ns, results[index] if index < len(results) else missing)

    def _batch(self, commands: list[VenueCommand]) -> Request:
        if isinstance(commands[0], Place):
            orders = [command.request for command in commands if isinstance(command, Place)]
            return ask.place_batch([(order, self._q.listing(order.symbol)) for order in orders], self._style)
        cancels = [command for command in commands if isinstance(command, Cancel)]
        refs = [ask.OrderRef(command.client_order_id, command.exchange_order_id) for command in cancels]
        return ask.cancel_batch(self._q.listing(cancels[0].symbol).instrument.venue_symbol, refs)

    # ---- answers

    def _on_answer(self, command: VenueCommand, sent_ns: int, answer: Answer) -> None:
        result: Result
        if isinstance(answer, Failure):
            result = answer
        else:
            result = answer.failure(changes_state=True, now_ms=self._clock.now_ns() // NS_PER_MS)
            if result is None:
                try:
                    result = order_report(answer.result, self._q.listings)
                except PayloadError as error:
                    result = lost_failure(str(error), changes_state=True)
        self._done(command, sent_ns, result)

    def _done(self, command: VenueCommand, sent_ns: int, result: Result) -> None:
        _ANSWERED()
        if isinstance(result, Failure):
            self._failed(command, sent_ns, result)
            return
        order = None if result is None else self._book.orders.report(result.order)
        if order is not None and order.filled_lots and not order.filled_ticks_lots:
            # The reply overtook the fills and does not say at what price they were.
            self._spawn(self._confirm_filled(command, sent_ns, order))
        else:
            self._report(command, Outcome.CONFIRMED, sent_ns, order=order)

    async def _confirm_filled(self, command: VenueCommand, sent_ns: int, order: Order) -> None:
        try:
            order = await self._account.order(order.symbol, order.client_order_id, order.exchange_order_id)
        except OpensqtError as error:
            _log.warning("fill_price_not_known_yet", client_order_id=order.client_order_id, why=str(error))
        self._report(command, Outcome.CONFIRMED, sent_ns, order=order)

    def _failed(self, command: VenueCommand, sent_ns: int, failure: Failure) -> None:
        self._on_trouble(failure.action, failure.message)
        if failure.executed is Executed.ALREADY_SO:
            self._report(command, Outcome.CONFIRMED, sent_ns)
        elif failure.executed is Executed.UNKNOWN:
            self._report(command, Outcome.UNKNOWN, sent_ns, failure=failure)
            if isinstance(command, Amend | Cancel):
                self._spawn(self._learn(command.symbol, command.client_order_id, command.exchange_order_id))
        elif failure.reason in (ErrorReason.UNKNOWN_ORDER, ErrorReason.DUPLICATE_CLIENT_ID):
            self._spawn(self._refuse_with_order(command, sent_ns, failure))
        else:
            self._report(command, Outcome.REJECTED, sent_ns, failure=failure)

    async def _refuse_with_order(self, command: VenueCommand, sent_ns: int, failure: Failure) -> None:
        order = None
        try:
            if isinstance(command, Place):
                order = await self._account.order(command.request.symbol, command.request.client_order_id, "")
            elif not isinstance(command, CancelAll):
                order = await self._account.order(command.symbol, command.client_order_id, command.exchange_order_id)
        except OpensqtError as error:
            _log.info("order_not_found", why=str(error))
        self._report(command, Outcome.REJECTED, sent_ns, failure=failure, order=order)

    async def _learn(self, symbol: str, client_order_id: str, exchange_order_id: str) -> None:
        for pause_s in ASK_AFTER_S:
            await asyncio.sleep(pause_s)
            try:
                self._book.on_order(await self._account.order(symbol, client_order_id, exchange_order_id))
            except NotFoundError:
                return
            except OpensqtError as error:
                _log.warning("order_query_failed", client_order_id=client_order_id, why=str(error))
            else:
                return

    def _refuse(self, command: VenueCommand, error: OpensqtError) -> None:
        report = OutcomeReport(
            token=command.token, outcome=Outcome.REJECTED, reason=error.reason, message=error.message
        )
        # The outcome is pushed later, never from inside the call that sends.
        asyncio.get_running_loop().call_soon(self._sink.on_outcome, report)

    def _report(
        self,
        command: VenueCommand,
        outcome: Outcome,
        sent_ns: int,
        *,
        failure: Failure | None = None,
        order: Order | None = None,
    ) -> None:
        message = "" if failure is None else failure.error(_WORDS[type(command)]).message
        self._sink.on_outcome(
            OutcomeReport(
                token=command.token,
                outcome=outcome,
                reason=None if failure is None else failure.reason,
                message=message,
                order=order,
                retry_after_ms=0 if failure is None else failure.retry_after_ms or 0,
                sent_ns=sent_ns,
                acknowledged_ns=self._clock.now_ns(),
            )
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_WORDS: Final = {Place: "place order", Amend: "amend order", Cancel: "cancel order", CancelAll: "cancel all orders"}
_BATCHED: Final = {Place: ask.MAX_BATCH_PLACE, Cancel: ask.MAX_BATCH_CANCEL}


def _chunks(items: list[tuple[VenueCommand, Request]]) -> list[list[tuple[VenueCommand, Request]]]:
    """Cut into what travels together: placements by five, cancels of one symbol and one kind of name by ten."""

    def kind(item: tuple[VenueCommand, Request]) -> tuple[Any, ...]:
        command, request = item
        if isinstance(command, Cancel):
            return Cancel, command.symbol, bool(command.client_order_id)
        return (Place,) if isinstance(command, Place) and request.lane is Lane.NEW else (type(command), id(command))

    chunks = []
    for _kind, members in groupby(items, kind):
        group = list(members)
        size = _BATCHED.get(type(group[0][0]), 1)
        chunks += [group[start : start + size] for start in range(0, len(group), size)]
    return chunks
