"""The operator's panels tell the truth: safety, halt, links, journal, history, candles, rate budget, latency.

What the engine streams is compared at the same sequence number. What the page's server asks for now and then lies
within what engine and connector answer around the same time.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from threading import Event, Thread
from typing import Any, Self

import grpc
import pytest
from models.demo_process import wait_until
from models.engine_story import number
from models.page_driver import CHROMIUM, PageDriver, chromium, open_page
from models.page_truth import agrees, compare_at_same_sequence, shown
from models.up_process import Up, running_up

from opensqt.proto.engine_pb2 import (
    BotState,
    GetDailyPnlRequest,
    GetEquityCurveRequest,
    TradingState,
    VolumeHaltSymbol,
)
from opensqt.proto.engine_pb2_grpc import EngineServiceStub
from opensqt.proto.exchange_pb2 import GetHistoricalKlinesRequest, GetRateBudgetRequest
from opensqt.proto.exchange_pb2_grpc import ExchangeServiceStub
from opensqt.proto.latency_pb2 import GetLatencyRequest
from opensqt.proto.trade_pb2 import DEAD_MAN_STATE_NOT_OFFERED, DeadManState

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(240)]

CONFIG = """
connector:
  exchange: paper
  mode: paper
  paper: {source: synthetic, symbols: [BTCUSDT, ETHUSDT], seed: 3, annual_volatility: 1.2, leverage: 5}
engine:
  volume_halt: {enabled: true, symbols: ["BTC/USDT:USDT", "ETH/USDT:USDT"], recovery_threshold: 1}
  bots:
    - {id: btc, tag: btc, symbol: "BTC/USDT:USDT", leverage: 5, grid: {interval: 29, order_quantity: 130}}
live_server: {}
"""
SYMBOL = "BTC/USDT:USDT"
LOOKS = 15
DEAD_MAN = {
    "NOT_OFFERED": "not offered by the venue",
    "ARMED": "armed",
    "DISARMED": "disarmed",
    "NEEDS_APPROVAL": "needs the venue's approval",
}
UNITS_NS = {"µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}

READ = """() => {
  const text = element => element?.textContent?.trim() ?? null;
  const cells = selector => [...document.querySelectorAll(selector)].map(row => [...row.children].map(text));
  const rows = (selector, key) => Object.fromEntries([...document.querySelectorAll(selector)].map(
    row => [row.dataset[key], {state: row.dataset.state, level: row.dataset.level, title: row.title,
                               cells: [...row.children].map(text)}]));
  return {
    sequence: Number(document.querySelector('#content').dataset.engineSequence),
    facts: Object.fromEntries(
      [...document.querySelectorAll('[data-fact]')].map(one => [one.dataset.fact, text(one)])),
    funding: text(document.querySelector("[data-kpi='funding']").closest('.tile')),
    halt: rows('#panel-safety tr[data-halt]', 'halt'),
    limits: rows('#panel-safety [data-limit]', 'limit'),
    corrections: [...document.querySelectorAll('#corrections li')].map(text),
    links: rows('[data-link]', 'link'),
    journal: cells('#panel-journal tbody tr'),
    windows: rows('[data-window]', 'window'),
    hops: rows('tr[data-hop]', 'hop'),
    candle: document.querySelector('.chart').dataset.lastClosed,
    curve: {...document.querySelector('#equity-curve').dataset},
    bars: {...document.querySelector('#daily-bars').dataset},
  };
}"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("desk")
    config = folder / "desk.yaml"
    config.write_text(CONFIG)
    with running_up(config, folder) as running:
        wait_until(running.bot, 60, "the bot")
        yield running


@pytest.fixture(scope="module")
def page(run: Up) -> Iterator[PageDriver]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM} (apt-get install chromium)")
    with chromium() as browser, open_page(browser, f"{run.page_url}#btc") as driver:
        driver.wait_ready()
        driver.wait_until("document.querySelector('#equity-curve').dataset.last !== undefined", 60)
        driver.wait_until("document.querySelectorAll('tr[data-hop]').length > 5", 60)
        driver.wait_until("document.querySelectorAll('#panel-safety tr[data-halt]').length === 2", 30)
        driver.wait_until("document.querySelectorAll('#panel-journal tbody tr').length > 0", 30)
        yield driver


# ---- what the engine streams


