"""Days sum exactly to the ledger, whatever was traded when, and each day says what happened in it."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from models.grid_venue import SYMBOL, instrument

from opensqt.domain.fill import CashFlow, CashFlowKind, Fill
from opensqt.domain.ledger import Ledger
from opensqt.domain.order import Side
from opensqt.engine.commands import CashFlowRecord, EquityRecord, FillRecord, SlotRecord, StoreRecord, TotalsRecord
from opensqt.engine.store.days import DAY_NS, MAX_DAYS, DaysOf, DayTotals, daily
from opensqt.engine.store.load import connect
from opensqt.engine.store.write import write_records

START_DAY = 20_000
START_NS = START_DAY * DAY_NS + 3_600_000_000_000
ZERO = Decimal(0)
PARTS = ("grid_profit", "inventory", "fees", "funding", "transfers", "turnover")


class Book:
    """A ledger whose bookings go to a state file, as the engine's do."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.ledger = Ledger()
        self.trades = 0

    def fill(
        self, time_ns: int, side: Side, slot: int | None, price: int, lots: int, fee: str = "0.01", asset: str = "USDT"
    ) -> None:
        self.trades += 1
        fill = Fill(
            symbol=SYMBOL,
            trade_id=str(self.trades),
            client_order_id="",
            exchange_order_id="",
            side=side,
            price_ticks=price,
            lots=lots,
            fee=Decimal(fee),
            fee_asset=asset,
            is_maker=self.trades % 3 != 0,
            venue_time_ns=time_ns,
        )
        booking = self.ledger.book_fill(fill, slot)
        self.write(
            FillRecord(
                bot_id="eth",
                fill=fill,
                slot=slot,
                profit_ticks_lots=booking.profit_ticks_lots,
                cycles=booking.cycles,
            )
        )

    def flow(self, time_ns: int, kind: CashFlowKind, amount: str) -> None:
        self.trades += 1
        flow = CashFlow(
            id=f"f{self.trades}",
            kind=kind,
            symbol=SYMBOL,
            asset="USDT",
            amount=Decimal(amount),
            venue_time_ns=time_ns,
        )
        self.ledger.book_cash_flow(flow)
        self.write(CashFlowRecord("eth", flow))

    def mark(self, time_ns: int, price: str) -> None:
        sample = dict.fromkeys(
            ("equity", "entry_price", "grid_profit", "inventory", "fees", "funding", "transfers", "unexplained"), ZERO
        )
        self.write(
            EquityRecord(
                bot_id="eth",
                time_ns=time_ns,
                mark_price=Decimal(price),
                position_lots=self.ledger.position_lots,
                **sample,
            )
        )

    def write(self, record: StoreRecord) -> None:
        slots = [
            SlotRecord(
                bot_id="eth",
                slot=slot,
                lots=lot.lots,
                cost_ticks_lots=lot.cost_ticks_lots,
                cycles=lot.cycles,
                profit_ticks_lots=lot.profit_ticks_lots,
            )
            for slot, lot in self.ledger.slots.items()
        ]
        write_records(self.database, [record, *slots, TotalsRecord("eth", self.ledger.copy_totals())])

    def days(self, now_ns: int, since_ns: int = 0, mark: str = "3000") -> tuple[list[DayTotals], DayTotals]:
        of = DaysOf(bot_id="eth", instrument=instrument(), mark_price=Decimal(mark), started_ns=START_NS, now_ns=now_ns)
        return daily(self.database, of, since_ns)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    database = connect(tmp_path / "engine.db")
    yield Book(database)
    database.close()


def test_days_without_trades_are_there_and_empty(book: Book) -> None:
    days, before = book.days(START_NS + 2 * DAY_NS)
    assert [day.day for day in days] == [START_DAY, START_DAY + 1, START_DAY + 2]
    assert all(day.equity_change == 0 for day in [*days, before])


