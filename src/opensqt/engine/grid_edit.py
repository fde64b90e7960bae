"""Applying an edit that was previewed, and going back: one decision, one new version, on disk with who asked for it."""

import msgspec

from opensqt.domain.errors import ErrorReason
from opensqt.engine import grid_lay
from opensqt.engine.bot import Bot
from opensqt.engine.commands import AuditRecord, GridVersionRecord
from opensqt.engine.events import EditGrid
from opensqt.engine.grid_preview import PREVIEW_LIFE_NS, preview, token_of
from opensqt.engine.grid_values import EditAnswer, Preview


def take(bot: Bot, event: EditGrid, now_ns: int) -> None:
    """Apply an edit, or say in the bot's `edit_answer` why not; a refused one changes nothing."""
    bot.edit_answer = _refused(bot, event, now_ns) or _apply(bot, event, now_ns)


def _refused(bot: Bot, event: EditGrid, now_ns: int) -> EditAnswer | None:
    if event.expected_version != bot.config_version:
        return EditAnswer(
            reason=ErrorReason.VERSION_CONFLICT,
            message=f"the grid is at version {bot.config_version}, not {event.expected_version}: somebody changed it "
            "since the preview; preview again",
        )
    time_text, _dash, _digest = event.preview_token.partition("-")
    try:
        time_ns = int(time_text, 16)
    except ValueError:
        time_ns = -1
    if time_ns < 0 or event.preview_token != token_of(bot, event.changes, time_ns, undo=event.undo):
        return EditAnswer(
            reason=ErrorReason.INVALID_FIELD,
            message="preview_token is not that of a preview of these changes; preview them and pass on its token",
        )
    if not time_ns <= now_ns < time_ns + PREVIEW_LIFE_NS:
        return EditAnswer(
            reason=ErrorReason.VERSION_CONFLICT,
            message=f"the preview is older than {PREVIEW_LIFE_NS // 1_000_000_000} s and shows a market that is gone; "
            "preview again",
        )
    return None


def _apply(bot: Bot, event: EditGrid, now_ns: int) -> EditAnswer:
    found = preview(bot, event.changes, now_ns, undo=event.undo)
    if found.refusals or found.after is None:
        return EditAnswer(
            preview=found, reason=ErrorReason.EDIT_REFUSED, message="; ".join(found.refusals) or "nothing to apply"
        )
    undo_version = _undo_version(bot, event)
    grid_lay.lay(bot, found.after, now_ns)
    _write_down(bot, event, found, undo_version, now_ns)
    return EditAnswer(version=bot.config_version, preview=found)


def _undo_version(bot: Bot, event: EditGrid) -> int:
    """Return what an undo of the coming version goes back to: the version before, or before the one undone."""
    if not event.undo:
        return bot.config_version
    current = next(one for one in bot.versions if one.version == bot.config_version)
    return next((one.undo_version for one in bot.versions if one.version == current.undo_version), 0)


def _write_down(bot: Bot, event: EditGrid, found: Preview, undo_version: int, now_ns: int) -> None:
    action = "undo" if event.undo else "edit"
    record = GridVersionRecord(
        bot_id=bot.id,
        version=bot.config_version,
        time_ns=now_ns,
        action=action,
        who=event.who,
        what=found.what,
        undo_version=undo_version,
        document=msgspec.json.encode(bot.config).decode(),
    )
    bot.versions.append(record)
    text = ", ".join(found.what)
    by = f" (by {event.who})" if event.who else ""
    bot.journal("info", f"GRID_{action.upper()}", f"version {bot.config_version}: {text}{by}", now_ns)
    bot.outbox.record(AuditRecord(time_ns=now_ns, bot_id=bot.id, action=f"grid_{action}", detail=text, who=event.who))
    bot.outbox.record(record)
    bot.outbox.record(bot.record())
