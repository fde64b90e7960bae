"""Failed replies -> what they mean: a reason, whether the outcome is known, what to do, when to come back.

Total: whatever status and bytes arrive, the answer is a `Failure` (or None for a success), never an exception. Where
the venue's answer does not prove that nothing was done, a request that changes something has an unknown outcome; a
query that failed has merely failed.

HTTP 503 comes in three kinds (docs, general info, "HTTP Return Codes"): "Unknown error, please check your request or
try again later." = sent, no answer in time, unknown; "Service Unavailable." = not executed; code -1008 = overload, not
executed.
"""

import re
from collections.abc import Mapping
from typing import cast

import msgspec
import orjson

from opensqt.connector.venues.binance import error_codes as codes
from opensqt.connector.venues.binance.error_codes import MEANINGS, Action, Executed, Meaning
from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.domain.status_map import error_for

MINUTE_MS = 60_000
ORDER_WINDOW_MS = 10_000
FIRST_BAN_MS = 120_000
"""A ban lasts two minutes at least (docs: "2 minutes to 3 days")."""
MAX_RETRY_AFTER_MS = 3 * 24 * 3_600_000

_BANNED_UNTIL = re.compile(r"until\s+(\d{13})(?!\d)", re.ASCII)
_MAX_MESSAGE = 500
_MAINTENANCE_KEY = "239999"
_SERVICE_UNAVAILABLE = "Service Unavailable."

# Statuses whose meaning does not need the code in the body, or that come without one.
_BY_STATUS: Mapping[int, Meaning] = {
    401: codes.BAD_KEY,
    403: codes.RATE_LIMITED,  # the web application firewall: too many or odd requests; its body may be HTML
    404: codes.BAD_REQUEST,
    418: codes.IP_BANNED,
    429: codes.RATE_LIMITED,
}


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One failed request. `code` 0 = the venue named none; `retry_after_ms` None = not known."""

    status: int
    code: int
    message: str
    reason: ErrorReason
    executed: Executed
    action: Action
    retry_after_ms: int | None = None

    def error(self, request: str) -> OpensqtError:
        """Build the typed error of a failed request, for example "place order"."""
        named = f"code {self.code}" if self.code else f"HTTP status {self.status}"
        said = f": {self.message}" if self.message else ""
        metadata = {"venue_status": str(self.status), "venue_code": str(self.code), "venue_message": self.message}
        return error_for(
            self.reason,
            f"{request}: Binance answered {named}{said}. {self.action.value}",
            metadata=metadata,
            retry_after_ms=self.retry_after_ms,
        )


def http_failure(
    status: int, body: bytes, headers: Mapping[str, str], *, changes_state: bool, now_ms: int
) -> Failure | None:
    """Classify a REST reply.

    Args:
        status: of HTTP.
        body: as received.
        headers: of the reply; names in any case.
        changes_state: whether the request may change something (an order, a setting), so that its outcome matters.
        now_ms: Unix time, for waits that end at a named moment.

    Returns:
        None for a success: a 2xx status without an error body.
    """
    code, message = code_and_message(body)
    if 200 <= status < 300 and code >= 0 and code != int(_MAINTENANCE_KEY):
        return None
    meaning = _meaning(status, code, message)
    return _failure(status, code, message, meaning, _retry_after(headers), changes_state=changes_state, now_ms=now_ms)


def api_failure(status: int, code: int, message: str, *, changes_state: bool, now_ms: int) -> Failure:
    """Classify an error reply of the WebSocket API, or one element of a batch reply (with the status of the whole)."""
    meaning = _meaning(status, code, message)
    return _failure(status, code, message, meaning, None, changes_state=changes_state, now_ms=now_ms)


def lost_failure(why: str, *, changes_state: bool) -> Failure:
    """Describe a request that was sent and never answered: a timeout, a cut connection, an unreadable reply."""
    return _failure(0, 0, why, codes.OUTCOME_UNKNOWN, None, changes_state=changes_state, now_ms=0)


def code_and_message(body: bytes) -> tuple[int, str]:
    """Find an error's code and message in a body; code 0 when it names none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 0, body[:_MAX_MESSAGE].decode("utf-8", "replace").strip()
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        if isinstance(members.get("error"), dict):
            members = cast("dict[str, object]", members["error"])
        if _MAINTENANCE_KEY in members:
            return int(_MAINTENANCE_KEY), str(members[_MAINTENANCE_KEY])[:_MAX_MESSAGE]
        code = members.get("code")
        return (_integer(code), str(members.get("msg", ""))[:_MAX_MESSAGE])
    return 0, ""


def _integer(value: object) -> int:
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value, re.ASCII):
        return int(value)
    return 0


def _meaning(status: int, code: int, message: str) -> Meaning:
    if status in (418, 429):
        return _BY_STATUS[status]
    if status == 408:
        return codes.OUTCOME_UNKNOWN
    if code == -1003 and _BANNED_UNTIL.search(message):
        return codes.IP_BANNED
    known = MEANINGS.get(code)
    if known is not None:
        return known
    if status >= 500 or status < 400:
        # Only the venue's own words prove that nothing was done; a proxy's page with the same title does not.
        is_refusal = status == 503 and message == _SERVICE_UNAVAILABLE
        return codes.OVERLOADED if is_refusal else codes.OUTCOME_UNKNOWN
    return codes.REFUSED if code else _BY_STATUS.get(status, codes.REFUSED)


def _failure(
    status: int,
    code: int,
    message: str,
    meaning: Meaning,
    retry_after_ms: int | None,
    *,
    changes_state: bool,
    now_ms: int,
) -> Failure:
    if meaning.executed is Executed.UNKNOWN and not changes_state:
        meaning = codes.OVERLOADED
    if retry_after_ms is None:
        retry_after_ms = _wait(meaning, code, message, now_ms)
    return Failure(
        status=status,
        code=code,
        message=message,
        reason=meaning.reason,
        executed=meaning.executed,
        action=meaning.action,
        retry_after_ms=retry_after_ms,
    )


def _retry_after(headers: Mapping[str, str]) -> int | None:
    for name, value in headers.items():
        if name.lower() == "retry-after" and re.fullmatch(r"[0-9]{1,9}", value.strip(), re.ASCII):
            return min(int(value) * 1000, MAX_RETRY_AFTER_MS)
    return None


def _wait(meaning: Meaning, code: int, message: str, now_ms: int) -> int | None:
    """Say how long a limit lasts: until the moment its text names, else until its window turns."""
    if meaning.action is not Action.WAIT:
        return None
    until = _BANNED_UNTIL.search(message)
    if until is not None:
        return min(max(0, int(until.group(1)) - now_ms), MAX_RETRY_AFTER_MS)
    if meaning.reason is ErrorReason.IP_BANNED:
        return FIRST_BAN_MS
    window_ms = ORDER_WINDOW_MS if code == -1015 and "SECOND" in message.upper() else MINUTE_MS
    return window_ms - now_ms % window_ms
