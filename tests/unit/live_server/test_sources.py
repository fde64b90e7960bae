from opensqt.domain.clock import NS_PER_MS, ManualClock
from opensqt.live_server.sources import SourceBoard


def board(limit_ms: int = 1_000) -> tuple[SourceBoard, ManualClock]:
    clock = ManualClock(now_ns=5_000 * NS_PER_MS)
    return SourceBoard(clock, {"prices": limit_ms, "engine": 0}), clock


def test_source_is_stale_until_it_was_heard() -> None:
    sources, _ = board()
    assert not sources.is_fresh("prices")
    sources.up("prices")
    assert sources.is_fresh("prices")


def test_silent_source_becomes_stale_though_it_is_up() -> None:
    sources, clock = board()
    sources.up("prices")
    clock.advance(1_001 * NS_PER_MS)
    sources.refresh()
    assert sources.is_up("prices")
    assert not sources.is_fresh("prices")
    sources.heard("prices")
    assert sources.is_fresh("prices")


def test_source_that_may_be_silent_stays_fresh() -> None:
    sources, clock = board()
    sources.up("engine")
    clock.advance(10**15)
    sources.refresh()
    assert sources.is_fresh("engine")


def test_stale_since_is_when_it_went_down_not_when_it_was_noticed_again() -> None:
    sources, clock = board()
    sources.up("engine")
    clock.advance(100 * NS_PER_MS)
    sources.down("engine", "UNAVAILABLE: gone")
    clock.advance(900 * NS_PER_MS)
    sources.down("engine", "UNAVAILABLE: still gone")
    engine = next(item for item in sources.render() if item["name"] == "engine")
    assert engine["since_ms"] == 5_100
    assert engine["detail"] == "UNAVAILABLE: still gone"
    assert sources.reconnects()["engine"] == 2


def test_wall_clock_step_does_not_make_data_stale() -> None:
    sources, clock = board()
    sources.up("prices")
    clock.step_wall(10**15)
    sources.refresh()
    assert sources.is_fresh("prices")


def test_changes_are_taken_once() -> None:
    sources, _ = board()
    sources.up("engine")
    assert [item["name"] for item in sources.take_changes()] == ["engine"]
    assert not sources.changed
