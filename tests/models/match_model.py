"""Price-time matching inside an observed market, written as plainly as possible: one list of orders, small loops."""

from dataclasses import dataclass

BUY, SELL = 0, 1
GTC, IOC, FOK = range(3)
ACCEPTED, REJECTED, FILL, CANCELED, EXPIRED, AMENDED = range(6)
EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH = range(3)
(
    NONE,
    POST_ONLY,
    REDUCE_ONLY,
    SELF_TRADE,
    REMAINDER,
    FOK_NOT_FILLABLE,
    UNKNOWN_ORDER,
    DUPLICATE,
    TOO_MANY,
    REQUESTED,
    BELOW_FILLED,
) = range(11)

# kind, order id, price, lots, remaining, is maker, reason
Event = tuple[int, int, int, int, int, bool, int]
Levels = list[tuple[int, int]]


@dataclass
class Order:
    id: int
    owner: int
    side: int
    price: int
    lots: int
    filled: int = 0
    ahead: int = 0
    displayed: int = 0
    traded: int = 0
    reduce_only: bool = False
    post_only: bool = False


class MatcherModel:
    """The orders in `self.orders` are in order of arrival."""

    def __init__(
        self, max_orders: int, through_all: bool, partial_fills: bool, queue_power: int, keep_queue: bool
    ) -> None:
        self.max_orders = max_orders
        self.through_all = through_all
        self.partial_fills = partial_fills
        self.queue_power = queue_power
        self.keep_queue = keep_queue
        self.orders: list[Order] = []
        self.position: dict[int, int] = {}
        self.events: list[Event] = []

    # ---- commands

    def submit(
        self,
        order: Order,
        tif: int,
        opposite: Levels,
        displayed: int,
        stp: int,
    ) -> list[Event]:
        self.events = []
        if order.price == 0 and tif == GTC:
            tif = IOC
        reason = NONE
        lots = order.lots
        if any(o.id == order.id for o in self.orders):
            reason = DUPLICATE
        elif tif == GTC and len(self.orders) >= self.max_orders:
            reason = TOO_MANY
        elif order.reduce_only:
            limit = self.closing_lots(order.owner, order.side)
            if not self.crosses(order, opposite):
                limit -= sum(o.lots for o in self.reduce_only_orders(order.owner, order.side))
            if limit <= 0:
                reason = REDUCE_ONLY
            lots = min(lots, limit)
        if reason == NONE and order.post_only and self.crosses(order, opposite):
            reason = POST_ONLY
        if reason != NONE:
            self.emit(REJECTED, order, order.price, order.lots, reason=reason)
            return self.events
        order.lots = lots
        self.emit(ACCEPTED, order, order.price, order.lots)
        self.arrive(order, tif, opposite, displayed, stp)
        return self.events

    def cancel(self, order_id: int) -> list[Event]:
        self.events = []
        order = self.find(order_id)
        if order is None:
            return [(REJECTED, order_id, 0, 0, 0, False, UNKNOWN_ORDER)]
        self.orders.remove(order)
        self.emit(CANCELED, order, order.price, order.lots, reason=REQUESTED)
        return self.events

    def amend(self, order_id: int, price: int, lots: int, opposite: Levels, displayed: int, stp: int) -> list[Event]:
        self.events = []
        order = self.find(order_id)
        if order is None:
            return [(REJECTED, order_id, 0, 0, 0, False, UNKNOWN_ORDER)]
        remaining = lots - order.filled
        if remaining <= 0:
            self.orders.remove(order)
            self.emit(CANCELED, order, order.price, order.lots, reason=BELOW_FILLED)
        elif price == order.price and remaining == order.lots:
            self.emit(AMENDED, order, price, remaining)
        elif price == order.price and remaining < order.lots and self.keep_queue:
            order.lots = remaining
            self.emit(AMENDED, order, price, remaining)
        else:
            self.orders.remove(order)
            moved = Order(**{**order.__dict__, "price": price})
            if order.post_only and self.crosses(moved, opposite):
                self.emit(CANCELED, order, order.price, order.lots, reason=POST_ONLY)
                return self.events
            if order.reduce_only:
                remaining = min(remaining, self.closing_lots(order.owner, order.side))
            moved.lots = remaining
            self.emit(AMENDED, moved, price, remaining)
            self.arrive(moved, GTC, opposite, displayed, stp)
        return self.events

    def set_position(self, owner: int, lots: int) -> list[Event]:
        self.events = []
        self.position[owner] = lots
        self.trim(owner)
        return self.events

    # ---- the external market

    def on_trade(self, price: int, lots: int, aggressor: int) -> list[Event]:
        self.events = []
        side = 1 - aggressor
        left = lots
        while better := [o for o in self.queue(side) if self.is_better(side, o.price, price)]:
            order = better[0]
            got = order.lots if self.through_all else min(order.lots, left)
            if got == 0:
                break
            left -= got
            self.fill(order, got)
        reach = lots if self.through_all else left
        for order in [o for o in self.queue(side) if o.price == price]:
            if order not in self.orders:
                continue
            order.traded += max(reach, 0)
            if reach > order.ahead:
                got = min(order.lots, reach - order.ahead) if self.partial_fills else order.lots
                order.ahead = 0
                reach -= got
                self.fill(order, got)
            else:
                order.ahead -= max(reach, 0)
        return self.events

    def on_depth(self, side: int, price: int, lots: int) -> None:
        for order in self.orders:
            if (order.side, order.price) != (side, price):
                continue
            left = order.displayed - order.traded - lots
            behind = max(order.displayed - order.ahead, 0)
            if self.queue_power and left > 0 and order.ahead > 0:
                front, back = order.ahead**self.queue_power, behind**self.queue_power
                gone = max(left * front // (front + back), left - behind)
                order.ahead = max(order.ahead - gone, 0)
            order.ahead = min(order.ahead, lots)
            order.displayed, order.traded = lots, 0

    def on_best(self, bid: int, ask: int) -> list[Event]:
        self.events = []
        for side, reached in ((BUY, ask), (SELL, bid)):
            while reached and (hit := [o for o in self.queue(side) if not self.is_better(side, reached, o.price)]):
                self.fill(hit[0], hit[0].lots)
        return self.events

    # ---- parts

    @staticmethod
    def is_better(side: int, a: int, b: int) -> bool:
        """Whether a resting order at a goes before one at b."""
        return a < b if side == SELL else a > b

    def queue(self, side: int) -> list[Order]:
        return sorted((o for o in self.orders if o.side == side), key=lambda o: o.price if side == SELL else -o.price)

    def find(self, order_id: int) -> Order | None:
        return next((o for o in self.orders if o.id == order_id), None)

    def closing_lots(self, owner: int, side: int) -> int:
        position = self.position.get(owner, 0)
        return position if side == SELL else -position

    def reduce_only_orders(self, owner: int, side: int) -> list[Order]:
        return [o for o in self.orders if o.owner == owner and o.side == side and o.reduce_only]

    def may_take(self, order: Order, price: int) -> bool:
        if order.price == 0:
            return True
        return price <= order.price if order.side == BUY else price >= order.price

    def crosses(self, order: Order, opposite: Levels) -> bool:
        resting = self.queue(1 - order.side)[:1]
        return any(self.may_take(order, p) for p in [*(p for p, _ in opposite[:1]), *(o.price for o in resting)])

    def arrive(self, order: Order, tif: int, opposite: Levels, displayed: int, stp: int) -> None:
        if tif == FOK:
            twin = MatcherModel(self.max_orders, self.through_all, self.partial_fills, 0, False)
            twin.orders = [Order(**{**o.__dict__, "reduce_only": False}) for o in self.orders]
            trial = Order(**{**order.__dict__, "reduce_only": False})
            twin.take(trial, list(opposite), stp)
            if trial.lots:
                self.emit(EXPIRED, order, order.price, order.lots, reason=FOK_NOT_FILLABLE)
                return
        reason = self.take(order, list(opposite), stp)
        if order.lots == 0:
            return
        if reason == NONE and tif != GTC:
            reason = REMAINDER
        if reason != NONE:
            self.emit(EXPIRED, order, order.price, order.lots, reason=reason)
            return
        order.ahead = order.displayed = displayed
        order.traded = 0
        self.orders.append(order)
        if order.reduce_only:
            self.trim(order.owner)

    def take(self, order: Order, opposite: Levels, stp: int) -> int:
        """Match lot by lot; equal neighbouring events are merged afterwards."""
        maker_side = 1 - order.side
        while order.lots:
            while opposite and opposite[0][1] <= 0:
                opposite.pop(0)
            resting = self.queue(maker_side)[:1]
            if resting and (not opposite or not self.is_better(maker_side, opposite[0][0], resting[0].price)):
                maker = resting[0]
                if not self.may_take(order, maker.price):
                    return NONE
                if not (opposite and opposite[0][0] == maker.price and maker.ahead > 0):
                    if maker.owner == order.owner:
                        if stp != EXPIRE_TAKER:
                            self.orders.remove(maker)
                            self.emit(EXPIRED, maker, maker.price, maker.lots, reason=SELF_TRADE)
                        if stp != EXPIRE_MAKER:
                            return SELF_TRADE
                        continue
                    lots = min(maker.lots, order.lots)
                    order.lots -= lots
                    order.filled += lots
                    self.fill(maker, lots)
                    self.emit(FILL, order, maker.price, lots)
                    self.move(order.owner, order.side, lots)
                    continue
                most = maker.ahead
                for other in self.orders:
                    if (other.side, other.price) == (maker_side, maker.price):
                        other.ahead = max(0, other.ahead - min(most, opposite[0][1], order.lots))
            elif not opposite or not self.may_take(order, opposite[0][0]):
                return NONE
            else:
                most = order.lots
            price, shown = opposite[0]
            lots = min(most, shown, order.lots)
            opposite[0] = (price, shown - lots)
            order.lots -= lots
            order.filled += lots
            self.emit(FILL, order, price, lots)
            self.move(order.owner, order.side, lots)
        return NONE

    def fill(self, order: Order, lots: int) -> None:
        order.lots -= lots
        order.filled += lots
        order.ahead = 0
        self.emit(FILL, order, order.price, lots, maker=True)
        if order.lots == 0:
            self.orders.remove(order)
        self.move(order.owner, order.side, lots)

    def move(self, owner: int, side: int, lots: int) -> None:
        self.position[owner] = self.position.get(owner, 0) + (lots if side == BUY else -lots)
        self.trim(owner)

    def trim(self, owner: int) -> None:
        for side in (BUY, SELL):
            limit = max(self.closing_lots(owner, side), 0)
            mine = self.reduce_only_orders(owner, side)
            excess = sum(o.lots for o in mine) - limit
            while excess > 0:
                order = mine.pop()
                cut = min(order.lots, excess)
                order.lots -= cut
                excess -= cut
                if order.lots:
                    self.emit(AMENDED, order, order.price, order.lots, reason=REDUCE_ONLY)
                else:
                    self.orders.remove(order)
                    self.emit(EXPIRED, order, order.price, cut, reason=REDUCE_ONLY)

    def emit(self, kind: int, order: Order, price: int, lots: int, *, maker: bool = False, reason: int = NONE) -> None:
        self.events.append((kind, order.id, price, lots, order.lots, maker, reason))
