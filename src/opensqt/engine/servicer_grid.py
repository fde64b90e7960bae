"""The part of EngineService that edits running grids."""

from typing import final

from opensqt.domain.errors import ErrorReason, NotFoundError, invalid_field
from opensqt.domain.status_map import error_for
from opensqt.engine import grid_messages as messages
from opensqt.engine.api_messages import operator_name
from opensqt.engine.bot import KEPT_VERSIONS, Bot
from opensqt.engine.config import BotConfig
from opensqt.engine.events import EditGrid
from opensqt.engine.grid_preview import preview
from opensqt.engine.grid_settings import Settings, config_of
from opensqt.engine.shell import EngineShell
from opensqt.proto import engine_pb2
from opensqt.runtime.config import ConfigError

DEFAULT_VERSIONS = 50


@final
class GridDesk:
    """Previews, applies and lists edits over the shell."""

    def __init__(self, shell: EngineShell) -> None:
        self._shell = shell

    def preview(self, request: engine_pb2.PreviewGridRequest) -> engine_pb2.PreviewGridResponse:
        """Say what an edit would do now."""
        bot = self._one(request.bot_id)
        changes = messages.read_changes(request.changes)
        if request.undo and changes:
            raise invalid_field("changes", "", "must be empty with `undo`: going back changes what the version says")
        found = preview(bot, changes, self._shell.clock.now_ns(), undo=request.undo)
        return messages.preview_message(bot, found)

    async def apply(self, request: engine_pb2.ApplyGridRequest) -> engine_pb2.ApplyGridResponse:
        """Apply an edit; returns when it is on disk."""
        return await self._edit(request, messages.read_changes(request.changes), undo=False)

    async def undo(self, request: engine_pb2.UndoGridRequest) -> engine_pb2.ApplyGridResponse:
        """Go back to the version before; returns when it is on disk."""
        return await self._edit(request, {}, undo=True)

    def versions(self, request: engine_pb2.ListGridVersionsRequest) -> engine_pb2.ListGridVersionsResponse:
        """List what was in force when, newest first."""
        if not 0 <= request.limit <= KEPT_VERSIONS:
            raise invalid_field("limit", request.limit, f"must be 0 to {KEPT_VERSIONS}")
        bot = self._one(request.bot_id)
        newest = list(reversed(bot.versions))[: request.limit or DEFAULT_VERSIONS]
        return engine_pb2.ListGridVersionsResponse(
            bot_id=bot.id,
            versions=[messages.version_message(bot, one, _config_of(one.document)) for one in newest],
        )

    async def _edit(
        self, request: engine_pb2.ApplyGridRequest | engine_pb2.UndoGridRequest, changes: Settings, *, undo: bool
    ) -> engine_pb2.ApplyGridResponse:
        bot = self._one(request.bot_id)
        bot.edit_answer = None
        self._shell.take(
            [
                EditGrid(
                    bot_id=bot.id,
                    changes=changes,
                    undo=undo,
                    expected_version=request.expected_version,
                    preview_token=request.preview_token,
                    who=operator_name(request.operator),
                )
            ]
        )
        answer = bot.edit_answer
        assert answer is not None, "the core answers an edit in the same turn"
        if answer.reason is not None or answer.preview is None:
            raise error_for(answer.reason or ErrorReason.INTERNAL, answer.message)
        is_durable = await self._shell.store.settle()
        return engine_pb2.ApplyGridResponse(
            bot_id=bot.id,
            version=answer.version,
            applied=messages.preview_message(bot, answer.preview),
            is_durable=is_durable,
        )

    def _one(self, bot_id: str) -> Bot:
        bots = self._shell.core.bots
        if not bot_id and len(bots) == 1:
            return next(iter(bots.values()))
        if not bot_id:
            raise invalid_field("bot_id", "''", f"must name one of {', '.join(bots)}")
        if bot_id not in bots:
            raise NotFoundError(ErrorReason.NOT_FOUND, f"no bot {bot_id!r}; known are {', '.join(bots)}")
        return bots[bot_id]


def _config_of(document: str) -> BotConfig | None:
    try:
        return config_of(document)
    except ConfigError:
        return None  # another release wrote it
