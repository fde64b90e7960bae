"""The error of recorded market data."""

from opensqt.domain.errors import ErrorReason, RequestError


class CaptureError(RequestError):
    """A capture cannot be used: the message says which file and line, what is wrong, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorReason.INVALID_FIELD, message)
