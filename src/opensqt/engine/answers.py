"""Reading what the venue says of our orders: results of commands, order updates, answers to queries.

An order ends only by the venue's word. An outcome nobody knows makes the order UNKNOWN: it keeps its slot blocked,
counts at its worst, and is asked for by client order id, with back-off, until the venue knows it or has twice not known
it.
"""

from collections.abc import Callable

import msgspec

from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.errors import ErrorReason
from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import Cause, OrderState
from opensqt.engine.bot import Bot
from opensqt.engine.commands import Ask, AskKind, Reattach
from opensqt.engine.events import Outcome, Result
from opensqt.engine.orders import TrackedOrder
from opensqt.engine.outbox import Kind
from opensqt.engine.quoting import CANCEL_AGAIN_NS, FILTER_REST_NS
from opensqt.engine.risk.reasons import Code

FIRST_QUERY_NS = 100 * NS_PER_MS
ABSENT_READ_SPACING_NS = NS_PER_S
MAX_QUERY_SPACING_NS = 10 * NS_PER_S
ABSENT_READS_NEEDED = 2
OWED_FILLS_PATIENCE_NS = 2 * NS_PER_S
MARGIN_REST_NS = 5 * NS_PER_S
LOST_CANCELS_NEEDED = 3
DEFAULT_RATE_REST_NS = NS_PER_S
VENUE_REST_NS = 10 * NS_PER_S
"""How long a bot waits before it tries an order again where the venue said that it takes none now."""

_CAUSE_OF_STATE = {
    OrderState.LIVE: Cause.VENUE_LIVE,
    OrderState.PARTIALLY_FILLED: Cause.VENUE_PARTIAL,
    OrderState.FILLED: Cause.VENUE_FILLED,
    OrderState.CANCELED: Cause.VENUE_CANCELED,
    OrderState.REJECTED: Cause.VENUE_REJECTED,
    OrderState.EXPIRED: Cause.VENUE_EXPIRED,
}
_ABSENT = (ErrorReason.UNKNOWN_ORDER, ErrorReason.NOT_FOUND)
_KEY_REFUSED = (ErrorReason.BAD_CREDENTIALS, ErrorReason.VENUE_PERMISSION, ErrorReason.ROLE_REQUIRED)
_CLOSED = (ErrorReason.SYMBOL_NOT_TRADING, ErrorReason.MAINTENANCE)
_UNDECIDED = (OrderState.PENDING_NEW, OrderState.UNKNOWN, OrderState.PENDING_CANCEL)


def take_order(bot: Bot, order: Order, now_ns: int, evidence: str) -> None:
    """Take the venue's word on an order of our symbol, ours or not."""
    tracked = bot.orders.by_id.get(order.client_order_id)
    if tracked is None:
        _take_stranger(bot, order, evidence)
        return
    if order.updated_time_ns and order.updated_time_ns < tracked.updated_ns and not order.state.is_terminal:
        return
    cause = _CAUSE_OF_STATE.get(order.state)
    if cause is None:
        return
    tracked.exchange_order_id = order.exchange_order_id or tracked.exchange_order_id
    tracked.created_ns = order.created_time_ns or tracked.created_ns
    tracked.updated_ns = max(order.updated_time_ns, tracked.updated_ns)
    tracked.venue_filled_lots = max(tracked.venue_filled_lots, order.filled_lots)
    tracked.reason = order.reason
    tracked.absent_reads = 0
    was = tracked.state
    if cause is Cause.VENUE_REJECTED and was not in _UNDECIDED:
        cause = Cause.VENUE_EXPIRED  # it had been accepted: the venue took it back
    if cause is not Cause.VENUE_REJECTED:
        tracked.acked = True
    if (order.price_ticks, order.lots) != (tracked.price_ticks, tracked.lots) and not order.state.is_terminal:
        _take_terms(bot, tracked, order, now_ns)
    bot.orders.move(tracked, cause, evidence)
    if tracked.owes_fills and tracked.owing_since_ns == 0:
        tracked.owing_since_ns = now_ns
    bot.orders.sync(tracked)
    if was is not tracked.state:
        _after_move(bot, tracked, was, now_ns)


def _take_terms(bot: Bot, tracked: TrackedOrder, order: Order, now_ns: int) -> None:
    """Somebody else amended one of our orders: it is what the venue says, and goes where its slot wants another."""
    if order.price_ticks <= 0 or order.lots <= 0:
        return
    bot.journal(
        "warning",
        "AMENDED_BY_OTHERS",
        f"{order.client_order_id} was {tracked.lots} lots at {tracked.price_ticks} ticks and is {order.lots} at "
        f"{order.price_ticks} now",
        now_ns,
    )
    tracked.price_ticks, tracked.lots = order.price_ticks, order.lots
    tracked.live_price_ticks = order.price_ticks
    if bot.grid is not None:
        tracked.live_price_ticks = bot.grid.at_its_level(tracked.slot, tracked.side, order.price_ticks)


