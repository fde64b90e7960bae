"""Carrying out what reconciliation and escalation decide for one bot; each correction is an event with its evidence.

Corrections go the ways that exist: an order in doubt is proven by query, a strange one of ours is adopted, missing
fills and positions are fetched by attaching anew. Nothing here ends an order or books a trade by itself.
"""

from collections.abc import Callable

from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState
from opensqt.engine import answers, recovery, upkeep
from opensqt.engine.bot import Bot
from opensqt.engine.commands import Ask, AskKind, Reattach
from opensqt.engine.escalation import Doubt, Step
from opensqt.engine.events import VenueRead
from opensqt.engine.reconcile import Finding, Local, LocalOrder, Read, VenueOrder, What
from opensqt.engine.risk.reasons import Code

_RESTING = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)
FAILURES_WORTH_A_WORD = 3


def tick(bot: Bot, now_ns: int) -> None:
    """Ask for a read when one is due, and see to the orders whose fate nobody tells."""
    _escalate(bot, now_ns)
    if bot.orders.illegal_transitions != bot.transitions_seen:
        bot.transitions_seen = bot.orders.illegal_transitions
        bot.reconciler.soon(now_ns)
    if bot.start_checked and bot.reconciler.is_due(now_ns) and bot.reconciler.ask(local_of(bot), now_ns):
        bot.outbox.ask(Ask(AskKind.READ, bot.symbol))


def local_of(bot: Bot) -> Local:
    """Return what we believe of the bot's symbol."""
    return Local(
        orders={
            client_id: LocalOrder(
                rests=order.state in _RESTING,
                is_over=order.state.is_terminal,
                filled_lots=max(order.venue_filled_lots, order.booked_lots),
                updated_ns=order.updated_ns,
                sent_ns=order.sent_ns,
            )
            for client_id, order in bot.orders.by_id.items()
        },
        foreign=frozenset(bot.orders.foreign),
        position_lots=bot.ledger.position_lots,
        position_ns=bot.position.venue_time_ns,
        bookings=bot.ledger.totals.fills,
        booked_until_ns=bot.last_booked_ns,
    )


def take_read(bot: Bot, event: VenueRead, now_ns: int) -> None:
    """Take the venue's answer."""
    if not bot.attached:
        return
    reconciler = bot.reconciler
    stale = reconciler.stale_reads
    confirmed = reconciler.judge(_read_of(bot, event), local_of(bot), now_ns)
    bot.unsaid.reconcile = True
    if event.error:
        if reconciler.failures_in_a_row == FAILURES_WORTH_A_WORD:
            bot.journal("warning", "RECONCILE_FAILS", f"the venue could not be read: {event.error}", now_ns)
        return
    if reconciler.stale_reads == stale:
        _show_strangers(bot, event.orders, now_ns)
        _take_untold_position(bot, event, now_ns)
    for finding in confirmed:
        _CORRECT[finding.what](bot, finding, event, now_ns)


def note(bot: Bot, client_order_id: str, what: str, evidence: str, now_ns: int) -> None:
    """Tell of a correction: in the journal, in the state stream, and to whoever asked for a reconcile."""
    bot.corrections.append((client_order_id, what, evidence))
    bot.unsaid.corrections.append((client_order_id, what, evidence))
    bot.journal("warning", "CORRECTED", f"{client_order_id or bot.symbol}: {what} ({evidence})", now_ns)


def _read_of(bot: Bot, event: VenueRead) -> Read:
    return Read(
        orders=tuple(
            VenueOrder(
                client_order_id=order.client_order_id or order.exchange_order_id,
                is_ours=bot.owner(order.client_order_id) is not None,
                filled_lots=order.filled_lots,
                updated_ns=order.updated_time_ns,
            )
            for order in event.orders
        ),
        position_lots=event.position.lots if event.position is not None else 0,
        position_ns=event.position.venue_time_ns if event.position is not None else 0,
        error=event.error,
    )


