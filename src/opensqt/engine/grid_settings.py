"""What of a grid can be edited while it runs, as plain names and values, and what an edit makes of a configuration.

Leverage, direction, spacing and anchor are not among them: they would be another grid.
"""

from decimal import Decimal
from pathlib import Path

import msgspec

from opensqt.domain.money import plain
from opensqt.engine.config import BotConfig
from opensqt.runtime.config import ConfigError, convert_config

Setting = Decimal | int | str | None
Settings = dict[str, Setting]
"""By name; None = no limit."""

GRID_FIELDS = ("interval", "ratio", "order_quantity", "buy_window", "sell_window", "max_open_orders")
RANGE_FIELDS = ("range_lower", "range_upper", "range_action")
LIMIT_FIELDS = ("max_position", "max_notional", "max_order_notional")
EDITABLE = (*GRID_FIELDS, *RANGE_FIELDS, *LIMIT_FIELDS)

ZERO_IS_NONE = frozenset(("range_lower", "range_upper", *LIMIT_FIELDS))
"""Settings that 0 takes away."""


def settings_of(config: BotConfig) -> Settings:
    """Return the editable settings of a configuration."""
    limits = config.grid.range
    return {
        **{name: getattr(config.grid, name) for name in GRID_FIELDS},
        "range_lower": limits.lower if limits is not None else None,
        "range_upper": limits.upper if limits is not None else None,
        "range_action": limits.action if limits is not None else None,
        **{name: getattr(config.risk, name) for name in LIMIT_FIELDS},
    }


def config_of(document: str) -> BotConfig:
    """Return a configuration as it was stored.

    Raises:
        ConfigError: it is none, or one of another release.
    """
    try:
        read = msgspec.json.decode(document, type=dict[str, object])
    except msgspec.MsgspecError as error:
        raise ConfigError.single("", None, f"the stored configuration cannot be read: {error}", "edit anew") from None
    return convert_config(read, BotConfig, env={}, base_dir=Path())


def with_settings(config: BotConfig, changes: Settings) -> BotConfig:
    """Return a configuration with some settings changed.

    Raises:
        ConfigError: the result would not be a good configuration; lists everything that is wrong.
    """
    settings = {**settings_of(config), **{name: _normal(name, value) for name, value in changes.items()}}
    document = msgspec.to_builtins(config)
    document["grid"].update({name: _text(settings[name]) for name in GRID_FIELDS})
    limits = {name: _text(settings[f"range_{name}"]) for name in ("lower", "upper", "action")}
    has_range = settings["range_lower"] is not None or settings["range_upper"] is not None
    asked_for_action = set(changes) & set(RANGE_FIELDS) == {"range_action"}
    document["grid"]["range"] = (
        {name: value for name, value in limits.items() if value is not None} if has_range or asked_for_action else None
    )
    document["risk"].update({name: _text(settings[name]) for name in LIMIT_FIELDS})
    return convert_config(document, BotConfig, env={}, base_dir=Path())


def merged(file_then: BotConfig, in_force: BotConfig, file_now: BotConfig) -> BotConfig:
    """Return what holds after a restart: the file, except where it still says what it said before the edits.

    Raises:
        ConfigError: the parts do not go together.
    """
    then, ours, now = settings_of(file_then), settings_of(in_force), settings_of(file_now)
    kept = {name: ours[name] for name in EDITABLE if now[name] == then[name] and ours[name] != now[name]}
    if not kept:
        return file_now
    if set(kept) & set(RANGE_FIELDS):
        # The three say one thing together.
        kept.update({name: ours[name] for name in RANGE_FIELDS})
    return with_settings(file_now, kept)


def describe(before: BotConfig, after: BotConfig) -> list[str]:
    """Return one line per changed setting."""
    old, new = settings_of(before), settings_of(after)
    return [f"{name} {_said(old[name])} -> {_said(new[name])}" for name in EDITABLE if old[name] != new[name]]


def _normal(name: str, value: Setting) -> Setting:
    return None if name in ZERO_IS_NONE and value is not None and not value else value


def _text(value: Setting) -> int | str | None:
    return str(value) if isinstance(value, Decimal) else value


def _said(value: Setting) -> str:
    if value is None:
        return "none"
    return plain(value) if isinstance(value, Decimal) else str(value)
