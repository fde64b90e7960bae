"""What a user would write with ccxt.pro instead: one process, watch the touch, place an order over the WebSocket API.

On every change of the best bid it places a post-only buy there and does not wait for the answer. Its rate limiter is
off: with it on, orders are spaced by tens of milliseconds.
"""

import asyncio
import sys
from typing import Any

import ccxt.pro
import orjson

SYMBOL = "BTC/USDT:USDT"


async def main(options: dict[str, Any]) -> None:
    """Trade until standard input ends."""
    exchange = ccxt.pro.binanceusdm(
        {"apiKey": options["key"], "secret": options["secret"], "enableRateLimit": False, "verbose": False}
    )
    urls = exchange.urls["api"]
    for name, url in urls.items():
        if isinstance(url, str):
            urls[name] = f"{options['rest']}/{url.split('://', 1)[1].partition('/')[2]}"
    urls["ws"]["linear"] = f"{options['ws']}/ws"
    urls["ws"]["ws-api"]["linear"] = f"{options['ws']}/ws-fapi/v1"
    exchange.options["fetchCurrencies"] = False
    await exchange.load_markets()
    placing: set[asyncio.Task[Any]] = set()
    last = 0.0

    async def place(price: float) -> None:
        await exchange.create_order_ws(SYMBOL, "limit", "buy", 0.002, price, {"timeInForce": "GTX"})

    async def trade() -> None:
        nonlocal last
        while True:
            if options["feed"] == "ticker":
                price = (await exchange.watch_bids_asks([SYMBOL]))[SYMBOL]["bid"]
            else:
                price = (await exchange.watch_order_book(SYMBOL))["bids"][0][0]
            if price != last:
                last = price
                task = asyncio.create_task(place(price))
                placing.add(task)
                task.add_done_callback(placing.discard)

    trading = asyncio.create_task(trade())
    await asyncio.sleep(3)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.create_task(reader.read())
    await asyncio.wait({trading, ended}, return_when=asyncio.FIRST_COMPLETED)
    if trading.done():
        trading.result()
    trading.cancel()
    await exchange.close()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(orjson.loads(sys.argv[1])))
