"""Every number on the page is the engine's: compared with EngineService at the same sequence number, on a real demo."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from models.demo_process import Demo
from models.engine_story import number
from models.page_driver import CHROMIUM, PageDriver, chromium, open_page
from models.page_truth import agrees, compare_at_same_sequence, shown

from opensqt.proto.engine_pb2 import BotState, TradingState
from opensqt.proto.types_pb2 import ORDER_SIDE_BUY

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(240)]

LOOKS = 25
PARTS = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers", "equity_change", "unexplained")

# Everything in one evaluation: the page draws between two of them, never within one.
READ = """() => {
  const text = element => element?.textContent?.trim() ?? null;
  const table = (panel, name) => [...document.querySelectorAll(`#panel-${panel} tr[data-${name}]`)].map(
    row => [row.getAttribute(`data-${name}`), [...row.children].map(text)]);
  const named = attribute => Object.fromEntries(
    [...document.querySelectorAll(`[${attribute}]`)].map(one => [one.getAttribute(attribute), text(one)]));
  const data = (key, value) => Object.fromEntries(
    [...document.querySelectorAll(`[data-${key}]`)].map(one => [one.dataset[key], one.dataset[value]]));
  return {
    sequence: Number(document.querySelector('#content').dataset.engineSequence),
    state: document.querySelector('.state').dataset.state,
    exact: data('pnl', 'exact'), today: data('today', 'exact'), limits: data('limit', 'value'),
    pnl: named('data-pnl'), kpi: named('data-kpi'), facts: named('data-fact'), verdict: named('data-verdict'),
    orders: table('orders', 'order'), slots: table('ladder', 'slot'), fills: table('fills', 'fill'),
    chart: {...document.querySelector('#chart').dataset},
  };
}"""


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[PageDriver]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM} (apt-get install chromium)")
    with chromium() as browser, open_page(browser, demo.page_url) as driver:
        driver.wait_ready()
        driver.wait_until("document.querySelectorAll('#panel-fills tr[data-fill]').length > 0", 90)
        driver.wait_until("document.querySelector('#daily-bars').dataset.today !== undefined", 30)
        yield driver


def check_money(told: dict[str, Any], bot: BotState) -> None:
    for part in PARTS:
        truth = number(getattr(bot.pnl, part).value)
        assert Decimal(told["exact"][part]) == truth, part
        assert agrees(told["pnl"][part], truth), (part, told["pnl"][part])
    parts = [Decimal(told["exact"][part]) for part in PARTS[:5]]
    assert sum(parts) == Decimal(told["exact"]["equity_change"])
    today = [Decimal(told["today"][part]) for part in PARTS[:5]]
    assert sum(today) == Decimal(told["today"]["equity_change"])
    # The demo began today: today is all there is.
    assert Decimal(told["today"]["equity_change"]) == number(bot.pnl.equity_change.value)
    assert agrees(told["kpi"]["equity"], number(bot.pnl.equity.value))
    assert agrees(told["kpi"]["change"], number(bot.pnl.equity_change.value))
    assert agrees(told["kpi"]["today"], number(bot.pnl.equity_change.value))
    assert agrees(told["facts"]["pnl.turnover"], number(bot.pnl.turnover.value))
    assert (shown(told["kpi"]["fills"]), shown(told["facts"]["pnl.cycles"])) == (bot.pnl.fills, bot.pnl.cycles)
    assert shown(told["facts"]["pnl.ordersPlaced"]) == bot.pnl.orders_placed
    assert agrees(told["facts"]["pnl.fillRatio"], Decimal(bot.pnl.fills) / bot.pnl.orders_placed * 100)
    assert agrees(told["facts"]["pnl.maker"], Decimal(bot.pnl.maker_fills) / bot.pnl.fills * 100)


def check_account_and_position(told: dict[str, Any], bot: BotState) -> None:
    facts = told["facts"]
    lot = number(bot.instrument.lot_size.value)
    assert shown(facts["position.size"]) == bot.position.lots * lot
    assert agrees(facts["position.mark"], number(bot.mark_price.value))
    if bot.position.lots:
        assert agrees(facts["position.entry"], number(bot.position.entry_price.value))
        assert agrees(facts["position.unrealized"], number(bot.position.unrealized_pnl.value))
    assert agrees(facts["account.wallet"], number(bot.account.wallet_balance.value))
    assert agrees(facts["account.margin"], number(bot.account.margin_balance.value))
    assert agrees(facts["account.available"], number(bot.account.available_balance.value))
    assert agrees(told["kpi"]["last"], number(bot.last_price.value))
    assert told["state"] == TradingState.Name(bot.state).removeprefix("TRADING_STATE_")


def check_orders_slots_fills(told: dict[str, Any], bot: BotState) -> None:
    tick, lot = number(bot.instrument.tick_size.value), number(bot.instrument.lot_size.value)
    orders = {item.order.client_order_id: item for item in bot.orders}
    assert {key for key, _ in told["orders"]} == set(orders)
    for key, cells in told["orders"]:
        order = orders[key].order
        assert cells[0] == ("Buy" if order.side == ORDER_SIDE_BUY else "Sell")
        assert (shown(cells[1]), shown(cells[2])) == (order.price_ticks * tick, order.lots * lot)
        assert int(cells[5]) == orders[key].slot
    assert int(told["chart"]["orderLines"]) == len(orders)
    slots = {str(slot.slot): slot for slot in bot.slots}
    assert {key for key, _ in told["slots"]} == set(slots)
    for key, cells in told["slots"]:
        slot = slots[key]
        assert shown(cells[0]) == slot.level_ticks * tick
        if slot.held_lots:
            assert shown(cells[1]) == slot.held_lots * lot
            assert agrees(cells[2], Decimal(slot.cost_ticks_lots) / slot.held_lots * tick)
        assert (cells[4] != "–") == bool(slot.working_client_order_id)
        assert cells[6] == (str(slot.cycles) if slot.cycles else "–")
    assert int(told["chart"]["holdings"]) == sum(1 for slot in bot.slots if slot.held_lots)
    known = {item.fill.trade_id: item for item in bot.recent_fills}
    newest = told["fills"][: len(known)]
    assert [key for key, _ in newest] == [item.fill.trade_id for item in reversed(bot.recent_fills)]
    for key, cells in newest:
        fill = known[key].fill
        assert (shown(cells[2]), shown(cells[3])) == (fill.price_ticks * tick, fill.lots * lot)
        assert cells[4] == str(known[key].slot)
        assert agrees(cells[6], number(fill.fee.value))
    assert told["chart"]["newestFill"] == bot.recent_fills[-1].fill.trade_id


def check_safety(told: dict[str, Any], bot: BotState) -> None:
    limits = {limit.name: limit.value.value for limit in bot.limits}
    assert {name: Decimal(value) for name, value in told["limits"].items()} == {
        name: number(value) for name, value in limits.items()
    }
    unknown = sum(1 for item in bot.orders if item.order.state == 6)
    assert shown(told["facts"]["safety.unknown"]) == unknown


def check(told: dict[str, Any], bot: BotState) -> None:
    check_money(told, bot)
    check_account_and_position(told, bot)
    check_orders_slots_fills(told, bot)
    check_safety(told, bot)


def test_every_panel_shows_what_the_engine_says_at_the_same_sequence(demo: Demo, page: PageDriver) -> None:
    compare_at_same_sequence(page, demo.engine_address, READ, check, LOOKS)
    assert page.errors == []
    assert page.foreign_requests == []
