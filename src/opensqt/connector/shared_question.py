"""One question to the venue for all who ask the same at the same time: its rate limit is everybody's.

    accounts = SharedQuestion(adapter.account.accounts)
    answer = await accounts.ask()

Nobody gets an answer to a question that was put before they asked, which could miss what they already know: whoever
comes while one is on its way waits for the next, together with all others who came meanwhile. So at most one is on its
way, and nobody waits for more than two.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar, final

T = TypeVar("T")


@final
class SharedQuestion(Generic[T]):
    """Shares the answers of `question`, a function that asks the venue.

    A caller that gives up does not take the answer away from the others.
    """

    def __init__(self, question: Callable[[], Awaitable[T]]) -> None:
        self._question = question
        self._asked: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def ask(self) -> T:
        """Return an answer to a question that was put after this call.

        Raises:
            OpensqtError: as the question raises it, to everybody who shared it.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._asked))
            self._next.add_done_callback(_read_error)
        return await asyncio.shield(self._next)

    async def _after(self, before: "asyncio.Task[T] | None") -> T:
        if before is not None:
            await asyncio.wait([before])
        # From here on it is on its way: who comes now is too late for it.
        self._asked, self._next = self._next, None
        return await self._question()


def _read_error(task: "asyncio.Task[T]") -> None:
    """Keep asyncio from reporting an error that all askers had given up on."""
    if not task.cancelled():
        task.exception()
