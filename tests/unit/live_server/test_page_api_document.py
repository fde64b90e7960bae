"""docs/page-api.md names every address the server answers, and nothing else."""

import re
from pathlib import Path
from typing import Any, cast

from starlette.routing import Route, WebSocketRoute

from opensqt.live_server.routes import build_app

DOCUMENT = Path(__file__).parents[3] / "docs" / "page-api.md"


class Anything:
    """Stands for every part: routes are only named here, never answered."""

    def __getattr__(self, _name: str) -> Any:
        return Anything()

    def __call__(self, *_arguments: object) -> Any:
        return Anything()


def test_document_names_every_address_the_server_answers() -> None:
    app = build_app(cast("Any", Anything()), ())
    served = {
        route.path.replace("{bot_id:path}", "{bot_id}")
        for route in app.routes
        if isinstance(route, (Route, WebSocketRoute)) and route.path not in {"/", "/{path:path}"}
    }
    told = {path.partition("?")[0] for path in re.findall(r"`(?:GET|POST) (/[^`\s]*)", DOCUMENT.read_text())}
    assert told == served
