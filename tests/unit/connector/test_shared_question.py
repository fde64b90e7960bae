"""One question on its way at a time; nobody gets an answer older than their asking."""

import asyncio

import pytest

from opensqt.connector.shared_question import SharedQuestion
from opensqt.domain.errors import ErrorReason, UnavailableError


class Venue:
    """Answers when it is let, with how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.on_the_way = 0
        self.most_on_the_way = 0
        self.gate = asyncio.Event()
        self.failing: set[int] = set()

    async def question(self) -> int:
        self.asked += 1
        number = self.asked
        self.on_the_way += 1
        self.most_on_the_way = max(self.most_on_the_way, self.on_the_way)
        await self.gate.wait()
        self.on_the_way -= 1
        if number in self.failing:
            raise UnavailableError(ErrorReason.VENUE_UNAVAILABLE, f"question {number} failed")
        return number


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_at_the_same_time_shares_one_question() -> None:
    venue = Venue()
    shared = SharedQuestion(venue.question)
    venue.gate.set()
    assert await asyncio.gather(*(shared.ask() for _ in range(10))) == [1] * 10
    assert await shared.ask() == 2, "an answer is not kept"


async def test_who_comes_while_one_is_on_its_way_gets_the_next() -> None:
    venue = Venue()
    shared = SharedQuestion(venue.question)
    early = asyncio.create_task(shared.ask())
    await settle()
    late = [asyncio.create_task(shared.ask()) for _ in range(9)]
    await settle()
    assert venue.asked == 1
    venue.gate.set()
    assert await early == 1
    assert await asyncio.gather(*late) == [2] * 9
    assert venue.asked == 2
    assert venue.most_on_the_way == 1


async def test_an_error_goes_to_all_who_shared_it_and_to_nobody_after() -> None:
    venue = Venue()
    shared = SharedQuestion(venue.question)
    venue.failing = {1}
    venue.gate.set()
    errors = await asyncio.gather(shared.ask(), shared.ask(), return_exceptions=True)
    assert [str(error) for error in errors] == ["question 1 failed"] * 2
    assert await shared.ask() == 2


async def test_a_failed_question_does_not_hold_up_the_next() -> None:
    venue = Venue()
    shared = SharedQuestion(venue.question)
    venue.failing = {1}
    early = asyncio.create_task(shared.ask())
    await settle()
    late = asyncio.create_task(shared.ask())
    await settle()
    venue.gate.set()
    with pytest.raises(UnavailableError, match="question 1"):
        await early
    assert await late == 2


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    venue = Venue()
    shared = SharedQuestion(venue.question)
    impatient, patient = asyncio.create_task(shared.ask()), asyncio.create_task(shared.ask())
    await settle()
    impatient.cancel()
    await settle()
    venue.gate.set()
    assert await patient == 1
    assert impatient.cancelled()
