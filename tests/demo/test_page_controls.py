"""The page's controls on a real demo: refused without the operator, done with, and told in words."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest
from models.demo_process import Demo, wait_until
from models.page_driver import CHROMIUM, PageDriver, chromium, open_page

from opensqt.live_server.config import LiveServerConfig
from opensqt.runtime.config import load_config

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(240)]

STATE = "document.querySelector('.state').dataset.state"
ORDERS = "document.querySelectorAll('#panel-orders tr[data-order]').length"


@pytest.fixture(scope="module")
def token(demo: Demo) -> str:
    config = load_config(demo.state / "live_server.yaml", LiveServerConfig, env={})
    assert config.operator_token is not None
    return config.operator_token.reveal()


@pytest.fixture(scope="module")
def page(demo: Demo, token: str) -> Iterator[PageDriver]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM} (apt-get install chromium)")
    with chromium() as browser, open_page(browser, demo.page_url) as driver:
        driver.wait_ready()
        driver.page.click("#control-unlock")
        driver.page.fill("#token", token)
        driver.page.click("dialog button[type=submit]")
        driver.page.wait_for_selector("#control-pause", state="visible")
        driver.wait_until(f"{ORDERS} >= 10", 60)
        yield driver


def press(page: PageDriver, control: str, choice: str = "yes") -> str:
    """Click a control, answer its question, and return what the page says came of it."""
    page.page.click(f"#control-{control}")
    page.page.click(f"dialog [data-choice={choice}]")
    page.wait_until("document.querySelector('.outcome').dataset.ok === 'yes'", 60)
    return page.page.text_content(".outcome") or ""


@pytest.mark.parametrize("action", ["pause", "resume", "stop", "reconcile", "kill", "grid/preview", "grid/apply"])
def test_without_the_operators_token_nothing_can_be_controlled(demo: Demo, action: str) -> None:
    for headers in ({}, {"Authorization": "Bearer " + "x" * 32}):
        with closing(HTTPConnection("127.0.0.1", demo.page_port, timeout=5)) as connection:
            sent = {"Content-Type": "application/json", **headers}
            connection.request("POST", f"/api/bots/demo/{action}", json.dumps({"mode": "keep"}), sent)
            assert connection.getresponse().status == 401


def test_pause_and_resume_change_the_state_and_are_in_the_log(page: PageDriver) -> None:
    assert "Done" in press(page, "pause")
    page.wait_until(f"{STATE} === 'REDUCING'", 15)
    assert page.page.is_visible(".reasons")
    assert "Opens nothing" in (page.page.text_content("[data-verdict='next']") or "")
    press(page, "resume")
    page.wait_until(f"{STATE} === 'ACTIVE'", 15)
    page.page.fill("#journal-search", "pause")
    page.wait_until("document.querySelectorAll('#panel-journal tbody tr').length >= 1", 10)
    page.page.fill("#journal-search", "")


def test_reconcile_says_what_it_found(page: PageDriver) -> None:
    assert "position agrees" in press(page, "reconcile")


def test_every_action_is_written_into_the_servers_log_without_the_token(demo: Demo, token: str) -> None:
    def actions() -> list[dict[str, str]]:
        text = (demo.state / "logs" / "live_server.log").read_text()
        assert token not in text
        entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [entry for entry in entries if str(entry.get("event", "")).startswith("control_")]

    wait_until(lambda: {"pause", "resume", "reconcile"} <= {entry["action"] for entry in actions()}, 10, "the audit")
    assert any(entry["event"] == "control_refused" for entry in actions())


def test_why_is_told_of_an_order_and_of_a_fill(page: PageDriver) -> None:
    page.wait_until("document.querySelectorAll('#panel-fills tr[data-fill]').length > 0", 60)
    for row in ("#panel-orders tr[data-order]", "#panel-fills tr[data-fill]"):
        page.page.locator(f"{row} button").first.click()
        page.page.wait_for_selector("#why .facts", timeout=10_000)
        text = page.page.text_content("#why") or ""
        assert "What the rule saw" in text
        assert "Grid version" in text
        page.page.keyboard.press("Escape")


def test_search_finds_by_every_word(page: PageDriver) -> None:
    page.page.fill("#orders-search", "buy resting")
    page.wait_until(
        "[...document.querySelectorAll('#panel-orders tr[data-order]')].every(r => r.dataset.side === 'BUY')"
    )
    page.page.fill("#orders-search", "no such thing")
    page.wait_until(f"{ORDERS} === 0")
    page.page.fill("#orders-search", "")
    page.wait_until(f"{ORDERS} >= 10")


def test_ended_orders_are_listed_newest_first_and_can_say_why(page: PageDriver) -> None:
    page.page.click("#orders-ended")
    # The open ones stand there until the next drawing.
    rows = "[...document.querySelectorAll('#panel-orders tr[data-order]')]"
    is_ended = "['FILLED', 'CANCELED', 'REJECTED', 'EXPIRED'].includes(r.dataset.orderState)"
    page.wait_until(f"{ORDERS} > 0 && {rows}.every(r => {is_ended})", 20)
    page.page.locator("#panel-orders tr[data-order] button").first.click()
    page.page.wait_for_selector("#why .facts", timeout=10_000)
    page.page.keyboard.press("Escape")
    page.page.click("#orders-open")
    page.wait_until(f"{ORDERS} >= 10", 20)


def test_sound_can_be_turned_on_and_off_and_is_remembered(page: PageDriver) -> None:
    pressed = "document.querySelector('#toggle-sound').getAttribute('aria-pressed')"
    assert page.page.evaluate(pressed) == "false"
    page.page.click("#toggle-sound")
    page.wait_until(f"{pressed} === 'true'")
    assert page.page.evaluate("localStorage.getItem('opensqt.sound')") == "on"
    page.page.click("#toggle-sound")
    page.wait_until(f"{pressed} === 'false'")


def test_intervals_and_the_past_come_when_asked_for(page: PageDriver) -> None:
    for interval in ("5m", "15m", "1h", "1m"):
        page.page.click(f"[data-interval='{interval}']")
        page.wait_until(f"document.querySelector('#chart').dataset.interval === '{interval}'")
        page.wait_until("Number(document.querySelector('#chart').dataset.candles) > 1", 20)
        last = "document.querySelector('#chart').dataset.close"
        page.wait_until(f"{last} !== undefined")
    # The stream begins with a hundred: more than that was asked for, because the reader looked near the oldest.
    box = page.page.locator("#chart").bounding_box()
    assert box is not None
    for _ in range(3):
        page.page.mouse.move(box["x"] + 100, box["y"] + 150)
        page.page.mouse.down()
        page.page.mouse.move(box["x"] + box["width"] - 100, box["y"] + 150, steps=4)
        page.page.mouse.up()
    page.wait_until("Number(document.querySelector('#chart').dataset.candles) > 150", 20)
    page.page.click("#panel-chart .panel-aside > .button")


def test_kill_cancels_everything_and_says_so(page: PageDriver) -> None:
    told = press(page, "kill", "cancel")
    assert "cancelled and verified" in told
    page.wait_until(f"{ORDERS} === 0", 20)
    assert page.errors == []
    assert page.foreign_requests == []
