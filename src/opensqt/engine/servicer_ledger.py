"""`CheckLedger`: our ledgers against the venue's wallet, fills and cash flows, asked for anew.

The wallet is read in a quiet moment: the venue is asked for balance and positions, and the answer counts only when our
ledgers booked nothing meanwhile and hold the same positions. Entries count as different only when two reads agree.
"""

import asyncio
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, final

import msgspec

from opensqt.domain.convert_trade import cash_flow_from_wire, decimal_message, fill_from_wire, read_decimal
from opensqt.domain.errors import ErrorReason, InternalError, UnavailableError, invalid_field
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT
from opensqt.engine.account import AccountBook, entry_rounding
from opensqt.engine.bot import Bot
from opensqt.engine.ledger_check import ZERO, Books, Difference, compare_books, persistent
from opensqt.engine.shell import EngineShell
from opensqt.engine.store import queries
from opensqt.engine.units import UnknownRevisionError
from opensqt.proto import engine_pb2 as pb
from opensqt.proto import exchange_pb2
from opensqt.runtime.grpc_client import call

if TYPE_CHECKING:
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

QUERY_S = 5.0
FLUSH_S = 5.0
PAGE = 1_000
MAX_PAGES = 100
MAX_ENTRIES = PAGE * MAX_PAGES
MAX_TOLD = 1_000
QUIET_TRIES = 20
QUIET_WAIT_S = 0.25
SECOND_READ_S = 1.0


class _Read(msgspec.Struct):
    """What one comparison of a bot's books found."""

    differences: list[Difference]
    fills: int
    flows: int
    notes: list[str]
    since_ns: int


