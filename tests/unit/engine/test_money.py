"""Money of a bot: funding, transfers, executions of others; the venue's wallet and the ledger never drift apart."""

from decimal import Decimal

import msgspec
import pytest
from models.grid_venue import SYMBOL, World

from opensqt.domain.fill import CashFlow, CashFlowKind, FillOrigin
from opensqt.domain.order import Side
from opensqt.engine.risk.reasons import Code


@pytest.fixture
def world() -> World:
    made = World()
    made.start()
    made.price(299_775)
    made.settle()
    return made


def pay(world: World, kind: CashFlowKind, amount: str, symbol: str = SYMBOL) -> CashFlow:
    world.venue.tick()
    world.venue.wallet += Decimal(amount)
    flow = CashFlow(
        id=f"f{world.venue.now_ns}",
        kind=kind,
        symbol=symbol,
        asset="USDT",
        amount=Decimal(amount),
        venue_time_ns=world.venue.now_ns,
    )
    world.turn(flow, world.venue.account_record())
    return flow


def test_funding_is_its_own_part_and_explained(world: World) -> None:
    flow = pay(world, CashFlowKind.FUNDING, "-0.0123")
    world.turn(flow)
    assert world.bot.pnl().funding == Decimal("-0.0123")
    world.check_settled()


def test_transfer_of_the_account_is_explained(world: World) -> None:
    pay(world, CashFlowKind.TRANSFER, "500", symbol="")
    assert world.bot.pnl().transfers == 500
    world.check_settled()


def test_money_nobody_reported_is_shown_as_unexplained(world: World) -> None:
    world.venue.wallet += Decimal("0.07")
    world.venue.tick()
    world.turn(world.venue.account_record())
    assert round(world.bot.account_book.unexplained, 12) == Decimal("0.07")


def test_execution_by_hand_is_counted_outside_the_slots(world: World) -> None:
    venue, held = world.venue, world.bot.ledger.slot_lots
    buy = next(o for o in venue.open_orders if o.side is Side.BUY)
    fill = venue.fill(buy.client_order_id, 3)
    venue.events.clear()
    world.turn(
        msgspec.structs.replace(fill, client_order_id="manual-1", origin=FillOrigin.MANUAL),
        venue.position_record(),
        venue.account_record(),
    )
    assert world.bot.ledger.slot_lots == held
    assert world.bot.ledger.position_lots == venue.position
    assert abs(world.bot.account_book.unexplained) < Decimal("1e-18")
    assert world.bot.recent_journal[-1].code == "FILL_MANUAL"


def test_liquidation_closes_the_dearest_lots_first(world: World) -> None:
    venue = world.venue
    sell = max((o for o in venue.open_orders if o.side is Side.SELL), key=lambda o: o.price_ticks)
    fill = venue.fill(sell.client_order_id, 10, price_ticks=299_000)
    venue.events.clear()
    world.turn(
        msgspec.structs.replace(fill, client_order_id="", origin=FillOrigin.LIQUIDATION),
        venue.position_record(),
        venue.account_record(),
    )
    assert world.bot.ledger.position_lots == venue.position == 10
    assert world.bot.pnl().grid_profit < 0
    assert abs(world.bot.account_book.unexplained) < Decimal("1e-18")


def test_position_that_disagrees_for_long_stops_opening_and_calls_for_help(world: World) -> None:
    venue = world.venue
    venue.position += 5
    venue.tick()
    world.turn(venue.position_record())
    assert Code.POSITION_MISMATCH not in world.bot.gate.reasons
    for _ in range(20):
        world.timer(250)
    assert Code.POSITION_MISMATCH in world.bot.gate.reasons
    assert world.reattach_wanted
    venue.position -= 5
    venue.tick()
    world.turn(venue.position_record())
    assert Code.POSITION_MISMATCH not in world.bot.gate.reasons


def test_conflicting_report_of_a_trade_is_not_booked_and_everything_is_fetched_again(world: World) -> None:
    known = world.venue.fills[0]
    lots = world.bot.ledger.position_lots
    world.turn(msgspec.structs.replace(known, lots=known.lots + 1))
    assert world.bot.ledger.position_lots == lots
    assert world.reattach_wanted
