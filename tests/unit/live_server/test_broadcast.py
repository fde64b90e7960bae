import asyncio

from opensqt.live_server.broadcast import CUT_SLOW, Admission, Client, Group


def client(max_messages: int = 3, max_bytes: int = 1_000) -> Client:
    return Client("a", max_messages=max_messages, max_bytes=max_bytes)


async def test_messages_arrive_in_order() -> None:
    group, listener = Group(), client()
    group.add(listener)
    for text in ("1", "2", "3"):
        group.publish(text)
    assert [await listener.take() for _ in range(3)] == ["1", "2", "3"]


async def test_slow_client_is_cut_and_the_others_do_not_notice() -> None:
    group, slow, quick = Group(), client(), client()
    group.add(slow)
    group.add(quick)
    for number in range(10):
        group.publish(str(number))
        assert await quick.take() == str(number)
    assert slow.cut_reason == CUT_SLOW
    assert await slow.take() is None
    assert len(group) == 1
    assert group.cut_total == 1


async def test_client_is_cut_by_bytes_too() -> None:
    listener = client(max_messages=100, max_bytes=10)
    assert listener.offer("x" * 10)
    assert not listener.offer("x")
    assert not listener.offer("x")


async def test_bytes_are_those_of_the_wire_also_for_chinese_text() -> None:
    listener = client(max_messages=100, max_bytes=10)
    assert listener.offer("网格")  # six bytes
    assert not listener.offer("网格")


async def test_one_big_message_does_not_cut_a_client_that_keeps_up() -> None:
    listener = client(max_messages=100, max_bytes=10)
    assert listener.offer("x" * 50)
    assert await listener.take() == "x" * 50
    assert listener.offer("x" * 50)


async def test_waiting_client_wakes_up() -> None:
    listener = client()
    waiting = asyncio.create_task(listener.take())
    await asyncio.sleep(0)
    listener.offer("now")
    assert await waiting == "now"


async def test_cut_wakes_a_waiting_client() -> None:
    listener = client()
    waiting = asyncio.create_task(listener.take())
    await asyncio.sleep(0)
    listener.cut("shutdown")
    assert await waiting is None


def test_connections_are_limited_in_all_and_per_address() -> None:
    admission = Admission(max_clients=3, max_per_address=2)
    assert admission.enter("a") is None
    assert admission.enter("a") is None
    assert "address" in (admission.enter("a") or "")
    assert admission.enter("b") is None
    assert "server" in (admission.enter("c") or "")
    admission.leave("a")
    assert admission.enter("c") is None
    assert admission.count == 3
    assert admission.refused_total == 2


def test_a_client_cut_by_its_own_connection_is_counted_once() -> None:
    group = Group()
    before, after = (Client("a", max_messages=1, max_bytes=1_000) for _ in range(2))
    for client in (before, after):
        group.add(client)
        client.cut("write limit")
    group.remove(before)
    group.publish("x")
    group.remove(after)
    assert group.cut_total == 2
