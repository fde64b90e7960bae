"""One vocabulary for why a bot trades less: enum, texts, documentation and wire agree."""

from pathlib import Path

import pytest

from opensqt.engine.risk.reason_texts import REASON_TEXTS, docs_table
from opensqt.engine.risk.reasons import ACTION_KEYS, ACTION_POLICIES, POLICIES, Action, Code, Pull, TradingState
from opensqt.proto import engine_pb2

ROOT = Path(__file__).parents[4]


def test_every_code_has_words_in_both_languages_and_a_policy() -> None:
    assert set(REASON_TEXTS) == set(Code) == set(POLICIES)
    for code, text in REASON_TEXTS.items():
        assert text.title, code
        assert text.ends.endswith("."), code
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text.title_zh), code


def test_titles_tell_the_codes_apart() -> None:
    assert len({text.title for text in REASON_TEXTS.values()}) == len(Code)
    assert len({text.title_zh for text in REASON_TEXTS.values()}) == len(Code)


def test_the_documentation_lists_exactly_the_codes() -> None:
    page = (ROOT / "docs" / "risk.md").read_text(encoding="utf-8").splitlines()
    table = docs_table()
    start = page.index(table[0])
    assert page[start : start + len(table)] == table
    assert not page[start + len(table)].strip(), "the table goes on with rows no code stands for"


def test_every_state_is_one_of_the_wire() -> None:
    names = {name.removeprefix("TRADING_STATE_"): number for name, number in engine_pb2.TradingState.items()}
    assert {state.name: state.value for state in TradingState} == {k: v for k, v in names.items() if v}


@pytest.mark.parametrize("action", list(Action))
def test_every_action_stops_opening(action: Action) -> None:
    assert ACTION_POLICIES[action].state in (TradingState.REDUCING, TradingState.HALTED)


def test_codes_with_a_chosen_action_have_a_default_that_is_an_action() -> None:
    for code in ACTION_KEYS:
        assert POLICIES[code] in ACTION_POLICIES.values(), code


def test_only_codes_that_pull_when_stale_depend_on_data() -> None:
    stale = {code for code, policy in POLICIES.items() if policy.pull is Pull.WHEN_STALE}
    assert stale == {Code.BOOK_NOT_VALID, Code.MARKET_STREAM_DOWN, Code.PRIVATE_STREAM_DOWN, Code.LOOP_STALLED}
