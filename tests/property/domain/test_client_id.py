"""Client order ids: what goes in comes out, ids never collide, other people's ids are not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.domain.client_id import (
    LENGTH,
    MAX_EPOCH,
    MAX_SEQUENCE,
    MAX_SLOT,
    ClientOrderId,
    bot_prefix,
    parse_client_order_id,
)
from opensqt.domain.errors import RequestError
from opensqt.domain.order import Side

TAGS = st.from_regex(r"[a-z][a-z0-9]{0,4}", fullmatch=True)
IDS = st.builds(
    ClientOrderId,
    TAGS,
    st.integers(0, MAX_EPOCH),
    st.integers(-MAX_SLOT, MAX_SLOT),
    st.sampled_from(Side),
    st.integers(0, MAX_SEQUENCE),
)


@given(IDS)
def test_id_reads_back_as_it_was_written(parts: ClientOrderId) -> None:
    text = str(parts)
    assert len(text) == LENGTH
    assert text.isalnum()
    assert parse_client_order_id(text) == parts
    assert text.startswith(bot_prefix(parts.bot_tag))


@given(IDS, IDS)
def test_different_orders_have_different_ids(one: ClientOrderId, other: ClientOrderId) -> None:
    assert (str(one) == str(other)) is (one == other)


@given(TAGS, TAGS)
def test_no_tag_is_the_beginning_of_another(one: str, other: str) -> None:
    assert one == other or not bot_prefix(one).startswith(bot_prefix(other))


@given(st.text(max_size=40))
def test_any_text_is_an_id_of_ours_or_none(text: str) -> None:
    parsed = parse_client_order_id(text)
    assert parsed is None or str(parsed) == text


@pytest.mark.parametrize(
    "parts",
    [
        ClientOrderId("abc", MAX_EPOCH + 1, 0, Side.BUY, 0),
        ClientOrderId("abc", 0, MAX_SLOT + 1, Side.BUY, 0),
        ClientOrderId("abc", 0, 0, Side.BUY, MAX_SEQUENCE + 1),
        ClientOrderId("toolong", 0, 0, Side.BUY, 0),
        ClientOrderId("Abc", 0, 0, Side.BUY, 0),
    ],
)
def test_what_does_not_fit_is_an_error_and_never_truncated(parts: ClientOrderId) -> None:
    with pytest.raises(RequestError):
        str(parts)
