"""Commands on their way to the simulated exchange; they take effect when their latency has passed."""

from enum import IntEnum, unique

import msgspec

from opensqt.domain.order import OrderRequest


@unique
class SelfTrade(IntEnum):
    """Which order ends when two of one account would trade; the arriving order decides. The codes are the matcher's."""

    EXPIRE_TAKER = 0
    EXPIRE_MAKER = 1
    EXPIRE_BOTH = 2


class Place(msgspec.Struct, frozen=True, tag=True):
    """Place an order."""

    account: str
    command_id: int
    request: OrderRequest
    self_trade: SelfTrade = SelfTrade.EXPIRE_TAKER


class Amend(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Change price and total size (executed part included) of a working order."""

    account: str
    command_id: int
    symbol: str
    client_order_id: str
    price_ticks: int
    total_lots: int
    instrument_revision: int


class Cancel(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Cancel one order, named by client id or exchange id."""

    account: str
    command_id: int
    symbol: str
    client_order_id: str = ""
    exchange_order_id: str = ""


class CancelAll(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Cancel the working orders of one symbol whose client id starts with a prefix; an empty prefix means all."""

    account: str
    command_id: int
    symbol: str
    prefix: str = ""


class SetLeverage(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Set the leverage of one symbol."""

    account: str
    command_id: int
    symbol: str
    leverage: int


Command = Place | Amend | Cancel | CancelAll | SetLeverage
