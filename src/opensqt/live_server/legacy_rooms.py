"""The original's `/ws`: one room per symbol, its first messages and its broadcasts."""

from typing import Any, final

import orjson

from opensqt.live_server import legacy
from opensqt.live_server.broadcast import Client, Group
from opensqt.live_server.market import MarketStore
from opensqt.live_server.symbols import SymbolSet
from opensqt.proto.events_pb2 import OrderUpdate
from opensqt.proto.resources_pb2 import Account, Candle, Position

Json = dict[str, Any]


@final
class LegacyRooms:
    """Speak the original's messages to pages that know nothing else.

    Args:
        market: where first messages come from.
        symbols: the first one is the room of a page that names none.
    """

    def __init__(self, market: MarketStore, symbols: SymbolSet) -> None:
        self._market = market
        self._symbols = symbols
        self._rooms: dict[str, Group] = {}

    @property
    def groups(self) -> list[Group]:
        """Every room."""
        return list(self._rooms.values())

    def default_symbol(self) -> str:
        """Return the symbol of a page that names none; empty while none is known."""
        return self._symbols.current[0] if self._symbols.current else ""

    def join(self, client: Client, symbol: str) -> list[str]:
        """Add a page to a symbol's room and return its first messages: history, account, orders, position."""
        self._rooms.setdefault(symbol, Group()).add(client)
        market = self._market
        messages = [legacy.history(market.history(symbol, legacy.HISTORY_CANDLES))]
        if market.account is not None:
            messages.append(legacy.account(market.account, symbol))
        messages.append(legacy.orders(order for order in market.orders.values() if order.symbol == symbol))
        if symbol in market.positions:
            messages.append(legacy.position(market.positions[symbol]))
        return [_encode(message) for message in messages]

    def leave(self, client: Client, symbol: str) -> None:
        """Let a page go; an empty room is closed."""
        room = self._rooms.get(symbol)
        if room is not None:
            room.remove(client)
            if not len(room):
                del self._rooms[symbol]

    def on_candle(self, candle: Candle) -> None:
        """Tell a symbol's room about a candle."""
        self._publish(candle.symbol, legacy.kline(candle))

    def on_account(self, account: Account) -> None:
        """Tell every room about the account."""
        for symbol in tuple(self._rooms):
            self._publish(symbol, legacy.account(account, symbol))

    def on_order(self, update: OrderUpdate) -> None:
        """Tell a symbol's room about an order, and about the execution it carries."""
        self._publish(update.symbol, legacy.order(update))
        event = legacy.trade_event(update)
        if event is not None:
            self._publish(update.symbol, event)

    def on_position(self, position: Position) -> None:
        """Tell a symbol's room about its position."""
        self._publish(position.symbol, legacy.position(position))

    def _publish(self, symbol: str, message: Json) -> None:
        room = self._rooms.get(symbol)
        if room is not None:
            room.publish(_encode(message))


def _encode(message: Json) -> str:
    return orjson.dumps(message).decode()
