"""What somebody may change by hand at the exchange: leverage and margin mode."""

from opensqt.domain.account import Position


def changed_settings(position: Position, leverage: int, margin_mode: str) -> str:
    """Return what differs from the configuration and how to mend it; empty when nothing does, or nothing is known.

    A leverage of 0 means that the venue left a flat symbol out: nothing is known of its settings then.
    """
    if position.leverage == 0:
        return ""
    found = []
    if position.leverage != leverage:
        found.append(f"leverage is {position.leverage}, configured is {leverage}")
    if position.margin_type and position.margin_type != margin_mode:
        found.append(f"margin mode is {position.margin_type}, configured is {margin_mode}")
    if not found:
        return ""
    return f"{' and '.join(found)}; set it back at the exchange, or change the configuration"
