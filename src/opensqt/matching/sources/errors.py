"""The error of recorded market data."""


class CaptureError(Exception):
    """A capture cannot be used: the message says which file and line, what is wrong, and what to do."""
