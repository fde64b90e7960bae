"""Edit a running grid, for operators: preview, apply exactly that, undo.

    POST /api/bots/{id}/grid/preview   {"changes": {"interval": "30", "buy_window": 12, ...}} or {"undo": true}
    POST /api/bots/{id}/grid/apply     {"changes": ..., "expected_version": n, "preview_token": "..."}
    POST /api/bots/{id}/grid/undo      {"expected_version": n, "preview_token": "..."}

The engine judges; here only the shape of a request is checked.
"""

import re
from typing import TYPE_CHECKING, Any, Final, final

from google.type.decimal_pb2 import Decimal as DecimalMessage
from starlette.requests import Request
from starlette.responses import Response

from opensqt.live_server import grid_view
from opensqt.live_server.controls import Asked, Controls, RefusedError
from opensqt.proto.engine_pb2 import ApplyGridRequest, GridChanges, PreviewGridRequest, UndoGridRequest
from opensqt.runtime.grpc_client import call

if TYPE_CHECKING:  # a name of the type stubs alone
    from opensqt.proto.engine_pb2_grpc import EngineServiceAsyncStub

TIMEOUT_S: Final = 15.0

_DECIMAL_FIELDS: Final = frozenset(
    {
        "interval",
        "ratio",
        "order_quantity",
        "range_lower",
        "range_upper",
        "max_position",
        "max_notional",
        "max_order_notional",
    }
)
_WHOLE_FIELDS: Final = frozenset({"buy_window", "sell_window", "max_open_orders"})
_TEXT_FIELDS: Final = frozenset({"range_action"})
_DECIMAL: Final = re.compile(r"\d{1,20}(\.\d{1,20})?")
_MAX_WHOLE: Final = 1_000_000
_MAX_TEXT: Final = 200

Json = dict[str, Any]


@final
class GridEditor:
    """Carry an operator's edit to the engine.

    Args:
        stub: the engine, with a token that may control it.
        controls: checks who is asking, and logs it.
    """

    def __init__(self, stub: "EngineServiceAsyncStub", controls: Controls) -> None:
        self._stub = stub
        self._controls = controls

    async def preview(self, request: Request) -> Response:
        """Answer `POST .../grid/preview`."""
        return await self._controls.control(request, "grid_preview", self._preview)

    async def apply(self, request: Request) -> Response:
        """Answer `POST .../grid/apply`."""
        return await self._controls.control(request, "grid_apply", self._apply)

    async def undo(self, request: Request) -> Response:
        """Answer `POST .../grid/undo`."""
        return await self._controls.control(request, "grid_undo", self._undo)

    async def _preview(self, asked: Asked) -> Json:
        if asked.body.get("undo") is True:
            request = PreviewGridRequest(bot_id=asked.bot_id, undo=True)
        else:
            request = PreviewGridRequest(bot_id=asked.bot_id, changes=read_changes(asked.body.get("changes")))
        return grid_view.preview(await call(self._stub.PreviewGrid, request, timeout_s=TIMEOUT_S))

    async def _apply(self, asked: Asked) -> Json:
        request = ApplyGridRequest(
            bot_id=asked.bot_id,
            changes=read_changes(asked.body.get("changes")),
            expected_version=_whole(asked.body, "expected_version"),
            preview_token=_text(asked.body, "preview_token"),
            operator=asked.who,
        )
        return grid_view.applied(await call(self._stub.ApplyGrid, request, timeout_s=TIMEOUT_S))

    async def _undo(self, asked: Asked) -> Json:
        request = UndoGridRequest(
            bot_id=asked.bot_id,
            expected_version=_whole(asked.body, "expected_version"),
            preview_token=_text(asked.body, "preview_token"),
            operator=asked.who,
        )
        return grid_view.applied(await call(self._stub.UndoGrid, request, timeout_s=TIMEOUT_S))


def read_changes(changes: object) -> GridChanges:
    """Return the changes a request names.

    Raises:
        RefusedError: an unknown setting, or a value of the wrong shape; it names the field.
    """
    if not isinstance(changes, dict) or not changes:
        raise RefusedError(400, "INVALID_FIELD", "`changes` must name at least one setting")
    message = GridChanges()
    for name in changes:
        if name in _DECIMAL_FIELDS:
            text = _text(changes, name)
            if not _DECIMAL.fullmatch(text):
                raise RefusedError(400, "INVALID_FIELD", f"`{name}` was {text!r}; it must be a decimal number as text")
            getattr(message, name).CopyFrom(DecimalMessage(value=text))
        elif name in _WHOLE_FIELDS:
            setattr(message, name, _whole(changes, name))
        elif name in _TEXT_FIELDS:
            setattr(message, name, _text(changes, name))
        else:
            raise RefusedError(400, "INVALID_FIELD", f"`{str(name)[:50]}` is no setting that can be edited")
    return message


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise RefusedError(400, "INVALID_FIELD", f"`{name}` must be a short text")
    return value


def _whole(body: Json, name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_WHOLE:
        raise RefusedError(400, "INVALID_FIELD", f"`{name}` must be a whole number from 0 to {_MAX_WHOLE}")
    return value
