"""Our view of an account and ccxt's, on one simulated venue: equal to the last digit after a thousand operations.

Both trade: two operations in three are ccxt's, one goes through the connector. What is compared are the numbers as the
venue wrote them to ccxt, against those the connector holds.
"""

import asyncio
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from models.binance_rig import until
from models.binance_sim import BinanceSim, running_sim
from models.connector_rig import SYMBOL, Client, client_of, running_connector
from models.venue_orders import Maker

from opensqt.connector.core import ConnectorCore
from opensqt.domain.errors import LimitError, OpensqtError
from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState
from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import types_pb2

ccxt = pytest.importorskip("ccxt", reason="ccxt is not installed here; the test group of pyproject.toml has it")
ccxt_async = pytest.importorskip("ccxt.async_support")

# ccxt and its dependencies warn about themselves; that is not ours to judge.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]

OPERATIONS = 1_000
STATES = {
    "NEW": OrderState.LIVE,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}


def pointed(sim: BinanceSim) -> Any:
    """Return ccxt with the simulator's addresses and the connector's own account."""
    exchange = ccxt_async.binanceusdm()
    urls, user = exchange.urls["api"], sim.ready["accounts"][0]
    for name, url in urls.items():
        if isinstance(url, str):
            urls[name] = f"{sim.ready['rest']}/{url.split('://', 1)[1].partition('/')[2]}"
    exchange.apiKey, exchange.secret = user["key"], user["secret"]
    exchange.enableRateLimit = False
    return exchange


class Trader:
    """Does one random thing after another, by either way."""

    def __init__(self, exchange: Any, client: Client, core: ConnectorCore, maker: Maker, chance: random.Random) -> None:
        self.exchange, self.client, self.core, self.maker, self.chance = exchange, client, core, maker, chance
        self.done = {"ccxt": 0, "connector": 0}
        self.refused = 0

    async def operate(self) -> None:
        by_us = self.chance.random() < 1 / 3
        kind = self.chance.randrange(10)
        try:
            await (self._ours(kind) if by_us else self._theirs(kind))
        except ccxt.BaseError:
            self.refused += 1
        except LimitError as error:
            self.refused += 1
            await asyncio.sleep((error.retry_after_ms or 100) / 1_000)
        except OpensqtError:
            self.refused += 1
        else:
            self.done["connector" if by_us else "ccxt"] += 1

    def _open(self) -> list[Any]:
        return list(self.core.mirror.open_orders(SYMBOL))

    def _draw(self) -> tuple[bool, Decimal, Decimal]:
        book = self.core.feeds[SYMBOL].book
        assert book.best_bid_ticks is not None
        is_buy = self.chance.random() < 0.5
        away = self.chance.randrange(-30, 400) * (-1 if is_buy else 1)
        return is_buy, Decimal(book.best_bid_ticks + away) / 10, Decimal(self.chance.randrange(2, 40)) / 1_000

    async def _theirs(self, kind: int) -> None:
        is_buy, price, size = self._draw()
        side, amount, at = ("buy" if is_buy else "sell"), float(size), float(price)
        found = self._open()
        if kind < 4:
            await self.exchange.create_order(
                SYMBOL, "limit", side, amount, at, {"postOnly": self.chance.random() < 0.5}
            )
        elif kind < 6:
            await self.exchange.create_order(SYMBOL, "market", side, amount)
        elif kind == 6:
            params = {"reduceOnly": True, "timeInForce": "IOC"}
            await self.exchange.create_order(SYMBOL, "limit", side, amount, at, params)
        elif kind == 7 and found:
            await self.exchange.cancel_order(self.chance.choice(found).exchange_order_id, SYMBOL)
        elif kind == 8 and found:
            order = self.chance.choice(found)
            words = order.side.name.lower()
            await self.exchange.edit_order(order.exchange_order_id, SYMBOL, "limit", words, amount, at)
        elif self.chance.random() < 0.05:
            await self.exchange.cancel_all_orders(SYMBOL)

    async def _ours(self, kind: int) -> None:
        is_buy, price, size = self._draw()
        side = types_pb2.ORDER_SIDE_BUY if is_buy else types_pb2.ORDER_SIDE_SELL
        found = [order for order in self._open() if order.client_order_id]
        if kind < 5:
            post_only = types_pb2.TIME_IN_FORCE_GTX if self.chance.random() < 0.5 else types_pb2.TIME_IN_FORCE_GTC
            request = await self.maker.order(side=side, time_in_force=post_only)
            request.price.value, request.quantity.value = f"{price}", f"{size}"
            await self.client.call("PlaceOrder", request)
        elif kind < 7:
            request = await self.maker.market(side)
            request.quantity.value = f"{size}"
            await self.client.call("PlaceOrder", request)
        elif kind == 7 and found:
            order = self.chance.choice(found)
            cancel = pb.CancelOrderRequest(symbol=SYMBOL, client_order_id=order.client_order_id)
            await self.client.call("CancelOrder", cancel)
        elif kind == 8 and found:
            order = self.chance.choice(found)
            amend = pb.AmendOrderRequest(symbol=SYMBOL, client_order_id=order.client_order_id)
            amend.price.value, amend.quantity.value = f"{price}", f"{size}"
            await self.client.call("AmendOrder", amend)


