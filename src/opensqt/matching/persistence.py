"""The exchange as rows, and back."""

from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.market import BookValidity
from opensqt.domain.money import to_units
from opensqt.matching.account import AccountState
from opensqt.matching.delay import DelayLine
from opensqt.matching.market import SymbolMarket
from opensqt.matching.order_store import StoredOrder
from opensqt.matching.position import PositionState
from opensqt.matching.records import Records
from opensqt.matching.state import (
    AccountRow,
    BookRow,
    CandleRow,
    CashFlowRow,
    MetaRow,
    OrderRow,
    PositionRow,
    QueueRow,
    SymbolRow,
    VenueChanges,
    VenueState,
)

_QueuedOrder = tuple[int, int, int, int, int, int, int, int, int, bool, bool]


def take_changes(records: Records) -> VenueChanges:
    """Return what changed since the last call and begin anew."""
    queues = {row[0]: row for market in records.markets.values() for row in market.matcher.dump()}
    orders = records.orders
    changed = [(number, orders.get(number)) for number in orders.changed]
    changes = VenueChanges(
        meta=_meta(records),
        accounts=[_account(records, records.accounts[name]) for name in sorted(records.changed_accounts)],
        orders=[_order(stored, queues.get(number)) for number, stored in changed if stored is not None],
        fills=[records.fills[number] for number in records.new_fills if number in records.fills],
        cash_flows=[
            CashFlowRow(*records.cash_flows[key]) for key in records.new_cash_flows if key in records.cash_flows
        ],
        candles=[CandleRow(symbol, bar) for symbol, bar in records.new_candles],
        symbols=[_symbol(market) for market in records.markets.values()],
        forgotten=records.forgotten + [("order", str(number)) for number in orders.forgotten],
    )
    orders.changed.clear()
    orders.forgotten.clear()
    records.new_fills, records.new_cash_flows, records.new_candles, records.forgotten = [], [], [], []
    records.changed_accounts.clear()
    return changes


def dump(records: Records, line: DelayLine) -> VenueState:
    """Return everything."""
    queues = {row[0]: row for market in records.markets.values() for row in market.matcher.dump()}
    return VenueState(
        meta=_meta(records),
        accounts=[_account(records, account) for account in records.accounts.values()],
        orders=[_order(stored, queues.get(number)) for number, stored in records.orders.items()],
        fills=list(records.fills.values()),
        cash_flows=[CashFlowRow(*entry) for entry in records.cash_flows.values()],
        candles=[CandleRow(symbol, bar) for symbol, market in records.markets.items() for bar in market.candles.closed],
        symbols=[_symbol(market) for market in records.markets.values()],
        books=[_book(market) for market in records.markets.values()],
        commands=list(line.commands),
        events=list(line.events),
    )


def load(records: Records, line: DelayLine, state: VenueState) -> None:
    """Replace everything."""
    names = {row.symbol for row in state.symbols} | {row.order.symbol for row in state.orders}
    strangers = sorted(names - set(records.markets))
    if strangers:
        raise RequestError(
            ErrorReason.UNKNOWN_SYMBOL,
            f"the saved state of the exchange names {', '.join(strangers)}, which is not traded here; start it with "
            "the same market, or with a new state file",
        )
    records.meta = MetaRow(
        clock_ns=state.meta.clock_ns,
        next_order_number=state.meta.next_order_number,
        next_trade_number=state.meta.next_trade_number,
        next_rank=state.meta.next_rank,
    )
    records.random.state = state.meta.random_state
    records.out.clear()
    _load_accounts(records, state)
    _load_history(records, state)
    _load_symbols(records, state)
    _load_queues(records, state)
    line.commands.clear()
    line.commands.extend(state.commands)
    line.events.clear()
    line.events.extend(state.events)
    take_changes(records)


def _load_accounts(records: Records, state: VenueState) -> None:
    for row in sorted(state.accounts, key=lambda item: item.owner):
        account = records.open_account(row.name, row.owner, to_units(row.wallet, records.money_scale))
        account.positions = {
            item.symbol: PositionState(item.leverage, item.lots, to_units(item.cost, records.money_scale))
            for item in row.positions
        }


