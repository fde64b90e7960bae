"""A broken engine cannot pass a cap of the connector: watched at the venue, event by event."""

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

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
MARK_LAG = Decimal("1.002")
"""The venue's mark moves between our check and the order's arrival; it is told once per second."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_cap_is_passed_by_a_broken_engine(seed: int) -> None:
    changes = {
        "connector": {
            "limits": CAPS,
            "grpc": {"tokens": [{"token": TOKEN, "role": "trade"}]},
        }
    }
    with TemporaryDirectory(prefix="opensqt-") as folder:
        world = World(Path(folder), seed=seed, speed=4.0, changes=changes)
        connector = world.services["connector"]
        try:
            connector.start()
            assert wait_until(world.connector_socket.exists, 30), connector.last_words()
            address = f"unix:{world.connector_socket}"
            names = ("engine-1", "engine-1", "engine-2", "engine-3")
            attackers = [BrokenEngine(address, TOKEN, seed * 100 + n, name) for n, name in enumerate(names)]

            async def attack() -> None:
                await asyncio.gather(*(attacker.rage(RAGE_S) for attacker in attackers))

            asyncio.run(attack())
            asyncio.run(attackers[0].grow())
            peaks = world.sim.audit()["peaks"][SYMBOL]
            assert connector.code is None, connector.last_words()
        finally:
            world.close()
        errors = [line for line in connector.log.read_text().splitlines() if '"level":"error"' in line]
    vetoes = sum((attacker.vetoes for attacker in attackers), Counter())
    counts = sum((attacker.counts for attacker in attackers), Counter())
    said = f"{peaks}\n{dict(vetoes)}\n{dict(counts)}"
    assert peaks["open_orders"] <= CAPS["max_open_orders"], said
    assert Decimal(peaks["order_notional"]) <= CAPS["max_order_notional"], said
    assert Decimal(peaks["exposure_notional"]) <= CAPS["max_position_notional"] * MARK_LAG, said
    assert Decimal(peaks["reducing_notional"]) <= CAPS["max_position_notional"] * MARK_LAG, said
    assert peaks["collar_bps"] <= CAPS["price_collar_bps"] + 20, said
    assert peaks["orders_per_second"] <= CAPS["max_orders_per_second"], said
    unexpected = [line for attacker in attackers for line in attacker.unexpected]
    assert not unexpected, unexpected[:3]
    assert not errors, errors[:3]
    # The attack was one: it came to the edge of every cap, and traded there.
    assert set(vetoes) == set(CAPS), said
    assert peaks["orders"] > 50, said
    assert peaks["amendments"] > 0, said
    assert peaks["fills"] > 10, said
    assert Decimal(peaks["exposure_notional"]) > CAPS["max_position_notional"] * Decimal("0.8"), said
