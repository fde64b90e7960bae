"""Every error of the venue has one reading, and no bytes are left without one."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector.venues.binance.error_codes import MEANINGS, Action, Executed
from opensqt.connector.venues.binance.errors import Failure, api_failure, http_failure, lost_failure
from opensqt.domain.errors import ErrorReason as R
from opensqt.domain.errors import OutcomeUnknownError
from opensqt.domain.status_map import GrpcStatus, status_of

NOW_MS = 1_700_000_012_345

# Written from the venue's list, apart from the table under test: reason, and which codes have it.
EXPECTED: dict[R, str] = {
    R.OUTCOME_UNKNOWN: "-1000 -1001 -1006 -1007",
    R.BAD_CREDENTIALS: "-1002 -2014 -2015 -1022 -1099",
    R.VENUE_PERMISSION: "-2017 -4087 -4088 -4192 -4402 -1011 -1109",
    R.RATE_LIMITED: "-1003 -1015",
    R.VENUE_UNAVAILABLE: "-1008",
    R.MAINTENANCE: "-1016 239999",
    R.CLOCK_SKEW: "-1021 -5028",
    R.INVALID_FIELD: "-1013 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1111 -1114 -1115 -1116 -1117 -1118 -1119 "
    "-1120 -1128 -1130 -1136 -4015 -4004 -4005 -4120 -5037 -5038 -5039 -5040 -5041",
    R.UNKNOWN_SYMBOL: "-1121",
    R.SYMBOL_NOT_TRADING: "-1122 -4140 -4141 -5024",
    R.FILTER_REJECTED: "-4001 -4002 -4003 -4013 -4014 -4023 -4029 -4030",
    R.PRICE_BAND: "-4016 -4024 -4131",
    R.MIN_NOTIONAL: "-4164 -5029",
    R.VENUE_REJECTED: "-2010 -2020 -2021 -4105 -4106 -4107 -4189 -4400 -4401 -4047 -4048 -4168 -5021 -4531 -2012 -4083",
    R.INSUFFICIENT_MARGIN: "-2018 -2019 -2024 -4050 -4051",
    R.MAX_OPEN_ORDERS: "-2025 -4045",
    R.LEVERAGE_LIMIT: "-2027 -2028 -4028 -4161 -4200 -4202 -4203 -4299",
    R.REDUCE_ONLY_REJECTED: "-2022 -4118",
    R.LIQUIDATION: "-2023",
    R.POSITION_MODE: "-4060 -4061 -4062 -4067 -4068",
    R.DUPLICATE_CLIENT_ID: "-4116",
    R.POST_ONLY_WOULD_CROSS: "-5022",
    R.AMEND_REJECTED: "-5025 -5026 -5043 -5047",
    R.UNKNOWN_ORDER: "-2011 -2013",
    R.NOT_FOUND: "-1125",
}
ALREADY_SO = (-4046, -4059, -5027)
UNKNOWN = (-1000, -1001, -1006, -1007)

# The wire page predates our status table: an unknown outcome is ABORTED there, so that nobody retries it.
PAGE_STATUS = {"UNKNOWN": GrpcStatus.ABORTED}
PAGE_OWN_STATUS = {-1121: GrpcStatus.INVALID_ARGUMENT}

CASES = [(int(code), reason) for reason, codes in EXPECTED.items() for code in codes.split()]


def read(
    status: int, body: bytes | str, headers: dict[str, str] | None = None, *, changes_state: bool = True
) -> Failure:
    data = body.encode() if isinstance(body, str) else body
    failure = http_failure(status, data, headers or {}, changes_state=changes_state, now_ms=NOW_MS)
    assert failure is not None
    return failure


def page_codes(page: str) -> dict[int, str]:
    """Every code of the page's table of codes, ranges expanded, with the gRPC status it asks for."""
    section = page.split("## 12.")[1].split("## 13.")[0]
    found: dict[int, str] = {}
    for row in section.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) < 6 or not re.match(r"-?\d", cells[0]):
            continue
        text = cells[0].replace("*", "").replace("-42xx", "-4200..-4299")
        for first, last in re.findall(r"(-?\d+)(?:\.\.(-\d+))?", text):
            for code in range(int(last or first), int(first) + 1):
                found[code] = cells[2]
    return found