@final
class LedgerServicer:
    """Compares ledgers with the venue."""

    def __init__(self, shell: EngineShell) -> None:
        self._shell = shell
        self._one_at_a_time = asyncio.Lock()

    async def check(self, bots: list[Bot], since_ns: int) -> pb.CheckLedgerResponse:
        """Compare; raises UnavailableError when the venue cannot be asked."""
        if since_ns < 0:
            raise invalid_field("since_ns", since_ns, "must be a Unix time in ns, or 0 for the beginning")
        async with self._one_at_a_time:
            response = pb.CheckLedgerResponse()
            found: list[tuple[Bot, Difference]] = []
            for bot in bots:
                if bot.instrument is None:
                    response.notes.append(f"{bot.id}: not compared, its instrument is not known")
                    continue
                read = await self._read_twice(bot, bot.instrument, since_ns)
                found.extend((bot, one) for one in read.differences)
                response.fills_compared += read.fills
                response.cash_flows_compared += read.flows
                response.notes.extend(f"{bot.id}: {note}" for note in read.notes)
                since = response.compared_since_ns
                response.compared_since_ns = min(since, read.since_ns) if since else read.since_ns
            response.differences.extend(_told(bot, one) for bot, one in found[:MAX_TOLD])
            response.differences_total = len(found)
            for asset in sorted({bot.account_book.asset for bot in bots if bot.account_book is not None}):
                response.accounts.append(await self._account(self._shell.core.accounts[asset], found))
        response.ok = not found and all(one.compared and one.difference.value == "0" for one in response.accounts)
        return response

    # ---- entries ----

    async def _read_twice(self, bot: Bot, instrument: Instrument, since_ns: int) -> _Read:
        first = await self._read(bot, instrument, since_ns)
        if not first.differences:
            return first
        await asyncio.sleep(SECOND_READ_S)
        second = await self._read(bot, instrument, since_ns)
        second.differences = persistent(first.differences, second.differences)
        return second

    async def _read(self, bot: Bot, instrument: Instrument, since_ns: int) -> _Read:
        store = self._shell.store
        if not await store.settle(FLUSH_S):
            raise InternalError(
                ErrorReason.INTERNAL, f"the disk did not take what was booked within {FLUSH_S:g} s: nothing to compare"
            )
        ours, since_ns = await store.read(
            partial(queries.books_since, bot_id=bot.id, symbol=bot.symbol, since_ns=since_ns, limit=MAX_ENTRIES)
        )
        notes: list[str] = []
        if len(ours.fills) == MAX_ENTRIES:
            notes.append(f"only the newest {MAX_ENTRIES} fills were compared")
        complete_ns = bot.complete_since_ns or bot.started_ns
        oldest_ns = min((fill.venue_time_ns for fill in ours.fills), default=complete_ns)
        from_ns = since_ns or min(oldest_ns, complete_ns)
        theirs = Books(fills=await self._fills(bot, from_ns, notes), flows=await self._flows(bot, from_ns, notes))
        ours = _still_reported(ours, theirs, notes)
        theirs = _owed(ours, theirs, max(since_ns, complete_ns))
        return _Read(compare_books(ours, theirs, instrument), len(ours.fills), len(ours.flows), notes, from_ns)

    async def _fills(self, bot: Bot, since_ns: int, notes: list[str]) -> tuple[Fill, ...]:
        found: list[Fill] = []
        token = ""
        for _page in range(MAX_PAGES):
            request = exchange_pb2.GetFillsRequest(
                symbol=bot.symbol, since_time_ns=since_ns, limit=PAGE, page_token=token
            )
            page = await call(self._stub.GetFills, request, timeout_s=QUERY_S)
            found.extend(_counted(bot, fill_from_wire(item)) for item in page.fills)
            token = page.next_page_token
            if not token:
                return tuple(found)
        notes.append(f"the venue has more than {MAX_ENTRIES} fills in this span; give a later time to compare the rest")
        return tuple(found)

    async def _flows(self, bot: Bot, since_ns: int, notes: list[str]) -> tuple[CashFlow, ...]:
        """Return funding of the symbol, and the account's own flows for the bot that books those."""
        found: list[CashFlow] = []
        token = ""
        for _page in range(MAX_PAGES):
            request = exchange_pb2.GetCashFlowsRequest(since_time_ns=since_ns, limit=PAGE, page_token=token)
            page = await call(self._stub.GetCashFlows, request, timeout_s=QUERY_S)
            flows = [cash_flow_from_wire(item) for item in page.cash_flows]
            found.extend(flow for flow in flows if self._shell.core.books_flows_of(flow) is bot)
            token = page.next_page_token
            if not token:
                return tuple(found)
        notes.append(f"the venue has more than {MAX_ENTRIES} cash flows in this span; give a later time")
        return tuple(found)

    # ---- the wallet ----

    async def _account(self, book: AccountBook, found: list[tuple[Bot, Difference]]) -> pb.LedgerAccount:
        members = [bot for bot in self._shell.core.bots.values() if bot.account_book is book]
        told = pb.LedgerAccount(asset=book.asset, bot_ids=[bot.id for bot in members])
        if book.baseline_cash is None:
            told.message = "no baseline yet: it is taken when the first bot passes its start checks"
            return told
        wallet = cash = ledger = difference = ZERO
        for _read in range(2):
            read = await self._quiet_cash(book, members)
            if read is None:
                told.message = "no quiet moment was found: fills kept coming while the wallet was asked for; try again"
                return told
            wallet, cash = read
            ledger = book.baseline_cash
            for bot in members:
                assert bot.instrument is not None, "a bot without an instrument has no account"
                ledger = EXACT.add(ledger, bot.ledger.cash_change(bot.instrument))
            difference = EXACT.subtract(cash, ledger)
            if abs(difference) <= _rounding(members):
                difference = ZERO
                break
            await asyncio.sleep(SECOND_READ_S)  # what we have not heard of yet is no difference
        named = ZERO
        for bot, one in found:
            if bot in members:
                named = EXACT.add(named, one.cash)
        told.compared = True
        told.wallet.CopyFrom(decimal_message(wallet))
        told.venue_cash.CopyFrom(decimal_message(cash))
        told.ledger_cash.CopyFrom(decimal_message(ledger))
        told.difference.CopyFrom(decimal_message(difference))
        told.named.CopyFrom(decimal_message(named))
        told.unexplained.CopyFrom(decimal_message(EXACT.subtract(difference, named)))
        return told

    async def _quiet_cash(self, book: AccountBook, members: list[Bot]) -> tuple[Decimal, Decimal] | None:
        """Return the venue's wallet and cash, read while nothing was booked; None when there was no such moment.

        Both figures are the venue's and must be of one moment: the same wallet before and after the positions were
        read. Positions that are not what our fills make them may be a fill that is still on its way, so they count only
        when they stay so.
        """
        stable: tuple[Decimal, Decimal] | None = None
        for _try in range(QUIET_TRIES):
            booked = [_bookings(bot) for bot in members]
            before = await self._wallet(book.asset)
            cash, agrees = before, True
            for bot in members:
                size, entry = await self._position(bot)
                cash = EXACT.subtract(cash, EXACT.multiply(size, entry))
                agrees = (
                    agrees
                    and bot.instrument is not None
                    and size == bot.instrument.lots_to_quantity(bot.ledger.position_lots)
                )
            if before == await self._wallet(book.asset) and booked == [_bookings(bot) for bot in members]:
                stable = before, cash
                if agrees:
                    return stable
            await asyncio.sleep(QUIET_WAIT_S)
        return stable

    async def _wallet(self, asset: str) -> Decimal:
        answer = await call(self._stub.GetBalance, exchange_pb2.GetBalanceRequest(asset=asset), timeout_s=QUERY_S)
        return read_decimal(answer.balance, "balance")

    async def _position(self, bot: Bot) -> tuple[Decimal, Decimal]:
        """Return the signed size and the entry price of the venue's position."""
        request = exchange_pb2.GetPositionsRequest(symbol=bot.symbol)
        answer = await call(self._stub.GetPositions, request, timeout_s=QUERY_S)
        for item in answer.positions:
            if item.symbol == bot.symbol and item.size.value not in ("", "0"):
                return read_decimal(item.size, "size"), read_decimal(item.entry_price, "entry_price")
        return ZERO, ZERO

    @property
    def _stub(self) -> "ExchangeServiceAsyncStub":
        client = self._shell.client
        if client is None or not self._shell.core.attached:
            raise UnavailableError(
                ErrorReason.NOT_CONNECTED, "the connector is down: nothing can be compared; start it and try again"
            )
        return client.stub


