"""One symbol's capture as market events: decoded, ordered by exchange time, its book synchronised by Binance's rule.

Messages of different streams reach a recorder in slightly different order than they happened, so they wait until the
newest exchange time is `_WINDOW_MS` ahead, and leave by exchange time, then arrival. The book begins with the REST
snapshot: the first diff after it spans its id (futures U <= id <= u, spot U <= id + 1 <= u), each later one follows
the one before (futures pu == u, spot U == u + 1; "How to manage a local order book correctly"). A gap after that is an
error, because a capture has one snapshot to begin from. Only trades with X=MARKET are trades of the market.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Final, final

import msgspec

from opensqt._core.book import BookError
from opensqt._core.decode.binance import Kind, classify, decode_book_ticker, decode_mark_price, decode_trade
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Side
from opensqt.matching.events import BookDelta, BookSnapshot, MarketEvent, MarkUpdate, TradePrint
from opensqt.matching.sources.capture_file import Line, read_lines
from opensqt.matching.sources.errors import CaptureError

_WINDOW_MS: Final = 2_500
_BATCH: Final = 2_048
_MAX_EARLY_DIFFS: Final = 20_000
_MAX_CLOCK_ERROR_MS: Final = 24 * 3_600 * 1_000


class _Diff:
    """A decoded diff on its way to the book."""

    __slots__ = ("asks", "bids", "first_id", "last_id", "prev_id", "where")

    def __init__(self, decoder: DepthDecoder, where: tuple[Path, int]) -> None:
        self.first_id = decoder.first_id
        self.last_id = decoder.last_id
        self.prev_id = decoder.prev_id
        self.bids = decoder.bids
        self.asks = decoder.asks
        self.where = where


_Item = _Diff | BookSnapshot | TradePrint | MarkUpdate


@final
class SymbolCapture:
    """Consecutive files of one symbol; `events` reads them from the beginning."""

    def __init__(self, instrument: Instrument, paths: Sequence[Path]) -> None:
        self.instrument = instrument
        self.paths = tuple(paths)
        self._venue_symbol = instrument.venue_symbol.encode()
        self._price = Increment(format(instrument.tick_size, "f"))
        self._quantity = Increment(format(instrument.lot_size, "f"))

    def events(self) -> Iterator[MarketEvent]:
        """Yield the market events in order of exchange time.

        Raises:
            CaptureError: the files are not one unbroken capture of this symbol with a snapshot.
        """
        sync = _BookSync(self.instrument.symbol, self.paths[0])
        for time_ms, _, item in self._ordered():
            if isinstance(item, _Diff):
                yield from sync.on_diff(time_ms, item)
            elif isinstance(item, BookSnapshot):
                yield from sync.on_snapshot(item)
            else:
                yield item
        sync.finish()

    def _ordered(self) -> Iterator[tuple[int, int, _Item]]:
        waiting: list[tuple[int, int, _Item]] = []
        newest_ms = 0
        for arrival, (time_ms, item) in enumerate(self._decoded()):
            waiting.append((time_ms, arrival, item))
            newest_ms = max(newest_ms, time_ms)
            if len(waiting) >= _BATCH and waiting[0][0] < newest_ms - _WINDOW_MS:
                waiting.sort(key=itemgetter(0, 1))
                ready = _count_until(waiting, newest_ms - _WINDOW_MS)
                yield from waiting[:ready]
                del waiting[:ready]
        waiting.sort(key=itemgetter(0, 1))
        yield from waiting

    def _decoded(self) -> Iterator[tuple[int, _Item]]:
        depth = DepthDecoder(self._price, self._quantity)
        last_ns = 0
        time_ms = 0
        for path in self.paths:
            for line in read_lines(path):
                if line.receive_ns < last_ns:
                    raise CaptureError(
                        f"{path}, line {line.number}: received at {line.receive_ns}, before the end of the file given "
                        f"before it ({last_ns}); give the parts of a capture in the order they were recorded"
                    )
                last_ns = line.receive_ns
                try:
                    decoded = self._decode(path, line, depth, time_ms)
                except (DecodeError, BookError) as error:
                    raise CaptureError(
                        f"{path}, line {line.number}: {error}; the message is damaged or not of "
                        f"{self.instrument.venue_symbol}: fetch the file again, or remove it from the list"
                    ) from error
                if decoded is not None:
                    time_ms, item = decoded
                    _check_time(path, line, time_ms)
                    yield time_ms, item

    def _decode(self, path: Path, line: Line, depth: DepthDecoder, time_ms: int) -> tuple[int, _Item] | None:
        payload = line.payload
        kind = classify(payload)
        if kind is Kind.DEPTH_UPDATE:
            depth.decode(payload)
            self._check_symbol(path, line, depth.symbol)
            return depth.transaction_time_ms or depth.event_time_ms, _Diff(depth, (path, line.number))
        if kind is Kind.TRADE:
            return self._trade(path, line)
        if kind is Kind.MARK_PRICE:
            return self._mark(path, line)
        if kind is Kind.DEPTH_SNAPSHOT:
            depth.decode_snapshot(payload)
            # A spot snapshot carries no time: it is as old as the message before it, or as its receipt.
            taken_ms = depth.transaction_time_ms or depth.event_time_ms or time_ms or line.receive_ns // NS_PER_MS
            snapshot = BookSnapshot(self.instrument.symbol, taken_ms * NS_PER_MS, depth.last_id, depth.bids, depth.asks)
            return taken_ms, snapshot
        if kind is Kind.BOOK_TICKER:
            # The depth stream says it all; decoding only proves that the line is whole.
            decode_book_ticker(payload, self._price, self._quantity)
        else:
            _check_other(path, line)
        return None

    def _trade(self, path: Path, line: Line) -> tuple[int, TradePrint] | None:
        trade = decode_trade(line.payload, self._price, self._quantity)
        self._check_symbol(path, line, trade.symbol)
        if not trade.is_market:
            return None
        print_ = TradePrint(
            self.instrument.symbol,
            trade.transaction_time_ms * NS_PER_MS,
            str(trade.trade_id),
            Side.SELL if trade.is_buyer_maker else Side.BUY,
            trade.price_ticks,
            trade.lots,
        )
        return trade.transaction_time_ms, print_

    def _mark(self, path: Path, line: Line) -> tuple[int, MarkUpdate]:
        mark = decode_mark_price(line.payload)
        self._check_symbol(path, line, mark.symbol)
        update = MarkUpdate(
            self.instrument.symbol,
            mark.event_time_ms * NS_PER_MS,
            Decimal(mark.mark_price_e8).scaleb(-8),
            Decimal(mark.index_price_e8).scaleb(-8),
            Decimal(mark.funding_rate_e8).scaleb(-8),
            mark.next_funding_ms,
        )
        return mark.event_time_ms, update

    def _check_symbol(self, path: Path, line: Line, symbol: bytes) -> None:
        if symbol != self._venue_symbol:
            raise CaptureError(
                f"{path}, line {line.number}: a message of {symbol.decode('utf-8', 'replace')} in a capture of "
                f"{self.instrument.venue_symbol}; a file holds one symbol, give each its own"
            )


@final
class _BookSync:
    """Chains diffs onto the snapshot."""

    def __init__(self, symbol: str, first_path: Path) -> None:
        self._symbol = symbol
        self._first_path = first_path
        self._early: deque[tuple[int, _Diff]] = deque(maxlen=_MAX_EARLY_DIFFS)
        self._snapshot_id: int | None = None
        self._last_id: int | None = None

    def on_snapshot(self, snapshot: BookSnapshot) -> Iterator[MarketEvent]:
        """Begin (anew) from a snapshot, then apply the diffs that came before it but are newer."""
        yield snapshot
        self._snapshot_id = snapshot.last_id
        self._last_id = None
        early, self._early = self._early, deque(maxlen=_MAX_EARLY_DIFFS)
        for _, diff in early:
            yield from self.on_diff(snapshot.time_ns // NS_PER_MS, diff)

    def on_diff(self, time_ms: int, diff: _Diff) -> Iterator[BookDelta]:
        """Take one diff in order."""
        if self._snapshot_id is None:
            self._early.append((time_ms, diff))
            return
        is_futures = diff.prev_id >= 0
        if self._last_id is None:
            # Older than the snapshot: contained in it.
            if diff.last_id < self._snapshot_id + (0 if is_futures else 1):
                return
            expected = self._snapshot_id if is_futures else self._snapshot_id + 1
            continuous = diff.first_id <= expected <= diff.last_id
        else:
            continuous = diff.prev_id == self._last_id if is_futures else diff.first_id == self._last_id + 1
        if not continuous:
            path, number = diff.where
            raise CaptureError(
                f"{path}, line {number}: the book's sequence has a hole before update {diff.first_id}..{diff.last_id} "
                f"(known up to {self._last_id or self._snapshot_id}); messages are missing or a part of the capture "
                "was left out: give all parts in order"
            )
        self._last_id = diff.last_id
        yield BookDelta(self._symbol, time_ms * NS_PER_MS, diff.first_id, diff.last_id, diff.bids, diff.asks)

    def finish(self) -> None:
        """Refuse a capture whose book never began."""
        if self._snapshot_id is None:
            raise CaptureError(
                f"{self._first_path}: no order book snapshot of {self._symbol} in the capture, so its book cannot be "
                "built; the snapshot is in the first part of a capture: give that part first"
            )


def _check_time(path: Path, line: Line, time_ms: int) -> None:
    """Refuse a message whose own time cannot be: the recorder's clock may be off, but not by a day."""
    if abs(time_ms - line.receive_ns // NS_PER_MS) > _MAX_CLOCK_ERROR_MS:
        raise CaptureError(
            f"{path}, line {line.number}: the message is of {time_ms} ms, more than a day away from its receipt "
            f"at {line.receive_ns} ns; the line is damaged: fetch the file again, or remove the line"
        )


def _check_other(path: Path, line: Line) -> None:
    """Accept frames of other streams, unread, if they are whole."""
    try:
        whole = "stream" in msgspec.json.decode(line.payload, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        whole = False
    if not whole:
        shown = line.payload[:60].decode("utf-8", "replace")
        raise CaptureError(
            f"{path}, line {line.number}: the JSON is damaged or of no known kind, it begins with {shown!r}; fetch the "
            "file again, or remove the line"
        )


def _count_until(waiting: list[tuple[int, int, _Item]], time_ms: int) -> int:
    low, high = 0, len(waiting)
    while low < high:
        middle = (low + high) // 2
        if waiting[middle][0] <= time_ms:
            low = middle + 1
        else:
            high = middle
    return low