def _take_stranger(bot: Bot, order: Order, evidence: str) -> None:
    owner = bot.owner(order.client_order_id)
    if owner is not None:
        if not order.state.is_terminal:
            bot.adopt_order(order, owner, evidence)
        return
    key = order.client_order_id or order.exchange_order_id
    order = msgspec.structs.replace(order, client_order_id=key)
    if order.state.is_terminal:
        bot.orders.foreign.pop(key, None)
    else:
        bot.orders.foreign[key] = order
    bot.orders.dirty.add(key)


def _after_move(bot: Bot, order: TrackedOrder, was: OrderState, now_ns: int) -> None:
    if order.state in (OrderState.LIVE, OrderState.PARTIALLY_FILLED):
        bot.slots.accepted(order.slot, order.side)
        bot.mode_refusal = ""
    elif order.state in (OrderState.REJECTED, OrderState.EXPIRED):
        # A post-only order the venue could not rest may also come back as expired.
        would_cross = order.reason is ErrorReason.POST_ONLY_WOULD_CROSS or (
            order.state is OrderState.EXPIRED and order.reason is None and order.booked_lots == 0
        )
        _refused(bot, order, now_ns, would_cross=would_cross)
    elif order.state is OrderState.CANCELED and was not in (OrderState.PENDING_CANCEL, OrderState.UNKNOWN):
        # Somebody else cancelled it: come back, but not in a loop with whoever does this.
        bot.slots.refused(order.slot, order.side, now_ns)


def _refused(bot: Bot, order: TrackedOrder, now_ns: int, *, would_cross: bool, at_least_ns: int = 0) -> None:
    crossed_by = _crossed_by(bot, order) if would_cross else 0
    bot.slots.refused(order.slot, order.side, now_ns, at_least_ns=at_least_ns, crossed_by=crossed_by)


def _crossed_by(bot: Bot, order: TrackedOrder) -> int:
    """Return by how many of the venue's ticks the market ran over a post-only order on its way; at least one."""
    touch = bot.market.bid_ticks if order.side is Side.SELL else bot.market.ask_ticks
    if not touch:
        return 1
    beyond = (order.price_ticks - touch) * order.side.sign
    return beyond // (bot.units.tick_step if bot.units is not None else 1) + 1 if beyond > 0 else 1


def take_result(bot: Bot, result: Result, kind: Kind | None, now_ns: int) -> None:
    """Read the answer to a command; `kind` None = it was given up before the answer came."""
    order = bot.orders.by_id.get(result.client_order_id)
    if result.order is not None:
        take_order(bot, result.order, now_ns, f"{kind.value if kind else 'late'} result")
        order = bot.orders.by_id.get(result.client_order_id)
    if order is None:
        bot.proving.discard(result.client_order_id)
        return
    if kind is not None:
        _READERS[kind](bot, order, result, now_ns)


def _read_place(bot: Bot, order: TrackedOrder, result: Result, now_ns: int) -> None:
    if result.outcome is Outcome.UNKNOWN:
        make_unknown(bot, order, f"placement outcome unknown: {result.message}", now_ns)
    elif result.outcome is Outcome.CONFIRMED:
        if result.order is None:
            was = order.state
            order.acked = True
            bot.orders.move(order, Cause.VENUE_LIVE, "placement confirmed")
            if was is not order.state:
                _after_move(bot, order, was, now_ns)
    elif result.reason is ErrorReason.DUPLICATE_CLIENT_ID:
        # The first send arrived: the venue has the order, so ask what became of it.
        make_unknown(bot, order, "the venue has this client order id already", now_ns)
    elif result.reason in (ErrorReason.OUTCOME_UNKNOWN, ErrorReason.INTERNAL):
        make_unknown(bot, order, f"placement failed without a clear outcome: {result.message}", now_ns)
    else:
        _rejected(bot, order, result, now_ns)


