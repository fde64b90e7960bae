"""Everything the exchange holds, and the notes of what changed: shared by its parts, owned by the venue."""

from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar, final

from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import from_units, to_units
from opensqt.domain.packed import PackedHistory, Packer
from opensqt.matching.account import AccountState
from opensqt.matching.candles import Bar
from opensqt.matching.config import VenueConfig
from opensqt.matching.events import VenueEvent
from opensqt.matching.exact import SplitMix64
from opensqt.matching.market import SymbolMarket
from opensqt.matching.order_store import OrderStore
from opensqt.matching.state import FillRow, MetaRow

T = TypeVar("T")
_FILLS = Packer(FillRow)


@final
class Records:
    """Markets, accounts, orders, fills, cash flows, counters.

    Raises:
        RequestError: the instruments are none, or settle in different assets.
    """

    def __init__(self, config: VenueConfig, instruments: Iterable[Instrument]) -> None:
        listed = tuple(instruments)
        assets = {instrument.settle_asset for instrument in listed}
        if len(assets) != 1:
            raise RequestError(
                ErrorReason.NOT_SUPPORTED,
                f"a simulated exchange settles in one asset; its instruments settle in {sorted(assets) or 'none'}",
            )
        self.config = config
        self.asset = assets.pop()
        self.money_scale = max(instrument.money_scale for instrument in listed)
        self.markets = {item.symbol: SymbolMarket(item, config, self.money_scale) for item in listed}
        self.accounts: dict[str, AccountState] = {}
        self.owners: dict[int, AccountState] = {}
        self.orders = OrderStore(config.history.ended_orders, keep_changes=config.keep_changes)
        self.fills: PackedHistory[int, FillRow] = PackedHistory(_FILLS)
        self.cash_flows: OrderedDict[str, tuple[str, CashFlow]] = OrderedDict()
        self.random = SplitMix64(config.seed)
        self.meta = MetaRow()
        self.out: list[VenueEvent] = []
        # What changed since the last write.
        self.new_fills: list[int] = []
        self.new_cash_flows: list[str] = []
        self.changed_accounts: set[str] = set()
        self.new_candles: list[tuple[str, Bar]] = []
        self.forgotten: list[tuple[str, str]] = []
        for name, amount in config.wallets.items():
            self.open_account(name, len(self.accounts), to_units(amount, self.money_scale))

    @property
    def clock_ns(self) -> int:
        """Return the venue's time."""
        return self.meta.clock_ns

    def open_account(self, name: str, owner: int, wallet_units: int) -> AccountState:
        """Open an account, or replace it by a saved one."""
        account = AccountState(name, owner, wallet_units, self.config.default_leverage)
        self.accounts[name] = account
        self.owners[owner] = account
        self.changed_accounts.add(name)
        return account

    def money(self, units: int) -> Decimal:
        """Return money units as an amount."""
        return from_units(units, self.money_scale)

    def next_order_number(self) -> int:
        """Return a new exchange order id."""
        number = self.meta.next_order_number
        self.meta.next_order_number += 1
        return number

    def next_trade_number(self) -> int:
        """Return a new trade id."""
        number = self.meta.next_trade_number
        self.meta.next_trade_number += 1
        return number

    def next_rank(self) -> int:
        """Return a new arrival rank."""
        rank = self.meta.next_rank
        self.meta.next_rank += 1
        return rank

    def add_fill(self, number: int, account: str, fill: Fill) -> None:
        """Keep a fill; the oldest is forgotten beyond the limit."""
        self.fills[number] = FillRow(account, fill)
        self._note(self.new_fills, number)
        while len(self.fills) > self.config.history.fills:
            oldest, _ = self.fills.pop_oldest()
            self._note(self.forgotten, ("fill", str(oldest)))

    def add_cash_flow(self, account: str, flow: CashFlow) -> None:
        """Keep a cash flow; the oldest is forgotten beyond the limit."""
        self.cash_flows[flow.id] = (account, flow)
        self._note(self.new_cash_flows, flow.id)
        while len(self.cash_flows) > self.config.history.cash_flows:
            oldest, _ = self.cash_flows.popitem(last=False)
            self._note(self.forgotten, ("cash_flow", oldest))

    def add_candles(self, symbol: str, bars: list[Bar]) -> None:
        """Note closed minutes, and forget what fell out of the window."""
        limit_ms = self.config.history.candles * 60_000
        for bar in bars:
            self._note(self.new_candles, (symbol, bar))
            self._note(self.forgotten, ("candle", f"{symbol}@{bar.open_time_ms - limit_ms}"))

    def _note(self, notes: list[T], note: T) -> None:
        # Notes that nobody takes would pile up for ever.
        if self.config.keep_changes:
            notes.append(note)

    @property
    def has_changes(self) -> bool:
        """Return whether something happened that must not be lost (clock, marks and candles alone do not count)."""
        return bool(self.orders.changed or self.new_fills or self.new_cash_flows or self.changed_accounts)