@pytest.mark.parametrize(("code", "reason"), CASES, ids=[str(code) for code, _ in CASES])
def test_code_has_its_reason(code: int, reason: R) -> None:
    failure = read(400, json.dumps({"code": code, "msg": "m"}))

    assert failure.reason is reason
    assert failure.executed is (Executed.UNKNOWN if code in UNKNOWN else Executed.NO)
    assert failure.code == code
    error = failure.error("place order")
    assert error.reason is reason
    assert error.metadata["venue_code"] == str(code)
    assert failure.action.value in error.message


@pytest.mark.parametrize("code", ALREADY_SO)
def test_nothing_to_change_is_no_failure_of_the_request(code: int) -> None:
    failure = read(400, json.dumps({"code": code, "msg": "No need to change."}))

    assert failure.executed is Executed.ALREADY_SO
    assert failure.action is Action.NOTHING


def test_every_code_of_the_wire_page_is_read_as_it_says(shared_dir: Path) -> None:
    codes = page_codes((shared_dir / "wire" / "binance.md").read_text())

    assert len(codes) > 180
    assert not set(codes) - set(MEANINGS), "codes of the page that the table does not know"
    assert not ({code for code, _ in CASES} | set(ALREADY_SO)) - set(codes), "codes this test made up"
    for code, status in codes.items():
        meaning = MEANINGS[code]
        if status == "OK":
            assert meaning.executed is Executed.ALREADY_SO, code
        elif status != "(internal)":
            assert status_of(meaning.reason) == PAGE_STATUS.get(status) or status_of(meaning.reason).name == status, (
                code
            )


def test_codes_seen_in_the_wild_are_known_and_certain(payloads: Path) -> None:
    for seen in json.loads((payloads / "errors_observed.json").read_text()):
        failure = read(seen["http_status"], json.dumps(seen["body"]))
        assert failure.code == seen["body"]["code"]
        assert failure.message == seen["body"]["msg"]
        assert failure.code in MEANINGS
        assert failure.executed is (Executed.UNKNOWN if failure.code in UNKNOWN else Executed.NO)


def test_codes_listed_by_others_are_known(payloads: Path) -> None:
    listed = json.loads((payloads / "errors_ccxt_comments.json").read_text())

    for entry in listed["linear_block"]:
        assert entry["body"]["code"] in MEANINGS, entry
    for entry in listed["other_blocks"]:  # of other markets: any reading will do, as long as there is one
        assert read(400, json.dumps(entry["body"])).code == entry["body"]["code"]


