"""Signatures: what is sent is encoded first, then signed, byte for byte.

REST: `signature = sign(query + body)`, both concatenated without `&`; it is the last parameter of the part that carries
it. WebSocket API: all params but the signature, sorted by name, `k=v` joined by `&`, values as they are (not encoded).
HMAC signatures are hex; RSA and Ed25519 ones base64, which a URL needs percent-encoded and JSON does not.
(Binance docs: USDⓈ-M futures, general info, "SIGNED endpoint security"; WebSocket API general info.)
"""

import hmac
import string
from collections.abc import Mapping, Sequence
from typing import NoReturn, Protocol, final
from urllib.parse import quote

from opensqt.runtime.secret import REDACTED, Secret

# What needs no encoding in a query: decimals, ids, client order ids (their charset has ':' and '/').
_SAFE = "._~:/-"
_PLAIN = (string.ascii_letters + string.digits + _SAFE).encode()


class Signer(Protocol):
    """Signs with one key; never shows it."""

    @property
    def can_log_on(self) -> bool:
        """Return whether the venue lets this kind of key log on to a WebSocket API session."""
        ...

    def sign(self, payload: bytes) -> str:
        """Return the signature text of a payload: hex or base64, not URL-encoded."""
        ...


@final
class HmacSigner:
    """HMAC-SHA256 with a secret key."""

    __slots__ = ("_keyed",)
    can_log_on = False

    def __init__(self, secret: Secret) -> None:
        # Keying costs two hash blocks: done once, copied per signature.
        self._keyed = hmac.new(secret.reveal().encode(), digestmod="sha256")

    def sign(self, payload: bytes) -> str:
        """Return the hex signature."""
        keyed = self._keyed.copy()
        keyed.update(payload)
        return keyed.hexdigest()

    def __repr__(self) -> str:
        return f"HmacSigner({REDACTED})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled: it holds a key")


def signer_of(secret: Secret, passphrase: Secret | None = None) -> Signer:
    """Build the signer of an API secret: a PEM private key (RSA or Ed25519), else an HMAC secret.

    Args:
        secret: the HMAC secret, or the whole PEM text of a PKCS#8 private key.
        passphrase: of an encrypted PEM key.

    Raises:
        RequestError: the PEM text is no RSA or Ed25519 private key, or the passphrase does not open it.
    """
    if not secret.reveal().lstrip().startswith("-----BEGIN"):
        return HmacSigner(secret)
    # Only PEM keys need `cryptography`, which costs an import of tens of milliseconds.
    from opensqt.connector.venues.binance.sign_pem import pem_signer

    return pem_signer(secret, passphrase)


def encode_query(params: Sequence[tuple[str, str]]) -> str:
    """Percent-encode parameters into a query string or form body, in their order."""
    if not params:
        return ""
    text = "&".join([f"{name}={value}" for name, value in params])
    # Without the plain characters only the separators may be left, as many as the pairs need: one look at the whole
    # instead of one per value.
    if text.encode().translate(None, _PLAIN) == b"=" + b"&=" * (len(params) - 1):
        return text
    return "&".join([f"{quote(name, safe=_SAFE)}={quote(value, safe=_SAFE)}" for name, value in params])


def signed_query(params: Sequence[tuple[str, str]], signer: Signer) -> str:
    """Encode parameters and append their signature: ready to be sent as a query or as a body, unchanged."""
    query = encode_query(params)
    signature = signer.sign(query.encode())
    if not signature.isalnum():
        signature = quote(signature, safe="")
    return f"{query}&signature={signature}" if query else f"signature={signature}"


def signed_params(params: Mapping[str, str | int], signer: Signer) -> dict[str, str | int]:
    """Return the params of a WebSocket API request with their signature."""
    payload = "&".join([f"{name}={params[name]}" for name in sorted(params)])
    return {**params, "signature": signer.sign(payload.encode())}
