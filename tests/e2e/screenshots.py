"""Pictures of the page over a running `opensqt demo`: desktop, dark, Chinese, phone.

    python tests/e2e/screenshots.py docs/images

They live in the repository: as tall as a look needs, no taller.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from models.demo_process import running_demo
from models.page_driver import DESKTOP, PHONE, PageDriver, chromium, open_page

SETTLE_MS = 1_500
TALL = (DESKTOP[0], 1_560)
LONG_PHONE = (PHONE[0], 1_900)


@dataclass(frozen=True)
class Picture:
    """One picture: how the page is opened, and how much of it is shown."""

    name: str
    size: tuple[int, int]
    dark: bool = False
    locale: str = "en-GB"


PICTURES = (
    Picture("page", TALL),
    Picture("page-dark", TALL, dark=True),
    Picture("page-zh", TALL, locale="zh-CN"),
    Picture("page-phone", LONG_PHONE),
)


def take(page: PageDriver, picture: Picture, folder: Path) -> Path:
    """Draw one picture and return its file."""
    page.wait_ready()
    page.wait_until("document.querySelectorAll('#panel-fills tr[data-fill]').length > 0", 60)
    page.wait_until("document.querySelectorAll('#daily-bars canvas').length > 0", 60)
    page.wait_until("document.querySelectorAll('#panel-rates tr[data-hop]').length > 0", 60)
    page.page.wait_for_timeout(SETTLE_MS)
    path = folder / f"{picture.name}.png"
    page.page.screenshot(path=path)
    return path


def main() -> None:
    """Start a demo, let it trade, and take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--warm-up-s", type=float, default=75, help="how long the demo trades before the first picture")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not subprocess.run(["fc-list", ":lang=zh"], capture_output=True, check=False).stdout:
        parser.error("there is no font with Chinese characters; install one, for example fonts-noto-cjk")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        running_demo(Path(state) / "demo", "--seed", str(arguments.seed)) as demo,
        chromium() as browser,
    ):
        with open_page(browser, demo.page_url) as warm:
            warm.page.wait_for_timeout(arguments.warm_up_s * 1_000)
        for picture in PICTURES:
            with open_page(
                browser, demo.page_url, size=picture.size, dark=picture.dark, locale=picture.locale, scale=1
            ) as page:
                path = take(page, picture, arguments.folder)
                print(f"{path} {path.stat().st_size // 1024} KB")  # noqa: T201  the tool's report


if __name__ == "__main__":
    main()
