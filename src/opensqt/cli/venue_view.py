"""What a connector says of its venue, read for people: instruments, account, positions, the touch. It sends nothing."""

from collections.abc import Sequence
from decimal import Decimal
from typing import final

import grpc
import msgspec
from grpc import aio

import opensqt.runtime  # noqa: F401  sets gRPC's environment before it is imported
from opensqt.cli.errors import CliError
from opensqt.domain.account import Account, Position
from opensqt.domain.convert_trade import instrument_from_wire
from opensqt.domain.errors import RequestError
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import parse_decimal
from opensqt.engine.events import BookTop
from opensqt.engine.market_books import MarketBooks
from opensqt.proto import exchange_pb2, exchange_pb2_grpc, market_data_pb2, resources_pb2
from opensqt.runtime.grpc_client import call, to_typed_error

CALL_TIMEOUT_S = 10.0
BOOK_TIMEOUT_S = 15.0


@final
class Touch(msgspec.Struct, frozen=True):
    """Best prices of a VALID book, and the last trade, in ticks; 0 = none."""

    bid_ticks: int
    ask_ticks: int
    last_ticks: int


@final
class VenueView:
    """Questions to one connector."""

    def __init__(self, stub: "exchange_pb2_grpc.ExchangeServiceAsyncStub") -> None:  # a name of the stubs only
        self._stub = stub

    async def capabilities(self) -> exchange_pb2.Capabilities:
        """Return what the venue can do."""
        return await call(self._stub.GetCapabilities, exchange_pb2.GetCapabilitiesRequest(), timeout_s=CALL_TIMEOUT_S)

    async def rate_budget(self) -> exchange_pb2.RateBudget:
        """Return the venue's limits and what is used of them."""
        return await call(self._stub.GetRateBudget, exchange_pb2.GetRateBudgetRequest(), timeout_s=CALL_TIMEOUT_S)

    async def instrument(self, symbol: str) -> Instrument:
        """Return one instrument, by either spelling. Raises CliError that lists what the venue has."""
        request = exchange_pb2.GetInstrumentsRequest(symbols=[symbol])
        try:
            answer = await call(self._stub.GetInstruments, request, timeout_s=CALL_TIMEOUT_S)
        except RequestError as error:
            raise CliError(f"{symbol} is not served: {error.message}") from None
        return instrument_from_wire(answer.instruments[0])

    async def symbols(self) -> Sequence[str]:
        """Return the canonical symbols that are served."""
        answer = await call(self._stub.GetSymbols, exchange_pb2.GetSymbolsRequest(), timeout_s=CALL_TIMEOUT_S)
        return list(answer.symbols)

    async def account(self, asset: str) -> Account | None:
        """Return the balances in one settle asset; None when the account is in another."""
        message = await call(self._stub.GetAccount, exchange_pb2.GetAccountRequest(), timeout_s=CALL_TIMEOUT_S)
        if message.asset != asset:
            return None
        return Account(
            asset=asset,
            wallet_balance=_decimal(message.total_wallet_balance.value),
            available_balance=_decimal(message.available_balance.value),
            margin_balance=_decimal(message.total_margin_balance.value),
            unrealized_pnl=_decimal(message.total_unrealized_pnl.value),
            maintenance_margin=_decimal(message.total_maintenance_margin.value),
        )

    async def position(self, instrument: Instrument) -> Position:
        """Return the position of one symbol."""
        request = exchange_pb2.GetPositionsRequest(symbol=instrument.symbol)
        answer = await call(self._stub.GetPositions, request, timeout_s=CALL_TIMEOUT_S)
        found = list(answer.positions) or [resources_pb2.Position(symbol=instrument.symbol, leverage=0)]
        message = found[0]
        size = _decimal(message.size.value)
        lots = instrument.quantity_to_lots(abs(size)) if size else 0
        return Position(
            symbol=instrument.symbol,
            lots=-lots if size < 0 else lots,
            entry_price=_decimal(message.entry_price.value),
            mark_price=_decimal(message.mark_price.value),
            leverage=message.leverage,
            margin_type=message.margin_type,
        )

    async def open_orders(self, symbol: str) -> Sequence[resources_pb2.Order]:
        """Return the open orders of one symbol, whoever placed them."""
        request = exchange_pb2.GetOpenOrdersRequest(symbol=symbol)
        return list((await call(self._stub.GetOpenOrders, request, timeout_s=CALL_TIMEOUT_S)).orders)

    async def touch(self, instrument: Instrument) -> Touch:
        """Return the touch of the first VALID book. Raises CliError when there is none in time."""
        symbol = instrument.symbol
        price_request = exchange_pb2.GetLatestPriceRequest(symbol=symbol)
        answer = await call(self._stub.GetLatestPrice, price_request, timeout_s=CALL_TIMEOUT_S)
        last_ticks = instrument.price_to_ticks(_decimal(answer.price.value))
        request = market_data_pb2.SubscribeBookRequest(symbols=[symbol], depth=1)
        reason = "nothing came"
        books = MarketBooks([symbol])
        stream = self._stub.SubscribeBook(request, timeout=BOOK_TIMEOUT_S)
        try:
            async for message in stream:
                for top in books.take_books(message):
                    if isinstance(top, BookTop) and top.valid and top.bid_ticks and top.ask_ticks:
                        return Touch(top.bid_ticks, top.ask_ticks, last_ticks)
                    reason = getattr(top, "reason", "") or reason
        except aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise to_typed_error(error) from None
        finally:
            stream.cancel()
        raise CliError(f"no valid book of {symbol} came within {BOOK_TIMEOUT_S:.0f} s: {reason}")


def _decimal(text: str) -> Decimal:
    return parse_decimal(text, "value") if text else Decimal(0)
