from decimal import Decimal

import msgspec
import pytest
from models.venue_bench import ACCOUNT, BTC, ETH, Bench, open_bench

from opensqt.domain.errors import RequestError
from opensqt.domain.market import BookValidity
from opensqt.domain.order import OrderRequest, Side, TimeInForce
from opensqt.matching.config import ZERO_LATENCY, LatencyConfig, VenueConfig
from opensqt.matching.events import VenueEvent
from opensqt.matching.sources.synthetic import SyntheticConfig, SyntheticSource, synthetic_symbol
from opensqt.matching.state import VenueState
from opensqt.matching.venue import SimulatedVenue

START_NS = 1_750_000_000_000_000_000


def _traded() -> Bench:
    bench = open_bench()
    bench.place(Side.BUY, 0, 30, client_order_id="t")
    bench.place(Side.SELL, 640_010, 10, client_order_id="s", reduce_only=True)
    bench.place(Side.BUY, 640_000, 10, client_order_id="a")
    bench.place(Side.BUY, 640_000, 10, client_order_id="b")
    bench.trade(Side.SELL, 640_000, 60)
    bench.place(Side.BUY, 639_000, 10, client_order_id="c")
    bench.cancel("c")
    return bench


def _stored(venue: SimulatedVenue, rows: dict[tuple[str, str], bytes]) -> None:
    for kind, key, value in venue.take_changes().rows():
        if value is None:
            rows.pop((kind, key), None)
        else:
            rows[kind, key] = value


def _loaded(rows: dict[tuple[str, str], bytes], config: VenueConfig) -> SimulatedVenue:
    state = VenueState.from_rows([(kind, key, value) for (kind, key), value in rows.items()])
    assert state is not None
    venue = SimulatedVenue(config, [BTC])
    venue.load_state(state)
    return venue


def test_changes_are_complete_and_taken_once() -> None:
    bench = _traded()
    assert bench.venue.has_changes
    changes = bench.venue.take_changes()
    assert {row.order.client_order_id for row in changes.orders} == {"t", "s", "a", "b", "c"}
    assert [row.fill.trade_id for row in changes.fills] == ["1"]
    assert not bench.venue.has_changes
    again = bench.venue.take_changes()
    assert (again.orders, again.fills, again.accounts) == ([], [], [])
    bench.delta(bids=[(639_990, 7)])
    assert not bench.venue.has_changes


def test_venue_made_from_stored_rows_answers_as_before() -> None:
    rows: dict[tuple[str, str], bytes] = {}
    bench = open_bench()
    _stored(bench.venue, rows)
    bench = _traded()
    _stored(bench.venue, rows)
    bench.trade(Side.SELL, 640_000, 45)
    _stored(bench.venue, rows)
    venue = _loaded(rows, bench.config)
    old, new = bench.venue.view, venue.view
    assert new.open_orders(ACCOUNT) == old.open_orders(ACCOUNT)
    assert new.fills(ACCOUNT) == old.fills(ACCOUNT)
    assert new.balances(ACCOUNT) == old.balances(ACCOUNT)
    assert new.position(ACCOUNT, BTC.symbol) == old.position(ACCOUNT, BTC.symbol)
    assert new.order(ACCOUNT, BTC.symbol, client_order_id="c") == old.order(ACCOUNT, BTC.symbol, client_order_id="c")
    assert new.candles(BTC.symbol, 60_000, 10) == old.candles(BTC.symbol, 60_000, 10)
    assert new.validity(BTC.symbol)[0] is BookValidity.SYNCING


def test_ids_go_on_rising_after_a_restart() -> None:
    rows: dict[tuple[str, str], bytes] = {}
    bench = _traded()
    _stored(bench.venue, rows)
    numbers = {int(order.exchange_order_id) for order in bench.venue.view.open_orders(ACCOUNT)}
    bench.venue = _loaded(rows, bench.config)
    bench.book([(640_000, 100)], [(640_010, 100)])
    done = bench.place(Side.BUY, 0, 1, client_order_id="new")
    assert done.order is not None
    assert int(done.order.exchange_order_id) > max(numbers)
    assert bench.fills()[-1].trade_id == "2"


