"""Usable with a keyboard and a screen reader: axe-core's verdict on every state of the page, and the keyboard's way."""

from pathlib import Path
from typing import Any

import pytest
from models.page_driver import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]

GRAVE = {"serious", "critical"}


@pytest.fixture(scope="module")
def axe(project_root: Path) -> str:
    source = project_root / "web" / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        pytest.skip("axe-core is not installed (npm ci in web/)")
    return source.read_text()


def grave_violations(page: Any, axe: str) -> list[str]:
    # Handed over by the debugger, so the page's content policy stays as strict as it is.
    page.page.evaluate(axe)
    told = page.page.evaluate(
        """() => axe.run(document, {resultTypes: ['violations']})
          .then(({violations, passes}) => ({violations, passes: passes.length}))"""
    )
    assert told["passes"] >= 15, "axe looked at almost nothing"
    return [
        f"{one['impact']} {one['id']}: {one['help']} at {[node['html'][:140] for node in one['nodes'][:3]]}"
        for one in told["violations"]
        if one["impact"] in GRAVE
    ]


def unlock(page: Any, token: str) -> None:
    page.page.click("#control-unlock")
    page.page.fill("#token", token)
    page.page.click("dialog button[type=submit]")
    page.page.wait_for_selector("#control-pause", state="visible")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_axe_finds_nothing_serious(show, axe, size, dark, locale):
    page = show(size=size, dark=dark, locale=locale)
    page.wait_until("document.querySelectorAll('#panel-fills tr[data-fill]').length > 0", 60)
    assert grave_violations(page, axe) == []


def test_axe_finds_nothing_serious_in_the_dialogs(show, axe, stack):
    page = show()
    page.page.click("#control-unlock")
    assert grave_violations(page, axe) == []
    page.page.keyboard.press("Escape")
    page.page.locator("#panel-orders tr[data-order] button").first.click()
    page.page.wait_for_selector("#why .facts")
    assert grave_violations(page, axe) == []
    page.page.keyboard.press("Escape")
    if stack.operator_token is None:
        pytest.skip("this stack gives no operator token to the tests")
    unlock(page, stack.operator_token)
    assert grave_violations(page, axe) == []
    page.page.click("#control-edit")
    page.page.fill("#edit-interval", "3")
    page.page.click("#edit-preview")
    page.page.wait_for_selector("#edit-summary")
    assert grave_violations(page, axe) == []


def test_axe_finds_nothing_serious_while_numbers_are_stale(show, axe):
    page = show()
    page.page.context.set_offline(True)
    page.wait_until("document.querySelector('#panel-pnl').hasAttribute('data-stale')", 30)
    # Faded numbers are faded on purpose; everything else must stay readable.
    page.page.evaluate(axe)
    found = page.page.evaluate(
        """() => axe.run({exclude: [['[data-stale]']]}, {resultTypes: ['violations']})
          .then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id))"""
    )
    assert found == []


def test_everything_can_be_reached_and_operated_by_keyboard(show):
    page = show()
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.className") == "skip"
    page.page.keyboard.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "content"
    reached = set()
    for _ in range(60):
        page.page.keyboard.press("Tab")
        reached.add(page.page.evaluate("document.activeElement.id || document.activeElement.dataset.interval || ''"))
    assert {"5m", "orders-search", "control-unlock"} <= reached
    page.page.locator("[data-interval='5m']").focus()
    page.page.keyboard.press("Enter")
    page.wait_until("document.querySelector('#chart').dataset.interval === '5m'")


def test_focus_is_visible(show):
    page = show()
    page.page.locator("#show-overview, #toggle-sound").last.focus()
    page.page.keyboard.press("Tab")
    outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
