"""Parts of a connector for tests: an instrument, requests, a gateway over a mirror, an account that answers."""

from decimal import Decimal
from zlib import crc32

from opensqt.connector.commands import OutcomeReport
from opensqt.connector.gateway import OrderGateway
from opensqt.connector.mirror import AccountMirror
from opensqt.connector.rate_budget import RateBudget, RateWindow
from opensqt.connector.veto import Veto, VetoConfig
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import MarkPrice
from opensqt.domain.order import Order, OrderRequest, Side, TimeInForce
from opensqt.domain.order_state import OrderState

SYMBOL = "BTC/USDT:USDT"
BTC = Instrument(
    symbol=SYMBOL,
    venue_symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    settle_asset="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    min_notional=Decimal(5),
)
MARK = MarkPrice(
    symbol=SYMBOL,
    mark_price=Decimal(60_000),
    index_price=Decimal(60_000),
    funding_rate=Decimal(0),
    next_funding_time_ms=0,
    venue_time_ns=1,
)
TIMEOUT_NS = 5_000_000_000
GENEROUS = RateWindow(scope="account", name="orders_1s", interval_ms=1_000, limit=10_000, cancel_reserve=1_000)


def request(client_order_id: str = "a1", **changes: object) -> OrderRequest:
    fields: dict[str, object] = {
        "symbol": SYMBOL,
        "client_order_id": client_order_id,
        "side": Side.BUY,
        "time_in_force": TimeInForce.GTC,
        "price_ticks": 599_000,
        "lots": 10,
        "instrument_revision": 1,
    }
    return OrderRequest(**{**fields, **changes})  # type: ignore[arg-type]


def order(client_order_id: str = "a1", state: OrderState = OrderState.LIVE, **changes: object) -> Order:
    fields: dict[str, object] = {
        "symbol": SYMBOL,
        "client_order_id": client_order_id,
        "exchange_order_id": f"9{crc32(client_order_id.encode())}",
        "side": Side.BUY,
        "time_in_force": TimeInForce.GTC,
        "price_ticks": 599_000,
        "lots": 10,
        "state": state,
        "updated_time_ns": 5,
        "instrument_revision": 1,
    }
    return Order(**{**fields, **changes})  # type: ignore[arg-type]


class Gate:
    """A gateway with its mirror, and the reports its callers were given."""

    def __init__(self, *, veto: VetoConfig | None = None, window: RateWindow = GENEROUS, window_ns: int = 0) -> None:
        self.mirror = AccountMirror()
        self.mirror.instruments[SYMBOL] = BTC
        self.mirror.on_mark(MARK)
        self.gateway = OrderGateway(
            self.mirror,
            Veto(veto or VetoConfig(), self.mirror),
            RateBudget([window]),
            id_pattern=r"[0-9A-Za-z]{1,36}",
            timeout_ns=TIMEOUT_NS,
            window_ns=window_ns,
        )
        self.reports: list[OutcomeReport] = []

    def place(self, order_request: OrderRequest, now_ns: int = 0) -> int:
        return self.gateway.place(order_request, self.reports.append, now_ns).token

    def push(self, pushed: Order) -> None:
        if self.mirror.on_order(pushed):
            self.gateway.on_order(pushed)
