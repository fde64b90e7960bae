"""A venue's book in dicts and the messages it would send: the naive twin of the synchroniser's input."""

import json
from dataclasses import dataclass, field
from random import Random


@dataclass
class DepthVenue:
    """Changes levels at random; `diff` and `snapshot` are the wire's bytes. Ids are counted over other symbols too."""

    rng: Random
    symbol: str = "BTCUSDT"
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    mid: int = 1_000
    last_id: int = 100

    def __post_init__(self) -> None:
        for step in range(1, 20):
            self.bids[self.mid - step] = step
            self.asks[self.mid + step] = step

    def diff(self) -> bytes:
        """Change something and return the event."""
        previous = self.last_id
        first = previous + self.rng.randint(1, 50)
        self.last_id = first + self.rng.randint(0, 20)
        changed_bids: dict[int, int] = {}
        changed_asks: dict[int, int] = {}
        self.mid += self.rng.choice((-1, 0, 0, 1))
        for price in [p for p in self.bids if p >= self.mid]:
            changed_bids[price] = 0
        for price in [p for p in self.asks if p <= self.mid]:
            changed_asks[price] = 0
        for _ in range(self.rng.randint(1, 4)):
            distance = self.rng.randint(1, 20)
            changed_bids[self.mid - distance] = self.rng.randint(0, 5)
            changed_asks[self.mid + self.rng.randint(1, 20)] = self.rng.randint(0, 5)
        changed_bids[self.mid - 1] = changed_asks[self.mid + 1] = 7
        for side, changes in ((self.bids, changed_bids), (self.asks, changed_asks)):
            for price, lots in changes.items():
                if lots:
                    side[price] = lots
                else:
                    side.pop(price, None)
        return json.dumps(
            {
                "e": "depthUpdate",
                "E": 1,
                "T": 1,
                "s": self.symbol,
                "U": first,
                "u": self.last_id,
                "pu": previous,
                "b": _wire(changed_bids),
                "a": _wire(changed_asks),
            }
        ).encode()

    def snapshot(self) -> bytes:
        """Return the book as REST would."""
        return json.dumps(
            {"lastUpdateId": self.last_id, "E": 1, "T": 1, "bids": _wire(self.bids), "asks": _wire(self.asks)}
        ).encode()

    def levels(self, is_bid: bool) -> list[tuple[int, int]]:
        return sorted((self.bids if is_bid else self.asks).items(), reverse=is_bid)


def _wire(levels: dict[int, int]) -> list[list[str]]:
    return [[str(price), str(lots)] for price, lots in levels.items()]
