"""What the venue knows of its users beyond the simulated exchange: keys, modes, settings, and facts of their orders.

The simulated exchange holds one position per account and symbol. A user in hedge mode therefore has two accounts there,
one per side; their money is one wallet to the user, and is moved between them as it is needed.
"""

from collections import OrderedDict, deque
from decimal import Decimal
from typing import Any, Final, final

import msgspec

from opensqt.domain.order import Order
from opensqt.matching.position import PositionState
from opensqt.sim.dialects.binance.limits import LimitConfig, OrderLimit
from opensqt.sim.dialects.binance.signing import KeyKind, Verifier

SHORT_SUFFIX: Final = "#SHORT"
_ORDERS_KEPT: Final = 40_000
_TRADES_KEPT: Final = 20_000
_INCOME_KEPT: Final = 5_000


class KeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """One API key. `secret` is what a client needs to sign: the shared secret, or the private key as PEM.

    `verify_with` is what the venue holds: the same shared secret, or the public key as PEM.
    """

    name: str
    key: str
    kind: KeyKind
    secret: str
    verify_with: str


class OrderFacts(msgspec.Struct, kw_only=True):
    """What the venue remembers of an order beside the exchange's own record."""

    position_side: str
    type: str
    time_in_force: str
    self_trade: str
    price_match: str = "NONE"
    good_till_ms: int = 0
    calculated: bool = False
    """Made by the venue itself: liquidation, ADL."""
    is_expired: bool = False
    """Ended by its date, not by its owner."""
    amendments: int = 0
    last: Order | None = None
    """As it was told to the user last; None = never."""

    @property
    def is_open(self) -> bool:
        """Return whether its end was not told yet."""
        return self.last is None or not self.last.state.is_terminal


class TradeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One fill of a user, as `userTrades` lists it."""

    id: int
    order_id: int
    symbol: str
    row: dict[str, Any]
    time_ms: int


class SymbolSetting(msgspec.Struct):
    """Margin type and leverage a user chose for a symbol."""

    margin_type: str = "CROSSED"
    leverage: int = 20


@final
class Leg:
    """The venue's own books on one position: average price and realized profit as the user stream tells them."""

    __slots__ = ("realized_units", "state", "updated_ms")

    def __init__(self) -> None:
        self.state = PositionState(1)
        self.realized_units = 0
        self.updated_ms = 0


@final
class User:
    """One user of the venue."""

    def __init__(self, pair: KeyPair, limits: LimitConfig, default_leverage: int) -> None:
        self.name = pair.name
        self.pair = pair
        self.verifier = Verifier(pair.kind, pair.verify_with)
        self.orders = OrderLimit(limits)
        self.dual_side = False
        self.multi_assets = False
        self.can_trade = True
        self.is_revoked = False
        self.default_leverage = default_leverage
        self.settings: dict[str, SymbolSetting] = {}
        self.facts: OrderedDict[int, OrderFacts] = OrderedDict()
        self.legs: dict[tuple[str, str], Leg] = {}
        self.trades: deque[TradeRow] = deque(maxlen=_TRADES_KEPT)
        self.income: deque[dict[str, Any]] = deque(maxlen=_INCOME_KEPT)
        self.countdowns: dict[str, int] = {}
        self.updated_ms = 0
        self.margin_called_ms = 0

    def setting(self, symbol: str) -> SymbolSetting:
        """Return the settings of a venue symbol."""
        found = self.settings.get(symbol)
        if found is None:
            found = self.settings[symbol] = SymbolSetting(leverage=self.default_leverage)
        return found

    def leg(self, symbol: str, position_side: str) -> Leg:
        """Return the books of a position."""
        return self.legs.setdefault((symbol, position_side), Leg())

    def remember(self, number: int, facts: OrderFacts) -> None:
        """Keep an order's facts; beyond the limit the oldest that ended are forgotten."""
        self.facts[number] = facts
        for _ in range(len(self.facts)):
            if len(self.facts) <= _ORDERS_KEPT:
                return
            oldest, known = self.facts.popitem(last=False)
            if known.is_open:
                self.facts[oldest] = known

    def account_of(self, position_side: str) -> str:
        """Return which account of the exchange holds a position side."""
        return self.name + SHORT_SUFFIX if position_side == "SHORT" else self.name

    @property
    def accounts(self) -> tuple[str, ...]:
        """Return the accounts in use."""
        return (self.name, self.name + SHORT_SUFFIX) if self.dual_side else (self.name,)

    def position_side(self, account: str) -> str:
        """Return the position side an account stands for now."""
        if not self.dual_side:
            return "BOTH"
        return "SHORT" if account.endswith(SHORT_SUFFIX) else "LONG"


def free_to_move(available: Decimal) -> Decimal:
    """Return a shown balance as an amount that is certainly there, in whole money units."""
    return max(Decimal(0), available - Decimal("1e-8"))
