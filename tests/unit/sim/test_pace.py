"""A simulated venue on a loaded machine slows its market, not its answers."""

from opensqt.domain.clock import NS_PER_MS
from opensqt.sim.pace import LONG_TURN_NS, MAX_CATCH_UP_NS, MIN_CATCH_UP_NS, Pace


def settle(cost: float, turns: int = 200) -> tuple[int, int]:
    """Return the longest of the last turns, and the market time they brought, where a ms of market takes `cost` ms."""
    pace, behind_ns, longest_ns, brought_ns = Pace(), 0, 0, 0
    for number in range(turns):
        covered_ns = min(behind_ns, pace.catch_up_ns)
        turn_ns = int(covered_ns * cost)
        pause_ns = int(pace.took(covered_ns, turn_ns) * 1e9)
        behind_ns = turn_ns + pause_ns
        if number >= turns // 2:
            longest_ns, brought_ns = max(longest_ns, turn_ns), brought_ns + covered_ns
    return longest_ns, brought_ns


def test_a_market_that_is_cheap_keeps_its_time() -> None:
    longest_ns, brought_ns = settle(0.1)
    assert longest_ns <= LONG_TURN_NS
    assert brought_ns >= 100 * 5 * NS_PER_MS


def test_a_market_that_costs_more_time_than_there_is_keeps_its_turns_short() -> None:
    longest_ns, brought_ns = settle(5)
    assert longest_ns <= 2 * LONG_TURN_NS
    assert brought_ns > 0


def test_clients_get_as_much_time_as_the_market() -> None:
    pace = Pace()
    assert pace.took(10 * NS_PER_MS, 80 * NS_PER_MS) == 0.08
    assert pace.took(10 * NS_PER_MS, 0) == 0.005


def test_one_long_turn_is_forgotten_soon() -> None:
    pace = Pace()
    pace.took(5 * NS_PER_MS, 1_000 * NS_PER_MS)
    assert pace.catch_up_ns == MIN_CATCH_UP_NS
    for _ in range(8):
        pace.took(5 * NS_PER_MS, NS_PER_MS)
    assert pace.catch_up_ns == MAX_CATCH_UP_NS