def check_safety(told: dict[str, Any], bot: BotState) -> None:
    facts, last = told["facts"], bot.reconcile
    assert facts["safety.state"].lower().startswith(TradingState.Name(bot.state).removeprefix("TRADING_STATE_").lower())
    if last.last_error:
        assert last.last_error in facts["safety.reconcile"]
    elif last.last_read_ns and not last.suspects:
        clock = datetime.fromtimestamp(last.last_read_ns / 1e9).astimezone().strftime("%H:%M:%S")
        assert facts["safety.reconcile"] == f"agrees with the venue at {clock}, {last.corrected} corrected"
    newest = [f"{one.what}: {one.evidence}" for one in reversed(bot.corrections[-3:])]
    assert told["corrections"] == newest
    assert set(told["limits"]) == {limit.name for limit in bot.limits}
    for limit in bot.limits:
        row = told["limits"][limit.name]
        assert (row["level"] == "bad") == limit.is_reached, limit.name


def check_halt(told: dict[str, Any], bot: BotState) -> None:
    symbols = {one.symbol: one for one in bot.volume_halt.symbols}
    assert set(told["halt"]) == set(symbols) != set()
    for name, row in told["halt"].items():
        truth = symbols[name]
        assert row["state"] == halt_state(truth)
        volume, mean_volume = row["cells"][1].split("/")
        close, mean_close = row["cells"][2].split("/")
        # Volumes are told with at most four places, prices as they are.
        assert agrees(volume, number(truth.volume.value), 4)
        assert agrees(mean_volume, number(truth.mean_volume.value), 4)
        assert shown(close) == number(truth.close.value)
        assert shown(mean_close) == number(truth.mean_close.value)
        assert row["title"] == truth.detail


def halt_state(one: VolumeHaltSymbol) -> str:
    if not one.is_fresh:
        return "blind"
    return "dumping" if one.is_dumping else "recovered" if one.has_recovered else "calm"


def check_links_and_journal(told: dict[str, Any], bot: BotState) -> None:
    assert {link.name for link in bot.connections} == {"connector", "book", "private"}
    for link in bot.connections:
        assert told["links"][f"bot {link.name}"]["state"] == ("up" if link.up else "down")
    messages = [cells[1] for cells in told["journal"]]
    said = [f"{entry.code} {entry.message}".strip() for entry in reversed(bot.recent_journal)]
    assert messages[: len(said)] == said


def check_funding(told: dict[str, Any], bot: BotState) -> None:
    rate = re.search(r"[+\u2212-]?[\d.]+%", told["funding"])
    assert rate is not None, told["funding"]
    assert agrees(rate[0], number(bot.funding_rate.value) * 100)
    assert "in " in told["funding"], "the time until it is due"


def check_newest_equity(told: dict[str, Any], bot: BotState) -> None:
    assert Decimal(told["curve"]["last"]) == number(bot.pnl.equity.value)


def check(told: dict[str, Any], bot: BotState) -> None:
    check_safety(told, bot)
    check_halt(told, bot)
    check_links_and_journal(told, bot)
    check_funding(told, bot)
    check_newest_equity(told, bot)


def test_panels_that_the_engine_streams_agree_at_the_same_sequence(run: Up, page: PageDriver) -> None:
    compare_at_same_sequence(page, run.engine_address, READ, check, LOOKS)
    assert page.errors == []


# ---- what the page's server asks for


class Watch:
    """Asks engine and connector again and again, and keeps the least and the most of every figure."""

    def __init__(self, run: Up) -> None:
        self.bounds: dict[str, tuple[int, int]] = {}
        self.limits: dict[str, int] = {}
        self._run = run
        self._ended = Event()
        self._thread = Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _ask(self) -> None:
        open_channel = grpc.insecure_channel
        with open_channel(self._run.engine_address) as engine, open_channel(self._run.connector_address) as connector:
            hops, budget = EngineServiceStub(engine), ExchangeServiceStub(connector)
            while not self._ended.wait(0.05):
                for hop in hops.GetLatency(GetLatencyRequest()).hops:
                    self._note(f"{hop.hop} p50", hop.p50_ns)
                    self._note(f"{hop.hop} p99", hop.p99_ns)
                for window in budget.GetRateBudget(GetRateBudgetRequest()).windows:
                    self._note(f"{window.name} used", window.used)
                    self.limits[window.name] = window.limit

    def _note(self, name: str, value: int) -> None:
        least, most = self.bounds.get(name, (value, value))
        self.bounds[name] = min(least, value), max(most, value)


