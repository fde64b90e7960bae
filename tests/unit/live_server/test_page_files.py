from pathlib import Path

import pytest
from starlette.datastructures import Headers

from opensqt.live_server.page_files import PageFiles

NO_HEADERS = Headers({})


@pytest.fixture
def page(tmp_path: Path) -> PageFiles:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>" + "x" * 2_000)
    (tmp_path / "assets" / "a-123.js").write_text("1")
    (tmp_path.parent / "secret.txt").write_text("secret")
    return PageFiles(tmp_path)


def test_page_is_revalidated_and_its_assets_are_not(page: PageFiles) -> None:
    assert page.respond("index.html", NO_HEADERS).headers["cache-control"] == "no-cache"
    assert "immutable" in page.respond("assets/a-123.js", NO_HEADERS).headers["cache-control"]


def test_unchanged_page_is_not_sent_again(page: PageFiles) -> None:
    etag = page.respond("index.html", NO_HEADERS).headers["etag"]
    again = page.respond("index.html", Headers({"if-none-match": etag}))
    assert (again.status_code, again.body) == (304, b"")


def test_page_is_compressed_for_who_accepts_it(page: PageFiles) -> None:
    packed = page.respond("index.html", Headers({"accept-encoding": "gzip, br"}))
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < 200


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "assets", "assets/../index.html", "nothing"])
def test_nothing_else_is_reachable(page: PageFiles, path: str) -> None:
    assert page.respond(path, NO_HEADERS).status_code == 404


def test_missing_page_explains_itself(tmp_path: Path) -> None:
    absent = PageFiles(tmp_path / "absent")
    answer = absent.respond("index.html", NO_HEADERS)
    assert not absent.is_built
    assert answer.status_code == 503
    assert b"npm run build" in answer.body
