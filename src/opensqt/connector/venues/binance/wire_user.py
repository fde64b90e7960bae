"""User stream messages as they are on the wire: only the members we read.

Members that came later (`n`, `N`, `V`, `er`, `bep`) are optional; a one-letter name is the venue's own.
"""

from typing import Annotated, Literal

import msgspec

from opensqt.connector.venues.binance.payload import Id, Ms, SignedText, Symbol, UnsignedText
from opensqt.connector.venues.binance.user_events import PositionSide


class WireOrder(
    msgspec.Struct,
    frozen=True,
    rename={
        "symbol": "s",
        "client_id": "c",
        "side": "S",
        "type_word": "o",
        "tif_word": "f",
        "quantity": "q",
        "price": "p",
        "execution": "x",
        "status": "X",
        "order_id": "i",
        "last_quantity": "l",
        "filled": "z",
        "last_price": "L",
        "fee": "n",
        "fee_asset": "N",
        "time": "T",
        "trade_id": "t",
        "is_maker": "m",
        "reduce_only": "R",
        "position_side": "ps",
        "realized_pnl": "rp",
        "expiry_code": "er",
    },
):
    """`o` of ORDER_TRADE_UPDATE."""

    symbol: Symbol
    client_id: str
    side: Literal["BUY", "SELL"]
    type_word: str
    tif_word: str
    quantity: UnsignedText
    price: UnsignedText
    execution: str
    status: str
    order_id: Id
    last_quantity: UnsignedText
    filled: UnsignedText
    last_price: UnsignedText
    time: Ms
    trade_id: Id
    is_maker: bool
    reduce_only: bool
    # "Will not be pushed if no commission" (docs, Event: Order Update).
    fee: SignedText = "0"
    fee_asset: str = ""
    position_side: PositionSide = PositionSide.BOTH
    realized_pnl: SignedText = "0"
    expiry_code: str = "0"


class WireOrderEvent(msgspec.Struct, frozen=True):
    """ORDER_TRADE_UPDATE."""

    E: Ms
    o: WireOrder


class WireTradeLite(
    msgspec.Struct,
    frozen=True,
    rename={
        "time": "T",
        "symbol": "s",
        "client_id": "c",
        "side": "S",
        "last_price": "L",
        "last_quantity": "l",
        "trade_id": "t",
        "order_id": "i",
        "is_maker": "m",
    },
):
    """TRADE_LITE."""

    time: Ms
    symbol: Symbol
    client_id: str
    side: Literal["BUY", "SELL"]
    last_price: UnsignedText
    last_quantity: UnsignedText
    trade_id: Id
    order_id: Id
    is_maker: bool


class WireBalance(msgspec.Struct, frozen=True):
    """`a.B[]` of ACCOUNT_UPDATE."""

    a: str
    wb: SignedText
    cw: SignedText
    bc: SignedText = "0"


class WirePosition(msgspec.Struct, frozen=True):
    """`a.P[]` of ACCOUNT_UPDATE."""

    s: Symbol
    pa: SignedText
    ep: SignedText
    up: SignedText
    mt: str = "cross"
    ps: PositionSide = PositionSide.BOTH


class WireAccount(msgspec.Struct, frozen=True):
    """`a` of ACCOUNT_UPDATE."""

    m: str
    B: list[WireBalance]
    P: list[WirePosition]


class WireAccountEvent(msgspec.Struct, frozen=True):
    """ACCOUNT_UPDATE."""

    T: Ms
    a: WireAccount


class WireLeverage(msgspec.Struct, frozen=True):
    """`ac` of ACCOUNT_CONFIG_UPDATE."""

    s: Symbol
    l: Annotated[int, msgspec.Meta(ge=0, le=1_000)]  # noqa: E741 the venue's own name


class WireMultiAssets(msgspec.Struct, frozen=True):
    """`ai` of ACCOUNT_CONFIG_UPDATE."""

    j: bool


class WireConfigEvent(msgspec.Struct, frozen=True):
    """ACCOUNT_CONFIG_UPDATE."""

    ac: WireLeverage | None = None
    ai: WireMultiAssets | None = None


class WireCallPosition(msgspec.Struct, frozen=True):
    """`p[]` of MARGIN_CALL."""

    s: Symbol
    ps: PositionSide
    pa: SignedText
    mp: SignedText
    up: SignedText
    mm: SignedText


class WireMarginCall(msgspec.Struct, frozen=True):
    """MARGIN_CALL."""

    p: list[WireCallPosition]
    cw: SignedText | None = None


class WireListenKeyExpired(msgspec.Struct, frozen=True, rename="camel"):
    """listenKeyExpired."""

    listen_key: str
