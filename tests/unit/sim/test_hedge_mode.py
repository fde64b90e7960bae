"""Hedge mode: two positions per symbol, one wallet, and the venue's rules about position sides."""

from decimal import Decimal

import pytest
from models.sim_bench import SimBench

ORDER = "/fapi/v1/order"


@pytest.fixture
def hedged(bench: SimBench) -> SimBench:
    bench.ok("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    return bench


def positions(bench: SimBench) -> dict[str, str]:
    return {row["positionSide"]: row["positionAmt"] for row in bench.ok("GET", "/fapi/v3/positionRisk")}


def test_both_sides_are_held_at_once(hedged: SimBench) -> None:
    hedged.place("BUY", None, "0.03", positionSide="LONG")
    hedged.place("SELL", None, "0.02", positionSide="SHORT")
    assert positions(hedged) == {"LONG": "0.030", "SHORT": "-0.020"}
    hedged.place("SELL", None, "0.01", positionSide="LONG")
    hedged.place("BUY", None, "0.02", positionSide="SHORT")
    assert positions(hedged) == {"LONG": "0.020"}


def test_position_side_is_mandatory_and_reduce_only_forbidden(hedged: SimBench) -> None:
    assert hedged.refuse("BUY", "63000", "0.01") == -4061
    assert hedged.refuse("BUY", "63000", "0.01", positionSide="LONG", reduceOnly="false") == -1106


def test_closing_what_is_not_there_is_refused(hedged: SimBench) -> None:
    assert hedged.refuse("SELL", "65000", "0.01", positionSide="LONG") == -2022


def test_one_wallet_pays_for_both_sides(hedged: SimBench) -> None:
    hedged.ok("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
    hedged.place("BUY", None, "0.5", positionSide="LONG")
    hedged.place("SELL", None, "0.5", positionSide="SHORT")
    account = hedged.ok("GET", "/fapi/v3/account")
    fees = sum(Decimal(row["commission"]) for row in hedged.ok("GET", "/fapi/v1/userTrades", symbol="BTCUSDT"))
    assert Decimal(account["totalWalletBalance"]) == Decimal(10_000) - fees
    assert {row["positionSide"] for row in account["positions"]} == {"LONG", "SHORT"}
    assert hedged.refuse("BUY", None, "1.5", positionSide="LONG") == -2019


def test_mode_cannot_change_with_orders_or_positions(hedged: SimBench) -> None:
    switch = {"dualSidePosition": "false"}
    assert hedged.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true") == -4059
    placed = hedged.place("BUY", "63000", "0.01", positionSide="LONG")
    assert hedged.code("POST", "/fapi/v1/positionSide/dual", **switch) == -4067
    hedged.ok("DELETE", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
    hedged.place("SELL", None, "0.01", positionSide="SHORT")
    assert hedged.code("POST", "/fapi/v1/positionSide/dual", **switch) == -4068
    hedged.place("BUY", None, "0.01", positionSide="SHORT")
    wallet = hedged.ok("GET", "/fapi/v3/balance")[0]["balance"]
    hedged.ok("POST", "/fapi/v1/positionSide/dual", **switch)
    assert hedged.ok("GET", "/fapi/v3/balance")[0]["balance"] == wallet
    hedged.place("BUY", None, "0.01")
    assert positions(hedged) == {"BOTH": "0.010"}


def test_events_carry_the_position_side(hedged: SimBench) -> None:
    session = hedged.listen_private()
    hedged.place("SELL", None, "0.01", positionSide="SHORT")
    events = hedged.heard(session)
    assert [event["o"]["ps"] for event in events if "o" in event] == ["SHORT", "SHORT"]
    (update,) = [event["a"] for event in events if event["e"] == "ACCOUNT_UPDATE"]
    assert [(row["ps"], row["pa"]) for row in update["P"]] == [("SHORT", "-0.01")]
    assert update["m"] == "ORDER"


def test_internal_moves_of_money_are_nobodys_business(hedged: SimBench) -> None:
    session = hedged.listen_private()
    hedged.place("SELL", "65000", "0.01", positionSide="SHORT")
    hedged.place("BUY", "63000", "0.01", positionSide="LONG")
    assert {event["e"] for event in hedged.heard(session)} == {"ORDER_TRADE_UPDATE"}
    assert hedged.ok("GET", "/fapi/v1/income") == []
