"""What a page asks for beyond the stream: older candles and fills, and why an order exists."""

from typing import Any
from urllib.parse import quote

from models.fake_world import BOT_ID, SYMBOL

from opensqt.proto.engine_pb2 import TRADING_STATE_ACTIVE
from opensqt.runtime.config import Secret


async def test_older_candles_come_from_the_connector(start: Any) -> None:
    async with start() as running:
        answer = await running.request(f"/api/candles?symbol={quote(SYMBOL)}&interval=1m&limit=7")
        rows = answer.json()["candles"]
        assert (answer.status, len(rows)) == (200, 7)
        assert answer.headers["cache-control"] == "no-store"
        newest = running.stack.world.candles[-1]
        assert rows[-1][:2] == [newest.timestamp // 1_000, newest.open.value]


async def test_fills_go_back_page_by_page_without_a_hole(start: Any) -> None:
    async with start() as running:
        while len(running.stack.world.fills) < 25:
            running.stack.world.step()
        path, seen = f"/api/bots/{BOT_ID}/fills?limit=10", []
        page = (await running.request(path)).json()
        while True:
            seen = [fill["id"] for fill in page["fills"]] + seen
            if page["older"] is None:
                break
            page = (await running.request(f"{path}&cursor={quote(page['older'])}")).json()
        assert seen == [told.fill.trade_id for told in running.stack.world.fills]


async def test_orders_go_back_page_by_page_without_a_hole(start: Any) -> None:
    async with start() as running:
        running.stack.world.step()
        path, seen = f"/api/bots/{BOT_ID}/orders?limit=2", []
        page = (await running.request(path)).json()
        while True:
            assert len(page["orders"]) <= 2
            seen = [order["id"] for order in page["orders"]] + seen
            if page["older"] is None:
                break
            page = (await running.request(f"{path}&cursor={quote(page['older'])}")).json()
        assert len(seen) == len(set(seen)) == len(running.stack.world.bot_state().orders)


async def test_an_order_is_explained(start: Any) -> None:
    async with start() as running:
        order = next(iter(running.stack.world.bot_state().orders)).order
        answer = await running.request(f"/api/bots/{BOT_ID}/why?order={order.client_order_id}")
        told = answer.json()
        assert told["order"]["id"] == order.client_order_id
        assert told["inputs"] == {"price": "3000"}


async def test_what_cannot_be_answered_is_an_error_and_never_an_empty_list(start: Any) -> None:
    async with start() as running:
        await running.stack.stop("engine")
        assert (await running.request(f"/api/bots/{BOT_ID}/fills")).status in {503, 504}
        await running.stack.stop("connector")
        assert (await running.request(f"/api/candles?symbol={quote(SYMBOL)}")).status in {503, 504}


async def test_nonsense_is_refused_by_name(start: Any) -> None:
    async with start() as running:
        for path, field in (
            ("/api/candles?interval=7m", "interval"),
            ("/api/candles?limit=-1", "limit"),
            ("/api/candles?before_ms=soon", "before_ms"),
            (f"/api/bots/{BOT_ID}/fills?cursor=1", "cursor"),
            (f"/api/bots/{BOT_ID}/orders?cursor=99999999999999999999:x", "cursor"),
            (f"/api/bots/{BOT_ID}/orders?limit=1001", "limit"),
        ):
            answer = await running.request(path)
            assert answer.status == 400
            assert field in answer.json()["error"]["message"]
        assert (await running.request("/api/bots/nobody/fills")).status == 404


async def test_history_needs_the_login_like_everything_else(start: Any) -> None:
    async with start(login_token=Secret("login-token-of-the-tests")) as running:
        for path in ("/api/candles", f"/api/bots/{BOT_ID}/fills", f"/api/bots/{BOT_ID}/why"):
            assert (await running.request(path)).status == 401


async def test_days_and_equity_carry_the_engines_words(start: Any) -> None:
    async with start() as running:
        pnl = running.stack.world.pnl()
        daily = (await running.request(f"/api/bots/{BOT_ID}/daily")).json()
        assert daily["days"][-1]["equity_change"] == pnl.equity_change.value
        assert daily["before"]["equity_change"] == "0"
        equity = (await running.request(f"/api/bots/{BOT_ID}/equity?limit=100")).json()
        assert [point["equity"] for point in equity["points"]] == [pnl.equity.value]


async def test_journal_goes_back_page_by_page(start: Any) -> None:
    async with start() as running:
        world = running.stack.world
        for index in range(5):
            world.set_state(TRADING_STATE_ACTIVE, "", f"entry {index}")
        page = (await running.request(f"/api/bots/{BOT_ID}/journal?limit=3")).json()
        older = (await running.request(f"/api/bots/{BOT_ID}/journal?limit=3&cursor={page['older']}")).json()
        seen = [entry["message"] for entry in older["entries"] + page["entries"]]
        assert seen == [entry.message for entry in world.journal[-len(seen) :]]
