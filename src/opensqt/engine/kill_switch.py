"""The kill switch's long arm: cancel, verify and close by the connector's unary calls, with no bot and no core between.

It needs a trade token and knows only symbols and tags, so it works while the engine is wedged, and from a command line
while no engine runs at all. Nothing is believed that the venue does not say: what is open is read again after every
cancel until two reads agree that nothing is, and the position is read before and after every closing order. A closing
order whose outcome is unknown is asked for before the next one is made.
"""

import asyncio
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, final

import msgspec

from opensqt.domain.client_id import MAX_SEQUENCE, MAX_SLOT, ClientOrderId, parse_client_order_id
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, Clock
from opensqt.domain.convert_trade import decimal_message
from opensqt.domain.errors import ErrorReason, NotFoundError, OpensqtError
from opensqt.domain.money import plain
from opensqt.domain.order import Side
from opensqt.proto import engine_pb2, exchange_pb2, resources_pb2, types_pb2
from opensqt.runtime.grpc_client import call

if TYPE_CHECKING:
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

CALL_S = 3.0
AGAIN_S = 0.2
BATCH = 100
READS_NEEDED = 2

_BPS = Decimal(10_000)
_ENDED = (
    types_pb2.ORDER_STATUS_FILLED,
    types_pb2.ORDER_STATUS_CANCELED,
    types_pb2.ORDER_STATUS_REJECTED,
    types_pb2.ORDER_STATUS_EXPIRED,
)


class KillTarget(msgspec.Struct, frozen=True):
    """One bot as the venue knows it. `epoch` marks closing orders; 0 = the highest seen among its open orders."""

    bot_id: str
    symbol: str
    tag: str
    epoch: int = 0


class _Found(msgspec.Struct):
    own: list[resources_pb2.Order]
    foreign: list[resources_pb2.Order]


