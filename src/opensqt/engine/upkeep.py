"""What has to be looked after between decisions: feeds, silence, positions, the account, remnants, old cool-downs."""

from typing import TYPE_CHECKING

from opensqt.domain.account import Position
from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.instrument import Instrument
from opensqt.domain.ledger import Ledger
from opensqt.domain.market import BookValidity, DeadManState, FeedHealth
from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState
from opensqt.engine import answers, starting
from opensqt.engine.account import AccountBook
from opensqt.engine.bot import Bot
from opensqt.engine.commands import BaselineRecord, Reattach
from opensqt.engine.events import StoreHealth
from opensqt.engine.outbox import Kind
from opensqt.engine.risk.reasons import Code

if TYPE_CHECKING:
    from opensqt.engine.core import EngineCore

_IN_FLIGHT = (OrderState.PENDING_NEW, OrderState.PENDING_AMEND, OrderState.PENDING_CANCEL)

POSITION_DOUBT_NS = NS_PER_S // 2
"""How long fills and position may differ before the venue is read: each is told by a message of its own."""

POSITION_PATIENCE_NS = 3 * NS_PER_S
"""How long they may differ before that is an alarm."""


def judge_book(bot: Bot, now_ns: int) -> None:
    """Let trading depend on the book's validity."""
    market = bot.market
    bot.gate.set(Code.BOOK_NOT_VALID, not market.valid, market.invalid_reason, now_ns)


def judge_feed(bot: Bot, feed: FeedHealth, now_ns: int) -> None:
    """Let trading depend on what the connector says of its streams.

    Of the account's stream every message tells, also those about one symbol: a snapshot has no others.
    """
    bot.gate.set(
        Code.PRIVATE_STREAM_DOWN, not feed.private_stream_up, feed.reason or "the account's stream is down", now_ns
    )
    if feed.symbol:
        # The book's own stream says when it is valid again; this is the connector's word on what feeds it.
        if bot.dead_man is not feed.dead_man:
            bot.dead_man = feed.dead_man
            bot.unsaid.state = True
        bad = not feed.market_stream_up or feed.book is not BookValidity.VALID
        bot.gate.set(Code.MARKET_STREAM_DOWN, bad, feed.reason or f"the feed is {feed.book.name}", now_ns)


def lose_session(bot: Bot, reason: str, now_ns: int) -> None:
    """Nothing can be sent or heard: what was in flight is unknown until the next session proves it."""
    bot.attached = False
    bot.dead_man = DeadManState.UNSPECIFIED
    bot.gate.add(Code.CONNECTOR_DOWN, reason, now_ns)
    for code in (Code.MARKET_STREAM_DOWN, Code.PRIVATE_STREAM_DOWN, Code.RECOVERING):
        bot.gate.lift(code)
    for order in list(bot.orders.open.values()):
        if order.state in _IN_FLIGHT:
            answers.make_unknown(bot, order, f"the session ended: {reason}", now_ns)
    bot.proving.clear()
    bot.unsaid.prices = True


def distrust_everything(bot: Bot, gap_ns: int, now_ns: int) -> None:
    """After a stall every stream is stale first: nothing is priced or believed until all were begun anew."""
    message = f"nothing ran for {gap_ns // NS_PER_MS} ms: every stream is taken for stale and begun anew"
    bot.gate.add(Code.LOOP_STALLED, message, now_ns)
    bot.journal("alarm", Code.LOOP_STALLED.value, message, now_ns)
    bot.market.distrust(message)
    bot.watch.jumps.forget_reference()
    bot.watch.clock.forget()
    judge_book(bot, now_ns)
    bot.unsaid.prices = True


def give_up_commands(core: "EngineCore", now_ns: int) -> None:
    """Commands without an answer for too long have an unknown outcome: ask, never send again."""
    shortest = min(bot.config.risk.command_timeout_ms for bot in core.bots.values()) * 1_000_000
    for command_id in core.outbox.overdue(now_ns - shortest):
        command = core.outbox.answered(command_id)
        bot = core.by_symbol.get(command.symbol) if command is not None else None
        order = bot.orders.by_id.get(command.client_order_id) if bot is not None and command is not None else None
        if command is None or bot is None or order is None:
            continue
        if command.kind is Kind.QUERY:
            order.query_at_ns = now_ns
        else:
            answers.make_unknown(bot, order, f"no answer to the {command.kind.value}", now_ns)
            if command.kind is Kind.CANCEL:
                answers.cancel_lost(bot, order, now_ns)


