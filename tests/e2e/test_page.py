"""The page as a person sees it, in headless Chromium."""

import pytest
from models.page_driver import PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]

MINUS = "\u2212"


def number(text: str) -> float:
    return float(text.replace(MINUS, "-").replace(",", "").replace("+", ""))


def test_page_shows_a_grid_at_work(show):
    page = show()
    page.wait_until("document.querySelectorAll('#panel-orders tr[data-order]').length >= 10", 60)
    page.wait_until("document.querySelectorAll('#panel-fills tr[data-fill]').length > 0", 60)
    assert page.candles() >= 100
    assert page.order_lines() >= 10
    assert page.slot_rows() >= 10
    assert page.fill_markers() > 0
    assert page.state() == "ACTIVE"


def test_profit_and_loss_moves(show):
    page = show()
    page.wait_until("document.querySelector(\"[data-pnl='equity_change']\")?.textContent !== '–'")
    before = page.pnl()
    page.wait_until(f"document.querySelector(\"[data-pnl='equity_change']\").textContent !== {before!r}", 60)


def test_parts_of_profit_and_loss_sum_to_the_equity_change(show):
    page = show()
    names = ("grid_profit", "inventory_pnl", "fees", "funding", "equity_change", "transfers")
    script = """names => Object.fromEntries(names.map(
        name => [name, document.querySelector(`[data-pnl='${name}']`)?.textContent ?? '0']))"""
    shown = {name: number(text) for name, text in page.page.evaluate(script, list(names)).items()}
    change = shown.pop("equity_change")
    # Each part is shown rounded to four places.
    assert abs(sum(shown.values()) - change) < 0.0004


def test_fills_keep_coming(show):
    page = show()
    page.wait_until("Number(document.querySelector(\"[data-kpi='fills']\")?.textContent) > 0", 60)
    before = number(page.kpi("fills"))
    page.wait_until(f"Number(document.querySelector(\"[data-kpi='fills']\").textContent) > {before}", 90)


def test_page_is_alone_in_the_world_and_says_no_error(show):
    page = show()
    page.page.wait_for_timeout(2_500)
    assert page.foreign_requests == []
    assert page.errors == []
    assert page.notice() == ""


def test_every_link_is_up(show):
    page = show()
    page.wait_until("[...document.querySelectorAll('[data-link]')].every(link => link.dataset.state === 'up')", 30)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 1000), (900, 1100), PHONE], ids=["desktop", "tablet", "phone"])
def test_nothing_sticks_out_or_is_cut(show, size, dark):
    page = show(size=size, dark=dark)
    assert page.overflowing() == []


def test_dark_mode_follows_the_system_and_can_be_chosen(show):
    page = show(dark=True)
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.page.evaluate(background)
    page.page.select_option("#theme-select", "light")
    assert page.page.evaluate(background) != dark


def test_chinese_browser_gets_chinese(show):
    page = show(locale="zh-CN")
    assert page.page.text_content("#panel-pnl h2") == "盈亏"
    assert page.page.get_attribute("html", "lang") == "zh-CN"
    page.page.select_option("#language-select", "en")
    assert page.page.text_content("#panel-pnl h2") == "Profit and loss"


def test_lost_connection_makes_every_number_look_stale_and_comes_back(show):
    page = show()
    page.page.context.set_offline(True)
    page.wait_until("document.querySelector('#panel-pnl').hasAttribute('data-stale')", 30)
    assert all(page.is_stale(panel) for panel in ("chart", "ladder", "pnl", "position", "account", "fills", "orders"))
    assert page.notice() != ""
    assert page.link_state("page") == "down"
    page.page.context.set_offline(False)
    page.wait_until("!document.querySelector('#panel-pnl').hasAttribute('data-stale')", 30)
    assert page.notice() == ""


def test_controls_need_the_operator(show, stack):
    page = show()
    if stack.operator_token is None:
        pytest.skip("this stack gives no operator token to the tests")
    assert page.page.is_hidden("#control-pause")
    page.page.click("#control-unlock")
    page.page.fill("#token", stack.operator_token)
    page.page.click("dialog button[type=submit]")
    page.page.click("#control-pause")
    page.page.click("dialog [data-choice=yes]")
    page.wait_until("document.querySelector('.state').dataset.state === 'REDUCING'", 15)
    assert page.page.is_visible(".reasons")
    page.page.click("#control-resume")
    page.page.click("dialog [data-choice=yes]")
    page.wait_until("document.querySelector('.state').dataset.state === 'ACTIVE'", 15)
    assert page.errors == []


def test_panels_are_named_for_screen_readers(show):
    page = show()
    unnamed = page.page.evaluate(
        """() => [...document.querySelectorAll('section, select, button, input, table')]
          .filter(element => element.offsetParent !== null && !element.closest('.chart'))
          .filter(element => !(element.getAttribute('aria-label') || element.textContent.trim()
            || document.getElementById(element.getAttribute('aria-labelledby'))?.textContent.trim()))
          .map(element => element.outerHTML.slice(0, 80))"""
    )
    assert unnamed == []
