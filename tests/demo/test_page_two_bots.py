"""Two bots on two symbols in one page: a list of both first, then each with its own numbers."""

from collections.abc import Iterator

import pytest
from models.demo_process import wait_until
from models.page_driver import CHROMIUM, PHONE, PageDriver, chromium, open_page
from models.up_process import Up, running_up
from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(240)]

CONFIG = """
connector:
  exchange: paper
  mode: paper
  paper: {source: synthetic, symbols: [BTCUSDT, ETHUSDT], seed: 3, annual_volatility: 1.2, leverage: 5}
engine:
  bots:
    - {id: btc, tag: btc, symbol: "BTC/USDT:USDT", leverage: 5, grid: {interval: 29, order_quantity: 130}}
    - {id: eth, tag: eth, symbol: "ETH/USDT:USDT", leverage: 5, grid: {interval: 1.5, order_quantity: 130}}
live_server: {}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("two")
    config = folder / "two.yaml"
    config.write_text(CONFIG)
    with running_up(config, folder) as running:
        wait_until(running.bot, 60, "the bots")
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM} (apt-get install chromium)")
    with chromium() as started:
        yield started


def rows(page: PageDriver) -> dict[str, list[str]]:
    """Return the overview's rows by bot."""
    found: list[list[str]] = page.page.evaluate(
        """() => [...document.querySelectorAll('#panel-overview tr[data-bot]')].map(
          row => [row.dataset.bot, ...[...row.children].map(cell => cell.textContent.trim())])"""
    )
    return {name: cells for name, *cells in found}


@pytest.mark.parametrize("size", [(1440, 1000), PHONE], ids=["desktop", "phone"])
def test_the_list_comes_first_and_leads_to_each_bot_and_back(run: Up, browser: Browser, size: tuple[int, int]) -> None:
    with open_page(browser, run.page_url, size=size) as page:
        page.wait_until("document.querySelectorAll('#panel-overview tr[data-bot]').length === 2", 60)
        page.wait_until("[...document.querySelectorAll('#panel-overview td')].some(c => c.textContent === 'Safe')", 60)
        assert set(rows(page)) == {"btc", "eth"}
        assert page.overflowing() == []
        page.page.click("#panel-overview tr[data-bot='eth'] a")
        page.wait_ready()
        assert page.page.is_hidden("#panel-overview")
        assert "ETH" in (page.page.text_content("[data-fact='position.size']") or "")
        page.page.select_option("#bot-select", "btc")
        page.wait_until("document.querySelector(\"[data-fact='position.size']\").textContent.includes('BTC')")
        assert page.page.url.endswith("#btc")
        page.page.click("#show-overview")
        page.wait_until("!document.querySelector('#panel-overview').closest('[hidden]')")
        assert page.errors == []
        assert page.foreign_requests == []


def test_an_address_names_its_bot(run: Up, browser: Browser) -> None:
    with open_page(browser, f"{run.page_url}#eth") as page:
        page.wait_ready()
        assert "ETH" in (page.page.text_content("[data-fact='position.size']") or "")
        page.wait_until("document.querySelectorAll('#panel-orders tr[data-order]').length >= 5", 60)