@final
class KillSwitch:
    """Clears symbols through the connector.

    Args:
        stub: the connector, with a trade token.
        clock: Unix time names closing orders, monotonic time bounds the effort.
        patience_s: how long to try.
        collar_bps: how far through the mark a closing order may reach.
    """

    def __init__(self, stub: "ExchangeServiceAsyncStub", clock: Clock, *, patience_s: float, collar_bps: int) -> None:
        self._stub = stub
        self._clock = clock
        self._patience_ns = int(patience_s * NS_PER_S)
        self._collar_bps = collar_bps

    async def kill_all(
        self, targets: Iterable[KillTarget], *, flatten: bool, everything: bool
    ) -> list[engine_pb2.KilledSymbol]:
        """Clear every target at once; what is left of each, or why that is not known, is in its answer."""
        return list(await asyncio.gather(*(self.kill(one, flatten=flatten, everything=everything) for one in targets)))

    async def kill(self, target: KillTarget, *, flatten: bool, everything: bool) -> engine_pb2.KilledSymbol:
        """Cancel, verify and, if asked, close the position of one symbol. Errors are in the answer, never raised."""
        answer = engine_pb2.KilledSymbol(bot_id=target.bot_id, symbol=target.symbol)
        deadline_ns = self._clock.monotonic_ns() + self._patience_ns
        try:
            await self._cancel(target, answer, deadline_ns, everything=everything)
            position = await self._position(target.symbol)
            if flatten and position and not answer.own_orders_left:
                position = await self._flatten(target, position, deadline_ns)
            answer.position_left.CopyFrom(decimal_message(position))
        except OpensqtError as error:
            answer.is_verified = False
            answer.error = f"{error.reason.value}: {error.message}"
        return answer

    async def _cancel(
        self, target: KillTarget, answer: engine_pb2.KilledSymbol, deadline_ns: int, *, everything: bool
    ) -> None:
        empty_reads = 0
        cancelled: set[str] = set()
        failure: OpensqtError | None = None
        while empty_reads < READS_NEEDED:
            try:
                found = await self._open_orders(target)
                answer.own_orders_left, answer.foreign_orders_left = len(found.own), len(found.foreign)
                wanted = found.own + found.foreign if everything else found.own
                empty_reads = 0 if wanted else empty_reads + 1
                if wanted:
                    cancelled.update(order.exchange_order_id or order.client_order_id for order in wanted)
                    answer.cancelled = len(cancelled)
                    await self._cancel_orders(target.symbol, wanted)
                failure = None
            except OpensqtError as error:
                # A cancel may be repeated for ever, and a query too.
                failure = error
            if empty_reads < READS_NEEDED:
                if self._clock.monotonic_ns() > deadline_ns:
                    break
                await asyncio.sleep(AGAIN_S)
        if failure is not None:
            raise failure
        answer.is_verified = True
        if empty_reads < READS_NEEDED:
            answer.error = "orders are still open after every cancel; try again or look at the exchange"

    async def _open_orders(self, target: KillTarget) -> _Found:
        request = exchange_pb2.GetOpenOrdersRequest(symbol=target.symbol)
        answer = await call(self._stub.GetOpenOrders, request, timeout_s=CALL_S)
        found = _Found([], [])
        for order in answer.orders:
            parsed = parse_client_order_id(order.client_order_id)
            is_own = parsed is not None and parsed.bot_tag == target.tag
            (found.own if is_own else found.foreign).append(order)
        return found

    async def _cancel_orders(self, symbol: str, orders: list[resources_pb2.Order]) -> None:
        for start in range(0, len(orders), BATCH):
            part = orders[start : start + BATCH]
            request = exchange_pb2.BatchCancelOrdersRequest(
                symbol=symbol,
                client_order_ids=[order.client_order_id for order in part if order.client_order_id],
                exchange_order_ids=[order.exchange_order_id for order in part if not order.client_order_id],
            )
            # Refusals of single orders need no reading: the next query says what is still open.
            await call(self._stub.BatchCancelOrders, request, timeout_s=CALL_S)

    async def _flatten(self, target: KillTarget, position: Decimal, deadline_ns: int) -> Decimal:
        info = await call(
            self._stub.GetSymbolInfo, exchange_pb2.GetSymbolInfoRequest(symbol=target.symbol), timeout_s=CALL_S
        )
        failure: OpensqtError | None = None
        while position and self._clock.monotonic_ns() <= deadline_ns:
            try:
                await self._close(target, position, info)
                failure = None
            except OpensqtError as error:
                failure = error
            await asyncio.sleep(AGAIN_S)
            position = await self._position(target.symbol)
        if position and failure is not None:
            raise failure
        return position

    async def _close(self, target: KillTarget, position: Decimal, info: resources_pb2.SymbolInfo) -> None:
        side = Side.SELL if position > 0 else Side.BUY
        largest = Decimal(info.max_quantity.value or "0")
        size = abs(position) if largest <= 0 else min(abs(position), largest)
        price = await self._closing_price(target.symbol, side, Decimal(info.tick_size.value))
        now_ms = self._clock.now_ns() // NS_PER_MS
        client_id = str(ClientOrderId(target.tag, max(target.epoch, 1), MAX_SLOT, side, now_ms % MAX_SEQUENCE))
        request = resources_pb2.PlaceOrderRequest(
            symbol=target.symbol,
            side=types_pb2.OrderSide.ValueType(side),
            type=types_pb2.ORDER_TYPE_LIMIT,
            time_in_force=types_pb2.TIME_IN_FORCE_IOC,
            price=decimal_message(price),
            quantity=decimal_message(size),
            reduce_only=True,
            client_order_id=client_id,
        )
        try:
            await call(self._stub.PlaceOrder, request, timeout_s=CALL_S)
        except OpensqtError as error:
            if error.reason is not ErrorReason.OUTCOME_UNKNOWN:
                raise
            await self._settle(target.symbol, client_id)

    async def _settle(self, symbol: str, client_id: str) -> None:
        """Ask for an order of unknown outcome until it has ended or was twice not known."""
        request = exchange_pb2.GetOrderRequest(symbol=symbol, client_order_id=client_id)
        absent = 0
        for _ in range(int(CALL_S / AGAIN_S)):
            try:
                if (await call(self._stub.GetOrder, request, timeout_s=CALL_S)).status in _ENDED:
                    return
            except NotFoundError:
                absent += 1
                if absent >= READS_NEEDED:
                    return
            await asyncio.sleep(AGAIN_S)

    async def _closing_price(self, symbol: str, side: Side, tick: Decimal) -> Decimal:
        """Return the mark (else the last price) moved against us by the collar, rounded to stay inside of it."""
        found = await self._positions(symbol)
        price = next((Decimal(one.mark_price.value or "0") for one in found), Decimal(0))
        if price <= 0:
            request = exchange_pb2.GetLatestPriceRequest(symbol=symbol)
            price = Decimal((await call(self._stub.GetLatestPrice, request, timeout_s=CALL_S)).price.value)
        bound = price * (1 + side.sign * self._collar_bps / _BPS)
        rounding = ROUND_CEILING if side is Side.SELL else ROUND_FLOOR
        return (bound / tick).to_integral_value(rounding) * tick

    async def _positions(self, symbol: str) -> list[resources_pb2.Position]:
        request = exchange_pb2.GetPositionsRequest(symbol=symbol)
        answer = await call(self._stub.GetPositions, request, timeout_s=CALL_S)
        return [one for one in answer.positions if one.symbol == symbol]

    async def _position(self, symbol: str) -> Decimal:
        return sum((Decimal(one.size.value or "0") for one in await self._positions(symbol)), Decimal(0))


def is_clean(killed: Iterable[engine_pb2.KilledSymbol], *, flatten: bool, everything: bool) -> bool:
    """Return whether nothing that should be gone is left, and that was verified."""
    return all(
        one.is_verified
        and not one.error
        and not one.own_orders_left
        and not (everything and one.foreign_orders_left)
        and not (flatten and Decimal(one.position_left.value or "0"))
        for one in killed
    )


def describe(killed: engine_pb2.KilledSymbol) -> str:
    """Return one symbol's outcome in words."""
    left = Decimal(killed.position_left.value or "0")
    words = [
        f"{killed.symbol}: {killed.cancelled} orders cancelled, {killed.own_orders_left} of ours left",
        f"{killed.foreign_orders_left} of others",
        f"position {plain(left)}" if killed.HasField("position_left") else "position not known",
        "verified" if killed.is_verified else "NOT verified",
    ]
    return ", ".join(words) + (f"; {killed.error}" if killed.error else "")
