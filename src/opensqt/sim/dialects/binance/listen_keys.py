"""Keys of user streams: one per user, valid for an hour, extended by every use; an expired one is told and then silent.

Source: Binance "User Data Streams": POST returns the same key while it lives, PUT extends it, DELETE closes the stream
for every reader.
"""

import hashlib
from typing import Final, final

import msgspec

from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.errors import ApiError

DEFAULT_VALIDITY_MS: Final = 60 * 60_000
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class ListenKey(msgspec.Struct):
    """A key and when it dies."""

    user: str
    key: str
    expires_ms: int


@final
class ListenKeys:
    """All living keys."""

    def __init__(self, seed: int, validity_ms: int = DEFAULT_VALIDITY_MS) -> None:
        self._seed = seed
        self._validity_ms = validity_ms
        self._issued = 0
        self._by_user: dict[str, ListenKey] = {}

    def start(self, user: User, now_ms: int) -> str:
        """Return the user's key, the same one while it lives, and extend it."""
        held = self._by_user.get(user.name)
        if held is None:
            self._issued += 1
            seed = f"{self._seed}:{user.name}:{self._issued}".encode()
            digest = hashlib.sha512(seed).digest()
            key = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)
            held = self._by_user[user.name] = ListenKey(user.name, key, 0)
        held.expires_ms = now_ms + self._validity_ms
        return held.key

    def extend(self, user: User, now_ms: int) -> str:
        """Extend the user's key.

        Raises:
            ApiError: -1125, there is none.
        """
        if user.name not in self._by_user:
            raise ApiError(-1125)
        return self.start(user, now_ms)

    def close(self, user: User) -> str:
        """End the user's key; return it, empty when there was none."""
        held = self._by_user.pop(user.name, None)
        return "" if held is None else held.key

    def owner(self, key: str) -> str | None:
        """Return the name of the user a living key belongs to."""
        for held in self._by_user.values():
            if held.key == key:
                return held.user
        return None

    def key_of(self, user_name: str) -> str:
        """Return a user's living key, empty when there is none."""
        held = self._by_user.get(user_name)
        return "" if held is None else held.key

    def expire(self, user_name: str) -> None:
        """Let a user's key die at the next look."""
        held = self._by_user.get(user_name)
        if held is not None:
            held.expires_ms = 0

    def take_expired(self, now_ms: int) -> list[ListenKey]:
        """Remove and return the keys that died."""
        dead = [held for held in self._by_user.values() if held.expires_ms <= now_ms]
        for held in dead:
            del self._by_user[held.user]
        return dead
