"""The page in a browser, over a stack that tells a known story, or over a running one named by OPENSQT_E2E_URL."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from models.page_driver import CHROMIUM, PageDriver, chromium, open_page
from playwright.sync_api import Browser

STACK_PROGRAM = Path(__file__).resolve().parent.parent / "models" / "fake_stack.py"


@dataclass(frozen=True)
class PageStack:
    """Where the page is served."""

    url: str
    operator_token: str | None
    is_fake: bool


def built_page(project_root: Path) -> Path:
    """Return the folder of the built page: the installed package's, else the checkout's; skip without either."""
    packaged = resources.files("opensqt.live_server").joinpath("static")
    for folder in (Path(str(packaged)), project_root / "web" / "dist"):
        if (folder / "index.html").is_file():
            return folder
    pytest.skip("the page is not built (npm ci && npm run build in web/)")


@pytest.fixture(scope="module")
def stack(project_root: Path) -> Iterator[PageStack]:
    url = os.environ.get("OPENSQT_E2E_URL")
    if url:
        yield PageStack(url.rstrip("/") + "/", os.environ.get("OPENSQT_E2E_OPERATOR_TOKEN"), is_fake=False)
        return
    process = subprocess.Popen(
        [sys.executable, str(STACK_PROGRAM), "--static", str(built_page(project_root)), "--step-ms", "150"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the fake stack did not start"
        told = json.loads(line)
        yield PageStack(told["url"] + "/", told["operator_token"], is_fake=True)
    finally:
        # Closing its input is the sign to stop.
        process.communicate(timeout=15)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM} (apt-get install chromium)")
    with chromium() as started:
        yield started


OpenPage = Callable[..., PageDriver]


@pytest.fixture
def show(browser: Browser, stack: PageStack) -> Iterator[OpenPage]:
    """Return a function that opens the page and waits for its first numbers."""
    with ExitStack() as pages:

        def open_ready(**options: Any) -> PageDriver:
            driver = pages.enter_context(open_page(browser, stack.url, **options))
            driver.wait_ready()
            return driver

        yield open_ready