def tick(bot: Bot, now_ns: int) -> None:
    """Look after one bot, a few times per second."""
    for code in bot.gate.expire(now_ns):
        bot.journal("info", code.value, "is over", now_ns)
    bot.slots.drop_expired(now_ns)
    if not bot.attached:
        return
    starting.check_leverage(bot, now_ns)
    answers.ask_unknown(bot, now_ns)
    if answers.fills_are_overdue(bot, now_ns):
        bot.outbox.send(Reattach("an order was filled and its fills did not come"))
    judge_position(bot, now_ns)
    merge_remnants(bot, now_ns)


def judge_position(bot: Bot, now_ns: int) -> None:
    """Doubt a position that disagrees for long: first fetch everything again, then stop opening and call for help."""
    if not bot.start_checked:
        return
    ours, theirs = bot.ledger.position_lots, bot.position.lots
    if ours == theirs:
        bot.position_differs_since_ns = 0
        if bot.gate.lift(Code.POSITION_MISMATCH):
            bot.journal("info", Code.POSITION_MISMATCH.value, "the venue agrees again", now_ns)
        return
    if bot.position_differs_since_ns == 0:
        bot.position_differs_since_ns = now_ns
    differs_ns = now_ns - bot.position_differs_since_ns
    if POSITION_DOUBT_NS <= differs_ns < POSITION_PATIENCE_NS:
        bot.reconciler.soon(now_ns)
    if differs_ns < POSITION_PATIENCE_NS or not bot.attached:
        return
    message = f"the venue reports {theirs} lots, our fills make {ours}; compare the venue's trades, then resume"
    if bot.gate.add(Code.POSITION_MISMATCH, message, now_ns):
        bot.journal("alarm", Code.POSITION_MISMATCH.value, message, now_ns)
        bot.outbox.send(Reattach(f"position of {bot.symbol} disagrees"))


def judge_store(bot: Bot, health: StoreHealth, now_ns: int) -> None:
    """Let trading depend on whether it becomes durable: first open nothing, then take everything off the market."""
    for code, holds in ((Code.STORE_STALLED, not health.healthy), (Code.STORE_LOST, health.lost)):
        if bot.gate.set(code, holds, f"state is not being saved: {health.detail}", now_ns):
            bot.journal("alarm" if holds else "info", code.value, health.detail or "state is saved again", now_ns)


def merge_remnants(bot: Bot, now_ns: int) -> bool:
    """Move lots too small to be sold alone into a neighbouring slot; returns whether there were any."""
    grid = bot.grid
    if grid is None:
        return False
    busy = {order.slot for order in bot.orders.open.values()}
    odd = bot.slots.merge_odd_lots(busy)
    for source, target in odd:
        bot.journal("info", "REMNANT_MERGED", f"what slot {source} held beyond whole lots joined {target}", now_ns)
    if len(bot.slots.holdings) < 2:
        return bool(odd)
    levels = {
        slot: grid.price_of(slot, Side.SELL) for slot, _lots in bot.slots.holdings.items() if grid.has_level(slot)
    }
    if len(levels) < len(bot.slots.holdings):
        return bool(odd)
    moved = bot.slots.merge_remnants(grid.instrument, levels, busy)
    for source, target in moved:
        bot.journal("info", "REMNANT_MERGED", f"slot {source} was too small to sell alone and joined {target}", now_ns)
    return bool(odd or moved)


def account_parts(core: "EngineCore", book: AccountBook) -> list[tuple[Instrument, Position, Ledger]]:
    """Return instrument, venue position and ledger of every bot that settles in the account's asset."""
    return [
        (bot.instrument, bot.position, bot.ledger)
        for bot in core.bots.values()
        if bot.instrument is not None and bot.account_book is book
    ]


def compare_account(core: "EngineCore", book: AccountBook) -> None:
    """Begin or continue to compare the venue's cash with the ledgers."""
    members = [bot for bot in core.bots.values() if bot.account_book is book]
    if not members or book.account is None:
        return
    parts = account_parts(core, book)
    ids = ",".join(sorted(bot.id for bot in members))
    if book.baseline_cash is None:
        stored = core.baselines.get(book.asset)
        if stored is not None and stored[0] == ids:
            book.baseline_cash = stored[1]
        elif any(bot.start_checked for bot in members) and _is_quiet(book, members):
            book.begin(parts)
            if book.baseline_cash is not None:
                core.outbox.record(BaselineRecord(book.asset, ids, book.baseline_cash))
    if _is_quiet(book, members) and book.compare(parts):
        for bot in members:
            bot.unsaid.money = True


def _is_quiet(book: AccountBook, members: list[Bot]) -> bool:
    """Return whether the account's last report is not older than the last thing the ledgers booked."""
    account = book.account
    if account is None or account.venue_time_ns == 0:
        return account is not None
    return all(account.venue_time_ns >= bot.last_booked_ns for bot in members)
