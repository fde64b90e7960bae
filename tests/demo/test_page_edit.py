"""Edit a running grid on the page: what the preview lists is what is sent, what it does not list keeps its place."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import grpc
import pytest
from models.demo_process import Demo, running_demo, wait_until
from models.engine_story import number
from models.page_driver import CHROMIUM, PageDriver, chromium, open_page

from opensqt.live_server.config import LiveServerConfig
from opensqt.proto.engine_pb2 import BotState, GetStatusRequest
from opensqt.proto.engine_pb2_grpc import EngineServiceStub
from opensqt.proto.types_pb2 import ORDER_SIDE_BUY
from opensqt.runtime.config import load_config

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(240)]

ORDERS = "document.querySelectorAll('#panel-orders tr[data-order]').length"
TRIES = 3
READ_STEPS = """() => [...document.querySelectorAll('#edit tr[data-step]')].map(
  row => [row.dataset.step, row.dataset.side, row.dataset.price, row.dataset.size])"""

Place = tuple[str, Decimal, Decimal]  # side, price, size


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo whose market is slow, so that it does not move between a preview and its applying."""
    with running_demo(tmp_path_factory.mktemp("slow") / "state", "--speed", "0.1") as running:
        yield running


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[PageDriver]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM} (apt-get install chromium)")
    config = load_config(demo.state / "live_server.yaml", LiveServerConfig, env={})
    assert config.operator_token is not None
    with chromium() as browser, open_page(browser, demo.page_url) as driver:
        driver.wait_ready()
        driver.page.click("#control-unlock")
        driver.page.fill("#token", config.operator_token.reveal())
        driver.page.click("dialog button[type=submit]")
        driver.page.wait_for_selector("#control-edit", state="visible")
        driver.wait_until(f"{ORDERS} >= 10", 60)
        yield driver


def status(demo: Demo) -> BotState:
    with grpc.insecure_channel(demo.engine_address) as channel:
        return EngineServiceStub(channel).GetStatus(GetStatusRequest()).bots[0]


def orders_of(bot: BotState) -> dict[Place, str]:
    """Return the open orders by what they are, with their ids."""
    tick, lot = number(bot.instrument.tick_size.value), number(bot.instrument.lot_size.value)
    return {
        (
            "BUY" if item.order.side == ORDER_SIDE_BUY else "SELL",
            item.order.price_ticks * tick,
            item.order.lots * lot,
        ): item.order.client_order_id
        for item in bot.orders
    }


def previewed(page: PageDriver) -> list[tuple[str, Place]]:
    page.page.wait_for_selector("#edit-summary", timeout=20_000)
    steps: list[Any] = page.page.evaluate(READ_STEPS)
    return [(kind, (side, Decimal(price), Decimal(size))) for kind, side, price, size in steps]


def apply(page: PageDriver) -> str:
    page.page.click("#edit-apply")
    page.page.wait_for_selector("#edit", state="detached", timeout=20_000)
    return page.page.text_content(".outcome") or ""


def preview_change(page: PageDriver, field: str, value: str) -> list[tuple[str, Place]]:
    page.page.click("#control-edit")
    page.page.fill(f"#edit-{field}", value)
    page.page.click("#edit-preview")
    return previewed(page)


def preview_undo(page: PageDriver) -> list[tuple[str, Place]]:
    page.page.click("#control-edit")
    page.page.click("#edit-undo")
    return previewed(page)


def test_what_is_previewed_is_what_is_sent_and_undo_goes_back(demo: Demo, page: PageDriver) -> None:
    for _ in range(TRIES):
        before = status(demo)
        window = before.grid.buy_window
        steps = preview_change(page, "buy_window", str(window - 4))
        assert steps, "a smaller window cancels orders"
        assert "version" in apply(page)
        gone = {place for kind, place in steps if kind == "CANCEL"}
        added = {place for kind, place in steps if kind == "ADD"}
        old = orders_of(before)
        wanted = (set(old) - gone) | added
        _wait_orders(demo, wanted, before)
        after = status(demo)
        undo = preview_undo(page)
        apply(page)
        if _moved(before, after):
            continue  # a fill came between: the market, not the edit, changed the orders
        kept = orders_of(after)
        assert all(kept[place] == old[place] for place in set(old) & set(kept)), "an untouched order lost its place"
        assert after.grid.buy_window == window - 4
        assert after.grid.config_version > before.grid.config_version
        assert {place for kind, place in undo if kind == "ADD"} == gone
        _wait_orders(demo, set(old), after)
        assert status(demo).grid.buy_window == window
        break
    else:
        pytest.fail("the market moved in every try")
    assert page.errors == []


def _wait_orders(demo: Demo, wanted: set[Place], since: BotState) -> None:
    """Wait until exactly these orders are open, or until the market moved since."""

    def there() -> bool:
        now = status(demo)
        return set(orders_of(now)) == wanted or _moved(since, now)

    wait_until(there, 15, f"{len(wanted)} orders")


def _moved(before: BotState, after: BotState) -> bool:
    return after.pnl.fills != before.pnl.fills or after.window_high_slot != before.window_high_slot


def test_an_edit_that_cannot_be_is_refused_in_words_and_cannot_be_applied(page: PageDriver) -> None:
    page.page.click("#control-edit")
    page.page.fill("#edit-order_quantity", "0.01")
    page.page.click("#edit-preview")
    page.page.wait_for_selector("#edit .problem:not(:empty)", timeout=20_000)
    assert page.page.is_hidden("#edit-apply")
    page.page.keyboard.press("Escape")


def test_what_is_no_number_is_named_before_anything_is_asked(page: PageDriver) -> None:
    page.page.click("#control-edit")
    page.page.fill("#edit-interval", "wide")
    page.page.click("#edit-preview")
    assert "Step between levels is not a number" in (page.page.text_content("#edit .problem") or "")
    page.page.keyboard.press("Escape")


def test_a_wider_step_shows_what_happens_to_held_lots_and_the_figures(page: PageDriver) -> None:
    steps = preview_change(page, "interval", "40")
    assert {kind for kind, _ in steps} <= {"ADD", "MOVE", "CANCEL"}
    assert len(steps) > 5
    text = page.page.text_content("#edit-result") or ""
    assert "Margin needed" in text
    assert "keep their place" in text
    page.page.keyboard.press("Escape")