async def theirs(exchange: Any) -> dict[str, Any]:
    """Return the account as ccxt is told of it, in the venue's own figures."""
    trades: list[Any] = []
    while True:
        since = {"fromId": int(trades[-1]["id"]) + 1 if trades else 1}
        page = [trade["info"] for trade in await exchange.fetch_my_trades(SYMBOL, None, 1_000, since)]
        trades += page
        if len(page) < 1_000:
            break
    account = await exchange.fapiPrivateV3GetAccount()
    (wallet,) = [asset["walletBalance"] for asset in account["assets"] if asset["asset"] == "USDT"]
    positions = await exchange.fapiPrivateV3GetPositionRisk({"symbol": "BTCUSDT"})
    (held,) = positions or [{"positionAmt": "0", "entryPrice": "0"}]
    orders = [order["info"] for order in await exchange.fetch_orders(SYMBOL, None, 500)]
    listed = [str(order["info"]["orderId"]) for order in await exchange.fetch_open_orders(SYMBOL)]
    return {
        "fills": {
            str(t["id"]): (str(t["orderId"]), t["side"], Decimal(t["price"]), Decimal(t["qty"]),
                           Decimal(t["commission"]), str(t["maker"]).lower())
            for t in trades
        },
        "wallet": Decimal(wallet),
        "position": (Decimal(held["positionAmt"]), Decimal(held["entryPrice"])),
        "open": sorted(listed),
        "orders": {
            str(o["orderId"]): (o["clientOrderId"], o["side"], Decimal(o["price"]), Decimal(o["origQty"]),
                                Decimal(o["executedQty"]), STATES[o["status"]])
            for o in orders
        },
    }  # fmt: skip


def ours(core: ConnectorCore, numbers: list[str]) -> dict[str, Any]:
    """Return the account as the connector holds it; `numbers` are the orders to be shown."""
    mirror, instrument = core.mirror, core.mirror.instruments[SYMBOL]
    word = {Side.BUY: "BUY", Side.SELL: "SELL"}

    def shown(number: str) -> Any:
        order = mirror.order("", SYMBOL, number)
        if order is None:
            return None
        return (
            order.client_order_id, word[order.side], instrument.ticks_to_price(order.price_ticks),
            instrument.lots_to_quantity(order.lots), instrument.lots_to_quantity(order.filled_lots), order.state,
        )  # fmt: skip

    position = mirror.positions[SYMBOL]
    return {
        "fills": {
            f.trade_id: (f.exchange_order_id, word[f.side], instrument.ticks_to_price(f.price_ticks),
                         instrument.lots_to_quantity(f.lots), f.fee, str(f.is_maker).lower())
            for f in mirror.fills
        },
        "wallet": mirror.accounts["USDT"].wallet_balance,
        "position": (instrument.lots_to_quantity(position.lots), position.entry_price),
        "open": sorted(order.exchange_order_id for order in mirror.open_orders(SYMBOL)),
        "orders": {number: shown(number) for number in numbers},
    }  # fmt: skip


async def test_ccxts_and_our_view_agree_to_the_last_digit_after_a_thousand_operations(tmp_path: Path) -> None:
    with running_sim("--symbols", "BTCUSDT", "--seed", "5", "--no-limits", "--wallet", "1000000") as sim:
        exchange = pointed(sim)
        try:
            await exchange.load_markets()
            async with running_connector(sim.connector_config(tmp_path, leverage=20)) as connector:
                core = connector.core
                await until(lambda: core.is_serving)
                async with client_of(connector) as client:
                    maker = await Maker.of(client, SYMBOL)
                    trader = Trader(exchange, client, core, maker, random.Random(11))
                    for _ in range(OPERATIONS):
                        await trader.operate()
                    assert trader.refused < OPERATIONS // 2
                    assert min(trader.done.values()) > 100
                    await agree(exchange, core)
        finally:
            await exchange.close()


async def agree(exchange: Any, core: ConnectorCore) -> None:
    """Compare. Between two questions the market moves on: ask until it did not."""
    different: dict[str, Any] = {}
    for _ in range(50):
        before = len(core.mirror.fills)
        told = await theirs(exchange)
        await asyncio.sleep(0.1)
        held = ours(core, list(told["orders"]))
        different = {name: (told[name], held[name]) for name in told if told[name] != held[name]}
        if not different:
            assert len(told["fills"]) > 100
            assert len(told["orders"]) == 500
            assert told["position"][0] != 0
            return
        if before == len(core.mirror.fills):
            break
    shown = {name: _differences(*pair) for name, pair in different.items()}
    raise AssertionError(f"the views (ccxt's, ours) differ in {shown}")


def _differences(told: Any, held: Any) -> Any:
    if isinstance(told, dict):
        keys = sorted({*told, *held})
        return {key: (told.get(key), held.get(key)) for key in keys if told.get(key) != held.get(key)}
    return told, held
