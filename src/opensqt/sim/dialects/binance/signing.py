"""Verifies request signatures: HMAC-SHA256 (hex), Ed25519 and RSA PKCS#1 v1.5 with SHA-256 (base64).

REST signs query string and body joined without a separator, less the `signature` parameter wherever it stands last;
WebSocket requests sign their parameters sorted by name. Source: Binance "General Info", "Websocket API General Info".
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final, final
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from opensqt.sim.dialects.binance.errors import AHEAD_TEXT, ApiError

AHEAD_MS: Final = 1_000
DEFAULT_RECV_WINDOW_MS: Final = 5_000
MAX_RECV_WINDOW_MS: Final = 60_000


@unique
class KeyKind(StrEnum):
    """What an API key signs with; the venue ties it to the key, not to the request."""

    HMAC = "hmac"
    ED25519 = "ed25519"
    RSA = "rsa"


@final
class Verifier:
    """Checks signatures of one API key.

    Args:
        kind: of the key.
        secret: the shared secret of an HMAC key, the public key as PEM of any other.

    Raises:
        ValueError: the PEM is not a public key of that kind.
    """

    def __init__(self, kind: KeyKind, secret: str) -> None:
        self.kind = kind
        self._secret = secret.encode()
        self._public: ed25519.Ed25519PublicKey | rsa.RSAPublicKey | None = None
        if kind is not KeyKind.HMAC:
            key = load_pem_public_key(self._secret)
            expected = ed25519.Ed25519PublicKey if kind is KeyKind.ED25519 else rsa.RSAPublicKey
            if not isinstance(key, expected):
                raise ValueError(f"the public key is no {kind} key; give a PEM of that kind")
            assert isinstance(key, ed25519.Ed25519PublicKey | rsa.RSAPublicKey)
            self._public = key

    def check(self, payload: bytes, signature: str) -> bool:
        """Return whether a signature belongs to the payload."""
        if self._public is None:
            expected = hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(expected.encode(), signature.lower().encode())
        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(self._public, ed25519.Ed25519PublicKey):
                self._public.verify(raw, payload)
            else:
                self._public.verify(raw, payload, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def split_signature(query: str, body: str) -> tuple[bytes, str]:
    """Return what was signed and the signature of a REST request.

    Raises:
        ApiError: -1102, there is no signature.
    """
    for where, other, is_body in ((body, query, True), (query, body, False)):
        rest, mark, value = where.rpartition("signature=")
        if mark and (not rest or rest.endswith("&")) and "&" not in value:
            rest = rest.removesuffix("&")
            signed = other + rest if is_body else rest + other
            return signed.encode(), unquote(value)
    raise ApiError(-1102, "signature")


def ws_payload(params: Mapping[str, object]) -> bytes:
    """Return what a WebSocket request's signature covers."""
    parts = sorted((name, value) for name, value in params.items() if name != "signature")
    return "&".join(f"{name}={_plain(value)}" for name, value in parts).encode()


def check_time(timestamp_ms: int, recv_window_ms: int, server_ms: int) -> None:
    """Refuse a request from another time: `timestamp < server + 1000 and server - timestamp <= recvWindow`."""
    if recv_window_ms > MAX_RECV_WINDOW_MS:
        raise ApiError(-1131)
    if timestamp_ms >= server_ms + AHEAD_MS:
        raise ApiError(-1021, text=AHEAD_TEXT)
    if server_ms - timestamp_ms > recv_window_ms:
        raise ApiError(-1021)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