def test_a_cycle_over_midnight_earns_inventory_first_and_grid_profit_then(book: Book) -> None:
    book.fill(START_NS, Side.BUY, 0, 300_000, 10)
    book.mark(START_NS + 1, "3001")
    book.fill(START_NS + DAY_NS, Side.SELL, 0, 300_200, 10)
    first, second = book.days(START_NS + DAY_NS + 1)[0]
    assert (first.grid_profit, first.inventory, first.fees) == (0, Decimal("0.01"), Decimal("-0.01"))
    assert (first.position_lots, first.mark_price, first.cycles) == (10, 3001, 0)
    assert (second.grid_profit, second.inventory, second.fees) == (Decimal("0.02"), Decimal("-0.01"), Decimal("-0.01"))
    assert (second.position_lots, second.cycles, second.fills) == (0, 1, 1)
    assert first.equity_change == 0
    assert second.equity_change == 0


def test_each_flow_counts_on_its_day_and_in_its_part(book: Book) -> None:
    book.flow(START_NS, CashFlowKind.FUNDING, "-0.5")
    book.flow(START_NS + DAY_NS, CashFlowKind.TRANSFER, "100")
    book.flow(START_NS + DAY_NS, CashFlowKind.LIQUIDATION_FEE, "-3")
    first, second = book.days(START_NS + DAY_NS)[0]
    assert (first.funding, first.transfers, first.fees) == (Decimal("-0.5"), 0, 0)
    assert (second.funding, second.transfers, second.fees) == (0, 100, -3)


def test_fees_in_another_asset_are_named_and_in_no_part(book: Book) -> None:
    book.fill(START_NS, Side.BUY, 0, 300_000, 10, fee="0.0001", asset="BNB")
    (day,), before = book.days(START_NS + 1)
    assert (day.fees, day.other_assets) == (0, {"BNB": Decimal("-0.0001")})
    assert before.other_assets == {}


def test_a_position_taken_over_is_no_profit_of_the_first_day(book: Book) -> None:
    book.ledger.adopt(0, 10, 10 * 290_000)
    book.flow(START_NS, CashFlowKind.FUNDING, "0.25")
    (day,), before = book.days(START_NS + 1, mark="3000")
    assert day.inventory == Decimal("1.00"), "what the lots are worth above their cost"
    assert before.equity_change == 0


def test_what_a_venue_ahead_of_us_dates_tomorrow_counts_today(book: Book) -> None:
    book.fill(START_NS + DAY_NS, Side.BUY, 0, 300_000, 10)
    (day,), before = book.days(START_NS)
    assert day.fills == 1
    assert before.fills == 0


def test_no_more_than_the_newest_days_are_told_and_the_rest_is_before(book: Book) -> None:
    book.fill(START_NS, Side.BUY, 0, 300_000, 10)
    days, before = book.days(START_NS + (MAX_DAYS + 5) * DAY_NS)
    assert len(days) == MAX_DAYS
    assert before.fills == 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("since", [0, START_NS + 3 * DAY_NS])
def test_days_and_what_came_before_sum_to_the_ledger(book: Book, seed: int, since: int) -> None:
    random, time_ns = Random(seed), START_NS
    if seed % 4 == 0:
        book.ledger.adopt(3, 7, 7 * 299_000)
    for _ in range(120):
        time_ns += random.randrange(DAY_NS // 10)
        price = 300_000 + random.randrange(-2_000, 2_000)
        kind = random.random()
        if kind < 0.7:
            slot = random.choice([None, 0, 1, 2, 3])
            book.fill(
                time_ns, random.choice(list(Side)), slot, price, random.randint(1, 9), f"0.{random.randint(0, 99)}"
            )
        elif kind < 0.8:
            book.flow(time_ns, random.choice(list(CashFlowKind)), f"{random.randint(-500, 500)}E-4")
        else:
            book.mark(time_ns, f"{price / 100:.2f}")
    days, before = book.days(time_ns, since, "2987.65")
    pnl = book.ledger.pnl(instrument(), Decimal("2987.65"))
    for part in PARTS:
        assert sum((getattr(day, part) for day in days), getattr(before, part)) == getattr(pnl, part), part
    assert sum((day.equity_change for day in days), before.equity_change) == pnl.equity_change
    totals = book.ledger.totals
    assert sum(day.fills for day in days) + before.fills == totals.fills
    assert sum(day.maker_fills for day in days) + before.maker_fills == totals.maker_fills
    assert sum(day.cycles for day in days) + before.cycles == totals.cycles
    assert days[-1].position_lots == book.ledger.position_lots
    assert days[0].day == max(START_DAY, since // DAY_NS)
    if since == 0:
        assert before.equity_change == 0
