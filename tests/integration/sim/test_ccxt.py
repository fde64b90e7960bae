"""Unmodified ccxt trades on the simulated venue, only its addresses changed: synchronous, asynchronous, streaming."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

ccxt = pytest.importorskip("ccxt", reason="ccxt is not installed here; the test group of pyproject.toml has it")
ccxt_async = pytest.importorskip("ccxt.async_support")
ccxt_pro = pytest.importorskip("ccxt.pro")

# ccxt and its dependencies warn about themselves; that is not ours to judge.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

BTC = "BTC/USDT:USDT"
OPERATIONS = 1_000


def point(exchange: Any, client: Any, user: str) -> Any:
    """Give a ccxt exchange a user's key and the simulator's addresses."""
    urls, addresses = exchange.urls["api"], client.urls
    for name, url in urls.items():
        if isinstance(url, str):
            urls[name] = addresses["rest"] + "/" + url.split("://", 1)[1].partition("/")[2]
    if "ws" in urls:
        urls["ws"]["linear"] = addresses["rest"].replace("http", "ws") + "/ws"
        urls["ws"]["ws-api"]["linear"] = addresses["ws_api"]
    pair = client.server.venue.exchange.users[user].pair
    exchange.apiKey, exchange.secret = pair.key, pair.secret
    exchange.enableRateLimit = False
    return exchange


@pytest.fixture
async def pro(client: Any) -> AsyncIterator[Any]:
    exchange = point(ccxt_pro.binanceusdm(), client, "user1")
    yield exchange
    await exchange.close()


async def trade_everything(call: Callable[..., Awaitable[Any]]) -> None:
    """Do what a user of ccxt does; `call(name, ...)` calls a method."""
    markets = await call("load_markets")
    assert markets[BTC]["precision"] == {"amount": 0.001, "price": 0.1, "base": 1e-08, "quote": 1e-08}
    assert (await call("fetch_ticker", BTC))["last"] > 0
    book = await call("fetch_order_book", BTC, 10)
    bid, ask = book["bids"][0][0], book["asks"][0][0]
    assert bid < ask
    assert len(await call("fetch_ohlcv", BTC, "1m", None, 20)) == 20
    assert (await call("fetch_balance"))["USDT"]["total"] == 10_000
    assert int((await call("set_leverage", 10, BTC))["leverage"]) == 10
    await call("set_margin_mode", "isolated", BTC)
    await call("set_margin_mode", "cross", BTC)

    resting = await call(
        "create_order", BTC, "limit", "buy", 0.01, bid - 100, {"postOnly": True, "clientOrderId": "mine-1"}
    )
    assert (resting["status"], resting["clientOrderId"], resting["postOnly"]) == ("open", "mine-1", True)
    with pytest.raises(ccxt.InvalidOrder, match="-5022"):
        await call("create_order", BTC, "limit", "buy", 0.01, ask + 100, {"postOnly": True})
    edited = await call("edit_order", resting["id"], BTC, "limit", "buy", 0.02, bid - 150)
    assert (edited["id"], edited["amount"]) == (resting["id"], 0.02)
    assert [order["id"] for order in await call("fetch_open_orders", BTC)] == [resting["id"]]
    found = await call("fetch_order", None, BTC, {"clientOrderId": "mine-1"})
    assert (found["id"], found["status"], found["amount"]) == (resting["id"], "open", 0.02)
    assert (await call("cancel_order", resting["id"], BTC))["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        await call("cancel_order", resting["id"], BTC)

    bought = await call("create_order", BTC, "market", "buy", 0.05)
    assert (bought["status"], bought["filled"]) == ("closed", 0.05)
    (position,) = await call("fetch_positions", [BTC])
    assert (position["side"], position["contracts"]) == ("long", 0.05)
    (trade,) = await call("fetch_my_trades", BTC)
    assert (trade["order"], trade["amount"], trade["fee"]["currency"]) == (bought["id"], 0.05, "USDT")
    reducing = await call("create_order", BTC, "limit", "sell", 0.05, bid + 500, {"reduceOnly": True})
    assert reducing["reduceOnly"] is True
    await call("cancel_all_orders", BTC)
    assert await call("fetch_open_orders", BTC) == []
    await call("create_order", BTC, "market", "sell", 0.05, None, {"reduceOnly": True})
    assert await call("fetch_positions", [BTC]) == []
    assert (await call("fetch_funding_rate", BTC))["markPrice"] > 0
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        await call("create_order", BTC, "limit", "buy", 50, bid - 100)


async def test_synchronous_ccxt_trades(client: Any) -> None:
    exchange = point(ccxt.binanceusdm(), client, "user1")

    async def call(name: str, *arguments: Any) -> Any:
        return await asyncio.to_thread(getattr(exchange, name), *arguments)

    await trade_everything(call)


async def test_asynchronous_ccxt_trades(client: Any) -> None:
    exchange = point(ccxt_async.binanceusdm(), client, "user1")

    async def call(name: str, *arguments: Any) -> Any:
        return await getattr(exchange, name)(*arguments)

    try:
        await trade_everything(call)
    finally:
        await exchange.close()


async def test_streaming_ccxt_watches_the_market(pro: Any) -> None:
    await pro.load_markets()
    async with asyncio.timeout(30):
        for _ in range(10):
            book = await pro.watch_order_book(BTC)
            assert book["bids"][0][0] < book["asks"][0][0]
        assert (await pro.watch_trades(BTC))[-1]["price"] > 0
        assert (await pro.watch_ticker(BTC))["last"] > 0
        assert len((await pro.watch_ohlcv(BTC, "1m"))[-1]) == 6
        assert (await pro.watch_bids_asks([BTC]))[BTC]["bid"] > 0
        assert (await pro.watch_mark_price(BTC))["markPrice"] > 0


async def test_streaming_ccxt_watches_its_account(pro: Any) -> None:
    await pro.load_markets()
    seen: dict[str, list[Any]] = {"orders": [], "positions": [], "balance": [], "trades": []}
    complete = asyncio.Event()

    async def watch(name: str, method: Callable[[], Awaitable[Any]]) -> None:
        while True:
            seen[name].append(await method())
            if all(seen[other] for other in ("orders", "balance", "trades")) and any(seen["positions"]):
                complete.set()

    tasks = [
        asyncio.create_task(watch("orders", lambda: pro.watch_orders(BTC))),
        asyncio.create_task(watch("positions", lambda: pro.watch_positions([BTC]))),
        asyncio.create_task(watch("balance", pro.watch_balance)),
        asyncio.create_task(watch("trades", lambda: pro.watch_my_trades(BTC))),
    ]
    try:
        await asyncio.sleep(1)
        await pro.create_order(BTC, "market", "buy", 0.05)
        await asyncio.wait_for(complete.wait(), 10)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert seen["orders"][-1][-1]["status"] == "closed"
    assert seen["positions"][-1][-1]["contracts"] == 0.05
    assert seen["trades"][-1][-1]["amount"] == 0.05
    wallet = (await pro.fetch_balance())["info"]["totalWalletBalance"]
    assert Decimal(str(seen["balance"][-1]["USDT"]["total"])) == Decimal(wallet)


async def test_streaming_ccxt_trades_by_websocket(pro: Any) -> None:
    await pro.load_markets()
    bid = (await pro.fetch_order_book(BTC))["bids"][0][0]
    placed = await pro.create_order_ws(BTC, "limit", "buy", 0.05, bid - 100)
    assert (await pro.edit_order_ws(placed["id"], BTC, "limit", "buy", 0.06, bid - 110))["amount"] == 0.06
    assert (await pro.fetch_order_ws(placed["id"], BTC))["amount"] == 0.06
    assert (await pro.cancel_order_ws(placed["id"], BTC))["status"] == "canceled"
    assert (await pro.fetch_balance_ws())["USDT"]["total"] == 10_000
    assert await pro.fetch_positions_ws([BTC]) == []


@pytest.mark.timeout(280)
async def test_ccxt_and_the_exchange_agree_to_the_last_digit(client: Any) -> None:
    exchange = point(ccxt_async.binanceusdm(), client, "user1")
    try:
        await exchange.load_markets()
        chance = random.Random(11)
        refused = 0
        for _ in range(OPERATIONS):
            try:
                await _operate(exchange, client, chance)
            except ccxt.BaseError:
                refused += 1
        assert refused < OPERATIONS // 2
        await _compare(exchange, client)
    finally:
        await exchange.close()


async def _operate(exchange: Any, client: Any, chance: random.Random) -> None:
    venue = client.server.venue.exchange.venue.view
    book = venue.book(BTC)
    mid = (book.best_bid_ticks + book.best_ask_ticks) / 20
    open_ids = [order.exchange_order_id for order in venue.open_orders("user1", BTC)]
    side = chance.choice(["buy", "sell"])
    sign = -1 if side == "buy" else 1
    price = round(mid + sign * chance.randrange(-30, 400) / 10, 1)
    amount = chance.randrange(2, 40) / 1_000
    kind = chance.randrange(10)
    if kind < 4:
        await exchange.create_order(BTC, "limit", side, amount, price, {"postOnly": chance.random() < 0.5})
    elif kind < 6:
        await exchange.create_order(BTC, "market", side, amount)
    elif kind == 6:
        await exchange.create_order(BTC, "limit", side, amount, price, {"reduceOnly": True, "timeInForce": "IOC"})
    elif kind == 7 and open_ids:
        await exchange.cancel_order(chance.choice(open_ids), BTC)
    elif kind == 8 and open_ids:
        number = chance.choice(open_ids)
        order = venue.order("user1", BTC, exchange_order_id=number)
        await exchange.edit_order(number, BTC, "limit", order.side.name.lower(), amount, price)
    elif chance.random() < 0.05:
        await exchange.cancel_all_orders(BTC)


async def _all_trades(exchange: Any) -> list[Any]:
    trades: list[Any] = []
    while True:
        after = int(trades[-1]["id"]) if trades else 0
        page = await exchange.fetch_my_trades(BTC, None, 1_000, {"fromId": after + 1})
        # ccxt sorts by time; a fill of a market that lags is older than one that was numbered before it.
        trades += sorted(page, key=lambda trade: int(trade["id"]))
        if len(page) < 1_000:
            return trades


async def _compare(exchange: Any, client: Any) -> None:
    core = client.server.venue.exchange
    venue, rules = core.venue.view, core.rules["BTCUSDT"]
    # Between two questions the market moves on: ask until it did not.
    for _ in range(50):
        fills = venue.fills("user1", BTC, limit=1 << 30)
        trades = await _all_trades(exchange)
        orders = await exchange.fetch_open_orders(BTC)
        account = await exchange.fapiPrivateV3GetAccount()
        positions = await exchange.fapiPrivateV3GetPositionRisk({"symbol": "BTCUSDT"})
        mine = venue.open_orders("user1", BTC)
        if len(fills) == len(venue.fills("user1", BTC, limit=1 << 30)):
            break
    else:
        raise AssertionError("fills came faster than the questions")
    assert len(trades) == len(fills) > 100
    for trade, fill in zip(trades, fills, strict=True):
        assert (trade["info"]["price"], trade["info"]["qty"]) == (
            rules.price(fill.price_ticks),
            rules.quantity(fill.lots),
        )
        assert Decimal(trade["info"]["commission"]) == fill.fee
    told = [(order["info"]["clientOrderId"], order["info"]["price"], order["info"]["executedQty"]) for order in orders]
    assert told == [(o.client_order_id, rules.price(o.price_ticks), rules.quantity(o.filled_lots)) for o in mine]
    assert Decimal(account["totalWalletBalance"]) == venue.balances("user1").wallet_balance
    position = venue.position("user1", BTC)
    amounts = [(row["positionAmt"], Decimal(row["entryPrice"])) for row in positions]
    lots = rules.instrument.lots_to_quantity(position.lots)
    assert amounts == [(f"{lots:.3f}", position.entry_price)] or not (position.lots or mine)
    realized = sum(Decimal(trade["info"]["realizedPnl"]) - Decimal(trade["info"]["commission"]) for trade in trades)
    assert Decimal(account["totalWalletBalance"]) == Decimal(10_000) + realized
