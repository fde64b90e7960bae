"""A tiny exchange whose tick and lot change while it trades (see `listed_units`); refuses what counts in older ones."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from models.grid_venue import SYMBOL, Venue, World
from models.listed_units import ListedUnits

from opensqt.domain.errors import ErrorReason
from opensqt.domain.instrument import Instrument
from opensqt.engine.commands import Command, Place
from opensqt.engine.events import Attached, BookTop, LastTrade, Outcome, Result


class _Told(deque[Any]):
    """Events as the venue tells them."""

    def __init__(self, venue: "FilterVenue") -> None:
        super().__init__()
        self._venue = venue

    def append(self, event: Any) -> None:
        super().append(self._venue.told(event))

    def extend(self, events: Iterable[Any]) -> None:
        for event in events:
            self.append(event)


@dataclass
class FilterVenue(Venue):
    """`revisions` are those of `ListedUnits`; `stale` counts placements that were refused."""

    revisions: list[tuple[int, int]] = field(default_factory=lambda: [(1, 1)])
    stale: int = 0

    def __post_init__(self) -> None:
        self.events = _Told(self)

    @property
    def units(self) -> ListedUnits:
        return ListedUnits(self.spec, self.revisions)

    @property
    def listed(self) -> Instrument:
        return self.units.instrument

    def change(self, ticks: int, lots: int) -> None:
        """List other units; told at once."""
        self.revisions.append((ticks, lots))
        self.events.append(self.listed)

    def execute(self, command: Command) -> None:
        if isinstance(command, Place):
            request = command.request
            if request.instrument_revision != len(self.revisions):
                self.tick()
                self.stale += 1
                self.events.append(
                    Result(
                        command_id=command.command_id, client_order_id=request.client_order_id,
                        outcome=Outcome.REJECTED, reason=ErrorReason.STALE_INSTRUMENT, message="an older revision",
                    )
                )  # fmt: skip
                return
            command = Place(command.command_id, self.units.placed(request))
        super().execute(command)

    def told(self, event: Any) -> Any:
        """Return an event in listed units."""
        if isinstance(event, Result) and event.order is not None:
            return msgspec.structs.replace(event, order=self.told(event.order))
        return self.units.told(event)

    def top(self) -> BookTop:
        """Return the touch, a price between two listed ones at the one that promises less."""
        ticks, _lots = self.revisions[-1]
        return BookTop(SYMBOL, self.bid // ticks, -(-self.ask // ticks), True, revision=len(self.revisions))

    def snapshot(self, session_epoch: int, since_ns: int = 0) -> Attached:
        found = super().snapshot(session_epoch, since_ns)
        return msgspec.structs.replace(
            found,
            instruments=(self.listed,),
            open_orders=tuple(self.told(order) for order in found.open_orders),
            positions=tuple(self.told(one) for one in found.positions),
            fills=tuple(self.told(fill) for fill in found.fills),
        )


class FilterWorld(World):
    """An engine core at a venue whose filters change."""

    venue: FilterVenue

    def price(self, bid: int | None = None) -> None:
        if bid is not None:
            self.venue.move_price(bid)
        top = self.venue.top()
        self.turn(top, LastTrade(SYMBOL, (top.bid_ticks + top.ask_ticks) // 2))

    def check_settled(self) -> None:
        bot, venue, spec = self.bot, self.venue, self.venue.spec
        quantity = bot.instrument.lots_to_quantity(bot.ledger.position_lots)
        assert quantity == spec.lots_to_quantity(venue.position)
        assert bot.position.lots == bot.ledger.position_lots
        assert bot.ledger.totals.fills == len(venue.fills)
        ours = {o.client_order_id for o in bot.orders.open.values()}
        assert ours == {o.client_order_id for o in venue.open_orders}
        for order in venue.open_orders:
            known = bot.orders.open[order.client_order_id]
            assert bot.instrument.ticks_to_price(known.price_ticks) == spec.ticks_to_price(order.price_ticks)
            assert bot.instrument.lots_to_quantity(known.lots) == spec.lots_to_quantity(order.lots)
        assert abs(bot.account_book.unexplained) < Decimal("1e-18"), bot.account_book.unexplained
        pnl = bot.pnl()
        assert pnl.equity_change == pnl.grid_profit + pnl.inventory + pnl.fees + pnl.funding + pnl.transfers
        turnover = sum((spec.money(spec.notional_units(f.price_ticks, f.lots)) for f in venue.fills), Decimal(0))
        assert pnl.turnover == turnover

    def check_on_grid(self) -> None:
        """What rests lies on the listed grid."""
        ticks, lots = self.venue.revisions[-1]
        for order in self.venue.open_orders:
            assert order.price_ticks % ticks == 0, f"{order.price_ticks} is no price with ticks of {ticks}"
            assert order.lots % lots == 0, f"{order.lots} is no size with lots of {lots}"
