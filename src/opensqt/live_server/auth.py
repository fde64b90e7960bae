"""Who is asking: anybody, a reader, or an operator.

A token is shown once, to `/api/login`, or with every request as `Authorization: Bearer`. The login answers with a
cookie that carries the role, an expiry and a signature keyed by the token itself: no session store, it survives a
restart of the server, and it ends when the token is changed. Tokens and signatures are compared in constant time.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, final

from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.runtime.secret import Secret

COOKIE_NAME: Final = "opensqt_session"
SESSION_S: Final = 7 * 24 * 3600

_MAX_FAILURES: Final = 20
_FAILURE_WINDOW_NS: Final = 60 * NS_PER_S


class WebRole(IntEnum):
    """What a browser may do; a higher role includes the lower ones."""

    NONE = 0
    READ = 1
    OPERATOR = 2


@final
class Authenticator:
    """Tell the role of a request.

    Args:
        login_token: needed to see anything; None lets everybody read.
        operator_token: needed to control; None lets nobody.
        clock: wall clock for expiry, monotonic clock for the limit on failed logins.
    """

    def __init__(self, login_token: Secret | None, operator_token: Secret | None, clock: Clock) -> None:
        self._keys: dict[WebRole, Secret] = {}
        if login_token is not None:
            self._keys[WebRole.READ] = login_token
        if operator_token is not None:
            self._keys[WebRole.OPERATOR] = operator_token
        self._clock = clock
        self._failures_ns: deque[int] = deque(maxlen=_MAX_FAILURES)

    @property
    def anonymous_role(self) -> WebRole:
        """The role of somebody who shows nothing."""
        return WebRole.NONE if WebRole.READ in self._keys else WebRole.READ

    @property
    def has_operator(self) -> bool:
        """Whether anybody can be an operator."""
        return WebRole.OPERATOR in self._keys

    def role(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> WebRole:
        """Return the highest role a request proves."""
        role = self.anonymous_role
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            role = max(role, self.role_of_token(token.strip()))
        cookie = cookies.get(COOKIE_NAME)
        if cookie is not None:
            role = max(role, self._role_of_cookie(cookie))
        return role

    def role_of_token(self, token: str) -> WebRole:
        """Return the role a token gives, NONE for a wrong one."""
        role = WebRole.NONE
        for candidate, key in self._keys.items():
            if key.matches(token):
                role = max(role, candidate)
        return role

    def may_try(self) -> bool:
        """Return whether another login attempt is allowed now: guessing is limited to some per minute."""
        now_ns = self._clock.monotonic_ns()
        full = len(self._failures_ns) == _MAX_FAILURES
        return not (full and now_ns - self._failures_ns[0] < _FAILURE_WINDOW_NS)

    def note_failure(self) -> None:
        """Count a failed login."""
        self._failures_ns.append(self._clock.monotonic_ns())

    def issue_cookie(self, role: WebRole) -> str:
        """Return a cookie value that proves `role` until it expires."""
        expires_s = self._clock.now_ns() // NS_PER_S + SESSION_S
        body = f"{role.name}.{expires_s}"
        return f"{body}.{self._sign(role, body)}"

    def _role_of_cookie(self, cookie: str) -> WebRole:
        body, _, signature = cookie.rpartition(".")
        name, _, expires = body.partition(".")
        role = WebRole.__members__.get(name, WebRole.NONE)
        if role not in self._keys or not expires.isdecimal() or len(expires) > 12:
            return WebRole.NONE
        genuine = hmac.compare_digest(self._sign(role, body).encode(), signature.encode("utf-8", "replace"))
        return role if genuine and int(expires) > self._clock.now_ns() // NS_PER_S else WebRole.NONE

    def _sign(self, role: WebRole, body: str) -> str:
        return hmac.new(self._keys[role].reveal().encode(), body.encode(), hashlib.sha256).hexdigest()