def nanoseconds(text: str) -> float:
    value, unit = text.split(" ")
    return float(value) * UNITS_NS[unit]


def test_latency_and_rate_budget_lie_within_what_engine_and_connector_say(run: Up, page: PageDriver) -> None:
    with Watch(run) as watch:
        # The page's server asks once in a while: what is shown first may be from before the watch.
        page.page.wait_for_timeout(6_000)
        for _ in range(10):
            told = page.page.evaluate(READ)
            page.page.wait_for_timeout(300)
            assert set(told["windows"]) == set(watch.limits) != set()
            for name, row in told["windows"].items():
                used, limit = (int(shown(part)) for part in row["cells"][1].split("·")[0].split("/"))
                least, most = watch.bounds[f"{name} used"]
                assert limit == watch.limits[name]
                assert least <= used <= most, name
            hops = {name.removesuffix(" p50") for name in watch.bounds if name.endswith(" p50")}
            assert set(told["hops"]) == hops
            for name, row in told["hops"].items():
                for column, which in ((1, "p50"), (2, "p99")):
                    least, most = watch.bounds[f"{name} {which}"]
                    duration_ns = nanoseconds(row["cells"][column])
                    # Shown with two digits or three.
                    assert 0.94 * least <= duration_ns <= 1.06 * most, (name, which)


def test_every_source_is_heard_and_its_age_is_shown(page: PageDriver) -> None:
    told = page.page.evaluate(READ)
    sources = {name: row for name, row in told["links"].items() if name.startswith("source ")}
    assert {"source engine", "source venue", "source candles", "source prices", "source budget"} <= set(sources)
    assert {row["state"] for row in sources.values()} == {"up"}
    assert told["links"]["page"]["state"] == "up"
    quick = [sources[name]["cells"][-1] for name in ("source engine", "source prices")]
    assert all(re.search(r"\d", note) for note in quick), quick


def test_candles_are_the_connectors(run: Up, page: PageDriver) -> None:
    told = page.page.evaluate(READ)
    open_s, *figures = told["candle"].split(" ")
    with grpc.insecure_channel(run.connector_address) as channel:
        answer = ExchangeServiceStub(channel).GetHistoricalKlines(
            GetHistoricalKlinesRequest(symbol=SYMBOL, interval="1m", limit=10)
        )
    truth = {candle.timestamp // 1_000: candle for candle in answer.candles}[int(open_s)]
    wanted = [truth.open, truth.high, truth.low, truth.close, truth.volume]
    assert [Decimal(text) for text in figures] == [number(one.value) for one in wanted]


def test_the_equity_curve_and_the_days_are_the_ledgers(run: Up, page: PageDriver) -> None:
    with grpc.insecure_channel(run.engine_address) as channel:
        engine = EngineServiceStub(channel)
        curve = GetEquityCurveRequest(limit=5_000)
        wait_until(lambda: engine.GetEquityCurve(curve).points, 90, "the ledger's first sample of the equity")
        page.page.reload()
        page.wait_ready()
        page.wait_until("document.querySelector('#equity-curve').dataset.points > 1", 60)
        told = page.page.evaluate(READ)
        points = engine.GetEquityCurve(curve).points
        days = engine.GetDailyPnl(GetDailyPnlRequest()).days
    first_ms, first_equity = told["curve"]["first"].split(" ")
    known = {point.time_ns // 1_000_000: number(point.equity.value) for point in points}
    assert known[int(first_ms)] == Decimal(first_equity)
    assert int(told["bars"]["days"]) == len(days)
    assert page.errors == []
    assert page.foreign_requests == []


def test_the_dead_man_switch_is_as_the_engine_says_or_not_offered(run: Up, page: PageDriver) -> None:
    def check_switch(told: dict[str, Any], bot: BotState) -> None:
        state = bot.dead_man or DEAD_MAN_STATE_NOT_OFFERED
        assert told["facts"]["safety.deadMan"] == DEAD_MAN[DeadManState.Name(state).removeprefix("DEAD_MAN_STATE_")]

    compare_at_same_sequence(page, run.engine_address, READ, check_switch, 1)
