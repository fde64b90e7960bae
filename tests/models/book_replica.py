"""A reader of SubscribeBook written naively from the contract: dicts, one update after the other."""

import struct

from opensqt.connector.book_feed import BookReader
from opensqt.proto import market_data_pb2


class BookReplica:
    """What a client knows of each book."""

    def __init__(self) -> None:
        self.bids: dict[str, dict[int, int]] = {}
        self.asks: dict[str, dict[int, int]] = {}

    def take(self, reader: BookReader) -> list[market_data_pb2.BookUpdate]:
        """Apply what a reader has and return its updates."""
        updates = list(market_data_pb2.BookUpdates.FromString(reader.take()).updates)
        for update in updates:
            self.apply(update)
        return updates

    def apply(self, update: market_data_pb2.BookUpdate) -> None:
        if update.kind == market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT:
            self.bids[update.symbol] = {}
            self.asks[update.symbol] = {}
        for index, (ticks, lots) in enumerate(struct.iter_unpack("<qq", update.levels)):
            side = self.bids if index < update.bid_count else self.asks
            if lots:
                side[update.symbol][ticks] = lots
            else:
                side[update.symbol].pop(ticks, None)

    def best(self, symbol: str, is_bid: bool, count: int) -> list[tuple[int, int]]:
        """Return the best levels of a side."""
        levels = (self.bids if is_bid else self.asks)[symbol]
        return sorted(levels.items(), reverse=is_bid)[:count]
