"""Symbols as callers write them: the canonical name (BTC/USDT:USDT) or the venue's own (BTCUSDT)."""

from collections.abc import Iterable

from opensqt.connector.mirror import AccountMirror
from opensqt.connector.order_checks import unknown_symbol
from opensqt.domain.errors import invalid_field


def canonical(mirror: AccountMirror, text: str, field: str = "symbol") -> str:
    """Return the canonical symbol.

    Raises:
        RequestError: INVALID_FIELD naming `field` when empty, UNKNOWN_SYMBOL when it is not served.
    """
    if text in mirror.instruments:
        return text
    if not text:
        raise invalid_field(field, "empty", f"must be one of {', '.join(sorted(mirror.instruments))}")
    for instrument in mirror.instruments.values():
        if instrument.venue_symbol == text:
            return instrument.symbol
    raise unknown_symbol(text, mirror)


def canonical_or_all(mirror: AccountMirror, text: str) -> list[str]:
    """Return one canonical symbol, or every served one when the filter is empty."""
    return [canonical(mirror, text)] if text else sorted(mirror.instruments)


def canonical_list(mirror: AccountMirror, texts: Iterable[str], field: str) -> list[str]:
    """Return canonical symbols in order, without repeats.

    Raises:
        RequestError: the list is empty, or one of them is not served.
    """
    found = list(dict.fromkeys(canonical(mirror, text, field) for text in texts))
    if not found:
        raise invalid_field(field, "empty", "name at least one symbol")
    return found
