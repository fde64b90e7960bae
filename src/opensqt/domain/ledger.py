"""The ledger of one bot: every fill, fee, funding payment and transfer, and a profit whose parts sum exactly.

Lots are matched by slot: a fill that opens adds to its slot's lot and cost, one that closes takes its share of the cost
out and realises the difference as grid profit. Trades are integers (ticks times lots), so nothing is rounded: taking a
part of a lot takes the floor of its cost and leaves the rest with the lot. Fees and cash flows are the venue's own
decimals, summed exactly by asset. With a mark price

    equity change = grid profit + inventory + fees + funding + transfers

holds to the last digit. Executions that belong to no slot (made by hand, by liquidation) are kept apart as `outside`:
they count in inventory, never in grid profit.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import Enum, unique
from typing import final

import msgspec

from opensqt.domain.fill import CashFlow, CashFlowKind, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT
from opensqt.domain.order import Side

ZERO = Decimal(0)

REMEMBERED_IDS = 50_000
"""How many trade ids are remembered; older ones are outside every overlap a venue is asked for again."""


class SlotLot(msgspec.Struct, kw_only=True):
    """What one slot holds. `lots` and `cost_ticks_lots` (sum of price times lots) are signed: negative when short."""

    lots: int = 0
    cost_ticks_lots: int = 0
    cycles: int = 0
    profit_ticks_lots: int = 0

    @property
    def is_blank(self) -> bool:
        """Return whether it holds nothing and never closed a cycle."""
        return not (self.lots or self.cost_ticks_lots or self.cycles or self.profit_ticks_lots)


@unique
class BookResult(Enum):
    """What became of a fill that was handed in."""

    BOOKED = "booked"
    DUPLICATE = "duplicate"  # the same trade again
    CONFLICT = "conflict"  # a known trade id with other data: not booked, somebody must look


class Booking(msgspec.Struct, frozen=True):
    """The effect of one fill: lots it opened and closed, what the closed ones earned, slots it touched and emptied."""

    result: BookResult
    opened_lots: int = 0
    closed_lots: int = 0
    profit_ticks_lots: int = 0
    slots: tuple[int, ...] = ()
    cycles: int = 0


class Pnl(msgspec.Struct, frozen=True, kw_only=True):
    """Profit in the settle asset, in parts that sum exactly to `equity_change`; fees are negative when paid."""

    asset: str
    grid_profit: Decimal
    inventory: Decimal
    fees: Decimal
    funding: Decimal
    transfers: Decimal
    equity_change: Decimal
    turnover: Decimal


class LedgerTotals(msgspec.Struct, kw_only=True):
    """Everything but the slots, as it is stored. Fees are wallet changes: negative when paid."""

    grid_profit_ticks_lots: int = 0
    turnover_ticks_lots: int = 0
    fills: int = 0
    maker_fills: int = 0
    cycles: int = 0
    outside_lots: int = 0
    outside_cost_ticks_lots: int = 0
    fees: dict[str, Decimal] = {}
    funding: dict[str, Decimal] = {}
    transfers: dict[str, Decimal] = {}


@final
class Ledger:
    """Books what happened to one instrument's position and wallet.

    Args:
        totals: as stored by an earlier run.
        slots: lots by lattice index, as stored by an earlier run.
    """

    def __init__(self, totals: LedgerTotals | None = None, slots: dict[int, SlotLot] | None = None) -> None:
        self.totals = totals or LedgerTotals()
        self.slots: dict[int, SlotLot] = slots if slots is not None else {}
        self._trades: dict[str, tuple[Side, int, int]] = {}
        self._cash_flows: dict[str, None] = {}

    def copy_totals(self) -> LedgerTotals:
        """Return the totals as they are now, sharing nothing that later bookings change."""
        totals = self.totals
        return msgspec.structs.replace(
            totals, fees=dict(totals.fees), funding=dict(totals.funding), transfers=dict(totals.transfers)
        )

    @property
    def slot_lots(self) -> int:
        """Return the signed lots all slots hold."""
        return sum(lot.lots for lot in self.slots.values())

    @property
    def position_lots(self) -> int:
        """Return the signed position all bookings lead to."""
        return self.slot_lots + self.totals.outside_lots

    @property
    def cost_ticks_lots(self) -> int:
        """Return the signed cost of the whole position."""
        return sum(lot.cost_ticks_lots for lot in self.slots.values()) + self.totals.outside_cost_ticks_lots

    @property
    def trade_cash_ticks_lots(self) -> int:
        """Return what all trades paid in (sales) minus out (purchases)."""
        return self.totals.grid_profit_ticks_lots - self.cost_ticks_lots

    def knows_trade(self, trade_id: str) -> bool:
        """Return whether a trade was booked, as far back as ids are remembered."""
        return trade_id in self._trades

    def remember_trade(self, trade_id: str, side: Side, price_ticks: int, lots: int) -> None:
        """Note a trade that an earlier run booked."""
        self._trades[trade_id] = (side, price_ticks, lots)
        if len(self._trades) > REMEMBERED_IDS:
            del self._trades[next(iter(self._trades))]

    def remember_cash_flow(self, flow_id: str) -> None:
        """Note a cash flow that an earlier run booked."""
        self._cash_flows[flow_id] = None
        if len(self._cash_flows) > REMEMBERED_IDS:
            del self._cash_flows[next(iter(self._cash_flows))]

    def book_fill(self, fill: Fill, slot: int | None) -> Booking:
        """Book an execution of one slot, or outside of all slots (None); a trade id is booked once."""
        known = self._check(fill)
        if known is not None:
            return known
        self._count(fill)
        signed = fill.side.sign * fill.lots
        if slot is None:
            self.totals.outside_lots += signed
            self.totals.outside_cost_ticks_lots += signed * fill.price_ticks
            return Booking(BookResult.BOOKED)
        cycles = self.totals.cycles
        opened, closed, profit = self._apply(slot, signed, fill.price_ticks)
        return Booking(BookResult.BOOKED, opened, closed, profit, (slot,), self.totals.cycles - cycles)

    def book_closing_fill(self, fill: Fill) -> Booking:
        """Book an execution that closes whatever slots hold, the dearest level first; what is left over is outside."""
        known = self._check(fill)
        if known is not None:
            return known
        self._count(fill)
        left, cycles = fill.lots, self.totals.cycles
        closed_total = profit_total = 0
        touched = []
        for slot in sorted(self.slots, reverse=fill.side is Side.SELL):
            held = self.slots[slot].lots * -fill.side.sign
            if held <= 0:
                continue
            lots = min(held, left)
            _opened, closed, profit = self._apply(slot, fill.side.sign * lots, fill.price_ticks)
            closed_total += closed
            profit_total += profit
            touched.append(slot)
            left -= lots
            if not left:
                break
        if left:
            signed = fill.side.sign * left
            self.totals.outside_lots += signed
            self.totals.outside_cost_ticks_lots += signed * fill.price_ticks
        return Booking(BookResult.BOOKED, 0, closed_total, profit_total, tuple(touched), self.totals.cycles - cycles)

    def book_cash_flow(self, flow: CashFlow) -> bool:
        """Book funding, a transfer or a liquidation fee; False when its id is known."""
        if flow.id in self._cash_flows:
            return False
        self.remember_cash_flow(flow.id)
        totals = self.totals
        part = {
            CashFlowKind.FUNDING: totals.funding,
            CashFlowKind.TRANSFER: totals.transfers,
            CashFlowKind.LIQUIDATION_FEE: totals.fees,
        }[flow.kind]
        part[flow.asset] = EXACT.add(part.get(flow.asset, ZERO), flow.amount)
        return True

    def adopt(self, slot: int, lots: int, cost_ticks_lots: int) -> None:
        """Give a slot lots that were bought before this ledger began, at a stated cost; no trade, no profit."""
        lot = self.slots.setdefault(slot, SlotLot())
        lot.lots += lots
        lot.cost_ticks_lots += cost_ticks_lots

    def merge(self, source: int, target: int) -> None:
        """Move what one slot holds, with its cost, into another."""
        taken = self.slots[source]
        self.adopt(target, taken.lots, taken.cost_ticks_lots)
        taken.lots = taken.cost_ticks_lots = 0

    def move_lots(self, source: int, target: int, lots: int) -> None:
        """Move a part of what one slot holds into another, with the floor of its cost, as a sale would take it."""
        lot = self.slots[source]
        cost = lot.cost_ticks_lots * lots // lot.lots
        self.adopt(target, lots, cost)
        lot.lots -= lots
        lot.cost_ticks_lots -= cost

    def rescale(self, tick_factor: int, lot_factor: int) -> None:
        """Count in finer units: every tick becomes `tick_factor` ticks, every lot `lot_factor` lots. Exact."""
        both, totals = tick_factor * lot_factor, self.totals
        totals.grid_profit_ticks_lots *= both
        totals.turnover_ticks_lots *= both
        totals.outside_lots *= lot_factor
        totals.outside_cost_ticks_lots *= both
        for lot in self.slots.values():
            lot.lots *= lot_factor
            lot.cost_ticks_lots *= both
            lot.profit_ticks_lots *= both
        self._trades = {
            trade_id: (side, price_ticks * tick_factor, lots * lot_factor)
            for trade_id, (side, price_ticks, lots) in self._trades.items()
        }

    def relocate(self, target_of: Callable[[int], int]) -> None:
        """Give what every slot holds and has earned to another slot number; what meets there is added up.

        Lots, cost, cycles and profit of all slots together stay what they were.
        """
        old, self.slots = self.slots, {}
        for slot, lot in old.items():
            target = self.slots.setdefault(target_of(slot), SlotLot())
            target.lots += lot.lots
            target.cost_ticks_lots += lot.cost_ticks_lots
            target.cycles += lot.cycles
            target.profit_ticks_lots += lot.profit_ticks_lots

    def pnl(self, instrument: Instrument, mark_price: Decimal) -> Pnl:
        """Return the profit with open lots at `mark_price`."""
        totals, asset = self.totals, instrument.settle_asset
        per_tick_lot = instrument.units_per_tick_lot
        grid = instrument.money(totals.grid_profit_ticks_lots * per_tick_lot)
        value = EXACT.multiply(instrument.lots_to_quantity(self.position_lots), mark_price)
        inventory = EXACT.subtract(value, instrument.money(self.cost_ticks_lots * per_tick_lot))
        fees = totals.fees.get(asset, ZERO)
        funding = totals.funding.get(asset, ZERO)
        transfers = totals.transfers.get(asset, ZERO)
        change = grid
        for part in (inventory, fees, funding, transfers):
            change = EXACT.add(change, part)
        return Pnl(
            asset=asset,
            grid_profit=grid,
            inventory=inventory,
            fees=fees,
            funding=funding,
            transfers=transfers,
            equity_change=change,
            turnover=instrument.money(totals.turnover_ticks_lots * per_tick_lot),
        )

    def cash_change(self, instrument: Instrument) -> Decimal:
        """Return how the settle asset's cash changed: trades at their price, fees, funding and transfers."""
        totals, asset = self.totals, instrument.settle_asset
        change = instrument.money(self.trade_cash_ticks_lots * instrument.units_per_tick_lot)
        for part in (totals.fees, totals.funding, totals.transfers):
            change = EXACT.add(change, part.get(asset, ZERO))
        return change

    def other_assets(self, settle_asset: str) -> dict[str, Decimal]:
        """Return wallet changes in assets other than the settle asset: real, but in no part of the profit above."""
        found: dict[str, Decimal] = {}
        for part in (self.totals.fees, self.totals.funding, self.totals.transfers):
            for asset, amount in part.items():
                if asset != settle_asset and amount:
                    found[asset] = EXACT.add(found.get(asset, ZERO), amount)
        return found

    def _check(self, fill: Fill) -> Booking | None:
        seen = self._trades.get(fill.trade_id)
        if seen is None:
            return None
        same = seen == (fill.side, fill.price_ticks, fill.lots)
        return Booking(BookResult.DUPLICATE if same else BookResult.CONFLICT)

    def _count(self, fill: Fill) -> None:
        totals = self.totals
        self.remember_trade(fill.trade_id, fill.side, fill.price_ticks, fill.lots)
        totals.fills += 1
        totals.maker_fills += fill.is_maker
        totals.turnover_ticks_lots += fill.price_ticks * fill.lots
        if fill.fee:
            totals.fees[fill.fee_asset] = EXACT.subtract(totals.fees.get(fill.fee_asset, ZERO), fill.fee)

    def _apply(self, slot: int, signed: int, price_ticks: int) -> tuple[int, int, int]:
        """Book signed lots on a slot; return lots opened, lots closed, and the profit of the closed ones."""
        lot = self.slots.setdefault(slot, SlotLot())
        closed = profit = 0
        if lot.lots * signed < 0:
            sign = 1 if lot.lots > 0 else -1
            closed = min(abs(signed), abs(lot.lots))
            cost = lot.cost_ticks_lots * closed // abs(lot.lots)
            profit = sign * closed * price_ticks - cost
            lot.lots -= sign * closed
            lot.cost_ticks_lots -= cost
            lot.profit_ticks_lots += profit
            self.totals.grid_profit_ticks_lots += profit
            signed += sign * closed
            if lot.lots == 0:
                lot.cycles += 1
                self.totals.cycles += 1
        if signed:
            lot.lots += signed
            lot.cost_ticks_lots += signed * price_ticks
        return abs(signed), closed, profit
