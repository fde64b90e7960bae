"""The built page, held in memory: nothing on disk is reachable by a crafted path, and nothing is read per request."""

import gzip
import hashlib
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response

INDEX: Final = "index.html"

_COMPRESSED_FROM_BYTES: Final = 1_024
_COMPRESSIBLE: Final = ("text/", "application/json", "application/manifest+json", "image/svg+xml")
# Vite puts a hash of the content into the names of these files, so a name never means something else.
_IMMUTABLE_PREFIX: Final = "assets/"

_NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<title>OpenSQT: the page is not built</title>
<h1>The page is not built</h1>
<p>This installation of OpenSQT carries no page. Wheels carry it; from a checkout build it with
<code>npm ci &amp;&amp; npm run build</code> in <code>web/</code> and set <code>static_dir</code> in the server's
config to <code>web/dist</code>. Data is served all the same: <a href="/health">/health</a>, <code>/ws</code>,
<code>/ws/v1</code>.</p></html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    compressed: bytes | None
    media_type: str
    etag: str
    is_immutable: bool


@final
class PageFiles:
    """Files of the built page by their path.

    Args:
        root: folder that holds `index.html`; None or an absent folder serves an explanation instead.
    """

    def __init__(self, root: Traversable | None) -> None:
        self._files: dict[str, _File] = {}
        if root is not None and root.is_dir():
            for path, item in _walk(root, ""):
                self._files[path] = _load(path, item.read_bytes())

    @property
    def is_built(self) -> bool:
        """Whether there is a page to serve."""
        return INDEX in self._files

    def respond(self, path: str, request_headers: Headers) -> Response:
        """Return the file at `path`, the explanation when there is no page, or 404."""
        if not self.is_built and path == INDEX:
            return HTMLResponse(_NOT_BUILT, status_code=503)
        file = self._files.get(path)
        if file is None:
            return Response("No such file.\n", status_code=404, media_type="text/plain")
        headers = {
            "cache-control": "public, max-age=31536000, immutable" if file.is_immutable else "no-cache",
            "etag": file.etag,
            "vary": "accept-encoding",
        }
        if request_headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        body = file.body
        if file.compressed is not None and "gzip" in request_headers.get("accept-encoding", ""):
            body = file.compressed
            headers["content-encoding"] = "gzip"
        return Response(body, media_type=file.media_type, headers=headers)


def packaged_page() -> Traversable:
    """Return the folder of the page inside the installed package."""
    return resources.files("opensqt.live_server").joinpath("static")


def load_page(static_dir: Path | None) -> PageFiles:
    """Return the packaged page, or the one in `static_dir`."""
    return PageFiles(packaged_page() if static_dir is None else static_dir)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        path = f"{prefix}{item.name}"
        if item.is_dir():
            yield from _walk(item, f"{path}/")
        else:
            yield path, item


def _load(path: str, body: bytes) -> _File:
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    is_compressible = media_type.startswith(_COMPRESSIBLE) and len(body) >= _COMPRESSED_FROM_BYTES
    return _File(
        body=body,
        compressed=gzip.compress(body, mtime=0) if is_compressible else None,
        media_type=media_type,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        is_immutable=path.startswith(_IMMUTABLE_PREFIX),
    )