def _counted(bot: Bot, fill: Fill) -> Fill:
    """Return a fill in the bot's units."""
    try:
        return fill if bot.units is None else bot.units.fill(fill)
    except UnknownRevisionError as error:
        raise InternalError(ErrorReason.INTERNAL, f"trade {fill.trade_id} cannot be compared: {error}") from None


def _still_reported(ours: Books, theirs: Books, notes: list[str]) -> Books:
    """Leave out what is older than anything the venue still reports: venues forget."""
    oldest_ns = min((fill.venue_time_ns for fill in theirs.fills), default=0)
    kept = tuple(fill for fill in ours.fills if fill.venue_time_ns >= oldest_ns)
    if len(kept) < len(ours.fills):
        notes.append(f"{len(ours.fills) - len(kept)} fills are older than what the venue still reports")
    return Books(fills=kept, flows=ours.flows)


def _owed(ours: Books, theirs: Books, complete_ns: int) -> Books:
    """Leave out what happened before our ledger began, unless the ledger has it."""
    fill_ids = {fill.trade_id for fill in ours.fills}
    flow_ids = {flow.id for flow in ours.flows}
    return Books(
        fills=tuple(one for one in theirs.fills if one.venue_time_ns >= complete_ns or one.trade_id in fill_ids),
        flows=tuple(one for one in theirs.flows if one.venue_time_ns >= complete_ns or one.id in flow_ids),
    )


def _bookings(bot: Bot) -> tuple[int, int]:
    return bot.ledger.totals.fills, bot.last_booked_ns


def _rounding(members: list[Bot]) -> Decimal:
    """Return how much of the difference the venue's rounding of entry prices can be."""
    return sum(
        (entry_rounding(bot.instrument, bot.position) for bot in members if bot.instrument is not None), start=ZERO
    )


def _told(bot: Bot, one: Difference) -> pb.LedgerDifference:
    return pb.LedgerDifference(
        bot_id=bot.id,
        kind=one.kind,
        what=one.what,
        id=one.id,
        symbol=one.symbol,
        asset=one.asset,
        cash=decimal_message(one.cash),
        venue_time_ns=one.venue_time_ns,
        message=one.message,
    )
