"""RSA and Ed25519 signatures from a PEM private key (PKCS#8).

RSA is RSASSA-PKCS1-v1_5 over SHA-256. Only an Ed25519 key can log on to a WebSocket API session.
"""

from base64 import b64encode
from typing import NoReturn, final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from opensqt.domain.errors import invalid_field
from opensqt.runtime.secret import REDACTED, Secret


@final
class RsaSigner:
    """RSASSA-PKCS1-v1_5 with SHA-256."""

    __slots__ = ("_key",)
    can_log_on = False

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        """Return the base64 signature."""
        return b64encode(self._key.sign(payload, PKCS1v15(), SHA256())).decode()

    def __repr__(self) -> str:
        return f"RsaSigner({REDACTED})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled: it holds a key")


@final
class Ed25519Signer:
    """Ed25519."""

    __slots__ = ("_key",)
    can_log_on = True

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        """Return the base64 signature."""
        return b64encode(self._key.sign(payload)).decode()

    def __repr__(self) -> str:
        return f"Ed25519Signer({REDACTED})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled: it holds a key")


def pem_signer(secret: Secret, passphrase: Secret | None = None) -> RsaSigner | Ed25519Signer:
    """Build the signer of a PEM private key.

    Raises:
        RequestError: it is no RSA or Ed25519 private key, or the passphrase does not open it.
    """
    password = passphrase.reveal().encode() if passphrase else None
    try:
        key = load_pem_private_key(secret.reveal().strip().encode(), password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause is dropped on purpose: its text may quote the key.
        rule = "must be a PEM private key (PKCS#8), with its passphrase when it is encrypted; export it again"
        raise invalid_field("API secret", REDACTED, rule) from None
    if isinstance(key, RSAPrivateKey):
        return RsaSigner(key)
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Signer(key)
    raise invalid_field("API secret", REDACTED, "must be an RSA or Ed25519 key: Binance accepts no other kind")
