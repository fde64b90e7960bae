"""The page of a real demo in a browser: a grid at work, and a page that recovers by itself from every kill."""

from collections.abc import Iterator

import pytest
from models.demo_process import Demo
from models.page_driver import CHROMIUM, PageDriver, chromium, open_page

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(240)]

ORDERS = "document.querySelectorAll('#panel-orders tr[data-order]').length"
FILLS = "document.querySelectorAll('#panel-fills tr[data-fill]').length"
EQUITY_CHANGE = "document.querySelector(\"[data-pnl='equity_change']\")?.textContent"


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[PageDriver]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM} (apt-get install chromium)")
    with chromium() as browser, open_page(browser, demo.page_url) as driver:
        driver.wait_ready()
        yield driver


def test_within_a_minute_it_shows_candles_a_grid_fills_and_a_moving_profit(page: PageDriver) -> None:
    page.wait_until(f"{ORDERS} >= 10", 60)
    page.wait_until(f"{FILLS} > 0", 60)
    assert page.candles() >= 100
    assert page.order_lines() >= 10
    before = page.pnl()
    page.wait_until(f"{EQUITY_CHANGE} !== {before!r}", 60)
    assert page.errors == []
    assert page.foreign_requests == []


@pytest.mark.parametrize("service", ["engine", "connector", "live_server"])
def test_it_recovers_by_itself_when_a_service_is_killed(demo: Demo, page: PageDriver, service: str) -> None:
    page.wait_until(f"{ORDERS} >= 10", 60)
    fills = int(page.kpi("fills"))
    old = demo.kill(service)
    demo.wait_back(service, old)
    page.wait_until("document.querySelectorAll('[data-stale]').length === 0", 60)
    page.wait_until(f"{ORDERS} >= 10", 60)
    # The count of all fills never goes back, and goes on.
    page.wait_until(f"Number(document.querySelector(\"[data-kpi='fills']\").textContent) > {fills}", 90)
    assert page.state() == "ACTIVE"
