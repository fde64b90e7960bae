"""A market maker's key trades futures and nothing else."""

from random import Random
from typing import Any

import pytest

from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.connector.venues.binance.config import BinanceConfig
from opensqt.connector.venues.binance.errors import lost_failure
from opensqt.connector.venues.binance.requests import Request
from opensqt.connector.venues.binance.start_checks import StartChecks
from opensqt.domain.clock import ManualClock
from opensqt.domain.errors import AuthError, ErrorReason, OpensqtError


class Wallet:
    """Answers what a key may do."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def send(self, request: Request) -> Any:
        self.asked.append(request.path)
        return self.answer


def checks() -> StartChecks:
    unused: Any = Random(1)
    return StartChecks(BinanceConfig(), unused, ClockSync(), ManualClock())


async def test_key_for_futures_alone_passes() -> None:
    wallet: Any = Wallet(b'{"ipRestrict":true,"enableWithdrawals":false,"enableFutures":true,"enableReading":true}')
    await checks().key(wallet)
    assert wallet.asked == ["/sapi/v1/account/apiRestrictions"]


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (b'{"ipRestrict":true,"enableWithdrawals":true,"enableFutures":true}', "withdraw"),
        (b'{"ipRestrict":true,"enableWithdrawals":false,"enableFutures":false}', "futures"),
    ],
)
async def test_key_that_can_do_too_much_or_too_little_is_refused(answer: bytes, word: str) -> None:
    wallet: Any = Wallet(answer)
    with pytest.raises(AuthError, match=word) as raised:
        await checks().key(wallet)
    assert raised.value.reason is ErrorReason.VENUE_PERMISSION


async def test_service_that_does_not_answer_stops_the_start() -> None:
    wallet: Any = Wallet(lost_failure("no reply", changes_state=False))
    with pytest.raises(OpensqtError):
        await checks().key(wallet)


async def test_without_the_service_the_start_goes_on() -> None:
    await checks().key(None)
