"""Parameters of a request, however they came (query, form, JSON), read by kind; every mistake is the venue's error."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, final
from urllib.parse import parse_qsl

from opensqt.sim.dialects.binance.errors import ApiError

_CLIENT_ID: Final = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
_DECIMAL: Final = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
MAX_TEXT: Final = 64_000


@final
class Params:
    """Names and texts. Names are looked up as documented; lower case is accepted too, as the venue does for lists."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def of_http(cls, query: str, body: str) -> "Params":
        """Merge query string and form; the query string wins."""
        merged = dict(parse_qsl(body, keep_blank_values=True))
        merged.update(parse_qsl(query, keep_blank_values=True))
        return cls(merged)

    @classmethod
    def of_json(cls, members: Mapping[str, object]) -> "Params":
        """Take the members of a JSON object, numbers and booleans as their text."""
        return cls({name: _text(value) for name, value in members.items() if value is not None})

    def get(self, name: str, default: str = "") -> str:
        """Return a text, the default when it was not sent."""
        found = self._values.get(name)
        return self._values.get(name.lower(), default) if found is None else found

    def has(self, name: str) -> bool:
        """Return whether a parameter was sent and is not empty."""
        return self.get(name) != ""

    def text(self, name: str) -> str:
        """Return a mandatory text."""
        value = self.get(name)
        if not value:
            raise ApiError(-1102, name.lower() if name == "timeInForce" else name)
        return value

    def choice(self, name: str, choices: frozenset[str], code: int, default: str = "") -> str:
        """Return one of some words; an empty default makes it mandatory."""
        value = self.get(name, default) or default or self.text(name)
        if value not in choices:
            raise ApiError(code, name)
        return value

    def boolean(self, name: str, default: bool = False) -> bool:
        """Return a truth value."""
        value = self.get(name)
        if not value:
            return default
        if value.lower() not in {"true", "false"}:
            raise ApiError(-1130, name)
        return value.lower() == "true"

    def integer(self, name: str, default: int | None = None, low: int = 0, high: int = 1 << 62) -> int:
        """Return a whole number within bounds; without a default it is mandatory."""
        value = self.get(name)
        if not value:
            if default is None:
                raise ApiError(-1102, name)
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            raise ApiError(-1130 if value.isascii() else -1100, name, "[0-9]")
        number = int(value)
        if not low <= number <= high:
            raise ApiError(-1130, name)
        return number

    def decimal(self, name: str) -> Decimal:
        """Return a mandatory decimal."""
        value = self.text(name)
        if value.startswith("-"):
            raise ApiError(-4001 if name == "price" else -4003)
        if not _DECIMAL.match(value):
            raise ApiError(-1100, name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        try:
            return Decimal(value)
        except InvalidOperation:
            raise ApiError(-1102, name) from None

    def client_id(self, name: str) -> str:
        """Return a client order id, empty when none was sent."""
        value = self.get(name)
        if value and not _CLIENT_ID.match(value):
            raise ApiError(-4015)
        return value

    def items(self) -> list[tuple[str, str]]:
        """Return everything that was sent."""
        return list(self._values.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
