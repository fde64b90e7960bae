"""Every signature that was published or computed elsewhere recomputes here, and no key ever shows."""

import json
import pickle
from base64 import b64decode
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector.venues.binance.sign import (
    HmacSigner,
    encode_query,
    signed_params,
    signed_query,
    signer_of,
)
from opensqt.domain.errors import RequestError
from opensqt.runtime.secret import Secret

DOC_SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
DOC_PARAMS = (
    ("symbol", "BTCUSDT"),
    ("side", "BUY"),
    ("type", "LIMIT"),
    ("quantity", "1"),
    ("price", "9000"),
    ("timeInForce", "GTC"),
    ("recvWindow", "5000"),
    ("timestamp", "1591702613943"),
)
RFC8032_KEY = (
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n"
)


def rsa_pem(passphrase: bytes = b"") -> tuple[str, object]:
    key = generate_rsa_key(65537, 2048)
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode(), key.public_key()


def test_documented_order_is_signed_as_documented() -> None:
    query = signed_query(DOC_PARAMS, signer_of(Secret(DOC_SECRET)))

    assert query == (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
        "&timestamp=1591702613943&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    )


def test_every_published_vector_recomputes(payloads: Path) -> None:
    vectors = json.loads((payloads / "sign_vectors.json").read_text())

    assert len(vectors) == 17
    for vector in vectors:
        signer = signer_of(Secret(vector.get("secret") or vector["private_key_pem"]))
        assert signer.sign(vector["string_to_sign"].encode()) == vector["signature"], vector["origin"]


def test_requests_built_elsewhere_are_built_byte_for_byte(payloads: Path) -> None:
    compared = 0
    for vector in json.loads((payloads / "sign_vectors.json").read_text()):
        sent = vector.get("body") or urlsplit(vector.get("url", "")).query
        if not sent or "batchOrders=[" in sent:  # that one was sent unencoded; ours is encoded, see below
            continue
        params = [pair for pair in parse_qsl(sent, strict_parsing=True) if pair[0] != "signature"]
        assert signed_query(params, HmacSigner(Secret(vector["secret"]))) == sent
        compared += 1

    assert compared == 9


def test_websocket_params_are_signed_sorted_and_unencoded(payloads: Path) -> None:
    vectors = json.loads((payloads / "sign_vectors.json").read_text())
    vector = next(v for v in vectors if v.get("method") == "order.place")
    shuffled = dict(reversed(vector["params"].items()))

    assert signed_params(shuffled, HmacSigner(Secret(vector["secret"]))) == vector["ccxt_pro_sign_params"]


def test_mixed_query_and_body_are_joined_without_separator() -> None:
    joined = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=9000&recvWindow=5000&timestamp="

    signature = HmacSigner(Secret(DOC_SECRET)).sign(f"{joined}1591702613943".encode())

    assert signature == "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4"


def test_lists_and_foreign_symbols_are_encoded_before_they_are_signed() -> None:
    params = (("symbol", "币安人生USDT"), ("batchOrders", '[{"a":"1"}]'))

    assert encode_query(params) == (
        "symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&batchOrders=%5B%7B%22a%22%3A%221%22%7D%5D"
    ).replace("%3A", ":")


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1))
def test_no_value_can_smuggle_a_parameter(params: list[tuple[str, str]]) -> None:
    assert parse_qsl(encode_query(params), keep_blank_values=True, strict_parsing=True) == params


def test_rsa_signature_verifies_and_is_url_encoded() -> None:
    pem, public_key = rsa_pem()
    signer = signer_of(Secret(pem))

    query = signed_query((("timestamp", "1"),), signer)
    signature = signer.sign(b"timestamp=1")

    public_key.verify(b64decode(signature), b"timestamp=1", PKCS1v15(), SHA256())  # type: ignore[attr-defined]
    assert query == f"timestamp=1&signature={quote(signature, safe='')}"
    assert not set("+/=") & set(query.partition("&signature=")[2])


def test_encrypted_key_opens_with_its_passphrase_only() -> None:
    pem, _ = rsa_pem(b"horse")

    assert signer_of(Secret(pem), Secret("horse")).sign(b"x")
    for passphrase in (None, Secret("donkey")):
        with pytest.raises(RequestError, match="API secret"):
            signer_of(Secret(pem), passphrase)


def test_key_of_a_kind_the_venue_does_not_take_is_refused() -> None:
    key = generate_ec_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    with pytest.raises(RequestError, match="RSA or Ed25519"):
        signer_of(Secret(pem))


@pytest.mark.parametrize("secret", [DOC_SECRET, RFC8032_KEY, rsa_pem()[0]], ids=["hmac", "ed25519", "rsa"])
def test_no_key_is_ever_shown_or_pickled(secret: str) -> None:
    signer = signer_of(Secret(secret))

    for text in (repr(signer), str(signer), f"{signer}"):
        assert "[REDACTED]" in text
        assert secret not in text
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_error_about_a_broken_key_does_not_quote_it() -> None:
    with pytest.raises(RequestError) as caught:
        signer_of(Secret("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"))

    assert "c2VjcmV0" not in f"{caught.value}{caught.value.metadata}{caught.value.__cause__}"
