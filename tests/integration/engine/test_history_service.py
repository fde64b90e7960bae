"""History, ledger check and backup over real gRPC: what the engine answers, and how it refuses."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from models.engine_rig import Engine, fill_nearest, grpc_settings, until
from models.grid_connector import FakeConnector
from models.grid_venue import SYMBOL, Venue, config

from opensqt.domain.errors import NotFoundError, RequestError, RoleError, UnavailableError
from opensqt.domain.fill import CashFlow, CashFlowKind, FillOrigin
from opensqt.domain.order import Side
from opensqt.proto import engine_pb2
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import call

pytestmark = pytest.mark.slow


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[FakeConnector]:
    made = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await made.start()
    yield made
    if made.server is not None:
        await made.stop()


@pytest.fixture
async def engine(tmp_path: Path, connector: FakeConnector) -> AsyncIterator[Engine]:
    settings = msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=grpc_settings(f"{tmp_path}/e.sock"),
        state_file=tmp_path / "engine.db",
    )
    made = Engine(settings, f"{tmp_path}/e.sock")
    await made.start()
    await until(lambda: len(connector.venue.open_orders) == 9)
    yield made
    await made.stop()
    await made.close()


async def trade(engine: Engine, connector: FakeConnector) -> None:
    """One whole cycle and one open lot."""
    fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    connector.move_price(300_205)
    await until(lambda: connector.venue.position == 0)
    connector.move_price(300_125)
    await until(lambda: any(o.side is Side.BUY and o.price_ticks == 300_000 for o in connector.venue.open_orders))
    fill_nearest(connector)
    await until(lambda: _has_fills(engine, len(connector.venue.fills)))


async def _has_fills(engine: Engine, count: int) -> bool:
    return (await engine.bot()).pnl.fills == count


async def test_days_sum_to_the_profit_that_is_shown(engine: Engine, connector: FakeConnector) -> None:
    await trade(engine, connector)
    bot = await engine.bot()
    answer = await call(engine.readonly.GetDailyPnl, engine_pb2.GetDailyPnlRequest(), timeout_s=5)
    assert answer.asset == "USDT"
    assert answer.history_complete
    for part in ("grid_profit", "inventory_pnl", "fees", "funding", "transfers", "equity_change", "turnover"):
        told = [Decimal(getattr(day, part).value) for day in [*answer.days, answer.before]]
        assert sum(told) == Decimal(getattr(bot.pnl, part).value), part
    # The model venue's clock is in the past: its fills are of its own day.
    assert sum(day.fills for day in answer.days) == 3
    assert sum(day.cycles for day in answer.days) == 1
    assert {day.date[:2] for day in answer.days} == {"20"}


async def test_journal_and_equity_come_in_pages(engine: Engine, connector: FakeConnector) -> None:
    for number in range(3):
        await call(engine.api.Pause, engine_pb2.PauseRequest(reason=f"pause {number}"), timeout_s=5)
        await call(engine.api.Resume, engine_pb2.ResumeRequest(), timeout_s=5)
    entries: list[engine_pb2.JournalEntry] = []
    token = ""
    while True:
        request = engine_pb2.GetJournalRequest(limit=2, page_token=token, newest_first=True)
        page = await call(engine.readonly.GetJournal, request, timeout_s=5)
        entries.extend(page.entries)
        token = page.next_page_token
        if not token:
            break
    assert next(entry.message for entry in entries if "pause" in entry.message).endswith("pause 2")
    times = [entry.time_ns for entry in entries]
    assert times == sorted(times, reverse=True)
    await engine.stop()  # takes a sample
    await engine.start()
    await until(lambda: _is_attached(engine))
    curve = await call(engine.readonly.GetEquityCurve, engine_pb2.GetEquityCurveRequest(), timeout_s=5)
    assert curve.points
    assert curve.points[0].equity.value == "10000"
    assert curve.bot_id == "eth"


async def _is_attached(engine: Engine) -> bool:
    return all(connection.up for connection in (await engine.bot()).connections)


async def test_booked_fills_are_told_with_slot_and_profit(engine: Engine, connector: FakeConnector) -> None:
    await trade(engine, connector)
    page = await call(engine.readonly.GetLedgerFills, engine_pb2.GetLedgerFillsRequest(limit=2), timeout_s=5)
    assert [one.grid_profit.value for one in page.fills] == ["0", "0.02"]
    request = engine_pb2.GetLedgerFillsRequest(limit=2, page_token=page.next_page_token)
    rest = await call(engine.readonly.GetLedgerFills, request, timeout_s=5)
    assert [one.fill.trade_id for one in rest.fills] == ["t3"]
    assert page.instrument.lot_size.value == "0.001"


async def test_ledger_equals_the_venue_to_the_last_unit(engine: Engine, connector: FakeConnector) -> None:
    await trade(engine, connector)
    answer = await call(engine.api.CheckLedger, engine_pb2.CheckLedgerRequest(), timeout_s=20)
    assert answer.ok, answer
    assert answer.fills_compared == 3
    (account,) = answer.accounts
    assert account.compared
    assert account.wallet.value == f"{connector.venue.wallet.normalize():f}"
    assert (account.difference.value, account.venue_cash.value) == ("0", account.ledger_cash.value)


async def test_a_fill_that_was_never_told_is_named_with_its_worth(engine: Engine, connector: FakeConnector) -> None:
    await trade(engine, connector)
    # The venue executes something, and its connector never tells: a bug, or a hand on the same account.
    hidden = msgspec.structs.replace(
        connector.venue.fills[-1], trade_id="t99", client_order_id="by-hand", origin=FillOrigin.MANUAL
    )
    connector.venue.fills.append(hidden)
    connector.venue.wallet -= hidden.fee
    connector.venue.position += hidden.lots
    connector.venue.entry_cost += Decimal(30)
    answer = await call(engine.api.CheckLedger, engine_pb2.CheckLedgerRequest(), timeout_s=30)
    assert not answer.ok
    (found,) = answer.differences
    assert (found.kind, found.id) == ("missing_in_ledger", "t99")
    (account,) = answer.accounts
    assert account.difference.value == account.named.value == found.cash.value == "-30.006"
    assert account.unexplained.value == "0"


async def test_what_no_entry_explains_is_called_unexplained(engine: Engine, connector: FakeConnector) -> None:
    await trade(engine, connector)
    connector.venue.wallet -= Decimal("0.00000001")
    connector.flows.append(
        CashFlow(id="old", kind=CashFlowKind.FUNDING, symbol=SYMBOL, asset="USDT", amount=Decimal(5), venue_time_ns=1)
    )
    answer = await call(engine.api.CheckLedger, engine_pb2.CheckLedgerRequest(), timeout_s=30)
    assert not answer.ok
    assert not answer.differences, "what happened before the bot is none of its business"
    assert answer.accounts[0].unexplained.value == "-0.00000001"


async def test_a_read_token_may_not_spend_the_venues_budget_or_write_files(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(RoleError):
        await call(engine.readonly.CheckLedger, engine_pb2.CheckLedgerRequest(), timeout_s=5)
    with pytest.raises(RoleError):
        await call(engine.readonly.Backup, engine_pb2.BackupRequest(path=str(tmp_path / "b.db")), timeout_s=5)


async def test_a_backup_is_a_state_file_another_engine_can_start_from(
    engine: Engine, connector: FakeConnector, tmp_path: Path
) -> None:
    await trade(engine, connector)
    target = tmp_path / "backup.db"
    answer = await call(engine.api.Backup, engine_pb2.BackupRequest(path=str(target)), timeout_s=20)
    assert answer.size_bytes == target.stat().st_size
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM fills").fetchone() == (3,)
    with pytest.raises(RequestError, match="exists already"):
        await call(engine.api.Backup, engine_pb2.BackupRequest(path=str(target)), timeout_s=5)
    before = await engine.bot()
    await engine.stop()
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"engine.db{suffix}").unlink(missing_ok=True)
    target.rename(tmp_path / "engine.db")
    await engine.start()
    await until(lambda: _knows_its_instrument(engine))
    await until(lambda: _has_fills(engine, 3))
    after = await engine.bot()
    assert after.pnl.grid_profit.value == before.pnl.grid_profit.value
    assert after.pnl.history_complete


@pytest.mark.parametrize(
    ("method", "request_", "error", "what"),
    [
        ("GetJournal", engine_pb2.GetJournalRequest(bot_id="nobody"), NotFoundError, "known are eth"),
        ("GetJournal", engine_pb2.GetJournalRequest(min_level="loud"), RequestError, "min_level"),
        ("GetJournal", engine_pb2.GetJournalRequest(limit=-1), RequestError, "limit"),
        ("GetJournal", engine_pb2.GetJournalRequest(limit=1_001), RequestError, "limit"),
        ("GetJournal", engine_pb2.GetJournalRequest(page_token="x"), RequestError, "page_token"),
        ("GetJournal", engine_pb2.GetJournalRequest(since_ns=-1), RequestError, "since_ns"),
        ("GetEquityCurve", engine_pb2.GetEquityCurveRequest(resolution_ms=-1), RequestError, "resolution_ms"),
        ("GetEquityCurve", engine_pb2.GetEquityCurveRequest(since_ns=5, until_ns=4), RequestError, "until_ns"),
        ("GetEquityCurve", engine_pb2.GetEquityCurveRequest(bot_id="nobody"), NotFoundError, "nobody"),
        ("GetDailyPnl", engine_pb2.GetDailyPnlRequest(since_ns=-5), RequestError, "since_ns"),
        ("CheckLedger", engine_pb2.CheckLedgerRequest(since_ns=-5), RequestError, "since_ns"),
        ("Backup", engine_pb2.BackupRequest(), RequestError, "absolute"),
        ("Backup", engine_pb2.BackupRequest(path="here.db"), RequestError, "absolute"),
        ("Backup", engine_pb2.BackupRequest(path="/no/such/folder/b.db"), RequestError, "/no/such/folder"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_by_name(
    engine: Engine, method: str, request_: object, error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        await call(getattr(engine.api, method), request_, timeout_s=5)


async def test_without_a_connector_the_check_fails_and_is_no_empty_answer(
    engine: Engine, connector: FakeConnector
) -> None:
    await connector.stop()
    await until(lambda: _is_detached(engine))
    with pytest.raises(UnavailableError, match="connector is down"):
        await call(engine.api.CheckLedger, engine_pb2.CheckLedgerRequest(), timeout_s=5)
    # History is on our own disk.
    assert (await call(engine.api.GetDailyPnl, engine_pb2.GetDailyPnlRequest(), timeout_s=5)).days


async def _is_detached(engine: Engine) -> bool:
    await asyncio.sleep(0)
    return not (await engine.bot()).connections[0].up


async def _knows_its_instrument(engine: Engine) -> bool:
    """Money is counted in an instrument's units, known from the first session on."""
    return (await engine.bot()).HasField("instrument")


async def test_orders_go_back_page_by_page_without_a_hole(engine: Engine, connector: FakeConnector) -> None:
    await trade(engine, connector)
    seen: list[str] = []
    request = engine_pb2.GetBotOrdersRequest(bot_id="eth", limit=4)
    while True:
        page = await call(engine.readonly.GetBotOrders, request, timeout_s=5)
        assert 0 < len(page.orders) <= 4
        seen = [told.order.client_order_id for told in page.orders] + seen
        if not page.has_older:
            break
        oldest = page.orders[0].order
        request.before_time_ns, request.before_client_order_id = oldest.updated_time_ns, oldest.client_order_id
    assert len(seen) == len(set(seen))
    assert set(seen) == {order.client_order_id for order in connector.venue.placed}
    last = await call(engine.readonly.GetBotOrders, engine_pb2.GetBotOrdersRequest(bot_id="eth"), timeout_s=5)
    assert {told.rule for told in last.orders} == {"buy_window", "take_profit"}
    with pytest.raises(RequestError, match="bot_id"):
        await call(engine.readonly.GetBotOrders, engine_pb2.GetBotOrdersRequest(), timeout_s=5)
