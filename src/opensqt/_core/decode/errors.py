"""The one error of every decoder: whatever bytes arrive, a decoder answers with a value or with this."""


class DecodeError(ValueError):
    """A frame is not the message it was decoded as; the text says what is wrong, at which byte, and shows the start."""