def _load_history(records: Records, state: VenueState) -> None:
    records.orders.clear()
    for kept in sorted(state.orders, key=_order_age):
        stored = StoredOrder(kept.account, kept.order, kept.rank)
        records.orders.put(int(kept.order.exchange_order_id), stored)
    records.fills.clear()
    for row in sorted(state.fills, key=lambda item: int(item.fill.trade_id)):
        records.fills[int(row.fill.trade_id)] = row
    records.cash_flows.clear()
    for flow in sorted(state.cash_flows, key=lambda item: item.cash_flow.venue_time_ns):
        records.cash_flows[flow.cash_flow.id] = (flow.account, flow.cash_flow)


def _order_age(row: OrderRow) -> tuple[bool, int]:
    is_working = not row.order.state.is_terminal
    return is_working, int(row.order.exchange_order_id) if is_working else row.rank


def _load_symbols(records: Records, state: VenueState) -> None:
    saved = {row.symbol: row for row in state.symbols}
    books = {row.symbol: row for row in state.books}
    for symbol, market in records.markets.items():
        row = saved.get(symbol) or SymbolRow(symbol=symbol)
        bars = sorted((c.bar for c in state.candles if c.symbol == symbol), key=lambda bar: bar.open_time_ms)
        market.candles.restore(bars, row.forming)
        market.mark.restore(row.mark, row.mark_published)
        market.last_trade_ticks = row.last_trade_ticks
        market.last_trade_ns = row.last_trade_ns
        market.funding.due_ms = row.funding_due_ms
        market.funding.announced = {int(when): rate for when, rate in row.funding_announced.items()}
        market.funding.holders = row.funding_holders
        book = books.get(symbol)
        if book is None:
            market.book.clear()
            market.lose("restarted; waiting for a snapshot")
        else:
            market.restore_book(book.bids, book.asks, book.last_id, BookValidity(book.validity), book.reason)


def _load_queues(records: Records, state: VenueState) -> None:
    for symbol, market in records.markets.items():
        working = [row for row in state.orders if row.order.symbol == symbol and not row.order.state.is_terminal]
        market.matcher.load(
            [_queued(records, row) for row in sorted(working, key=lambda row: row.rank)],
            {account.owner: account.lots(symbol) for account in records.accounts.values() if account.lots(symbol)},
        )


def _queued(records: Records, row: OrderRow) -> _QueuedOrder:
    order, queue = row.order, row.queue or QueueRow(0, 0, 0)
    return (
        int(order.exchange_order_id),
        records.accounts[row.account].owner,
        0 if order.side.sign > 0 else 1,
        order.price_ticks,
        order.remaining_lots,
        order.filled_lots,
        queue.ahead_lots,
        queue.displayed_lots,
        queue.traded_lots,
        order.reduce_only,
        order.post_only,
    )


def _meta(records: Records) -> MetaRow:
    meta = records.meta
    return MetaRow(
        clock_ns=meta.clock_ns,
        next_order_number=meta.next_order_number,
        next_trade_number=meta.next_trade_number,
        next_rank=meta.next_rank,
        random_state=records.random.state,
    )


def _account(records: Records, account: AccountState) -> AccountRow:
    positions = [
        PositionRow(symbol, position.lots, records.money(position.cost_units), position.leverage)
        for symbol, position in sorted(account.positions.items())
    ]
    return AccountRow(account.name, account.owner, records.money(account.wallet_units), positions)


def _order(stored: StoredOrder, queued: _QueuedOrder | None) -> OrderRow:
    queue = None if queued is None else QueueRow(queued[6], queued[7], queued[8])
    return OrderRow(stored.account, stored.order, stored.rank, queue)


def _symbol(market: SymbolMarket) -> SymbolRow:
    return SymbolRow(
        symbol=market.instrument.symbol,
        mark=market.mark.current,
        mark_published=market.mark.published,
        last_trade_ticks=market.last_trade_ticks,
        last_trade_ns=market.last_trade_ns,
        forming=market.candles.forming,
        funding_due_ms=market.funding.due_ms,
        funding_announced={str(when): rate for when, rate in market.funding.announced.items()},
        funding_holders=market.funding.holders,
    )


def _book(market: SymbolMarket) -> BookRow:
    return BookRow(
        market.instrument.symbol,
        market.book.last_id,
        market.book.pack(True),
        market.book.pack(False),
        int(market.validity),
        market.validity_reason,
    )
