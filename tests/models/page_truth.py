"""Comparing a drawn page with the engine's stream: at the same sequence number, numbers as people read them."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from models.engine_story import EngineStory
from models.page_driver import PageDriver

from opensqt.proto.engine_pb2 import BotState

TRIES = 400
PAUSE_MS = 150


def shown(text: str) -> Decimal:
    """Return the number at the start of a text as people read it."""
    found = re.match(r"\s*([+\u2212-]?[\d,]*\.?\d+)", text)
    assert found, text
    return Decimal(found[1].replace("\u2212", "-").replace(",", ""))


def agrees(text: str, truth: Decimal, places: int | None = None) -> bool:
    """Return whether a text shows this number, rounded to `places`; None = to the places the text has."""
    if places is None:
        places = -int(shown(text).as_tuple().exponent)
    return abs(shown(text) - truth) <= Decimal(1).scaleb(-places) / 2


def compare_at_same_sequence(
    page: PageDriver, engine_address: str, read: str, check: Callable[[dict[str, Any], BotState], None], looks: int
) -> None:
    """Check `looks` drawn states against what the engine said at their sequence numbers.

    Args:
        read: JavaScript that returns everything that is checked, `sequence` among it; one evaluation is one drawing.
    """
    compared: set[int] = set()
    with EngineStory(engine_address) as story:
        for _ in range(TRIES):
            told = page.page.evaluate(read)
            bot = story.at(told["sequence"])
            if bot is not None and told["sequence"] not in compared:
                check(told, bot)
                compared.add(told["sequence"])
                if len(compared) >= looks:
                    return
            page.page.wait_for_timeout(PAUSE_MS)
    raise AssertionError(f"only {len(compared)} of {looks} drawn states were among the engine's")
