"""Profit by UTC day, from stored fills, cash flows and equity samples.

Days are computed backwards from what the ledger holds now: a day's closing position is the present one less everything
traded later. So only rows of the days asked for are read, and the days together with what came before them sum exactly
to the ledger's profit, also when the stored history begins late.
"""

import sqlite3
from decimal import Decimal

import msgspec

from opensqt.domain.fill import CashFlowKind
from opensqt.domain.instrument import Instrument
from opensqt.domain.ledger import Ledger, LedgerTotals, SlotLot
from opensqt.domain.money import EXACT

DAY_NS = 86_400_000_000_000
MAX_DAYS = 1_000
ZERO = Decimal(0)


class DayTotals(msgspec.Struct, kw_only=True):
    """One day's parts in the settle asset; fees are negative when paid. `equity_change` is their sum."""

    day: int
    """Days since 1970-01-01, UTC."""
    grid_profit: Decimal = ZERO
    inventory: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    transfers: Decimal = ZERO
    turnover: Decimal = ZERO
    fills: int = 0
    maker_fills: int = 0
    cycles: int = 0
    position_lots: int = 0
    mark_price: Decimal = ZERO
    other_assets: dict[str, Decimal] = msgspec.field(default_factory=dict)

    @property
    def equity_change(self) -> Decimal:
        """Return the sum of the parts."""
        total = self.grid_profit
        for part in (self.inventory, self.fees, self.funding, self.transfers):
            total = EXACT.add(total, part)
        return total


class DaysOf(msgspec.Struct, frozen=True, kw_only=True):
    """Whose days, and how its present is valued."""

    bot_id: str
    instrument: Instrument
    mark_price: Decimal
    started_ns: int
    now_ns: int


