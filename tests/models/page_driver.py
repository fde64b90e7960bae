"""Drive the page in a headless browser and watch what it must never do: log errors, or call another host."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--no-first-run"]
DESKTOP = (1440, 1000)
PHONE = (390, 844)
POLL_MS = 50


class PageDriver:
    """One open page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        self.foreign_requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        page.on("request", self._on_request)

    def open(self) -> None:
        self.page.goto(self.url, wait_until="domcontentloaded")

    def wait_ready(self, timeout_s: float = 30) -> None:
        """Wait until the first snapshot is drawn."""
        self.page.wait_for_selector("#panel-chart", state="visible", timeout=timeout_s * 1_000)
        self.wait_until("Number(document.querySelector('#chart')?.dataset.candles ?? 0) > 0", timeout_s)

    def wait_until(self, expression: str, timeout_s: float = 30) -> None:
        """Wait until a JavaScript expression holds.

        Polled from here: the page's content policy rightly forbids the browser to evaluate text by itself.
        """
        for _ in range(int(timeout_s * 1_000 / POLL_MS)):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(POLL_MS)
        raise AssertionError(f"not within {timeout_s:g} s: {expression}")

    def candles(self) -> int:
        return self._chart_count("candles")

    def order_lines(self) -> int:
        return self._chart_count("orderLines")

    def fill_markers(self) -> int:
        return self._chart_count("markers")

    def order_rows(self) -> int:
        return self.page.locator("#panel-orders tr[data-order]").count()

    def fill_rows(self) -> int:
        return self.page.locator("#panel-fills tr[data-fill]").count()

    def slot_rows(self) -> int:
        return self.page.locator("#panel-ladder tr[data-slot]").count()

    def pnl(self, part: str = "equity_change") -> str:
        return self._text(f"[data-pnl='{part}']")

    def kpi(self, name: str) -> str:
        return self._text(f"[data-kpi='{name}']")

    def state(self) -> str:
        return self.page.locator(".state").get_attribute("data-state") or ""

    def notice(self) -> str:
        notice = self.page.locator(".notice")
        return self._text(".notice") if notice.is_visible() else ""

    def link_state(self, key: str) -> str:
        return self.page.locator(f"[data-link='{key}']").get_attribute("data-state") or ""

    def is_stale(self, panel: str) -> bool:
        return self.page.locator(f"#panel-{panel}[data-stale]").count() == 1

    def overflowing(self) -> list[str]:
        """Return elements that stick out of the viewport sideways, or whose text is cut where it must not be."""
        found: list[str] = self.page.evaluate(
            """() => {
              const wide = [];
              const width = document.documentElement.clientWidth;
              for (const element of document.querySelectorAll('body *')) {
                if (element.closest('.table-scroll, .chart, .visually-hidden, .skip')) continue;
                const box = element.getBoundingClientRect();
                if (box.width > 0 && box.right > width + 1) wide.push(element.className || element.tagName);
              }
              for (const element of document.querySelectorAll('.tile-value')) {
                if (element.scrollWidth > element.clientWidth + 1) wide.push('cut: ' + element.dataset.kpi);
              }
              return wide;
            }"""
        )
        return found

    def _text(self, selector: str) -> str:
        return (self.page.locator(selector).first.text_content() or "").strip()

    def _chart_count(self, name: str) -> int:
        return int(self.page.evaluate(f"Number(document.querySelector('#chart')?.dataset.{name} ?? 0)"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _on_request(self, request: Request) -> None:
        if re.match(r"^(data|blob):", request.url):
            return
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.foreign_requests.append(request.url)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    dark: bool = False,
    locale: str = "en-GB",
    scale: float | None = None,
) -> Iterator[PageDriver]:
    """Open the page in a browser window of its own."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        locale=locale,
        has_touch=size[0] == PHONE[0],
        is_mobile=size[0] == PHONE[0],
        device_scale_factor=scale or (2 if size[0] == PHONE[0] else 1),
    )
    try:
        driver = PageDriver(context.new_page(), url)
        driver.open()
        yield driver
    finally:
        context.close()