def _rejected(bot: Bot, order: TrackedOrder, result: Result, now_ns: int) -> None:
    reason = result.reason or ErrorReason.VENUE_REJECTED
    order.reason = reason
    if not order.state.is_terminal:
        bot.orders.move(order, Cause.VENUE_REJECTED, f"{reason.value}: {result.message}")
    would_cross = reason is ErrorReason.POST_ONLY_WOULD_CROSS
    rest_ns = result.retry_after_ms * NS_PER_MS
    if reason in (ErrorReason.FILTER_REJECTED, ErrorReason.MIN_NOTIONAL, ErrorReason.INVALID_FIELD):
        rest_ns = max(rest_ns, FILTER_REST_NS)
    _refused(bot, order, now_ns, would_cross=would_cross, at_least_ns=rest_ns)
    if would_cross:
        return
    if reason is ErrorReason.INSUFFICIENT_MARGIN:
        bot.gate.add(
            Code.INSUFFICIENT_MARGIN, result.message or "no margin left", now_ns, until_ns=now_ns + MARGIN_REST_NS
        )
    elif reason in (ErrorReason.RATE_LIMITED, ErrorReason.IP_BANNED):
        until_ns = now_ns + (rest_ns or DEFAULT_RATE_REST_NS)
        bot.gate.add(Code.RATE_LIMITED, result.message or reason.value, now_ns, until_ns=until_ns)
    elif reason is ErrorReason.FENCED:
        bot.gate.add(Code.FENCED, result.message or "another engine runs this bot", now_ns)
    elif reason is ErrorReason.STALE_INSTRUMENT and bot.instrument and order.revision < bot.instrument.revision:
        return  # the revision that passed it on its way is in force here already
    elif reason is ErrorReason.STALE_INSTRUMENT:
        bot.outbox.send(Reattach(f"{bot.symbol} has a newer instrument revision than ours"))
    elif reason is ErrorReason.REDUCE_ONLY_REJECTED:
        ask_position(bot, now_ns)
    else:
        _hold_back(bot, reason, result.message, now_ns)
    bot.journal("warning", reason.value, f"slot {order.slot} {order.side.name}: {result.message}", now_ns)


def _hold_back(bot: Bot, reason: ErrorReason, message: str, now_ns: int) -> None:
    """Let a refusal that is about more than its order hold the bot back."""
    if reason in _KEY_REFUSED:
        text = f"{reason.value}: {message}; give the connector a key that may trade, then resume"
        if bot.gate.add(Code.CREDENTIALS_REFUSED, text, now_ns):
            bot.journal("alarm", Code.CREDENTIALS_REFUSED.value, text, now_ns)
    elif reason is ErrorReason.POSITION_MODE:
        # Nothing but an order shows it; it holds until the next one is taken.
        bot.mode_refusal = f"{message}; switch the account to one-way mode, then resume"
        if bot.gate.add(Code.SETTINGS_CHANGED, bot.mode_refusal, now_ns, action=bot.config.risk.settings_action):
            bot.journal("alarm", Code.SETTINGS_CHANGED.value, bot.mode_refusal, now_ns)
    elif reason is ErrorReason.CLOCK_SKEW:
        action = bot.config.risk.clock.action
        bot.gate.add(Code.CLOCK_SKEW, message, now_ns, until_ns=now_ns + VENUE_REST_NS, action=action)
    elif reason in _CLOSED and Code.SYMBOL_NOT_TRADING not in bot.gate.reasons:
        bot.gate.add(Code.SYMBOL_NOT_TRADING, message, now_ns, until_ns=now_ns + VENUE_REST_NS)


def ask_position(bot: Bot, now_ns: int) -> None:
    """Begin to doubt the position: the venue refused to reduce what we believe to hold."""
    if bot.position_differs_since_ns == 0 and bot.position.lots != bot.ledger.position_lots:
        bot.position_differs_since_ns = now_ns


def _read_cancel(bot: Bot, order: TrackedOrder, result: Result, now_ns: int) -> None:
    if order.state.is_terminal:
        return
    if result.outcome is Outcome.REJECTED and result.reason not in _ABSENT:
        order.cancel_at_ns = now_ns + max(CANCEL_AGAIN_NS, result.retry_after_ms * NS_PER_MS)
        was = order.state
        bot.orders.move(order, Cause.VENUE_CANCEL_REFUSED, f"cancel refused: {result.message}")
        if was is order.state:
            make_unknown(bot, order, f"cancel refused: {result.message}", now_ns)
    elif result.outcome is not Outcome.CONFIRMED or result.order is None:
        # Gone, or not known: how it ended, and with how much filled, only a query tells.
        make_unknown(bot, order, f"cancel {result.outcome.name}: {result.message}", now_ns)
        if result.outcome is Outcome.UNKNOWN:
            cancel_lost(bot, order, now_ns)


