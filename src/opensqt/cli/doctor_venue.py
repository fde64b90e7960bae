"""What `opensqt doctor` asks the venue: is it in reach, what may the key do, what does every grid cost at worst."""

from collections.abc import AsyncIterator
from decimal import Decimal

from opensqt.cli.connector_access import ConnectorAccess, connector_access
from opensqt.cli.doctor_check import Finding, failed, ok, warning
from opensqt.cli.errors import CliError
from opensqt.cli.first_grid import FirstGrid, VenueFacts, first_grid
from opensqt.cli.preview import facts_of
from opensqt.cli.umbrella_config import UmbrellaConfig
from opensqt.domain.client_id import parse_client_order_id
from opensqt.domain.errors import OpensqtError
from opensqt.engine.config import BotConfig
from opensqt.proto import resources_pb2
from opensqt.runtime.clock import SystemClock


async def venue_findings(config: UmbrellaConfig) -> AsyncIterator[Finding]:
    """Ask the venue through a connector; yields what was found, in the order it was asked."""
    try:
        async with connector_access(config) as access:
            async for finding in _session(access):
                yield finding
            assert config.engine is not None
            for bot in config.engine.bots:
                async for finding in _bot(access, config, bot):
                    yield finding
    except (CliError, OpensqtError) as error:
        yield failed("venue", str(error), "mend what it says, then run this again")


async def _session(access: ConnectorAccess) -> AsyncIterator[Finding]:
    can = await access.view.capabilities()
    how = "started for this check" if access.is_own else f"running at {access.address}"
    yield ok("venue", f"{can.exchange} ({can.mode}) answers; connector {how}")
    if can.mode == "paper":
        yield ok("key", "none is needed: this is paper")
    else:
        # Its start refuses a key that can withdraw, cannot trade, or is not accepted.
        yield ok("key", "accepted: it may trade and cannot withdraw")
    if can.mode == "live" and not can.dead_man_switch:
        yield warning(
            "dead-man switch",
            "the venue has none: orders rest when this machine loses its network",
            "keep positions small, and know how to cancel by the venue's own page",
        )
    budget = await access.view.rate_budget()
    if budget.circuit_open:
        yield failed("rate budget", f"closed: {budget.circuit_reason}", "wait until the venue takes requests again")


async def _bot(access: ConnectorAccess, config: UmbrellaConfig, bot: BotConfig) -> AsyncIterator[Finding]:
    name = f"bot {bot.id}"
    try:
        facts = await facts_of(access, bot)
        foreign = [order for order in await access.view.open_orders(facts.instrument.symbol) if _is_foreign(order, bot)]
    except (CliError, OpensqtError) as error:
        yield failed(name, str(error), "name a symbol of the venue, and see that its data flows")
        return
    assert config.engine is not None
    grid = first_grid(config.engine, bot, facts, SystemClock().now_ns())
    for finding in grid_findings(name, grid, facts):
        yield finding
    if foreign:
        yield warning(
            name,
            f"{len(foreign)} open orders on {grid.symbol} are not this bot's",
            "they are counted in its limits and never touched; cancel them if they are forgotten",
        )


def grid_findings(name: str, grid: FirstGrid, facts: VenueFacts) -> list[Finding]:
    """Return what there is to say of one bot's grid at the price of now."""
    if grid.refusals:
        return [failed(name, refusal, "change the configuration as it says") for refusal in grid.refusals]
    figures, asset, base = grid.figures, grid.asset, facts.instrument.base_asset
    price = figures.get("liquidation_price", "an unknown price")
    liquidation = "no liquidation at any price" if price == "none" else f"liquidation at {price}"
    found = [
        ok(name, f"{len(grid.orders)} orders at {grid.price}; start checks pass"),
        ok(
            name,
            f"a step of {figures['step']} earns {figures['profit_per_unit']} {asset} per {base} after "
            f"{figures['fees_per_unit']} of fees: {figures['profit_per_cycle']} {asset} per cycle",
        ),
        ok(
            name,
            f"every level filled: {figures['worst_case_position']} {base}, margin "
            f"{figures['margin_needed']} of {figures.get('equity', 'an unknown equity')} {asset}, {liquidation}",
        ),
    ]
    if Decimal(figures["profit_per_unit"]) * 4 < Decimal(figures["fees_per_unit"]):
        found.append(
            warning(
                name,
                f"fees take {figures['fees_per_unit']} of a step of {figures['step']}, more than four fifths",
                "widen the step: a little slippage or a taker fill makes such a cycle a loss",
            )
        )
    return found


def _is_foreign(order: resources_pb2.Order, bot: BotConfig) -> bool:
    parsed = parse_client_order_id(order.client_order_id)
    return parsed is None or parsed.bot_tag != bot.tag
