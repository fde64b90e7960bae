"""The report's parts sum exactly, or it says by how much they do not."""

import io
from decimal import Decimal

from google.type import decimal_pb2

from opensqt.cli.bot_summary import summarise_bot
from opensqt.cli.report import make_report
from opensqt.cli.status_line import StatusLine, status_text
from opensqt.proto import engine_pb2


def dec(text: str) -> decimal_pb2.Decimal:
    return decimal_pb2.Decimal(value=text)


def bot(**amounts: str) -> engine_pb2.BotState:
    state = engine_pb2.BotState(bot_id="demo", symbol="BTC/USDT:USDT", state=engine_pb2.TRADING_STATE_ACTIVE)
    state.pnl.asset = "USDT"
    state.reasons.add(code="FEED_STALE", message="no trades for 5 s")
    state.pnl.fills = 7
    for name, text in amounts.items():
        getattr(state.pnl, name).value = text
    return state


SOUND = {
    "grid_profit": "10.000000000000000000000000000001",
    "inventory_pnl": "-3.5",
    "fees": "-0.25",
    "funding": "0.1",
    "equity_change": "6.350000000000000000000000000001",
    "turnover": "12345.678",
    "unexplained": "0",
}


def test_parts_that_sum_to_the_last_digit_are_exact():
    report = make_report([bot(**SOUND)], 40.0)
    assert report.sums_exactly
    assert report.as_json()["grid_profit"] == SOUND["grid_profit"]
    assert report.as_json()["fills"] == 7


def test_a_difference_in_the_last_digit_is_found():
    report = make_report([bot(**{**SOUND, "equity_change": "6.350000000000000000000000000002"})], 40.0)
    assert not report.sums_exactly
    assert report.difference == Decimal("0.000000000000000000000000000001")
    assert "OFF by" in dict(report.rows())["parts sum to"]


def test_several_bots_are_added():
    report = make_report([bot(**SOUND), bot(**SOUND)], 40.0)
    assert report.counts["fills"] == 14
    assert report.amounts["fees"] == Decimal("-0.50")
    assert report.sums_exactly


def test_every_amount_is_a_string_without_exponent():
    values = make_report([bot(fees="0.00000001", equity_change="1E-8")], 1.0).as_json()
    for name in ("turnover", "grid_profit", "inventory_pnl", "fees", "funding", "equity_change", "unexplained"):
        assert isinstance(values[name], str)
        assert "E" not in values[name]


def test_the_status_line_says_what_matters():
    text = status_text([bot(**SOUND)], {"connector": True, "engine": False}, 12.3)
    assert "not healthy: engine" in text
    assert "fills 7" in text
    assert "active (FEED_STALE)" in text
    assert "pnl 6.3500" in text


def test_a_bot_is_summarised_with_exact_decimals():
    assert summarise_bot(bot(**SOUND))["equity_change"] == SOUND["equity_change"]


def test_output_nobody_reads_any_more_is_noticed_and_raises_nothing(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stdout", Gone())
    with StatusLine(to_stderr=False) as line:
        line.notice("running")
        line.update("1 s")
        assert line.closed
