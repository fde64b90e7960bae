"""What to send now: the strategy's desired orders against the live ones, through the gate.

`quote` is called once per turn and is the only place that places or cancels grid orders. Only a valid book prices, so
without one nothing is placed; when it stays invalid, opening orders are pulled. Every placement keeps why it was made.
"""

from opensqt._core.diff import BUY, CANCEL, UNLIMITED, WORKING, Differ
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import OpensqtError
from opensqt.domain.order import OrderRequest, Side
from opensqt.engine.bot import Bot
from opensqt.engine.risk.collar import beyond_collar
from opensqt.engine.risk.reasons import Code, Pull, TradingState
from opensqt.engine.sending import send_order
from opensqt.engine.winding import clear, pull_opening, send_cancel, wind_down

CANCEL_AGAIN_NS = 500 * NS_PER_MS
FILTER_REST_NS = 10_000 * NS_PER_MS
MAX_BACK_PART = 10
"""Refusals move an order by at most this part of the step between two levels."""


def quote(bot: Bot, differ: Differ, now_ns: int) -> None:
    """Bring the bot's orders to what they should be, as far as its state allows."""
    state = bot.gate.state
    if not bot.attached or state is TradingState.STARTING:
        return
    if state is TradingState.STOPPED:
        wind_down(bot, now_ns)
        return
    pull = bot.gate.pull(now_ns) if bot.gate.reasons else Pull.KEEP
    if pull in (Pull.ALL, Pull.FLATTEN):
        clear(bot, flatten=pull is Pull.FLATTEN, now_ns=now_ns)
        return
    if not bot.start_checked and state is not TradingState.HALTED:
        return
    if bot.leaving:
        _cancel_leaving(bot, now_ns)
    price2 = bot.market.price2_ticks
    grid = bot.grid
    if grid is None or price2 == 0:
        if pull is Pull.NOW:
            pull_opening(bot, now_ns)
        return
    instrument = grid.instrument
    grid.plan(price2, bot.slots.holdings)
    leading = bot.gate.leading if bot.gate.reasons else None
    if leading is not None:
        rows = grid.desired.rows()
        bot.watch.deny(leading.code, sum(1 for row in rows if not row[4] and not row[5]))
    if len(grid.desired) > differ.max_open_orders:
        bot.watch.deny(Code.MAX_OPEN_ORDERS, len(grid.desired) - differ.max_open_orders)
    room = UNLIMITED
    if bot.gate.limits.max_position_lots or bot.gate.limits.max_notional_units:
        room = bot.gate.opening_room_lots(
            bot.worst_long_lots,
            bot.orders.foreign_lots(Side.BUY),
            max(1, price2 * instrument.units_per_tick_lot // 2),
        )
        _count_without_room(bot, room)
    if pull is Pull.NOW:
        room = 0
        pull_opening(bot, now_ns)  # also what the window's hysteresis would keep
    if room != UNLIMITED and bot.orders.open_lots(Side.BUY, reducing=False) > room:
        grid.desired.keep(BUY, 0, -1)  # there is no room for what only hysteresis keeps
    for action in differ.run(grid.desired, bot.orders.live, room):
        if action.kind == CANCEL:
            send_cancel(bot, bot.orders.by_handle[action.handle], now_ns)
        elif action.reduce_only:
            if state is not TradingState.HALTED:
                _place(bot, action.slot, Side(action.side + 1), action.price_ticks, action.lots, now_ns)
        elif state is TradingState.ACTIVE:
            _place(bot, action.slot, Side(action.side + 1), action.price_ticks, action.lots, now_ns)
    if differ.withheld and state is not TradingState.HALTED:
        _place_withheld_sells(bot, now_ns)


def _count_without_room(bot: Bot, room_lots: int) -> None:
    """Count the opening orders that position and notional limits leave no room for."""
    grid, limits = bot.grid, bot.gate.limits
    assert grid is not None, "quoting needs a lattice"
    code = Code.MAX_POSITION if limits.max_position_lots else Code.MAX_NOTIONAL
    for _slot, _side, _level, lots, reduce_only, keep_only in grid.desired.rows():
        if reduce_only or keep_only:
            continue
        room_lots -= lots
        if room_lots < 0:
            bot.watch.deny(code)


def _place_withheld_sells(bot: Bot, now_ns: int) -> None:
    """Place take-profits whose level meets one of our own bids, because the price has jumped beyond it already."""
    grid = bot.grid
    assert grid is not None, "quoting needs a lattice"
    taken = {order.slot for order in bot.orders.open.values() if order.side is Side.SELL}
    best_bid = max((o.price_ticks for o in bot.orders.open.values() if o.side is Side.BUY), default=0)
    for slot, side, level_ticks, lots, _reduce_only, keep_only in grid.desired.rows():
        if side == BUY or keep_only or slot in taken:
            continue
        if _behind_the_touch(bot, slot, Side.SELL, level_ticks) > best_bid:
            _place(bot, slot, Side.SELL, level_ticks, lots, now_ns)


def _place(bot: Bot, slot: int, side: Side, level_ticks: int, lots: int, now_ns: int) -> None:
    """Place one grid order; on this long grid a buy opens and a sell reduces."""
    grid = bot.grid
    assert grid is not None, "quoting needs a lattice"
    reduce_only = side is Side.SELL
    if not bot.slots.is_cool(slot, side, now_ns):
        return
    price_ticks = _behind_the_touch(bot, slot, side, level_ticks)
    if price_ticks <= 0:
        return
    instrument = grid.instrument
    refusal = _refusal(bot, side, price_ticks, lots, reduce_only=reduce_only)
    if refusal is not None:
        code, why = refusal
        bot.watch.deny(code)
        bot.slots.refused(slot, side, now_ns, at_least_ns=FILTER_REST_NS)
        bot.journal("warning", code.value, f"slot {slot} {side.name}: {why}", now_ns)
        return
    if _meets_own_order(bot, side, price_ticks):
        bot.watch.deny(Code.SELF_TRADE)
        return
    if not reduce_only and not bot.gate.take_order_token(now_ns):
        bot.watch.deny(Code.ORDER_RATE)
        return
    request = OrderRequest(
        symbol=bot.symbol,
        client_order_id=bot.next_client_order_id(slot, side),
        side=side,
        price_ticks=price_ticks,
        lots=lots,
        reduce_only=reduce_only,
        instrument_revision=instrument.revision,
    )
    send_order(bot, request, slot, "take_profit" if reduce_only else "buy_window", level_ticks, now_ns)


def _refusal(bot: Bot, side: Side, price_ticks: int, lots: int, *, reduce_only: bool) -> tuple[Code, str] | None:
    """Return why an order must not be sent, as code and message."""
    instrument = bot.instrument
    assert instrument is not None, "orders need units"
    try:
        instrument.check_order(price_ticks, lots, reduce_only=reduce_only)
    except OpensqtError as error:
        return Code.FILTER_REJECTED, f"{error.reason.value}: {error.message}"
    beyond = beyond_collar(
        side, instrument.ticks_to_price(price_ticks), bot.market.mark, bot.config.risk.price_collar_bps
    )
    if beyond:
        return Code.PRICE_COLLAR, beyond
    cap = bot.gate.limits.max_order_notional_units
    if cap and not reduce_only and instrument.notional_units(price_ticks, lots) > cap:
        return Code.MAX_ORDER_NOTIONAL, f"the order is above the limit of {instrument.money(cap)}"
    return None


def _meets_own_order(bot: Bot, side: Side, price_ticks: int) -> bool:
    """Return whether an order would trade with one of ours on the other side, on its way or unknown included."""
    return any(
        order.side is not side and order.price_ticks > 0 and (price_ticks - order.price_ticks) * side.sign >= 0
        for order in bot.orders.open.values()
    )


def _behind_the_touch(bot: Bot, slot: int, side: Side, level_ticks: int) -> int:
    """Return the level's price, or as much behind it as it takes not to cross: orders here only ever rest.

    After refusals it is further back, where a market that runs does not reach before the order is there.
    """
    market, grid = bot.market, bot.grid
    assert grid is not None, "quoting needs a lattice"
    tick = bot.units.tick_step if bot.units is not None else 1
    step = grid.lattice.step_ticks(slot)
    back = min(bot.slots.steps_back(slot, side), max(1, step // (MAX_BACK_PART * tick))) * tick
    # A touch of before a change of the filters may lie between two prices the venue takes now.
    if side is Side.BUY:
        touch = (market.ask_ticks - 1) // tick * tick
        # A step behind its level it would pass for an order of another level.
        return min(touch, max(min(level_ticks, touch) - back, level_ticks - step))
    return max(level_ticks, (market.bid_ticks // tick + 1) * tick) + back


def _cancel_leaving(bot: Bot, now_ns: int) -> None:
    """Cancel what rests at prices that are no level of the lattice any more."""
    bot.leaving &= bot.orders.open.keys()
    # By the order they were sent in: a set has another order in every process.
    for order in [order for client_id, order in bot.orders.open.items() if client_id in bot.leaving]:
        send_cancel(bot, order, now_ns)


def resting_count(bot: Bot) -> int:
    """Return how many orders rest at the venue as far as we know."""
    return sum(1 for row in bot.orders.live.rows() if row[6] == WORKING)
