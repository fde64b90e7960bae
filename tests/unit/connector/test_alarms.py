"""What wakes people: told once when it begins, once when it is over."""

import msgspec

from opensqt.connector.alarms import (
    BAN_WORTH_A_WORD_NS,
    CERTIFICATE_WORTH_A_WORD_S,
    SESSION_PATIENCE_NS,
    AlarmFacts,
    ConnectorAlarms,
)

WELL = AlarmFacts(market_up=True, private_up=True)


def changed(**changes: object) -> AlarmFacts:
    return msgspec.structs.replace(WELL, **changes)


def test_a_session_is_worth_an_alarm_when_it_stays_down() -> None:
    alarms = ConnectorAlarms("binance")
    down = changed(private_up=False, reason="connection reset")
    assert alarms.judge(down, 0) == []
    assert alarms.judge(down, SESSION_PATIENCE_NS - 1) == []
    (told,) = alarms.judge(down, SESSION_PATIENCE_NS)
    assert told.level == "alarm"
    assert "account stream" in told.text
    assert "connection reset" in told.text
    assert alarms.judge(down, 2 * SESSION_PATIENCE_NS) == []
    (over,) = alarms.judge(WELL, 3 * SESSION_PATIENCE_NS)
    assert over.level == "info"
    assert alarms.judge(WELL, 3 * SESSION_PATIENCE_NS) == []


def test_a_short_outage_starts_the_patience_anew() -> None:
    alarms = ConnectorAlarms("binance")
    alarms.judge(changed(market_up=False), 0)
    alarms.judge(WELL, SESSION_PATIENCE_NS // 2)
    alarms.judge(changed(market_up=False), SESSION_PATIENCE_NS - 1)
    assert alarms.judge(changed(market_up=False), SESSION_PATIENCE_NS + 1) == []


def test_a_ban_is_told_and_a_short_limit_is_not() -> None:
    alarms = ConnectorAlarms("binance")
    assert alarms.judge(changed(circuit_left_ns=BAN_WORTH_A_WORD_NS), 0) == []
    (told,) = alarms.judge(changed(circuit_left_ns=120 * 1_000_000_000, circuit_reason="418"), 0)
    assert "120 s" in told.text
    assert alarms.judge(changed(circuit_left_ns=1, circuit_reason="418"), 0) == [], "it is not over before it is"
    (over,) = alarms.judge(WELL, 0)
    assert over.level == "info"


def test_a_dead_man_switch_that_needs_approval_is_told_once_per_symbol() -> None:
    alarms = ConnectorAlarms("okx")
    facts = changed(needs_approval=frozenset({"A", "B"}))
    assert [told.key for told in alarms.judge(facts, 0)] == ["dead man A", "dead man B"]
    assert alarms.judge(facts, 1) == []
    assert alarms.judge(changed(needs_approval=frozenset({"A"})), 2) == []
    assert [told.key for told in alarms.judge(facts, 3)] == ["dead man B"]


def test_a_certificate_that_runs_out_soon_is_told_once_and_a_new_one_ends_it() -> None:
    alarms = ConnectorAlarms("binance")
    good = {"api.example": CERTIFICATE_WORTH_A_WORD_S, "ws.example": 90 * 86_400}
    assert alarms.judge(changed(certificates_left_s=good), 0) == []
    near = changed(certificates_left_s={**good, "api.example": 5 * 3600})
    (told,) = alarms.judge(near, 0)
    assert (told.level, "api.example runs out in 5 h" in told.text) == ("alarm", True)
    assert alarms.judge(near, 0) == []
    (over,) = alarms.judge(changed(certificates_left_s=good), 0)
    assert over.level == "info"
