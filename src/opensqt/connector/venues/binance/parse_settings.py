"""Settings in replies: modes, leverage, fees, limits, listen key, countdown, and bare acknowledgements."""

from typing import Annotated

import msgspec

from opensqt.connector.venues.binance.limits import WireLimit
from opensqt.connector.venues.binance.payload import PayloadError, SignedText, Symbol, UnsignedText, decimal_of, read
from opensqt.connector.venues.binance.symbols import FeeRates

Leverage = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
ACCEPTED = 200
"""`code` of a body that only says yes."""


class SymbolConfig(msgspec.Struct, frozen=True):
    """One symbol's settings."""

    venue_symbol: str
    leverage: int
    is_isolated: bool


class AccountConfig(msgspec.Struct, frozen=True):
    """The account's modes."""

    hedge_mode: bool
    multi_assets: bool
    can_trade: bool


class _WireSymbolConfig(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    margin_type: str
    leverage: Leverage


class _WireAccountConfig(msgspec.Struct, rename="camel", frozen=True):
    dual_side_position: bool
    multi_assets_margin: bool
    can_trade: bool


class _WireFees(msgspec.Struct, rename="camel", frozen=True):
    maker_commission_rate: SignedText
    taker_commission_rate: SignedText


class _WireLeverage(msgspec.Struct, frozen=True):
    symbol: Symbol
    leverage: Leverage


class _WireListenKey(msgspec.Struct, rename="camel", frozen=True):
    listen_key: Annotated[str, msgspec.Meta(min_length=1)]


class _WireCountdown(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    countdown_time: UnsignedText


class _WireMode(msgspec.Struct, rename="camel", frozen=True):
    dual_side_position: bool


class _WireAck(msgspec.Struct, frozen=True):
    code: int
    msg: str = ""


def parse_symbol_configs(data: bytes) -> dict[str, SymbolConfig]:
    """Read symbolConfig, by venue symbol.

    Raises:
        PayloadError: not a list of symbol settings.
    """
    wires = read(data, list[_WireSymbolConfig], "symbolConfig")
    return {wire.symbol: SymbolConfig(wire.symbol, wire.leverage, wire.margin_type == "ISOLATED") for wire in wires}


def parse_account_config(data: bytes) -> AccountConfig:
    """Read accountConfig.

    Raises:
        PayloadError: not an account's settings.
    """
    wire = read(data, _WireAccountConfig, "accountConfig")
    return AccountConfig(wire.dual_side_position, wire.multi_assets_margin, wire.can_trade)


def parse_position_mode(data: bytes) -> bool:
    """Read positionSide/dual: whether the account is in hedge mode.

    Raises:
        PayloadError: not a position mode.
    """
    return read(data, _WireMode, "positionSide/dual").dual_side_position


def parse_fees(data: bytes) -> FeeRates:
    """Read commissionRate.

    Raises:
        PayloadError: not fee rates.
    """
    wire = read(data, _WireFees, "commissionRate")
    return FeeRates(decimal_of(wire.maker_commission_rate), decimal_of(wire.taker_commission_rate))


def parse_leverage(data: bytes) -> tuple[str, int]:
    """Read the reply to setting a leverage: venue symbol and leverage.

    Raises:
        PayloadError: not such a reply.
    """
    wire = read(data, _WireLeverage, "leverage")
    return wire.symbol, wire.leverage


def parse_listen_key(data: bytes) -> str:
    """Read the reply to creating or extending a listen key.

    Raises:
        PayloadError: it names none (an extension did not before 2024-04: keep the one you have).
    """
    return read(data, _WireListenKey, "listenKey").listen_key


def parse_countdown(data: bytes) -> tuple[str, int]:
    """Read the reply to countdownCancelAll: venue symbol and ms until the orders go, 0 = stopped.

    Raises:
        PayloadError: not such a reply.
    """
    wire = read(data, _WireCountdown, "countdownCancelAll")
    return wire.symbol, int(decimal_of(wire.countdown_time))


def parse_ack(data: bytes, what: str) -> None:
    """Read a reply that only says yes (marginType, positionSide/dual, allOpenOrders).

    Raises:
        PayloadError: it does not.
    """
    wire = read(data, _WireAck, what)
    if wire.code != ACCEPTED:
        raise PayloadError(what, f"expected {ACCEPTED}, was {wire.code} ({wire.msg})", "code")


def parse_order_limits(data: bytes) -> tuple[WireLimit, ...]:
    """Read rateLimit/order: the account's own order limits.

    Raises:
        PayloadError: not a list of limits.
    """
    return tuple(read(data, list[WireLimit], "rateLimit/order"))