def test_queue_positions_survive_and_are_capped_by_the_new_display() -> None:
    rows: dict[tuple[str, str], bytes] = {}
    bench = _traded()
    bench.venue.take_changes()
    bench.amend("a", 640_000, 9)
    _stored(bench.venue, rows)
    rows |= {("account", ACCOUNT): msgspec.json.encode(bench.venue.dump_state().accounts[0])}
    rows |= {
        ("order", row.order.exchange_order_id): msgspec.json.encode(row) for row in bench.venue.dump_state().orders
    }
    bench.venue = _loaded(rows, bench.config)
    bench.book([(640_000, 30)], [(640_010, 100)])
    bench.trade(Side.SELL, 640_000, 30)
    assert bench.order("a").filled_lots == 0
    bench.trade(Side.SELL, 640_000, 5)
    assert bench.order("a").filled_lots == 5


def test_whole_state_round_trips_through_json() -> None:
    state = _traded().venue.dump_state()
    assert msgspec.json.decode(msgspec.json.encode(state), type=VenueState) == state


def test_state_of_another_market_is_refused() -> None:
    state = _traded().venue.dump_state()
    venue = SimulatedVenue(VenueConfig(), [ETH])
    with pytest.raises(RequestError, match="BTC/USDT:USDT"):
        venue.load_state(state)


def test_no_rows_are_no_state() -> None:
    assert VenueState.from_rows([]) is None


def test_untracked_changes_do_not_pile_up() -> None:
    bench = open_bench(VenueConfig(latency=ZERO_LATENCY, keep_changes=False))
    bench.place(Side.BUY, 0, 30)
    changes = bench.venue.take_changes()
    assert (changes.orders, changes.fills, changes.candles) == ([], [], [])


def _play(venue: SimulatedVenue, source: SyntheticSource, start_ns: int, until_ns: int, step: int) -> list[VenueEvent]:
    """A crude bot: quotes around the touch at every second it sees."""
    symbol = source.instruments()[0].symbol
    log: list[VenueEvent] = []
    now_ns = start_ns
    while now_ns < until_ns:
        now_ns += 250_000_000
        for event in source.pop(now_ns):
            log += venue.on_market(event)
        log += venue.advance(now_ns)
        step += 1
        book = venue.view.book(symbol)
        bid, ask = book.best_bid_ticks, book.best_ask_ticks
        if not bid or not ask or step % 4:
            continue
        side = Side.BUY if step % 8 else Side.SELL
        price = bid - 3 * (step % 5) if side is Side.BUY else ask + 3 * (step % 5)
        request = OrderRequest(
            symbol=symbol,
            client_order_id=f"x{now_ns}",
            side=side,
            time_in_force=TimeInForce.GTX if step % 3 else TimeInForce.IOC,
            price_ticks=price,
            lots=2 + step % 7,
            instrument_revision=1,
        )
        log += venue.place(ACCOUNT, request, step, now_ns)
        if step % 20 == 0:
            log += venue.cancel_all(ACCOUNT, symbol, "", step + 1_000_000, now_ns)
    return log


def test_venue_and_market_continue_identically_after_dump_and_load() -> None:
    market = SyntheticConfig(seed=7, start_time_ns=START_NS, symbols=(synthetic_symbol("BTCUSDT"),))
    config = VenueConfig(latency=LatencyConfig(jitter_ns=3_000_000), wallets={ACCOUNT: Decimal(50_000)})
    source = SyntheticSource(market)
    venue = SimulatedVenue(config, source.instruments())
    half_ns = START_NS + 20_000_000_000
    _play(venue, source, START_NS, half_ns, 0)
    state = msgspec.json.decode(msgspec.json.encode(venue.dump_state()), type=VenueState)
    position = msgspec.json.decode(msgspec.json.encode(source.position()))

    source_b = SyntheticSource(market)
    source_b.seek(position)
    venue_b = SimulatedVenue(config, source.instruments())
    venue_b.load_state(state)
    assert venue_b.dump_state() == state

    until_ns = half_ns + 20_000_000_000
    first = _play(venue, source, half_ns, until_ns, 80)
    second = _play(venue_b, source_b, half_ns, until_ns, 80)
    assert first == second
    assert len(first) > 50
    assert venue.view.clock_ns == until_ns
    assert venue.dump_state() == venue_b.dump_state()


def test_same_seed_gives_the_same_log() -> None:
    market = SyntheticConfig(seed=3, start_time_ns=START_NS, symbols=(synthetic_symbol("ETHUSDT"),))
    logs = []
    for _ in range(2):
        source = SyntheticSource(market)
        venue = SimulatedVenue(VenueConfig(latency=LatencyConfig(jitter_ns=9_000_000)), source.instruments())
        logs.append(_play(venue, source, START_NS, START_NS + 10_000_000_000, 0))
    assert logs[0] == logs[1]
