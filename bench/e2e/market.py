"""The benchmark's market: a triangle of price steps, each of which must bring exactly one new order.

The price climbs `SPAN` levels of the grid and comes down again. A step replaces five levels per side (20 changes, like
a lively Binance diff). On the way up the grid's new highest buy is wanted, on the way down its new lowest; since every
price occurs once per flank, an order tells by its price which step it answers, also when steps were merged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

SPAN = 20
INTERVAL_TICKS = 300
ABOVE_LEVEL_TICKS = 60
LEVELS = 5
FAR_TICKS = 400


@dataclass
class Market:
    """One symbol as the venue tells it. Prices are ticks of 10^-decimals."""

    symbol: str
    decimals: int
    anchor_ticks: int
    lot_text: str = "1.500"
    level: int = 0
    direction: int = 1
    turned: bool = False
    update_id: int = 1_000
    flood_count: int = 0
    stream: bytes = b""
    _texts: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stream = f"{self.symbol.lower()}@depth@100ms".encode()

    def price(self, ticks: int) -> bytes:
        """Return a price as the venue writes it."""
        text = self._texts.get(ticks)
        if text is None:
            whole, part = divmod(ticks, 10**self.decimals)
            text = self._texts[ticks] = f"{whole}.{part:0{self.decimals}d}".encode()
        return text

    def mid_ticks(self, level: int) -> int:
        return self.anchor_ticks + level * INTERVAL_TICKS + ABOVE_LEVEL_TICKS

    def level_ticks(self, level: int) -> int:
        return self.anchor_ticks + level * INTERVAL_TICKS

    @property
    def best(self) -> tuple[int, int]:
        mid = self.mid_ticks(self.level)
        return mid - 1, mid + 1

    def sides(self) -> tuple[list[int], list[int]]:
        """Return the prices of bids and asks that exist now, best first; far levels never change."""
        bid, ask = self.best
        far = range(FAR_TICKS, FAR_TICKS + 200)
        low, high = self.anchor_ticks, self.anchor_ticks + SPAN * INTERVAL_TICKS
        return (
            [*(bid - n for n in range(LEVELS)), *(low - n for n in far)],
            [*(ask + n for n in range(LEVELS)), *(high + n for n in far)],
        )

    def snapshot(self, now_ms: int) -> bytes:
        """Return the REST snapshot."""
        sides = self.sides()
        bids, asks = (b",".join(self._pair(ticks, True) for ticks in side) for side in sides)
        head = b'{"lastUpdateId":%d,"E":%d,"T":%d,' % (self.update_id, now_ms, now_ms)
        return head + b'"bids":[' + bids + b'],"asks":[' + asks + b"]}"

    def step(self) -> bytes:
        """Move one level and return the changes as JSON: bids, then asks."""
        if self.level + self.direction > SPAN or self.level + self.direction < 0:
            self.direction = -self.direction
            self.turned = True
        else:
            self.turned = False
        old_bid, old_ask = self.best
        self.level += self.direction
        bid, ask = self.best
        bids = self._changes({old_bid - n for n in range(LEVELS)}, {bid - n for n in range(LEVELS)})
        asks = self._changes({old_ask + n for n in range(LEVELS)}, {ask + n for n in range(LEVELS)})
        return b'"b":[' + bids + b'],"a":[' + asks + b"]"

    def flood(self) -> bytes:
        """Return one change far from the touch: a message that costs and means nothing."""
        self.flood_count += 1
        ticks = self.anchor_ticks - FAR_TICKS - self.flood_count % 200
        size = b"%d.%03d" % (1 + self.flood_count % 7, self.flood_count % 1_000)
        return b'"b":[["' + self.price(ticks) + b'","' + size + b'"]],"a":[]'

    def diff(self, body: bytes, now_ms: int) -> bytes:
        """Return a whole depth message."""
        previous = self.update_id
        self.update_id += 3
        return b'{"stream":"%b","data":{"e":"depthUpdate","E":%d,"T":%d,"s":"%b","U":%d,"u":%d,"pu":%d,%b}}' % (
            self.stream,
            now_ms,
            now_ms,
            self.symbol.encode(),
            previous + 1,
            self.update_id,
            previous,
            body,
        )

    def ticker(self, now_ms: int, *, combined: bool) -> bytes:
        """Return bookTicker."""
        bid, ask = self.best
        body = b'{"e":"bookTicker","u":%d,"s":"%b","b":"%b","B":"%b","a":"%b","A":"%b","T":%d,"E":%d}' % (
            self.update_id,
            self.symbol.encode(),
            self.price(bid),
            self.lot_text.encode(),
            self.price(ask),
            self.lot_text.encode(),
            now_ms,
            now_ms,
        )
        if not combined:
            return body
        return b'{"stream":"%b@bookTicker","data":%b}' % (self.symbol.lower().encode(), body)

    def wanted(self, buy_window: int) -> int | None:
        """Return the price in ticks of the order that the last step must bring; None for a step that brings none.

        The grid leaves a buy alone that is one level outside of its window, so the first step of a flank finds the
        order that it needs resting already.
        """
        if self.turned:
            return None
        level = self.level if self.direction > 0 else self.level - buy_window + 1
        return self.level_ticks(level)

    def _changes(self, old: set[int], new: set[int]) -> bytes:
        gone = (self._pair(ticks, False) for ticks in sorted(old - new))
        come = (self._pair(ticks, True) for ticks in sorted(new - old))
        return b",".join([*gone, *come])

    def _pair(self, ticks: int, present: bool) -> bytes:
        size = self.lot_text.encode() if present else b"0.000"
        return b'["' + self.price(ticks) + b'","' + size + b'"]'


def make_markets(count: int) -> Iterator[Market]:
    """Yield BTCUSDT, then made-up symbols of the same price."""
    yield Market("BTCUSDT", 1, 600_000)
    for number in range(1, count):
        letters = chr(65 + number // 26) + chr(65 + number % 26)
        yield Market(f"Q{letters}USDT", 1, 600_000)
