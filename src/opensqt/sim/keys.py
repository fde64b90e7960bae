"""API keys of the simulated users, made from the seed: the same on every start, worth nothing anywhere else."""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from opensqt.sim.dialects.binance.accounts import KeyPair
from opensqt.sim.dialects.binance.signing import KeyKind

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def make_keys(seed: int, count: int, rsa_public_pem: str = "") -> tuple[KeyPair, ...]:
    """Return keys for `count` users that sign with HMAC, one that signs with Ed25519, and one with a given RSA key.

    Args:
        seed: of the keys.
        count: how many HMAC users, named user1, user2, ...
        rsa_public_pem: the public half of a key the client holds; empty = no RSA user.
    """
    pairs = []
    for number in range(1, count + 1):
        name = f"user{number}"
        secret = _text(seed, name, "secret")
        pairs.append(
            KeyPair(name=name, key=_text(seed, name, "key"), kind=KeyKind.HMAC, secret=secret, verify_with=secret)
        )
    private = Ed25519PrivateKey.from_private_bytes(_digest(seed, "ed25519", "private")[:32])
    pairs.append(
        KeyPair(
            name="ed25519",
            key=_text(seed, "ed25519", "key"),
            kind=KeyKind.ED25519,
            secret=private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            verify_with=private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        )
    )
    if rsa_public_pem:
        pairs.append(
            KeyPair(name="rsa", key=_text(seed, "rsa", "key"), kind=KeyKind.RSA, secret="", verify_with=rsa_public_pem)
        )
    return tuple(pairs)


def _digest(seed: int, name: str, what: str) -> bytes:
    return hashlib.sha512(f"opensqt-sim:{seed}:{name}:{what}".encode()).digest()


def _text(seed: int, name: str, what: str) -> str:
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in _digest(seed, name, what))