def _read_query(bot: Bot, order: TrackedOrder, result: Result, now_ns: int) -> None:
    if result.outcome is Outcome.CONFIRMED and result.order is not None:
        bot.proving.discard(order.client_order_id)
        return
    absent = result.outcome is Outcome.REJECTED and result.reason in _ABSENT
    if absent and order.state is OrderState.UNKNOWN:
        order.absent_reads += 1
        if order.absent_reads >= ABSENT_READS_NEEDED:
            _settle_absent(bot, order, now_ns)
            bot.proving.discard(order.client_order_id)
            return
    retry_ns = result.retry_after_ms * NS_PER_MS
    if result.reason is ErrorReason.OUTCOME_UNKNOWN and retry_ns:
        # The venue has no such order, and it is too early to believe that: a denial when it is not is the second one.
        is_first = order.absent_reads == 0
        order.absent_reads = ABSENT_READS_NEEDED - 1
        order.query_at_ns = now_ns + (max(retry_ns, ABSENT_READ_SPACING_NS) if is_first else retry_ns)
        return
    spacing = min(ABSENT_READ_SPACING_NS << min(order.queries, 8), MAX_QUERY_SPACING_NS)
    order.query_at_ns = now_ns + max(ABSENT_READ_SPACING_NS if absent else spacing, retry_ns)


def _settle_absent(bot: Bot, order: TrackedOrder, now_ns: int) -> None:
    """The venue answered twice that it has no such order."""
    order.reason = ErrorReason.UNKNOWN_ORDER
    if order.acked:
        bot.orders.move(order, Cause.VENUE_CANCELED, "the venue knows it no longer, asked twice")
        bot.journal(
            "warning", "ORDER_GONE", f"{order.client_order_id} is gone without a word; fills are asked for", now_ns
        )
        bot.outbox.send(Reattach(f"{order.client_order_id} is gone: fills must be fetched"))
    else:
        bot.orders.move(order, Cause.VENUE_REJECTED, "the venue never had it, asked twice")
    change = (order.client_order_id, f"order is {order.state.value}", "two queries found no such order")
    bot.corrections.append(change)
    bot.unsaid.corrections.append(change)
    bot.reconciler.soon(now_ns)


def cancel_lost(bot: Bot, order: TrackedOrder, now_ns: int) -> None:
    """Nobody knows whether a cancel arrived. Again and again so: have everything on the symbol cancelled at once.

    What does not help either is left to the venue's dead-man switch, which the connector lets run out when no cancel of
    a symbol is confirmed any more.
    """
    order.lost_cancels += 1
    if order.lost_cancels % LOST_CANCELS_NEEDED:
        return
    lost = f"{order.lost_cancels} cancels of {order.client_order_id} have no known outcome"
    if bot.orders.foreign:
        # Orders of others are never touched.
        text = f"{lost}, and {len(bot.orders.foreign)} orders of others forbid cancelling all; look at the venue"
    else:
        text = f"{lost}: everything on {bot.symbol} is cancelled"
        bot.outbox.ask(Ask(AskKind.CANCEL_ALL, bot.symbol))
    bot.journal("alarm", "CANCELS_LOST", text, now_ns)


_READERS: dict[Kind, Callable[[Bot, TrackedOrder, Result, int], None]] = {
    Kind.PLACE: _read_place,
    Kind.CANCEL: _read_cancel,
    Kind.QUERY: _read_query,
}


def make_unknown(bot: Bot, order: TrackedOrder, evidence: str, now_ns: int) -> None:
    """Nobody knows what became of the order: ask, and keep its slot blocked until the venue says."""
    if order.state.is_terminal:
        return
    bot.orders.move(order, Cause.TIMEOUT, evidence)
    order.queries = 0
    order.absent_reads = 0
    order.query_at_ns = now_ns + FIRST_QUERY_NS


def ask_unknown(bot: Bot, now_ns: int) -> None:
    """Query the orders whose time has come; one that ended meanwhile has been proven by what ended it."""
    bot.proving &= bot.orders.open.keys()
    for order in bot.orders.open.values():
        due = 0 < order.query_at_ns <= now_ns
        if due and (order.state is OrderState.UNKNOWN or order.client_order_id in bot.proving):
            order.query_at_ns = 0
            order.queries += 1
            bot.outbox.query(bot.symbol, order.client_order_id, now_ns)


def fills_are_overdue(bot: Bot, now_ns: int) -> bool:
    """Return whether an order owes fills for longer than the stream can take."""
    overdue = False
    for order in bot.orders.open.values():
        if 0 < order.owing_since_ns < now_ns - OWED_FILLS_PATIENCE_NS:
            order.owing_since_ns = now_ns
            overdue = True
    return overdue
