"""What to send now: the strategy's desired orders against the live ones, through the gate.

`quote` is called once per turn and is the only place that places or cancels grid orders. Only a valid book prices, so
without one nothing is placed; when it stays invalid, opening orders are pulled. Every placement keeps why it was made.
"""

from opensqt._core.diff import BUY, CANCEL, UNLIMITED, WORKING, Differ
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import OpensqtError
from opensqt.domain.order import OrderRequest, OrderType, Side, TimeInForce
from opensqt.domain.order_state import Cause, OrderState
from opensqt.engine.bot import FLATTEN_SLOT, Bot
from opensqt.engine.events import StopMode
from opensqt.engine.orders import TrackedOrder, new_order
from opensqt.engine.risk.reasons import TradingState

CANCEL_AGAIN_NS = 500 * NS_PER_MS
FILTER_REST_NS = 10_000 * NS_PER_MS

_CAN_CANCEL = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)


def quote(bot: Bot, differ: Differ, now_ns: int) -> None:
    """Bring the bot's orders to what they should be, as far as its state allows."""
    state = bot.gate.state
    if not bot.attached or state is TradingState.STARTING:
        return
    if state is TradingState.STOPPED:
        _wind_down(bot, now_ns)
        return
    if not bot.start_checked and state is not TradingState.HALTED:
        return
    price2 = bot.market.price2_ticks
    grid = bot.grid
    if grid is None or price2 == 0:
        if bot.gate.reasons and bot.gate.must_pull(now_ns):
            _pull_opening(bot, now_ns)
        return
    instrument = grid.instrument
    grid.plan(price2, bot.slots.holdings)
    room = UNLIMITED
    if bot.gate.limits.max_position_lots or bot.gate.limits.max_notional_units:
        room = bot.gate.opening_room_lots(
            bot.worst_long_lots,
            bot.orders.foreign_lots(Side.BUY),
            max(1, price2 * instrument.units_per_tick_lot // 2),
        )
    if bot.gate.reasons and bot.gate.must_pull(now_ns):
        room = 0
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


def send_cancel(bot: Bot, order: TrackedOrder, now_ns: int) -> None:
    """Cancel an order that rests; one whose cancel was just refused waits."""
    if order.state not in _CAN_CANCEL or now_ns < order.cancel_at_ns:
        return
    bot.orders.move(order, Cause.SEND_CANCEL, "cancel sent")
    bot.outbox.cancel(bot.symbol, order.client_order_id, order.exchange_order_id, now_ns)


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
    refusal = _refusal(bot, price_ticks, lots, reduce_only=reduce_only)
    if refusal is not None:
        bot.slots.refused(slot, side, now_ns, at_least_ns=FILTER_REST_NS)
        bot.journal("warning", refusal[0], f"slot {slot} {side.name}: {refusal[1]}", now_ns)
        return
    if not reduce_only and not bot.gate.take_order_token(now_ns):
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
    _send_order(bot, request, slot, "take_profit" if reduce_only else "buy_window", level_ticks, now_ns)


def _refusal(bot: Bot, price_ticks: int, lots: int, *, reduce_only: bool) -> tuple[str, str] | None:
    """Return why an order must not be sent, as code and message."""
    instrument = bot.instrument
    assert instrument is not None, "orders need units"
    try:
        instrument.check_order(price_ticks, lots, reduce_only=reduce_only)
    except OpensqtError as error:
        return error.reason.value, error.message
    cap = bot.gate.limits.max_order_notional_units
    if cap and not reduce_only and instrument.notional_units(price_ticks, lots) > cap:
        return "MAX_ORDER_NOTIONAL", f"the order is above the limit of {instrument.money(cap)}"
    return None


def _behind_the_touch(bot: Bot, slot: int, side: Side, level_ticks: int) -> int:
    """Return the level's price, or as much behind it as it takes not to cross: orders here only ever rest."""
    market = bot.market
    steps = bot.slots.steps_back(slot, side)
    if side is Side.BUY:
        return min(level_ticks - steps, market.ask_ticks - 1)
    return max(level_ticks + steps, market.bid_ticks + 1)


def _send_order(bot: Bot, request: OrderRequest, slot: int, rule: str, level_ticks: int, now_ns: int) -> None:
    market = bot.market
    order = new_order(
        symbol=request.symbol,
        client_order_id=request.client_order_id,
        side=request.side,
        price_ticks=request.price_ticks,
        lots=request.lots,
        reduce_only=request.reduce_only,
        revision=request.instrument_revision,
        order_type=request.type,
        time_in_force=request.time_in_force,
    )
    inputs = {
        "level_ticks": str(level_ticks),
        "price2_ticks": str(market.price2_ticks),
        "bid_ticks": str(market.bid_ticks),
        "ask_ticks": str(market.ask_ticks),
        "market_receive_ns": str(market.receive_ns),
        "held_lots": str(bot.slots.holdings.get(slot)),
        "position_lots": str(bot.position.lots),
    }
    tracked = TrackedOrder(order, slot=slot, rule=rule, inputs=inputs, config_version=bot.config_version)
    tracked.live_price_ticks = level_ticks
    tracked.sent_ns = now_ns
    bot.orders.add(tracked, f"sent by {rule}")
    bot.orders_placed += 1
    bot.outbox.place(request, now_ns)


def _pull_opening(bot: Bot, now_ns: int) -> None:
    for order in list(bot.orders.open.values()):
        if not order.reduce_only:
            send_cancel(bot, order, now_ns)


def _wind_down(bot: Bot, now_ns: int) -> None:
    """Carry a stop out: cancel everything of ours, then close the position if that was asked."""
    if bot.stop_mode in (None, StopMode.KEEP):
        return
    for order in list(bot.orders.open.values()):
        if order.order_type is OrderType.LIMIT:
            send_cancel(bot, order, now_ns)
    if bot.stop_mode is not StopMode.FLATTEN or bot.orders.open or bot.instrument is None:
        return
    # Never more than both sides believe: closing too much would open the other way.
    lots = min(bot.position.lots, bot.ledger.slot_lots)
    if lots <= 0 or not bot.slots.is_cool(FLATTEN_SLOT, Side.SELL, now_ns):
        return
    _send_order(
        bot,
        OrderRequest(
            symbol=bot.symbol,
            client_order_id=bot.next_client_order_id(FLATTEN_SLOT, Side.SELL),
            side=Side.SELL,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.IOC,
            price_ticks=0,
            lots=min(lots, bot.instrument.max_lots),
            reduce_only=True,
            instrument_revision=bot.instrument.revision,
        ),
        FLATTEN_SLOT,
        "flatten",
        0,
        now_ns,
    )


def is_wound_down(bot: Bot) -> bool:
    """Return whether a stop has nothing left to do."""
    if bot.stop_mode is None:
        return False
    if bot.stop_mode is StopMode.KEEP:
        return True
    if bot.orders.open:
        return False
    return bot.stop_mode is StopMode.CANCEL or min(bot.position.lots, bot.ledger.slot_lots) <= 0


def resting_count(bot: Bot) -> int:
    """Return how many orders rest at the venue as far as we know."""
    return sum(1 for row in bot.orders.live.rows() if row[6] == WORKING)
