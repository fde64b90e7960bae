"""Who holds a bot, and whose orders go when its engine vanishes."""

import pytest
from models.connector_parts import order

from opensqt.connector.leases import MAX_LEASES, Lease, LeaseBook, VanishPolicy, orders_to_cancel
from opensqt.domain.client_id import ClientOrderId
from opensqt.domain.errors import ErrorReason, LimitError, StateError
from opensqt.domain.order import Side


def lease(engine_id: str = "e1", epoch: int = 1, policy: VanishPolicy = VanishPolicy.CANCEL, **bots: int) -> Lease:
    return Lease(
        engine_id=engine_id,
        epoch=epoch,
        symbols=("BTC/USDT:USDT",),
        bots=bots or {"ab": epoch},
        on_vanish=policy,
        grace_ns=100,
    )


def test_lower_epoch_is_fenced_also_after_a_restart_of_the_connector() -> None:
    book = LeaseBook()
    book.attach(lease(epoch=5), 1)
    restarted = LeaseBook()
    restarted.restore(book.leases(), book.bot_epochs(), 0)
    for held in (book, restarted):
        with pytest.raises(StateError) as raised:
            held.attach(lease(epoch=4), 2)
        assert raised.value.reason is ErrorReason.FENCED
        with pytest.raises(StateError):
            held.attach(lease("other", epoch=9, ab=4), 2)


def test_engine_that_attaches_again_replaces_its_own_stream() -> None:
    book = LeaseBook()
    assert book.attach(lease(), 1) == []
    assert book.attach(lease(), 2) == [1]
    book.detach(1, 0)
    assert book.due(10**9) == [], "the end of the replaced stream is not the engine's end"


def test_newer_run_under_another_name_takes_the_bot() -> None:
    book = LeaseBook()
    book.attach(lease("e1", ab=3), 1)
    with pytest.raises(StateError):
        book.attach(lease("e2", ab=3), 2)
    assert book.attach(lease("e2", ab=4), 2) == [1]


def test_grace_runs_from_the_end_of_the_stream() -> None:
    book = LeaseBook()
    book.attach(lease(), 1)
    assert book.due(10**9) == []
    book.detach(1, 1_000)
    assert book.due(1_099) == []
    assert [found.engine_id for found in book.due(1_100)] == ["e1"]
    assert [found.engine_id for found in book.due(1_200)] == ["e1"], "until it is done"
    book.drop("e1")
    assert book.due(10**9) == []


def test_engine_back_within_its_grace_keeps_its_orders() -> None:
    book = LeaseBook()
    book.attach(lease(), 1)
    book.detach(1, 1_000)
    book.attach(lease(), 2)
    assert book.due(10**9) == []


def test_engine_that_took_its_leave_is_not_acted_upon() -> None:
    book = LeaseBook()
    book.attach(lease(), 1)
    book.release(1)
    assert book.due(10**9) == []


def test_only_own_tags_are_cancelled_and_reduce_keeps_closing_orders() -> None:
    mine = order("oqabZZZ0001000000B0000001")
    closing = order("oqabZZZ0001000000S0000002", reduce_only=True)
    cousin = order("oqabcZZ0001000000B0000001")
    manual = order("manual")
    orders = [mine, closing, cousin, manual]
    assert orders_to_cancel(lease(), orders) == [mine, closing]
    assert orders_to_cancel(lease(policy=VanishPolicy.REDUCE), orders) == [mine]
    assert orders_to_cancel(lease(policy=VanishPolicy.KEEP), orders) == []


def test_the_order_of_an_earlier_run_is_fenced_by_its_id_alone() -> None:
    book = LeaseBook()
    book.attach(lease(epoch=40), 1)
    of_run_39, of_run_40 = (str(ClientOrderId("ab", epoch, 3, Side.BUY, 1)) for epoch in (39, 40))
    with pytest.raises(StateError) as raised:
        book.check_id(of_run_39)
    assert raised.value.reason is ErrorReason.FENCED
    for allowed in (of_run_40, str(ClientOrderId("abc", 1, 3, Side.BUY, 1)), "manual1", "oqabZZZ", ""):
        if allowed != "oqabZZZ":
            book.check_id(allowed)
    restarted = LeaseBook()
    restarted.restore([], book.bot_epochs(), 0)
    with pytest.raises(StateError):
        restarted.check_id(of_run_39)


def test_a_storm_of_engines_finds_a_full_house_and_takes_no_memory() -> None:
    book = LeaseBook()
    for number in range(MAX_LEASES):
        book.attach(lease(f"e{number}", **{f"t{number:x}": 1}), number)
    with pytest.raises(LimitError):
        book.attach(lease("one more", zz=1), 9_999)
    assert book.attach(lease("e7", epoch=2, t7=2), 9_999) == [7], "those who are known come in"


def test_a_fenced_engine_is_told_how_to_get_its_bot_back() -> None:
    book = LeaseBook()
    book.attach(lease(epoch=5), 1)
    with pytest.raises(StateError, match="state_file"):
        book.attach(lease(epoch=4), 2)
