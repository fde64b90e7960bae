"""What is checked when a run is over: starting again changes nothing, and neither does the order of the evidence."""

from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from simulation.world.exchange import ACCOUNT
from simulation.world.timeline import SECOND
from simulation.world.world import World

from opensqt.domain.account import Position
from opensqt.domain.client_id import parse_client_order_id
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState
from opensqt.engine.bot import Bot
from opensqt.engine.commands import OrderRecord
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Attached
from opensqt.engine.restored import Restored, RestoredBot

STAND_STILL_NS = 4 * SECOND
PERMUTED_ORDERS = 25
PERMUTATIONS = 3


def check_endings(world: World) -> None:
    """Check both. The world has settled; afterwards it stands still for good."""
    check_restarts(world)
    check_permutations(world)


def state_of(bot: Bot) -> dict[str, Any]:
    """Return what a restart must not change."""
    totals = bot.ledger.totals
    return {
        "anchor": bot.anchor_ticks,
        "slots": {
            slot: (lot.lots, lot.cost_ticks_lots, lot.cycles)
            for slot, lot in sorted(bot.ledger.slots.items())
            if lot.lots
        },
        "orders": sorted(
            (one.client_order_id, one.price_ticks, one.lots, one.booked_lots) for one in bot.orders.open.values()
        ),
        "position": (bot.ledger.position_lots, bot.position.lots),
        "totals": (totals.fills, totals.grid_profit_ticks_lots, totals.fees, totals.funding, totals.transfers),
    }


def check_restarts(world: World) -> None:
    """Kill and start engine, connector and engine again in a market that stands still: nothing may differ."""
    checks = world.checks
    world.exchange.walk.stand_still()
    world.run(STAND_STILL_NS)
    world.settle()
    before = state_of(world.engine.bot)
    for process in ("engine", "connector", "engine"):
        if process == "engine":
            world.engine.crash()
            world.engine.start()
        else:
            world.connector.crash()
            world.connector.start()
        world.settle()
        after = state_of(world.engine.bot)
        checks.counts["restart_is_idempotent"] += 1
        if after != before:
            different = [name for name in before if before[name] != after[name]]
            checks.fail(
                "restart_is_idempotent",
                f"a restart of the {process} changed {different}: "
                + "; ".join(f"{before[name]} became {after[name]}" for name in different),
            )


def check_permutations(world: World) -> None:
    """Tell a fresh engine the evidence of the newest orders in several orders of telling: it must end the same."""
    bot, view = world.engine.bot, world.exchange.view
    owned = [
        order
        for order in (*view.open_orders(ACCOUNT), *view.ended_orders(ACCOUNT, world.symbol, PERMUTED_ORDERS))
        if bot.owner(order.client_order_id) is not None
    ][:PERMUTED_ORDERS]
    ids = {order.client_order_id for order in owned}
    fills = [fill for fill in world.exchange.fills.values() if fill.client_order_id in ids]
    evidence: list[Fill | Order] = [*fills, *owned, *(_before(order) for order in owned)]
    rng = world.rng("permutations")
    first = _told(world, owned, evidence)
    for _ in range(PERMUTATIONS):
        world.checks.counts["permuted_events_same_final_state"] += 1
        told = _told(world, owned, _shuffled(evidence, rng))
        if told != first:
            different = [name for name in first if first[name] != told[name]]
            world.checks.fail("permuted_events_same_final_state", f"{different} depend on the order of the evidence")


def _before(order: Order) -> Order:
    """Return the order as the venue acknowledged it: old news once anything happened to it."""
    return msgspec.structs.replace(
        order, state=OrderState.LIVE, filled_lots=0, filled_ticks_lots=0, reason=None,
        updated_time_ns=order.created_time_ns,
    )  # fmt: skip


def _shuffled(evidence: list[Fill | Order], rng: Random) -> list[Fill | Order]:
    shuffled = list(evidence)
    rng.shuffle(shuffled)
    return shuffled


def _told(world: World, orders: list[Order], evidence: list[Fill | Order]) -> dict[str, Any]:
    """Return what an engine knows that sent these orders and was then told the evidence."""
    config = world.engine.config
    bot_config = config.bots[0]
    now_ns = world.timeline.now_ns
    sent = tuple(_as_sent(order) for order in orders)
    restored = RestoredBot(epoch=world.engine.bot.epoch, is_new=False, open_orders=sent)
    core = EngineCore(config, Restored(bots={bot_config.id: restored}))
    core.handle(
        Attached(
            session_epoch=1, exchange="sim", mode="testnet", instruments=(world.instrument,),
            positions=(Position(symbol=world.symbol, lots=0, leverage=bot_config.leverage),),
            venue_time_ns=now_ns,
        ),
        now_ns,
    )  # fmt: skip
    for event in evidence:
        world.tell(core, event, now_ns)
    bot = core.bots[bot_config.id]
    fees: dict[str, Decimal] = bot.ledger.totals.fees
    return {
        "orders": {
            key: (one.state, one.booked_lots, one.venue_filled_lots, one.booked_ticks_lots)
            for key, one in sorted(bot.orders.by_id.items())
        },
        "open": sorted(bot.orders.open),
        "position": bot.ledger.position_lots,
        "cash": bot.ledger.trade_cash_ticks_lots,
        "fees": fees,
        "fills": bot.ledger.totals.fills,
        "slots": {slot: lot.lots for slot, lot in sorted(bot.ledger.slots.items())},
    }


def _as_sent(order: Order) -> OrderRecord:
    owner = parse_client_order_id(order.client_order_id)
    assert owner is not None, "only our own were chosen"
    pending = msgspec.structs.replace(
        order, state=OrderState.PENDING_NEW, exchange_order_id="", filled_lots=0, filled_ticks_lots=0, reason=None,
        created_time_ns=0, updated_time_ns=0,
    )  # fmt: skip
    return OrderRecord(
        bot_id="eth", order=pending, slot=owner.slot, rule="sent", inputs={}, config_version=1, history=(),
        is_open=True,
    )  # fmt: skip
