"""The whole venue behind its dialect, without sockets: market events, requests and frames in, replies and frames out.

Whoever drives it calls `advance` before every request, so that what a client sees is of now.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, final

import msgspec

from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.instrument import Instrument
from opensqt.matching.events import MarketEvent, MarkUpdate
from opensqt.sim.dialects.binance.api_types import Request, Response
from opensqt.sim.dialects.binance.exchange import Exchange, ExchangeConfig
from opensqt.sim.dialects.binance.gate import Gate
from opensqt.sim.dialects.binance.listen_keys import DEFAULT_VALIDITY_MS, ListenKeys
from opensqt.sim.dialects.binance.market_streams import MarketStreams
from opensqt.sim.dialects.binance.order_desk import OrderDesk
from opensqt.sim.dialects.binance.rest import RestApi
from opensqt.sim.dialects.binance.rest_account import AccountRest
from opensqt.sim.dialects.binance.rest_orders import OrderRest
from opensqt.sim.dialects.binance.rest_public import PublicRest
from opensqt.sim.dialects.binance.stream_hub import StreamHub, StreamSession
from opensqt.sim.dialects.binance.stream_names import Stream
from opensqt.sim.dialects.binance.ws_api import WsApi, WsApiSession

_FUNDING_KEPT = 1_000
JUMP_HOLDS_NS: Final = 3 * NS_PER_S
"""Of a mark that jumped: the period of the slowest mark stream. The market's own next mark would undo it untold."""


@final
class BinanceVenue:
    """Binance USDT-M futures.

    Args:
        config: of the venue.
        instruments: what is traded.
        deliver: takes (session, stream name, bytes) of every stream message.
        listen_key_validity_ms: how long a user stream's key lives.
    """

    def __init__(
        self,
        config: ExchangeConfig,
        instruments: Sequence[Instrument],
        deliver: Callable[[StreamSession, str, bytes], None],
        *,
        listen_key_validity_ms: int = DEFAULT_VALIDITY_MS,
    ) -> None:
        self.exchange = Exchange(config, instruments)
        self.clock_offset_ms = 0
        self.listen_keys = ListenKeys(config.seed, listen_key_validity_ms)
        self.streams = MarketStreams(self.exchange, self._publish, extra=not config.legacy_fields)
        self.hub = StreamHub(self.streams, self.listen_keys, deliver)
        self.desk = OrderDesk(self.exchange)
        self._funding: dict[str, list[dict[str, Any]]] = {symbol: [] for symbol in self.exchange.rules}
        self._announced: dict[str, MarkUpdate] = {}
        self._jumps: dict[str, MarkUpdate] = {}
        gate = Gate(self.exchange, config.limits, self.server_ms)
        self.public = PublicRest(
            self.exchange, self.streams, config.limits, self.server_ms, lambda symbol: self._funding[symbol]
        )
        endpoints = {
            **self.public.endpoints(),
            **OrderRest(self.exchange, self.desk).endpoints(),
            **AccountRest(self.exchange, self.listen_keys, config.limits).endpoints(),
        }
        self.gate = gate
        self.rest = RestApi(self.exchange, gate, endpoints)
        self.ws_api = WsApi(self.exchange, gate, endpoints, config.limits)

    def server_ms(self) -> int:
        """Return the time the venue claims."""
        return self.exchange.now_ms + self.clock_offset_ms

    def jump_mark(self, jump: MarkUpdate) -> None:
        """Let the mark price jump and stay there until every mark stream has told it."""
        self._jumps[jump.symbol] = jump
        self.on_market(jump)

    def on_market(self, event: MarketEvent) -> None:
        """Take one market event."""
        if isinstance(event, MarkUpdate):
            event = self._after_jump(event)
        self.exchange.on_market(event)
        if isinstance(event, MarkUpdate):
            self._note_funding(event)
        self.streams.on_market(event)
        self._flush_private()

    def advance(self, now_ns: int) -> None:
        """Move the clock."""
        self.exchange.advance(now_ns)
        self.streams.advance(self.exchange.now_ms)
        self._flush_private()
        self.hub.expire_keys(self.exchange.now_ms)

    def request(self, request: Request) -> Response:
        """Answer a REST request; what it caused is on its way to the user stream before the reply is."""
        response = self.rest.handle(request)
        self._flush_private()
        return response

    def ws_request(self, session: WsApiSession, text: str) -> bytes:
        """Answer a frame of the WebSocket order entry."""
        reply = self.ws_api.handle(session, text)
        self._flush_private()
        return reply

    def flush(self) -> None:
        """Send private events that wait, after something was done outside of a request."""
        self._flush_private()

    def _publish(self, stream: Stream, data: bytes) -> None:
        self.hub.publish(stream, data)

    def _flush_private(self) -> None:
        for user, event in self.exchange.take_events():
            self.hub.publish_user(user, event)
            order = event.get("o", {})
            if order.get("x") == "CALCULATED" and order["c"].startswith("autoclose-"):
                self.streams.force_order(order, self.exchange.now_ms)

    def _after_jump(self, update: MarkUpdate) -> MarkUpdate:
        """Return the market's mark, with the prices of a jump that holds."""
        jump = self._jumps.get(update.symbol)
        if jump is None:
            return update
        if update.time_ns >= jump.time_ns + JUMP_HOLDS_NS:
            del self._jumps[update.symbol]
            return update
        return msgspec.structs.replace(update, mark_price=jump.mark_price, index_price=jump.index_price)

    def _note_funding(self, event: MarkUpdate) -> None:
        """Record a settled rate when the announced settlement moves on."""
        before = self._announced.get(event.symbol)
        self._announced[event.symbol] = event
        if before is None or before.next_funding_time_ms in {0, event.next_funding_time_ms}:
            return
        if event.time_ns // NS_PER_MS < before.next_funding_time_ms:
            return
        symbol = self.exchange.rules_by_canonical[event.symbol].symbol
        rows = self._funding[symbol]
        rows.append(
            {
                "symbol": symbol,
                "fundingTime": before.next_funding_time_ms,
                "fundingRate": f"{before.funding_rate:.8f}",
                "markPrice": f"{event.mark_price:.8f}",
            }
        )
        del rows[:-_FUNDING_KEPT]