def daily(connection: sqlite3.Connection, of: DaysOf, since_ns: int) -> tuple[list[DayTotals], DayTotals]:
    """Return the days since `since_ns`, oldest first, without holes, and everything before the first of them."""
    connection.execute("BEGIN")  # fills, slots and totals of one moment
    try:
        ledger = _stored_ledger(connection, of.bot_id)
        today = of.now_ns // DAY_NS
        first_ever = _first_day(connection, of)
        first = max(first_ever, since_ns // DAY_NS, today - MAX_DAYS + 1)
        days = {day: DayTotals(day=day) for day in range(min(first, today), today + 1)}
        signed = _add_fills(connection, of, days)
        _add_fees(connection, of, days)
        _add_flows(connection, of, days)
        marks = {day: _mark_at_end(connection, of, day) for day in range(min(first, today) - 1, today)}
    finally:
        connection.execute("COMMIT")
    marks[today] = of.mark_price
    before = _fill_in_inventory(of, ledger, days, signed, marks, first_ever)
    return list(days.values()), before


def _stored_ledger(connection: sqlite3.Connection, bot_id: str) -> Ledger:
    row = connection.execute("SELECT document FROM totals WHERE bot_id = ?", (bot_id,)).fetchone()
    totals = msgspec.json.decode(row["document"], type=LedgerTotals) if row else LedgerTotals()
    slots = {
        row["slot"]: SlotLot(lots=row["lots"], cost_ticks_lots=row["cost_ticks_lots"])
        for row in connection.execute("SELECT * FROM slots WHERE bot_id = ? AND lots <> 0", (bot_id,))
    }
    return Ledger(totals, slots)


def _first_day(connection: sqlite3.Connection, of: DaysOf) -> int:
    oldest = connection.execute(
        "SELECT min(venue_time_ns) FROM fills WHERE symbol = ? AND bot_id = ?", (of.instrument.symbol, of.bot_id)
    ).fetchone()[0]
    return min(of.started_ns or of.now_ns, oldest or of.now_ns) // DAY_NS


def _add_fills(connection: sqlite3.Connection, of: DaysOf, days: dict[int, DayTotals]) -> dict[int, tuple[int, int]]:
    """Add what fills say; return by day how they moved position and cost."""
    instrument = of.instrument
    signed: dict[int, tuple[int, int]] = {}
    rows = connection.execute(
        "SELECT venue_time_ns / ? AS day, sum(iif(side = 1, lots, -lots)) AS lots, "
        "sum(iif(side = 1, lots, -lots) * price_ticks + profit_ticks_lots) AS cost, sum(profit_ticks_lots) AS profit, "
        "sum(lots * price_ticks) AS turnover, count(*) AS fills, sum(is_maker) AS makers, sum(cycles) AS cycles "
        "FROM fills WHERE symbol = ? AND bot_id = ? AND venue_time_ns >= ? GROUP BY 1",
        (DAY_NS, instrument.symbol, of.bot_id, _start(days)),
    )
    for row in rows:
        day = _at(days, row["day"])
        unit = instrument.units_per_tick_lot
        day.grid_profit = EXACT.add(day.grid_profit, instrument.money(row["profit"] * unit))
        day.turnover = EXACT.add(day.turnover, instrument.money(row["turnover"] * unit))
        day.fills += row["fills"]
        day.maker_fills += row["makers"]
        day.cycles += row["cycles"]
        lots, cost = signed.get(day.day, (0, 0))
        signed[day.day] = (lots + row["lots"], cost + row["cost"])
    return signed


def _add_fees(connection: sqlite3.Connection, of: DaysOf, days: dict[int, DayTotals]) -> None:
    rows = connection.execute(
        "SELECT venue_time_ns / ? AS day, fee_asset, fee FROM fills "
        "WHERE symbol = ? AND bot_id = ? AND venue_time_ns >= ? AND fee <> '0'",
        (DAY_NS, of.instrument.symbol, of.bot_id, _start(days)),
    )
    for row in rows:
        _add(_at(days, row["day"]), "fees", row["fee_asset"], EXACT.minus(Decimal(row["fee"])), of)


def _add_flows(connection: sqlite3.Connection, of: DaysOf, days: dict[int, DayTotals]) -> None:
    parts = {CashFlowKind.FUNDING: "funding", CashFlowKind.TRANSFER: "transfers", CashFlowKind.LIQUIDATION_FEE: "fees"}
    rows = connection.execute(
        "SELECT venue_time_ns / ? AS day, kind, asset, amount FROM cash_flows WHERE bot_id = ? AND venue_time_ns >= ?",
        (DAY_NS, of.bot_id, _start(days)),
    )
    for row in rows:
        _add(_at(days, row["day"]), parts[CashFlowKind(row["kind"])], row["asset"], Decimal(row["amount"]), of)


def _add(day: DayTotals, part: str, asset: str, amount: Decimal, of: DaysOf) -> None:
    if asset == of.instrument.settle_asset:
        setattr(day, part, EXACT.add(getattr(day, part), amount))
    else:
        day.other_assets[asset] = EXACT.add(day.other_assets.get(asset, ZERO), amount)


def _start(days: dict[int, DayTotals]) -> int:
    return next(iter(days)) * DAY_NS


def _at(days: dict[int, DayTotals], day: int) -> DayTotals:
    """Return a day; what a venue whose clock is ahead of ours dates tomorrow counts today."""
    return days[min(day, next(reversed(days)))]


def _mark_at_end(connection: sqlite3.Connection, of: DaysOf, day: int) -> Decimal:
    """Return the last sampled mark of a day or before it, else the first one after it, else the present one."""
    end_ns = (day + 1) * DAY_NS
    for query in (
        "SELECT mark_price FROM equity WHERE bot_id = ? AND time_ns < ? ORDER BY time_ns DESC LIMIT 1",
        "SELECT mark_price FROM equity WHERE bot_id = ? AND time_ns >= ? ORDER BY time_ns LIMIT 1",
    ):
        row = connection.execute(query, (of.bot_id, end_ns)).fetchone()
        if row is not None:
            return Decimal(row["mark_price"])
    return of.mark_price


def _fill_in_inventory(
    of: DaysOf,
    ledger: Ledger,
    days: dict[int, DayTotals],
    signed: dict[int, tuple[int, int]],
    marks: dict[int, Decimal],
    first_ever: int,
) -> DayTotals:
    """Walk back from the present position; return the parts from before the first day."""
    lots, cost = ledger.position_lots, ledger.cost_ticks_lots
    pnl = ledger.pnl(of.instrument, of.mark_price)
    totals = ledger.totals
    before = DayTotals(
        day=next(iter(days)) - 1,
        grid_profit=pnl.grid_profit,
        fees=pnl.fees,
        funding=pnl.funding,
        transfers=pnl.transfers,
        turnover=pnl.turnover,
        fills=totals.fills,
        maker_fills=totals.maker_fills,
        cycles=totals.cycles,
        other_assets=ledger.other_assets(of.instrument.settle_asset),
    )
    worth = pnl.inventory
    for number in reversed(days):
        day = days[number]
        day.position_lots, day.mark_price = lots, marks[number]
        moved_lots, moved_cost = signed.get(number, (0, 0))
        lots, cost = lots - moved_lots, cost - moved_cost
        opening = _worth(of.instrument, lots, cost, marks[number - 1])
        if number == first_ever:
            opening = ZERO  # whatever the bot took over when it began, it took over at its cost
        day.inventory = EXACT.subtract(worth, opening)
        worth = opening
        _take_out(before, day)
    before.inventory = worth
    before.position_lots, before.mark_price = lots, marks[before.day]
    return before


def _worth(instrument: Instrument, lots: int, cost_ticks_lots: int, mark_price: Decimal) -> Decimal:
    value = EXACT.multiply(instrument.lots_to_quantity(lots), mark_price)
    return EXACT.subtract(value, instrument.money(cost_ticks_lots * instrument.units_per_tick_lot))


def _take_out(before: DayTotals, day: DayTotals) -> None:
    for part in ("grid_profit", "fees", "funding", "transfers", "turnover"):
        setattr(before, part, EXACT.subtract(getattr(before, part), getattr(day, part)))
    before.fills -= day.fills
    before.maker_fills -= day.maker_fills
    before.cycles -= day.cycles
    for asset, amount in day.other_assets.items():
        left = EXACT.subtract(before.other_assets.get(asset, ZERO), amount)
        before.other_assets[asset] = left
    before.other_assets = {asset: amount for asset, amount in before.other_assets.items() if amount}
