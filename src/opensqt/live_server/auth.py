"""Who is asking: anybody, a reader, or an operator with a name.

A token is shown once, to `/api/login`, or with every request as `Authorization: Bearer`. The login answers with a
cookie that carries role, name, an expiry and a signature keyed by the token itself: no session store, it survives a
restart of the server, and it ends when the token is changed. Tokens and signatures are compared in constant time, and
always against every token there is.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple, final

from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.runtime.secret import Secret

COOKIE_NAME: Final = "opensqt_session"
SESSION_S: Final = 7 * 24 * 3600

READER: Final = "reader"
OPERATOR: Final = "operator"


class WebRole(IntEnum):
    """What a browser may do; a higher role includes the lower ones."""

    NONE = 0
    READ = 1
    OPERATOR = 2


class Identity(NamedTuple):
    """Who somebody is: what they may do, and the name the engine's audit gets."""

    role: WebRole
    name: str = ""


NOBODY: Final = Identity(WebRole.NONE)


@final
class Authenticator:
    """Tell who sent a request.

    Args:
        login_token: needed to see anything; None lets everybody read.
        operator_token: of the operator without a name of their own; None lets nobody control but `operators`.
        clock: wall clock for expiry.
        operators: further operators, by name.
    """

    def __init__(
        self,
        login_token: Secret | None,
        operator_token: Secret | None,
        clock: Clock,
        operators: Iterable[tuple[str, Secret]] = (),
    ) -> None:
        self._keys: dict[Identity, Secret] = {}
        if login_token is not None:
            self._keys[Identity(WebRole.READ, READER)] = login_token
        if operator_token is not None:
            self._keys[Identity(WebRole.OPERATOR, OPERATOR)] = operator_token
        for name, token in operators:
            self._keys[Identity(WebRole.OPERATOR, name)] = token
        self._needs_login = login_token is not None
        self._clock = clock

    @property
    def anonymous_role(self) -> WebRole:
        """The role of somebody who shows nothing."""
        return WebRole.NONE if self._needs_login else WebRole.READ

    @property
    def has_operator(self) -> bool:
        """Whether anybody can be an operator."""
        return any(identity.role is WebRole.OPERATOR for identity in self._keys)

    def role(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> WebRole:
        """Return the highest role a request proves."""
        return self.identity(headers, cookies).role

    def identity(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Identity:
        """Return who a request proves to come from; of several proofs the one that may do most."""
        found = _higher(Identity(self.anonymous_role), self.identity_of_bearer(headers))
        cookie = cookies.get(COOKIE_NAME)
        if cookie is not None:
            found = _higher(found, self._identity_of_cookie(cookie))
        return found

    def identity_of_bearer(self, headers: Mapping[str, str]) -> Identity:
        """Return whose token a request carries, NOBODY for none or a wrong one."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return self.identity_of_token(token.strip()) if scheme.lower() == "bearer" else NOBODY

    def identity_of_token(self, token: str) -> Identity:
        """Return whose token this is, NOBODY for a wrong one."""
        found = NOBODY
        for candidate, key in self._keys.items():
            if key.matches(token):
                found = _higher(found, candidate)
        return found

    def issue_cookie(self, identity: Identity) -> str:
        """Return a cookie value that proves an identity until it expires."""
        expires_s = self._clock.now_ns() // NS_PER_S + SESSION_S
        body = f"{identity.role.name}.{identity.name}.{expires_s}"
        return f"{body}.{self._sign(identity, body)}"

    def _identity_of_cookie(self, cookie: str) -> Identity:
        body, _, signature = cookie.rpartition(".")
        role_name, _, rest = body.partition(".")
        name, _, expires = rest.rpartition(".")
        identity = Identity(WebRole.__members__.get(role_name, WebRole.NONE), name)
        if identity not in self._keys or not expires.isdecimal() or len(expires) > 12:
            return NOBODY
        genuine = hmac.compare_digest(self._sign(identity, body).encode(), signature.encode("utf-8", "replace"))
        return identity if genuine and int(expires) > self._clock.now_ns() // NS_PER_S else NOBODY

    def _sign(self, identity: Identity, body: str) -> str:
        return hmac.new(self._keys[identity].reveal().encode(), body.encode(), hashlib.sha256).hexdigest()


def _higher(one: Identity, other: Identity) -> Identity:
    return other if other.role > one.role else one
