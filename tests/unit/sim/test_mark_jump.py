"""A mark price that jumps by a fault stays until every mark stream told it, then follows the market again."""

from decimal import Decimal

from models.sim_bench import BTC, SimBench

from opensqt.sim.dialects.binance.actions import Actions
from opensqt.sim.fault_kinds import Fault, FaultKind

JUMPED = Decimal(48_000)
SLOWEST_MARK_STREAM_MS = 3_000


def mark(bench: SimBench) -> Decimal:
    found = bench.venue.exchange.venue.view.mark(BTC.symbol)
    assert found is not None
    return found.mark_price


def test_the_markets_next_mark_does_not_undo_a_jump_before_it_was_told(bench: SimBench) -> None:
    Actions(bench.venue).act(Fault(kind=FaultKind.MARK_PRICE, symbol="BTCUSDT", price=str(JUMPED)))
    assert mark(bench) == JUMPED
    bench.mark("64000.5")
    assert mark(bench) == JUMPED
    bench.advance(SLOWEST_MARK_STREAM_MS - 100)
    bench.mark("64000.5")
    assert mark(bench) == JUMPED
    bench.advance(200)
    bench.mark("64000.5")
    assert mark(bench) == Decimal("64000.5")
