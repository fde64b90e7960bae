"""Signing Binance orders against what the standard library offers at hand."""

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

from opensqt.connector.venues.binance.sign import HmacSigner, signed_params, signed_query
from opensqt.runtime.secret import Secret

ORDERS = 500
SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
PARAMS = (
    ("symbol", "BTCUSDT"),
    ("side", "BUY"),
    ("type", "LIMIT"),
    ("quantity", "0.010"),
    ("timeInForce", "GTX"),
    ("price", "60000.10"),
    ("newClientOrderId", "oqbotaZ0001000000B0000001"),
    ("newOrderRespType", "ACK"),
    ("recvWindow", "5000"),
    ("timestamp", "1700000000000"),
)


def plain_signed_query() -> str:
    query = urlencode(PARAMS)
    return f"{query}&signature={hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()}"


def test_sign_an_order_for_rest(race: Any) -> None:
    """Target: <= 3 us for the encoded query and its HMAC."""
    signer = HmacSigner(Secret(SECRET))
    assert signed_query(PARAMS, signer) == plain_signed_query()

    def ours() -> None:
        for _ in range(ORDERS):
            signed_query(PARAMS, signer)

    def baseline() -> None:
        for _ in range(ORDERS):
            plain_signed_query()

    race(ours, baseline, items=ORDERS, at_least=3.5)


def test_sign_an_order_for_the_websocket_api(race: Any) -> None:
    """Target: <= 3 us for the sorted payload and its HMAC. The gate is low: keying is all that can be saved."""
    signer = HmacSigner(Secret(SECRET))
    params: dict[str, str | int] = {**dict(PARAMS), "apiKey": "k" * 64}

    def plain() -> dict[str, str | int]:
        payload = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
        signature = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return {**params, "signature": signature}

    assert signed_params(params, signer) == plain()

    def ours() -> None:
        for _ in range(ORDERS):
            signed_params(params, signer)

    def baseline() -> None:
        for _ in range(ORDERS):
            plain()

    race(ours, baseline, items=ORDERS, at_least=1.1)
