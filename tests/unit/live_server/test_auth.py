import pytest
from starlette.datastructures import Headers

from opensqt.domain.clock import NS_PER_S, ManualClock
from opensqt.live_server.auth import COOKIE_NAME, SESSION_S, Authenticator, Identity, WebRole
from opensqt.live_server.guard import host_name, is_known_host, is_same_origin
from opensqt.live_server.login_limit import KEPT_ADDRESSES, MAX_IN_ALL, MAX_PER_ADDRESS, LoginLimit
from opensqt.runtime.secret import Secret

LOGIN = Secret("login-token-of-tests")
OPERATOR = Secret("operator-token-of-tests")


def auth(login: Secret | None = None, operator: Secret | None = OPERATOR) -> tuple[Authenticator, ManualClock]:
    clock = ManualClock(now_ns=1_000 * NS_PER_S)
    return Authenticator(login, operator, clock), clock


def test_everybody_reads_without_a_login_token() -> None:
    assert auth()[0].role({}, {}) is WebRole.READ


def test_nobody_reads_without_the_login_token_where_one_is_set() -> None:
    checked, _ = auth(login=LOGIN)
    assert checked.role({}, {}) is WebRole.NONE
    assert checked.role({"authorization": f"Bearer {LOGIN.reveal()}"}, {}) is WebRole.READ
    assert checked.role({"authorization": f"bearer {OPERATOR.reveal()}"}, {}) is WebRole.OPERATOR
    assert checked.role({"authorization": "Bearer wrong"}, {}) is WebRole.NONE


def test_cookie_proves_its_role_until_it_expires() -> None:
    checked, clock = auth()
    cookies = {COOKIE_NAME: checked.issue_cookie(Identity(WebRole.OPERATOR, "operator"))}
    assert checked.role({}, cookies) is WebRole.OPERATOR
    clock.advance((SESSION_S + 1) * NS_PER_S)
    assert checked.role({}, cookies) is WebRole.READ


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "OPERATOR.99999999999.", "OPERATOR.99999999999.deadbeef", "OPERATOR.x.y", "ROOT.1.2", "a.b.c.d", "é.1.é"],
)
def test_forged_cookie_proves_nothing(cookie: str) -> None:
    assert auth()[0].role({}, {COOKIE_NAME: cookie}) is WebRole.READ


def test_reader_cannot_turn_a_cookie_into_an_operators() -> None:
    checked, _ = auth(login=LOGIN)
    cookie = checked.issue_cookie(Identity(WebRole.READ, "reader")).replace("READ.reader", "OPERATOR.operator")
    assert checked.role({}, {COOKIE_NAME: cookie}) is WebRole.NONE


def test_changed_token_ends_its_sessions() -> None:
    cookie = auth()[0].issue_cookie(Identity(WebRole.OPERATOR, "operator"))
    other, _ = auth(operator=Secret("another-operator-token"))
    assert other.role({}, {COOKIE_NAME: cookie}) is WebRole.READ


def test_every_operator_has_a_name_that_their_cookie_keeps() -> None:
    clock = ManualClock(now_ns=1_000 * NS_PER_S)
    people = [("ann", Secret("token-of-ann-in-the-tests")), ("bob", Secret("token-of-bob-in-the-tests"))]
    checked = Authenticator(LOGIN, OPERATOR, clock, people)
    ann = checked.identity_of_token("token-of-ann-in-the-tests")
    assert ann == Identity(WebRole.OPERATOR, "ann")
    cookie = checked.issue_cookie(ann)
    assert checked.identity({}, {COOKIE_NAME: cookie}) == ann
    assert checked.identity({}, {COOKIE_NAME: cookie.replace("ann", "bob")}).role is WebRole.NONE
    assert checked.identity({"authorization": "Bearer token-of-bob-in-the-tests"}, {}).name == "bob"
    without_ann = Authenticator(LOGIN, OPERATOR, clock, people[1:])
    assert without_ann.identity({}, {COOKIE_NAME: cookie}).role is WebRole.NONE


def test_token_that_is_no_text_is_wrong_and_not_an_accident() -> None:
    assert auth()[0].identity_of_token("\ud800").role is WebRole.NONE


def test_guessing_is_limited_per_address_and_minute() -> None:
    clock = ManualClock(now_ns=0)
    limit = LoginLimit(clock)
    for _ in range(MAX_PER_ADDRESS):
        assert limit.may_try("10.0.0.1")
        limit.note_failure("10.0.0.1")
    assert not limit.may_try("10.0.0.1")
    assert limit.may_try("10.0.0.2")
    clock.advance(61 * NS_PER_S)
    assert limit.may_try("10.0.0.1")


def test_guessing_from_many_addresses_is_limited_too_and_remembered_in_bounds() -> None:
    clock = ManualClock(now_ns=0)
    limit = LoginLimit(clock)
    for number in range(MAX_IN_ALL):
        assert limit.may_try(f"10.0.{number}.1")
        limit.note_failure(f"10.0.{number}.1")
    assert not limit.may_try("10.1.1.1")
    for number in range(5_000):
        limit.note_failure(str(number))
    assert limit.addresses == KEPT_ADDRESSES


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8081", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8081", "::1"),
        ("Evil.Example:1", "evil.example"),
    ],
)
def test_host_name_is_read_from_its_header(header: str, name: str) -> None:
    assert host_name(header) == name


def test_only_known_host_names_are_answered() -> None:
    allowed = frozenset({"grid.example"})
    assert all(is_known_host(name, allowed) for name in ("localhost", "127.0.0.1", "::1", "grid.example"))
    assert not any(is_known_host(name, allowed) for name in ("evil.example", "", "grid.example.evil"))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "127.0.0.1:8081"}, True),
        ({"host": "127.0.0.1:8081", "origin": "http://127.0.0.1:8081"}, True),
        ({"host": "127.0.0.1:8081", "origin": "http://127.0.0.1:9999"}, False),
        ({"host": "127.0.0.1:8081", "origin": "https://evil.example"}, False),
        ({"host": "127.0.0.1:8081", "origin": "null"}, False),
        ({"host": "127.0.0.1:8081", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_only_our_own_page_is_same_origin(headers: dict[str, str], expected: bool) -> None:
    assert is_same_origin(Headers(headers)) is expected
