"""Our ledger against the venue's: the fills and cash flows that one side has and the other has not, and their worth.

Pure: two sets of books in, named differences out. `cash` of a difference is what it changes in the venue's cash (see
`account`), so that named differences and the whole difference can be subtracted from each other to the last unit.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

import msgspec

from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT, plain

ZERO = Decimal(0)
MISSING_IN_LEDGER = "missing_in_ledger"
MISSING_AT_VENUE = "missing_at_venue"
DIFFERS = "differs"

T = TypeVar("T", Fill, CashFlow)


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """Fills and cash flows of one symbol on one side."""

    fills: tuple[Fill, ...] = ()
    flows: tuple[CashFlow, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One entry the two sides do not share."""

    kind: str
    what: str
    id: str
    symbol: str
    asset: str
    cash: Decimal
    venue_time_ns: int
    message: str


def fill_cash(fill: Fill, instrument: Instrument) -> Decimal:
    """Return what a fill changes in the settle asset's cash: its notional, less the fee when it is in that asset."""
    notional = instrument.money(instrument.notional_units(fill.price_ticks, fill.lots))
    cash = EXACT.multiply(notional, Decimal(-fill.side.sign))
    return EXACT.subtract(cash, fill.fee) if fill.fee_asset == instrument.settle_asset else cash


def compare_books(ours: Books, theirs: Books, instrument: Instrument) -> list[Difference]:
    """Return what differs between our ledger and the venue's report of the same span, oldest first."""
    found = [
        *_compare(_by_id(ours.fills), _by_id(theirs.fills), instrument),
        *_compare(_by_id(ours.flows), _by_id(theirs.flows), instrument),
    ]
    return sorted(found, key=lambda difference: (difference.venue_time_ns, difference.id))


def persistent(first: Iterable[Difference], second: Iterable[Difference]) -> list[Difference]:
    """Return the differences both reads agree on: what one read has alone was still under way."""
    known = {(one.kind, one.what, one.id) for one in first}
    return [one for one in second if (one.kind, one.what, one.id) in known]


def _by_id(entries: Iterable[T]) -> dict[str, T]:
    return {_id(entry): entry for entry in entries}


def _id(entry: Fill | CashFlow) -> str:
    return entry.trade_id if isinstance(entry, Fill) else entry.id


def _compare(ours: Mapping[str, T], theirs: Mapping[str, T], instrument: Instrument) -> list[Difference]:
    found = []
    for entry_id, entry in theirs.items():
        known = ours.get(entry_id)
        if known is None:
            cash = _cash(entry, instrument)
            found.append(_difference(MISSING_IN_LEDGER, entry, cash, instrument, f"{_describe(entry)}: not booked"))
        elif _facts(known) != _facts(entry):
            cash = EXACT.subtract(_cash(entry, instrument), _cash(known, instrument))
            what = f"the venue says {_describe(entry)}, booked is {_describe(known)}"
            found.append(_difference(DIFFERS, entry, cash, instrument, what))
    for entry_id, entry in ours.items():
        if entry_id not in theirs:
            cash = EXACT.minus(_cash(entry, instrument))
            what = f"{_describe(entry)}: booked, but the venue does not report it"
            found.append(_difference(MISSING_AT_VENUE, entry, cash, instrument, what))
    return found


def _cash(entry: Fill | CashFlow, instrument: Instrument) -> Decimal:
    if isinstance(entry, Fill):
        return fill_cash(entry, instrument)
    return entry.amount if entry.asset == instrument.settle_asset else ZERO


def _facts(entry: Fill | CashFlow) -> tuple[object, ...]:
    if isinstance(entry, Fill):
        return entry.side, entry.price_ticks, entry.lots, entry.fee, entry.fee_asset if entry.fee else ""
    return entry.kind, entry.asset, entry.amount


def _describe(entry: Fill | CashFlow) -> str:
    if isinstance(entry, Fill):
        return (
            f"trade {entry.trade_id}, {entry.side.name} {entry.lots} lots at {entry.price_ticks} ticks, "
            f"fee {plain(entry.fee)} {entry.fee_asset}"
        )
    return f"{entry.kind.name} {entry.id} of {plain(entry.amount)} {entry.asset}"


def _difference(kind: str, entry: Fill | CashFlow, cash: Decimal, instrument: Instrument, message: str) -> Difference:
    is_fill = isinstance(entry, Fill)
    return Difference(
        kind=kind,
        what="fill" if is_fill else "cash_flow",
        id=_id(entry),
        symbol=entry.symbol,
        asset=instrument.settle_asset,
        cash=cash,
        venue_time_ns=entry.venue_time_ns,
        message=message,
    )