def _show_strangers(bot: Bot, orders: tuple[Order, ...], now_ns: int) -> None:
    """Count orders of others as soon as they are seen: that can only make us more careful."""
    for order in orders:
        if bot.owner(order.client_order_id) is None:
            answers.take_order(bot, order, now_ns, "open in a read")


def _take_untold_position(bot: Bot, event: VenueRead, now_ns: int) -> None:
    """Take a position nobody told us of at once when it is what our fills make: it was the telling that failed."""
    position = event.position
    if position is not None and position.lots == bot.ledger.position_lots != bot.position.lots:
        bot.take_position(position)
        upkeep.judge_position(bot, now_ns)


def _prove(bot: Bot, finding: Finding, _event: VenueRead, now_ns: int) -> None:
    order = bot.orders.by_id.get(finding.client_order_id)
    if order is not None:
        note(bot, finding.client_order_id, "its fate is asked for", f"two reads: {finding.evidence}", now_ns)
        recovery.prove(bot, order, f"two reads: {finding.evidence}", now_ns)


def _adopt(bot: Bot, finding: Finding, event: VenueRead, now_ns: int) -> None:
    for order in event.orders:
        if order.client_order_id == finding.client_order_id and order.client_order_id not in bot.orders.by_id:
            note(bot, finding.client_order_id, "adopted", f"two reads: {finding.evidence}", now_ns)
            answers.take_order(bot, order, now_ns, "two reads list it")


def _attach_anew(bot: Bot, finding: Finding, _event: VenueRead, now_ns: int) -> None:
    note(bot, finding.client_order_id, "everything is fetched anew", f"two reads: {finding.evidence}", now_ns)
    bot.outbox.send(Reattach(f"{finding.client_order_id}: {finding.evidence}"))


def _take_position(bot: Bot, finding: Finding, event: VenueRead, now_ns: int) -> None:
    if event.position is None:
        return
    note(bot, "", "the venue's position is taken", f"two reads: {finding.evidence}", now_ns)
    bot.take_position(event.position)
    # Two reads are the patience that the stream's word gets by waiting.
    bot.position_differs_since_ns = now_ns - upkeep.POSITION_PATIENCE_NS
    upkeep.judge_position(bot, now_ns)


def _forget_stranger(bot: Bot, finding: Finding, _event: VenueRead, _now_ns: int) -> None:
    if bot.orders.foreign.pop(finding.client_order_id, None) is not None:
        bot.orders.dirty.add(finding.client_order_id)


_CORRECT: dict[What, Callable[[Bot, Finding, VenueRead, int], None]] = {
    What.MISSING_ORDER: _prove,
    What.STRANGE_ORDER: _adopt,
    What.REVIVED_ORDER: _attach_anew,
    What.MISSING_FILLS: _attach_anew,
    What.POSITION: _take_position,
    What.FOREIGN_GONE: _forget_stranger,
}


def _escalate(bot: Bot, now_ns: int) -> None:
    doubts = [
        Doubt(order.client_order_id, order.queries)
        for order in bot.orders.open.values()
        if order.state is OrderState.UNKNOWN
    ]
    if not doubts and not bot.escalation.stubborn:
        return
    steps = bot.escalation.judge(doubts, now_ns)
    stubborn = ", ".join(bot.escalation.stubborn[:3])
    message = f"the venue does not tell what became of {stubborn}; nothing is sent before it does"
    bot.gate.set(Code.UNKNOWN_ORDERS, bot.escalation.is_escalated, message, now_ns)
    for step in steps:
        if step is Step.EXPIRY:
            text = f"{stubborn}: cancelling did not help; the venue's dead-man countdown runs out on {bot.symbol}"
        elif bot.orders.foreign:
            # Orders of others are never touched, not even to learn the fate of ours.
            text = f"{stubborn}: {len(bot.orders.foreign)} orders of others forbid cancelling all; look at the venue"
        else:
            text = f"{stubborn}: asking did not help; everything on {bot.symbol} is cancelled"
            bot.outbox.ask(Ask(AskKind.CANCEL_ALL, bot.symbol))
        bot.journal("alarm", Code.UNKNOWN_ORDERS.value, text, now_ns)
