"""A broken engine cannot pass a cap of the connector: watched at the venue, event by event."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from crash.world import World, wait_until
from models.broken_engine import SYMBOL, BrokenEngine

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef-trade"
CAPS = {
    "max_order_notional": 400,
    "max_position_notional": 2_000,
    "max_open_orders": 12,
    "max_orders_per_second": 25,
    "price_collar_bps": 30,
}
RAGE_S = 12.0
MUTANT_RAGE_S = 6.0
MUTANT_SEEDS = (7, 8, 9)
"""One attack in some has no luck with its prices; three have."""
MARK_LAG = Decimal("1.002")
"""The venue's mark moves between our check and the order's arrival; it is told once per second."""


@dataclass
class Attack:
    """What an attack came to, at the venue and with the attackers."""

    peaks: dict[str, Any]
    vetoes: Counter[str]
    counts: Counter[str]
    unexpected: list[str]
    errors: list[str]

    @property
    def said(self) -> str:
        return f"{self.peaks}\n{dict(self.vetoes)}\n{dict(self.counts)}"

    def passed_caps(self) -> set[str]:
        """Return the caps that the venue saw passed."""
        peaks, position = self.peaks, CAPS["max_position_notional"] * MARK_LAG
        passed = {
            "max_open_orders": peaks["open_orders"] > CAPS["max_open_orders"],
            "max_order_notional": Decimal(peaks["order_notional"]) > CAPS["max_order_notional"],
            "max_position_notional": max(Decimal(peaks["exposure_notional"]), Decimal(peaks["reducing_notional"]))
            > position,
            "price_collar_bps": peaks["collar_bps"] > CAPS["price_collar_bps"] + 20,
            "max_orders_per_second": peaks["orders_per_second"] > CAPS["max_orders_per_second"],
        }
        return {cap for cap, is_passed in passed.items() if is_passed}


def attack(seed: int, caps: dict[str, int], *, rage_s: float, speed: float) -> Attack:
    """Let four broken engines loose on a connector with some caps."""
    changes = {"connector": {"limits": caps, "grpc": {"tokens": [{"token": TOKEN, "role": "trade"}]}}}
    with TemporaryDirectory(prefix="opensqt-") as folder:
        world = World(Path(folder), seed=seed, speed=speed, changes=changes)
        connector = world.services["connector"]
        try:
            connector.start()
            assert wait_until(world.connector_socket.exists, 30), connector.last_words()
            address = f"unix:{world.connector_socket}"
            names = ("engine-1", "engine-1", "engine-2", "engine-3")
            attackers = [BrokenEngine(address, TOKEN, seed * 100 + n, name) for n, name in enumerate(names)]

            async def rage() -> None:
                await asyncio.gather(*(attacker.rage(rage_s) for attacker in attackers))

            asyncio.run(rage())
            asyncio.run(attackers[0].grow())
            asyncio.run(attackers[0].turn())
            asyncio.run(attackers[0].crowd())
            peaks = world.sim.audit()["peaks"][SYMBOL]
            assert connector.code is None, connector.last_words()
        finally:
            world.close()
        errors = [line for line in connector.log.read_text().splitlines() if '"level":"error"' in line]
    return Attack(
        peaks,
        sum((attacker.vetoes for attacker in attackers), Counter()),
        sum((attacker.counts for attacker in attackers), Counter()),
        [line for attacker in attackers for line in attacker.unexpected],
        errors,
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_cap_is_passed_by_a_broken_engine(seed: int) -> None:
    found = attack(seed, CAPS, rage_s=RAGE_S, speed=4.0)
    peaks, said = found.peaks, found.said
    assert not found.passed_caps(), said
    assert not found.unexpected, found.unexpected[:3]
    assert not found.errors, found.errors[:3]
    # The attack was one: it came to the edge of every cap, and traded there.
    assert set(found.vetoes) == set(CAPS), said
    assert peaks["orders"] > 50, said
    assert peaks["amendments"] > 0, said
    assert peaks["fills"] > 10, said
    assert Decimal(peaks["exposure_notional"]) > CAPS["max_position_notional"] * Decimal("0.8"), said


@pytest.mark.timeout(240)
@pytest.mark.parametrize("cap", CAPS)
def test_a_cap_that_is_switched_off_is_noticed_at_the_venue(cap: str) -> None:
    # The collar has no off; twice the mark is as good, though prices beyond that are still refused.
    off = 10_000 if cap == "price_collar_bps" else 0
    for seed in MUTANT_SEEDS:
        # The venue's second is ours here, so that a rate is the same on both sides.
        found = attack(seed, {**CAPS, cap: off}, rage_s=MUTANT_RAGE_S, speed=1.0)
        if cap in found.passed_caps():
            break
    assert cap in found.passed_caps(), found.said
    assert off or cap not in found.vetoes, found.said
