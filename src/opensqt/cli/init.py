"""`opensqt init`: a few questions, a safe configuration, and its first grid on the screen before anything is sent."""

import asyncio
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Annotated, final

import msgspec
from cyclopts import Parameter

from opensqt.cli.capture_peek import canonical_symbol, venue_symbol_of
from opensqt.cli.connector_access import connector_access
from opensqt.cli.errors import EXIT_FAILURE, EXIT_USAGE, CliError
from opensqt.cli.first_grid import FirstGrid
from opensqt.cli.init_config import Account, config_text, connector_lines
from opensqt.cli.init_plan import GridPlan, Wishes, plan_grid
from opensqt.cli.output import print_json, print_line
from opensqt.cli.preview import grid_of, show
from opensqt.cli.questions import Questions
from opensqt.cli.umbrella_config import UmbrellaConfig
from opensqt.connector.registry import VENUES
from opensqt.domain.instrument import Instrument
from opensqt.runtime.config import convert_config, read_document

MODES = ("paper", "testnet", "live")
MOST_LEVERAGE = 10


@final
class Outcome(msgspec.Struct, frozen=True):
    """What init made."""

    path: Path
    grid: FirstGrid
    plan: GridPlan


def init(
    path: Path = Path("opensqt.yaml"),
    /,
    *,
    exchange: Annotated[str | None, Parameter(help="Where to trade; paper is built in and needs nothing.")] = None,
    mode: Annotated[str | None, Parameter(help="paper, testnet or live, of a real exchange.")] = None,
    symbol: Annotated[str | None, Parameter(help="For example BTCUSDT.")] = None,
    budget: Annotated[str | None, Parameter(help="Quote currency you are ready to lose.")] = None,
    leverage: Annotated[str | None, Parameter(help="1 to 10; lower is safer.")] = None,
    drop: Annotated[str | None, Parameter(help="How far down to buy, in percent of the price.")] = None,
    step: Annotated[str | None, Parameter(help="Distance of two levels, in percent of the price.")] = None,
    yes: Annotated[bool, Parameter(help="Ask nothing; take the defaults for what is not given.", negative="")] = False,
    force: Annotated[bool, Parameter(help="Overwrite the file.", negative="")] = False,
    json: Annotated[bool, Parameter(help="Print one JSON object; implies --yes.", negative="")] = False,
) -> int:
    """Ask a few questions, write a safe configuration, and show its first grid. Nothing is sent.

    Args:
        path: the file to write.
    """
    if path.exists() and not force:
        raise CliError(f"{path} exists; choose another name, or overwrite it with --force", EXIT_USAGE)
    ask = Questions(silent=yes or json)
    if not ask.silent:
        print_line("Enter takes the answer in brackets. Nothing is sent to any exchange; Ctrl-C leaves.")
    account_of = _where(ask, exchange, mode, symbol)
    wishes = Wishes(
        budget=ask.number("How much may it use, in quote currency?", budget, "1000", low="1"),
        leverage=int(ask.number("Leverage?", leverage, "2", low="1", high=str(MOST_LEVERAGE))),
        drop_percent=ask.number("How far down should it buy, in % of the price?", drop, "10", low="0.5", high="80"),
        step_percent=ask.number(
            "Distance of two levels, in %? (two fees are about 0.04)", step, "0.3", low="0.01", high="20"
        ),
    )
    account = msgspec.structs.replace(account_of, balance=wishes.budget, leverage=wishes.leverage)
    if not json:
        print_line("asking the venue for filters and price ...", to_stderr=True)
    outcome = asyncio.run(_make(path, account, wishes))
    return _tell(outcome, as_json=json)


def _where(ask: Questions, exchange: str | None, mode: str | None, symbol: str | None) -> Account:
    chosen = ask.choice("Where to trade?", exchange, "paper", sorted(VENUES))
    mode = "paper" if chosen == "paper" else ask.choice("Mode? paper needs no key", mode, "paper", MODES)
    name = venue_symbol_of(canonical_symbol(ask.text("Symbol?", symbol, "BTCUSDT").upper()))
    key_file = secret_file = ""
    if mode != "paper":
        if ask.silent:
            raise CliError("testnet and live need key files; answer the questions once without --yes", EXIT_USAGE)
        print_line("Keys stay in files of their own (chmod 600). Never allow a key to withdraw.")
        key_file, secret_file = (str(ask.file(f"File that holds the API {what}?")) for what in ("key", "secret"))
    return Account(
        exchange=chosen,
        mode=mode,
        venue_symbol=name,
        balance=Decimal(0),
        leverage=1,
        key_file=key_file,
        secret_file=secret_file,
    )


async def _make(path: Path, account: Account, wishes: Wishes) -> Outcome:
    """Ask the venue, plan, write the file, and read it back the way `opensqt up` will."""
    text = "\n".join(["connector:", *connector_lines(account), "  grpc: {port: 50051}", ""])
    async with connector_access(_load(text)) as access:
        symbol = canonical_symbol(account.venue_symbol)
        instrument: Instrument = await access.view.instrument(symbol)
        touch = await access.view.touch(instrument)
        price = instrument.ticks_to_price(touch.last_ticks or touch.bid_ticks)
        plan = plan_grid(wishes, instrument, price)
        written = config_text(account, instrument, plan, Path("var") / path.stem)
        config = _load(written)
        assert config.engine is not None
        grid = await grid_of(access, config.engine, config.engine.bots[0])
    _write_private(path, written)
    return Outcome(path, grid, plan)


def _load(text: str) -> UmbrellaConfig:
    """Read what was written; the environment, which `opensqt up` lays over it, is not part of the file."""
    with tempfile.TemporaryDirectory(prefix="opensqt-") as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(text, encoding="utf-8")
        document = read_document(file)
    return convert_config(document, UmbrellaConfig, env={}, source="the new configuration", base_dir=Path.cwd())


def _write_private(path: Path, text: str) -> None:
    """Write the file for its owner only, whole or not at all."""
    part = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def _tell(outcome: Outcome, *, as_json: bool) -> int:
    grid, plan, path = outcome.grid, outcome.plan, outcome.path
    if as_json:
        print_json({"path": str(path), "levels": plan.levels, **grid.as_json()})
    else:
        show(grid, everything=False)
        if plan.is_shorter:
            print_line(
                f"The venue's minimum per order allows {plan.levels} levels with this budget, the one at today's price"
                f" among them, so the grid ends at {plan.lower} and not at the depth you asked for."
            )
        print_line(f"Written to {path}. Next: opensqt doctor {path}, then opensqt up {path}.")
    return EXIT_FAILURE if grid.refusals else 0
