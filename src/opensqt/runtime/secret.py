"""A string that does not show itself: tokens, keys and passwords in configuration and logs."""

import hmac
from typing import NoReturn, final

REDACTED = "[REDACTED]"


@final
class Secret:
    """Hold a secret text; printing, formatting or logging it shows `[REDACTED]`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself, for the one place that needs it."""
        return self._value

    def matches(self, other: str) -> bool:
        """Compare in time that does not depend on where the texts differ."""
        return hmac.compare_digest(self._value.encode(), other.encode("utf-8", "backslashreplace"))

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass a *_file instead")
