"""Configuration: everything wrong is said at once, with path, value, rule and fix."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
import pytest

from opensqt.runtime.config import ConfigError, GrpcServerConfig, LogConfig, Secret, load_config


class Grid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    interval: Annotated[Decimal, msgspec.Meta(gt=0)] = Decimal(1)
    buy_window: Annotated[int, msgspec.Meta(ge=1, le=200)] = 10
    spacing: Literal["arithmetic", "geometric"] = "arithmetic"

    def __post_init__(self) -> None:
        if self.interval > 1000:
            raise ConfigError.single("interval", self.interval, "must be at most 1000", "lower it")


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="replay", tag_field="kind"):
    files: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class Synthetic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="synthetic", tag_field="kind"):
    seed: int = 1


class Bot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    symbol: str
    grid: Grid = Grid()
    source: Replay | Synthetic = Synthetic()
    token: Secret | None = None
    limits: dict[str, int] = {}
    symbols: tuple[str, ...] = ()
    log: LogConfig = LogConfig()
    grpc: GrpcServerConfig | None = None
    speed: float = 1.0


@pytest.fixture
def load(tmp_path):
    def do(text: str, **env: str) -> Bot:
        path = tmp_path / "bot.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, Bot, env=env)

    return do


def problems_of(load, text: str, **env: str) -> dict[str, object]:
    with pytest.raises(ConfigError) as caught:
        load(text, **env)
    return {problem.path: problem for problem in caught.value.problems}


def test_all_problems_are_listed_at_once_with_path_value_rule_and_fix(load):
    found = problems_of(
        load,
        """
grid: {interval: -0.5, buy_window: 1000, spasing: geometric}
source: {kind: replay, files: []}
limits: {a: many}
log: {level: loud}
grpc: {host: 0.0.0.0, port: 50051}
""",
    )
    assert set(found) == {
        "symbol",
        "grid.interval",
        "grid.buy_window",
        "grid.spasing",
        "source.files",
        "limits.a",
        "log.level",
        "grpc.host",
    }
    assert found["grid.buy_window"].value == "1000"
    assert found["grid.buy_window"].rule == "must be a whole number from 1 to 200"
    assert "rename it to `spacing`" in found["grid.spasing"].fix
    assert "is required" in found["symbol"].rule
    assert all(problem.fix for problem in found.values())


def test_prices_stay_exact_and_never_pass_through_a_float(load):
    bot = load("symbol: X\ngrid: {interval: 0.1000000000000000055511151231257827}")
    assert bot.grid.interval == Decimal("0.1000000000000000055511151231257827")
    assert load("symbol: X\ngrid: {interval: 1e-5}").grid.interval == Decimal("0.00001")
    assert load("symbol: X\ngrid: {interval: 5}").grid.interval == Decimal(5)
    assert load('symbol: X\ngrid: {interval: "0.25"}').grid.interval == Decimal("0.25")


@pytest.mark.parametrize("value", [".nan", ".inf", "true", "[1]", "abc"])
def test_what_is_no_number_is_refused_as_a_price(load, value):
    assert "grid.interval" in problems_of(load, f"symbol: X\ngrid: {{interval: {value}}}")


@pytest.mark.parametrize("symbol", ["no", "on", "BTC/USDT:USDT", "12:30"])
def test_yaml_surprises_of_1_1_are_gone(load, symbol):
    assert load(f"symbol: {symbol}").symbol == symbol


def test_a_key_given_twice_is_refused(load):
    found = problems_of(load, "symbol: X\ngrid:\n  interval: 1\n  interval: 2\n")
    assert "given twice" in found[""].rule
    assert "line 4" in found[""].value


@pytest.mark.parametrize("text", ["symbol: [", "a: b: c", "- 1", "\t"])
def test_what_is_no_yaml_mapping_is_a_config_error(load, text):
    assert "" in problems_of(load, text)


def test_rules_between_fields_carry_the_sections_path(load):
    found = problems_of(load, "symbol: X\ngrid: {interval: 2000}")
    assert found["grid.interval"].rule == "must be at most 1000"


def test_environment_lies_over_the_file_and_is_typed_by_its_field(load):
    bot = load(
        "symbol: X\ngrid: {interval: 5}",
        OPENSQT_SYMBOL="123",
        OPENSQT_GRID__INTERVAL="0.30",
        OPENSQT_GRID__BUY_WINDOW="7",
        OPENSQT_SYMBOLS="A,B",
        OPENSQT_TOKEN="0123",
        OPENSQT_SPEED="20",
        OPENSQT_OTHER__THING="not ours",
        PATH="/bin",
    )
    assert bot.symbol == "123"
    assert str(bot.grid.interval) == "0.30"
    assert bot.grid.buy_window == 7
    assert bot.symbols == ("A", "B")
    assert bot.token == Secret("0123")
    assert bot.speed == 20.0


def test_a_bad_variable_is_named(load):
    found = problems_of(load, "symbol: X", OPENSQT_GRID__BUY_WINDOW="many")
    assert found["grid.buy_window"].value == "'many'"
    found = problems_of(load, "symbol: X", OPENSQT_SYMBOL__DEEP="1")
    assert "OPENSQT_SYMBOL__DEEP" in found["symbol.deep"].fix


def test_secrets_come_from_files_and_never_show(load, tmp_path):
    (tmp_path / "token").write_text("hush-hush-hush\n")
    bot = load("symbol: X\ntoken_file: token")
    assert bot.token is not None
    assert bot.token.reveal() == "hush-hush-hush"
    assert "hush" not in f"{bot} {bot.token} {bot.token!r} {bot.token:>30}"


def test_secret_files_that_are_missing_or_empty_or_doubled_are_named(load, tmp_path):
    assert "readable file" in problems_of(load, "symbol: X\ntoken_file: nowhere")["token_file"].rule
    (tmp_path / "empty").write_text("\n")
    assert "empty" in problems_of(load, "symbol: X\ntoken_file: empty")["token_file"].rule
    both = problems_of(load, "symbol: X\ntoken: abc-secret\ntoken_file: empty")
    assert "together" in both["token_file"].rule
    assert "abc-secret" not in str(both)


def test_a_tagged_section_says_which_kinds_there_are(load):
    assert load("symbol: X\nsource: {kind: replay, files: [a, b]}").source == Replay(files=("a", "b"))
    found = problems_of(load, "symbol: X\nsource: {kind: live}")
    assert "replay, synthetic" in found["source.kind"].rule


def test_a_missing_file_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "nowhere.yaml", Bot, env={})


def test_an_empty_section_means_its_defaults(load):
    assert load("symbol: X\ngrid:\nlog:\n").grid == Grid()
