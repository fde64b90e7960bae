"""Candles of the symbols that the volume halt watches, each symbol's feed kept alive on its own.

History first, then the stream; after a broken stream, or a hole between two candles, history again. What stands in the
way of a symbol is told to the core, which knows that it is blind then.
"""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, final

import structlog
from grpc import aio

from opensqt.domain.errors import OpensqtError
from opensqt.engine.events import CandlesLost, Event
from opensqt.engine.risk.config import VolumeHaltConfig
from opensqt.engine.risk.volume_halt import INTERVAL_MS, MarketCandle
from opensqt.proto import exchange_pb2, resources_pb2
from opensqt.runtime.backoff import Backoff
from opensqt.runtime.grpc_client import call, to_typed_error

if TYPE_CHECKING:
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

HISTORY_S = 10.0
FIRST_WAIT_MS = 500
LONGEST_WAIT_MS = 30_000

_log = structlog.get_logger(__name__)


@final
class CandleClient:
    """Feeds of all monitored symbols.

    Args:
        stub: the connector.
        config: symbols, interval, window.
        take: hands a turn's events to the core.
        rng: jitter of the back-off.
    """

    def __init__(
        self,
        stub: "ExchangeServiceAsyncStub",
        config: VolumeHaltConfig,
        take: Callable[[list[Event]], None],
        rng: Random,
    ) -> None:
        self._stub = stub
        self._config = config
        self._take = take
        self._rng = rng

    async def run(self) -> None:
        """Keep every symbol's feed for ever."""
        async with asyncio.TaskGroup() as group:
            for symbol in self._config.symbols:
                group.create_task(self._keep(symbol), name=f"candles {symbol}")

    async def _keep(self, symbol: str) -> None:
        backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS, self._rng)
        while True:
            reason = "the stream ended"
            stream: Any = None
            try:
                newest_ms = self._hand_over(symbol, await self._history(symbol))
                stream = self._stub.SubscribeKlines(
                    exchange_pb2.SubscribeKlinesRequest(symbols=[symbol], interval=self._config.interval)
                )
                async for candle in stream:
                    backoff.reset()
                    if newest_ms and candle.timestamp > newest_ms + INTERVAL_MS[self._config.interval]:
                        reason = "a candle was missed"
                        break
                    newest_ms = max(newest_ms, self._hand_over(symbol, [candle]))
            except aio.AioRpcError as error:
                reason = str(to_typed_error(error))
            except OpensqtError as error:
                reason = error.message
            finally:
                if stream is not None:
                    stream.cancel()
            if backoff.tries == 0:
                _log.warning("candles_lost", symbol=symbol, reason=reason)
            self._take([CandlesLost(symbol, reason)])
            await asyncio.sleep(backoff.next_ms() / 1000)

    async def _history(self, symbol: str) -> Sequence[resources_pb2.Candle]:
        request = exchange_pb2.GetHistoricalKlinesRequest(
            symbol=symbol, interval=self._config.interval, limit=self._config.window + 2
        )
        return (await call(self._stub.GetHistoricalKlines, request, timeout_s=HISTORY_S)).candles

    def _hand_over(self, symbol: str, candles: Sequence[resources_pb2.Candle]) -> int:
        """Give candles to the core under the name they are configured with; returns the newest open time."""
        if candles:
            self._take([_candle(symbol, candle) for candle in candles])
        return max((candle.timestamp for candle in candles), default=0)


def _candle(symbol: str, candle: resources_pb2.Candle) -> MarketCandle:
    return MarketCandle(
        symbol=symbol,
        open_time_ms=candle.timestamp,
        close=Decimal(candle.close.value),
        volume=Decimal(candle.volume.value),
        is_closed=candle.is_closed,
    )
