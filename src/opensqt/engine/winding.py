"""Taking a bot off the market: cancel what is ours, then close the position if that was asked.

Closing never takes any price: reduce-only IOC limit orders, at most `risk.flatten_collar_bps` through the touch and
never beyond the price collar, one at a time, sized by what the venue and our ledger both say is held, repeated until
the evidence says that nothing is.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.order import OrderRequest, OrderType, Side, TimeInForce
from opensqt.domain.order_state import Cause, OrderState
from opensqt.engine.bot import FLATTEN_SLOT, Bot
from opensqt.engine.events import StopMode
from opensqt.engine.orders import TrackedOrder
from opensqt.engine.risk.reasons import Code
from opensqt.engine.sending import send_order

FLATTEN_AGAIN_NS = 500 * NS_PER_MS

_BPS = Decimal(10_000)
_CAN_CANCEL = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)


def send_cancel(bot: Bot, order: TrackedOrder, now_ns: int) -> None:
    """Cancel an order that rests; one whose cancel was just refused waits."""
    if order.state not in _CAN_CANCEL or now_ns < order.cancel_at_ns:
        return
    bot.orders.move(order, Cause.SEND_CANCEL, "cancel sent")
    bot.outbox.cancel(bot.symbol, order.client_order_id, order.exchange_order_id, now_ns)


def pull_opening(bot: Bot, now_ns: int) -> None:
    """Take every opening order off the market."""
    for order in list(bot.orders.open.values()):
        if not order.reduce_only:
            send_cancel(bot, order, now_ns)


def clear(bot: Bot, *, flatten: bool, now_ns: int) -> None:
    """Take every order of ours off the market; then close the position, if that is asked and nothing is open."""
    for order in list(bot.orders.open.values()):
        if order.time_in_force is not TimeInForce.IOC:
            send_cancel(bot, order, now_ns)
    if flatten and not bot.orders.open:
        _close_position(bot, now_ns)


def wind_down(bot: Bot, now_ns: int) -> None:
    """Carry a stop out."""
    if bot.stop_mode not in (None, StopMode.KEEP):
        clear(bot, flatten=bot.stop_mode is StopMode.FLATTEN, now_ns=now_ns)


def closable_lots(bot: Bot) -> int:
    """Return the signed lots that flattening may close: never more than venue and ledger both say are held."""
    ours, theirs = bot.ledger.slot_lots, bot.position.lots
    lots = 0
    if ours > 0 and theirs > 0:
        lots = min(ours, theirs)
    elif ours < 0 and theirs < 0:
        lots = max(ours, theirs)
    # What is less than one lot of the venue's cannot be closed there.
    return lots if bot.units is None else bot.units.whole_lots(lots)


def is_wound_down(bot: Bot) -> bool:
    """Return whether a stop has nothing left to do."""
    if bot.stop_mode is None:
        return False
    if bot.stop_mode is StopMode.KEEP:
        return True
    if bot.orders.open:
        return False
    if bot.stop_mode is StopMode.CANCEL:
        return True
    # A fill or a position may be on its way yet: nothing to close is said by both, or by the doubt that outlasted it.
    agree = bot.ledger.position_lots == bot.position.lots or Code.POSITION_MISMATCH in bot.gate.reasons
    return agree and closable_lots(bot) == 0


def _close_position(bot: Bot, now_ns: int) -> None:
    instrument, lots = bot.instrument, closable_lots(bot)
    if instrument is None or lots == 0 or now_ns < bot.flatten_at_ns:
        return
    side = Side.SELL if lots > 0 else Side.BUY
    price_ticks = _closing_price_ticks(bot, side)
    if price_ticks <= 0:
        return
    bot.flatten_at_ns = now_ns + FLATTEN_AGAIN_NS
    request = OrderRequest(
        symbol=bot.symbol,
        client_order_id=bot.next_client_order_id(FLATTEN_SLOT, side),
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.IOC,
        price_ticks=price_ticks,
        lots=min(abs(lots), instrument.max_lots),
        reduce_only=True,
        instrument_revision=instrument.revision,
    )
    send_order(bot, request, FLATTEN_SLOT, "flatten", price_ticks, now_ns)


def _closing_price_ticks(bot: Bot, side: Side) -> int:
    """Return the worst price to close at: through the touch (else the mark) by the configured part; 0 = none known."""
    instrument, market, risk = bot.instrument, bot.market, bot.config.risk
    assert instrument is not None, "closing needs units"
    mark = market.mark
    references = [] if mark is None else [price for price in (mark.mark_price, mark.index_price) if price > 0]
    if market.valid:
        start = instrument.ticks_to_price(market.bid_ticks if side is Side.SELL else market.ask_ticks)
    elif references:
        start = references[0]
    else:
        return 0
    price = _through(start, side, risk.flatten_collar_bps)
    bounds = [_through(reference, side, risk.price_collar_bps) for reference in references]
    # Rounded away from the market's side, so that the price stays inside of both.
    step = bot.units.tick_step if bot.units is not None else 1
    tick_size = instrument.tick_size * step
    if side is Side.SELL:
        return step * int((max([price, *bounds]) / tick_size).to_integral_value(ROUND_CEILING))
    return step * int((min([price, *bounds]) / tick_size).to_integral_value(ROUND_FLOOR))


def _through(price: Decimal, side: Side, bps: int) -> Decimal:
    return price * (1 + side.sign * bps / _BPS)
