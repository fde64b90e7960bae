"""A bot's limits, volume halt, dead-man switch and reconciliation as the browser reads them; decimals are text."""

from typing import Any

from opensqt.live_server import names
from opensqt.live_server.replica import BotReplica
from opensqt.live_server.units import decimal_text, ms

Json = dict[str, Any]


def limits(bot: BotReplica) -> list[Json]:
    """Return every limit with what is used of it."""
    return [
        {
            "name": limit.name,
            "code": limit.code,
            "title": limit.title,
            "title_zh": limit.title_zh,
            "value": decimal_text(limit.value),
            "cap": decimal_text(limit.cap),
            "unit": limit.unit,
            "action": limit.action,
            "floor": limit.is_floor,
            "reached": limit.is_reached,
        }
        for limit in bot.head.limits
    ]


def volume_halt(bot: BotReplica) -> Json | None:
    """Return the halt over several symbols; None where the engine does not use it."""
    if not bot.head.HasField("volume_halt"):
        return None
    halt = bot.head.volume_halt
    return {
        "enabled": halt.is_enabled,
        "halted": halt.is_halted,
        "since_ms": ms(halt.since_ns),
        "interval": halt.interval,
        "window": halt.window,
        "multiplier": decimal_text(halt.multiplier),
        "recovered": halt.recovered,
        "recovery_threshold": halt.recovery_threshold,
        "blind": halt.is_blind,
        "symbols": [
            {
                "symbol": item.symbol,
                "fresh": item.is_fresh,
                "detail": item.detail,
                "open_time_ms": item.open_time_ms,
                "close": decimal_text(item.close),
                "mean_close": decimal_text(item.mean_close),
                "volume": decimal_text(item.volume),
                "mean_volume": decimal_text(item.mean_volume),
                "dumping": item.is_dumping,
                "recovered": item.has_recovered,
            }
            for item in halt.symbols
        ],
    }


def dead_man(bot: BotReplica) -> str | None:
    """Return the state of the venue's dead-man switch for the bot's symbol; None while it is not known."""
    return names.dead_man(bot.head.dead_man) if bot.head.dead_man else None


def reconcile(bot: BotReplica) -> Json:
    """Return how orders and position compare with what the venue lists, and what was corrected last."""
    state = bot.head.reconcile
    return {
        "last_read_ms": ms(state.last_read_ns),
        "reads": state.reads,
        "failures": state.failures,
        "last_error": state.last_error,
        "suspects": state.suspects,
        "corrected": state.corrected,
        "corrections": [
            {"order": item.client_order_id, "what": item.what, "evidence": item.evidence}
            for item in bot.head.corrections
        ],
    }
