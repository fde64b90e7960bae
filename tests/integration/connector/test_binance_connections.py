"""What the venue asks of a connection, on a simulated Binance: pings are answered, and nobody waits to be cut."""

import asyncio
from pathlib import Path

from models.binance_rig import Rig, trading, until

from opensqt.domain.market import BookValidity
from opensqt.domain.order_state import OrderState

Seen = set[tuple[bool, bool, BookValidity]]
GOOD: Seen = {(True, True, BookValidity.VALID)}


async def watched(rig: Rig, seconds: float) -> Seen:
    """Return every state of the sessions and the book within a time."""
    seen: Seen = set()
    for _ in range(int(seconds / 0.05)):
        await asyncio.sleep(0.05)
        session = rig.core.session
        seen.add((session.market_stream_up, session.private_stream_up, rig.validity))
    return seen


async def test_pings_of_the_venue_are_answered_on_every_route(tmp_path: Path) -> None:
    async with trading(tmp_path, "--ping-interval-s", "0.5", "--pong-timeout-s", "1.5") as rig:
        assert await watched(rig, 4.0) == GOOD
        assert rig.adapter.is_order_api_up
        links = rig.sim.status()["connections"]
        assert {link["route"] for link in links} == {"public", "market", "private", "ws-api"}
        assert all(link["age_ms"] > 3_500 for link in links), "none was closed and opened again"


async def test_connections_that_the_venue_would_cut_are_replaced_before_without_a_gap(tmp_path: Path) -> None:
    async with trading(tmp_path, "--connection-lifetime-s", "4", connection_max_age_s=1) as rig:
        assert await watched(rig, 8.0) == GOOD
        assert rig.sync.counts.gaps == 0
        placed = await rig.place()
        assert rig.state(placed.client_order_id) is OrderState.LIVE


def has_fresh_order_api(rig: Rig) -> bool:
    """Return whether the order API is up on a connection that the venue will not cut at once."""
    ages = [link["age_ms"] for link in rig.sim.status()["connections"] if link["route"] == "ws-api"]
    return rig.adapter.is_order_api_up and bool(ages) and max(ages) < 1_500


async def test_connections_that_the_venue_did_cut_come_back_by_themselves(tmp_path: Path) -> None:
    async with trading(tmp_path, "--connection-lifetime-s", "3") as rig:
        await until(lambda: rig.private_was_down)
        await until(lambda: rig.core.is_serving)
        await until(lambda: has_fresh_order_api(rig))
        placed = await rig.place()
        assert rig.state(placed.client_order_id) is OrderState.LIVE