UNKNOWN_503 = '{"code":-1000,"msg":"Unknown error, please check your request or try again later."}'
HTTP_CASES = [
    (503, UNKNOWN_503, R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (503, "Unknown error, please check your request or try again later.", R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (
        503,
        '{"msg":"Unknown error, please check your request or try again later."}',
        R.OUTCOME_UNKNOWN,
        Executed.UNKNOWN,
    ),
    (503, '{"code":0,"msg":"Service Unavailable."}', R.VENUE_UNAVAILABLE, Executed.NO),
    (503, "Service Unavailable.", R.VENUE_UNAVAILABLE, Executed.NO),
    (503, "<html><title>503 Service Unavailable</title></html>", R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (503, "Service Unavailable", R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (
        503,
        '{"code":-1008,"msg":"Request throttled by system-level protection. Reduce-only orders are exempt."}',
        R.VENUE_UNAVAILABLE,
        Executed.NO,
    ),
    (
        503,
        '{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}',
        R.OUTCOME_UNKNOWN,
        Executed.UNKNOWN,
    ),
    (
        408,
        '{"code":-1007,"msg":"Timeout waiting for response from backend server."}',
        R.OUTCOME_UNKNOWN,
        Executed.UNKNOWN,
    ),
    (408, "", R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (418, '{"code":-1003,"msg":"Way too many requests; IP banned until 1700000112345."}', R.IP_BANNED, Executed.NO),
    (418, "<html>teapot</html>", R.IP_BANNED, Executed.NO),
    (429, '{"code":-1003,"msg":"Too many requests."}', R.RATE_LIMITED, Executed.NO),
    (
        429,
        '{"code":-1015,"msg":"Too many new orders; current limit is 300 orders per 10 SECOND."}',
        R.RATE_LIMITED,
        Executed.NO,
    ),
    (429, "", R.RATE_LIMITED, Executed.NO),
    (403, "<html><h1>403 Forbidden</h1></html>", R.RATE_LIMITED, Executed.NO),
    (401, "", R.BAD_CREDENTIALS, Executed.NO),
    (401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action"}', R.BAD_CREDENTIALS, Executed.NO),
    (404, "<html>", R.INVALID_FIELD, Executed.NO),
    (400, '{"code":-98765,"msg":"New in 2027"}', R.VENUE_REJECTED, Executed.NO),
    (400, "", R.VENUE_REJECTED, Executed.NO),
    (500, "", R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (502, "<html><title>502 Bad Gateway</title></html>", R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (504, "[1,2]", R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (500, '{"code":-98765,"msg":"New in 2027"}', R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (302, "", R.OUTCOME_UNKNOWN, Executed.UNKNOWN),
    (
        503,
        '{"239999": "The system is under maintenance, please try again later."}',
        R.MAINTENANCE,
        Executed.NO,
    ),
    (200, '{"239999": "The system is under maintenance, please try again later."}', R.MAINTENANCE, Executed.NO),
    (200, '{"code":-2019,"msg":"Margin is insufficient."}', R.INSUFFICIENT_MARGIN, Executed.NO),
]


@pytest.mark.parametrize(("status", "body", "reason", "executed"), HTTP_CASES)
def test_status_and_body_have_their_reading(status: int, body: str, reason: R, executed: Executed) -> None:
    failure = read(status, body)

    assert (failure.reason, failure.executed) == (reason, executed)


@pytest.mark.parametrize("body", ['{"code":200,"msg":"success"}', "{}", "[]", '[{"code":-2011,"msg":"m"}]', ""])
def test_success_is_no_failure(body: str) -> None:
    assert http_failure(200, body.encode(), {}, changes_state=True, now_ms=NOW_MS) is None


def test_unknown_outcome_of_a_query_is_merely_a_failed_query() -> None:
    failure = read(503, UNKNOWN_503, changes_state=False)

    assert (failure.reason, failure.executed) == (R.VENUE_UNAVAILABLE, Executed.NO)


def test_lost_reply_to_an_order_is_an_unknown_outcome() -> None:
    failure = lost_failure("the connection was cut", changes_state=True)

    assert isinstance(failure.error("place order"), OutcomeUnknownError)
    assert lost_failure("timeout", changes_state=False).executed is Executed.NO


@pytest.mark.parametrize(
    ("status", "message", "headers", "wait_ms"),
    [
        (429, "Too many requests.", {"Retry-After": "7"}, 7_000),
        (429, "Too many requests.", {"RETRY-AFTER": " 7 "}, 7_000),
        (429, "Too many requests.", {"Retry-After": "soon"}, 27_655),
        (429, "Too many requests.", {}, 27_655),
        (418, "Way too many requests; IP(1.2.3.4) banned until 1700000112345. Use websockets.", {}, 100_000),
        (418, "banned until 1600000000000", {}, 0),
        (418, "banned", {}, 120_000),
        (418, "banned until 1700000112345", {"retry-after": "3"}, 3_000),
        (418, "banned until 9999999999999", {}, 3 * 24 * 3_600_000),
    ],
)
def test_wait_is_what_the_venue_says_or_the_end_of_the_window(
    status: int, message: str, headers: dict[str, str], wait_ms: int
) -> None:
    assert read(status, json.dumps({"code": -1003, "msg": message}), headers).retry_after_ms == wait_ms


def test_order_rate_waits_for_its_own_window() -> None:
    ten_seconds = "Too many new orders; current limit is 300 orders per 10 SECOND."
    minute = "Too many new orders; current limit is 1200 orders per MINUTE."

    assert api_failure(429, -1015, ten_seconds, changes_state=True, now_ms=NOW_MS).retry_after_ms == 7_655
    assert api_failure(429, -1015, minute, changes_state=True, now_ms=NOW_MS).retry_after_ms == 27_655


def test_ban_told_with_status_400_is_still_a_ban() -> None:
    message = "Way too many requests; IP(1.2.3.4) banned until 1700000112345."

    assert api_failure(400, -1003, message, changes_state=True, now_ms=NOW_MS).reason is R.IP_BANNED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["code", "msg", "error", "239999", "x"]), inner),
)


@given(
    status=st.integers(0, 999),
    body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(st.sampled_from(["Retry-After", "retry-after", "x"]), st.text()),
    changes_state=st.booleans(),
)
def test_any_reply_is_read_without_an_exception(
    status: int, body: bytes, headers: dict[str, str], changes_state: bool
) -> None:
    failure = http_failure(status, body, headers, changes_state=changes_state, now_ms=NOW_MS)

    if failure is not None:
        assert failure.error("place order").message
        assert failure.retry_after_ms is None or failure.retry_after_ms >= 0
        if not changes_state:
            assert failure.executed is not Executed.UNKNOWN
    else:
        assert 200 <= status < 300
