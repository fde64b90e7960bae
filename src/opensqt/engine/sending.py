"""Sending an order: tracked with why it exists, counted, and on its way."""

from opensqt.domain.order import OrderRequest
from opensqt.engine.bot import Bot
from opensqt.engine.orders import TrackedOrder, new_order


def send_order(bot: Bot, request: OrderRequest, slot: int, rule: str, level_ticks: int, now_ns: int) -> None:
    """Send an order of a slot; `rule` wanted it and `level_ticks` is the slot's price."""
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
    bot.watch.orders.add(request.side, now_ns)
    bot.outbox.place(bot.units.outward(request) if bot.units is not None else request, now_ns)
