"""What the engine measures of the way of a tick and of an order."""

from opensqt.domain.clock import ManualClock
from opensqt.domain.latency import Hop, HopSummary
from opensqt.engine.events import Outcome, Result
from opensqt.engine.latency import EngineLatency
from opensqt.proto import market_data_pb2

US = 1_000
START = 10**18


def summaries(latency: EngineLatency) -> dict[Hop, HopSummary]:
    return {one.hop: one for one in latency.board.summaries()}


def update(merged: int = 1) -> market_data_pb2.BookUpdate:
    return market_data_pb2.BookUpdate(
        venue_time_ns=START - 900 * US,
        receive_time_ns=START,
        decode_time_ns=START + 2 * US,
        publish_time_ns=START + 10 * US,
        merged_count=merged,
    )


def test_a_book_update_is_cut_into_its_hops() -> None:
    clock = ManualClock(START + 100 * US)
    latency = EngineLatency(clock)
    latency.read()
    latency.took_book(update())
    found = {hop: one.max_ns // US for hop, one in summaries(latency).items()}
    assert found == {Hop.VENUE: 900, Hop.DECODE: 2, Hop.PUBLISH: 8, Hop.DELIVER: 90}


def test_a_snapshot_without_a_new_message_is_no_measurement() -> None:
    latency = EngineLatency(ManualClock(START))
    latency.read()
    latency.took_book(update(merged=0))
    assert summaries(latency) == {}


def test_the_way_of_an_order_is_measured_when_its_answer_is_there() -> None:
    clock = ManualClock(START + 100 * US)
    latency = EngineLatency(clock)
    latency.read()
    clock.advance(3 * US)
    decided = latency.decided([1, 2], START)
    assert decided == START + 103 * US
    clock.advance(400 * US)
    latency.read()
    answer = Result(
        command_id=1,
        client_order_id="x",
        outcome=Outcome.CONFIRMED,
        received_ns=decided + 50 * US,
        sent_ns=decided + 70 * US,
        acknowledged_ns=decided + 370 * US,
    )
    latency.answered(answer)
    latency.answered(answer)
    found = {hop: (one.count, one.max_ns // US) for hop, one in summaries(latency).items()}
    assert found == {
        Hop.DECIDE: (1, 3),
        Hop.SUBMIT: (1, 50),
        Hop.SEND: (1, 20),
        Hop.ACKNOWLEDGE: (1, 300),
        Hop.ANSWER: (1, 30),
        Hop.TICK_TO_ORDER: (1, 173),
        Hop.ORDER_ROUND_TRIP: (1, 400),
    }


def test_a_refused_command_and_one_of_an_ended_session_are_no_measurement() -> None:
    latency = EngineLatency(ManualClock(START))
    latency.decided([1, 2], START)
    latency.answered(Result(command_id=1, client_order_id="x", outcome=Outcome.REJECTED, received_ns=START))
    latency.detached()
    latency.answered(
        Result(command_id=2, client_order_id="y", outcome=Outcome.CONFIRMED, received_ns=START, sent_ns=START)
    )
    assert summaries(latency) == {}
