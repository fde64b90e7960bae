"""Every kind of fault of the simulator has a test that shows what the adapter makes of it; a kind without one fails."""

import ast
from pathlib import Path

import pytest

from opensqt.sim.fault_kinds import FaultKind as K

FAULTS = "test_binance_faults"
ACCOUNT = "test_binance_account_faults"
SLOW = "test_binance_slowness"

SERVER_ERRORS = (FAULTS, "test_f24_each_kind_of_server_error_says_whether_the_order_may_live")
MANGLED = (FAULTS, "test_f09_frames_that_are_mangled_leave_a_true_book_behind")
DROPPED = (FAULTS, "test_f01_market_stream_that_drops_makes_the_book_stale_at_once_and_valid_again")

# Kind -> the test (module, name) that shows the reaction which `faults` asks for.
REACTIONS = {
    K.LATENCY: (SLOW, "test_late_requests_are_waited_for_and_answered_once"),
    K.REPLY_LATENCY: (SLOW, "test_f17_reply_that_comes_too_late_is_an_unknown_outcome_that_evidence_settles"),
    K.LOST_REQUEST: (FAULTS, "test_f17_lost_request_is_proven_absent_by_asking"),
    K.LOST_REPLY: (FAULTS, "test_f17_lost_reply_of_a_placement_is_settled_by_its_evidence"),
    K.HANG: (SLOW, "test_request_that_is_never_answered_is_asked_for"),
    K.UNKNOWN_503: SERVER_ERRORS,
    K.UNAVAILABLE_503: SERVER_ERRORS,
    K.THROTTLED_503: SERVER_ERRORS,
    K.INTERNAL_503: SERVER_ERRORS,
    K.TIMEOUT_408: SERVER_ERRORS,
    K.BUS_UNKNOWN: SERVER_ERRORS,
    K.BACKEND_TIMEOUT: SERVER_ERRORS,
    K.BAD_GATEWAY_502: SERVER_ERRORS,
    K.FIREWALL_403: SERVER_ERRORS,
    K.MAINTENANCE: SERVER_ERRORS,
    K.SHUTTING_DOWN: SERVER_ERRORS,
    K.UNREADABLE_REPLY: SERVER_ERRORS,
    K.RATE_LIMIT_429: (FAULTS, "test_f22_overrun_limit_stops_everything_but_cancels"),
    K.BAN_418: (FAULTS, "test_f23_ban_stops_every_request_while_streams_go_on"),
    K.DROP_FRAME: MANGLED,
    K.DUPLICATE_FRAME: MANGLED,
    K.REORDER_FRAME: MANGLED,
    K.CORRUPT_FRAME: MANGLED,
    K.DELAY_FRAME: (SLOW, "test_f04_data_that_stays_away_makes_the_book_stale_and_its_return_valid"),
    K.HALF_OPEN: (FAULTS, "test_f03_half_open_connections_are_found_by_their_missing_pongs"),
    K.REFUSE_CONNECTION: DROPPED,
    K.DISCONNECT: DROPPED,
    K.CLOCK_OFFSET: (FAULTS, "test_f26_skew_that_no_order_has_met_yet_stops_opening_while_cancels_pass"),
    K.STALE_SNAPSHOT: (FAULTS, "test_f06_stale_snapshot_is_never_believed"),
    K.HALT: (FAULTS, "test_f25_halted_symbol_is_shown_and_orders_are_refused_with_the_reason"),
    K.FILTERS: (FAULTS, "test_f39_changed_tick_becomes_a_new_revision_in_which_books_and_orders_go_on"),
    K.LISTEN_KEY_EXPIRY: (FAULTS, "test_expired_listen_key_is_replaced_and_events_flow_on"),
    K.SEQUENCE_GAP: (FAULTS, "test_f05_gap_puts_the_book_back_to_syncing_and_a_new_snapshot_heals_it"),
    K.MANUAL_ORDER: (ACCOUNT, "test_manual_order_is_seen_and_left_alone"),
    K.MANUAL_CANCEL_ALL: (FAULTS, "test_f02_what_happened_while_the_user_stream_was_down_is_found_on_return"),
    K.POSITION_CHANGE: (ACCOUNT, "test_f41_position_and_wallet_changed_by_somebody_else_are_shown"),
    K.ADL: (ACCOUNT, "test_f41_auto_deleveraging_is_booked_with_its_origin_and_orders_stay"),
    K.LIQUIDATION: (ACCOUNT, "test_f41_liquidation_is_booked_with_its_origin"),
    K.MARK_PRICE: (ACCOUNT, "test_jump_of_the_mark_price_is_shown_and_the_collar_follows_it"),
    K.TRANSFER: (ACCOUNT, "test_f41_position_and_wallet_changed_by_somebody_else_are_shown"),
    K.REVOKE_KEY: (FAULTS, "test_f58_revoked_key_ends_serving_and_says_why"),
    K.SET_LEVERAGE: (ACCOUNT, "test_f40_leverage_changed_by_hand_is_shown_at_once"),
}


def test_every_kind_of_fault_is_in_the_table() -> None:
    assert set(REACTIONS) == set(K)


@pytest.mark.parametrize("kind", list(K))
def test_the_named_test_exists_and_sets_that_fault(kind: K) -> None:
    module, name = REACTIONS[kind]
    source = Path(__file__).with_name(f"{module}.py").read_text()
    (found,) = [node for node in ast.parse(source).body if isinstance(node, ast.AsyncFunctionDef) and node.name == name]
    texts = {node.value for node in ast.walk(found) if isinstance(node, ast.Constant)}
    assert kind.value in texts
    # `until` fails as an assertion does, when what is waited for does not happen.
    calls = {node.func.id for node in ast.walk(found) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert "until" in calls or any(isinstance(node, ast.Assert) for node in ast.walk(found))
