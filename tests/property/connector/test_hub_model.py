"""The hub against a naive model: lossless readers lose and reorder nothing, conflated ones hold the newest per key."""

from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.connector.hub import ConflatedReader, LosslessReader, SamplingReader, Topic
from opensqt.domain.errors import LimitError

BOUND = 5

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from("abc")),
        st.tuples(st.just("lossless"), st.just("")),
        st.tuples(st.just("conflated"), st.just("")),
        st.tuples(st.just("sampling"), st.just("")),
    ),
    max_size=80,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_readers_agree_with_the_model(script: list[tuple[str, str]]) -> None:
    topic: Topic[str, int] = Topic(keep_latest=True)
    lossless: LosslessReader[str, int] = LosslessReader(lambda: None, max_pending=BOUND)
    conflated: ConflatedReader[str, int] = ConflatedReader(lambda: None)
    sampling: SamplingReader[str, int] = SamplingReader(lambda: None, max_pending=BOUND)
    topic.add(lossless)
    topic.add(conflated, "ab")
    topic.add(sampling)
    log: list[tuple[str, int]] = []
    lossless_from = conflated_from = sampling_from = 0
    is_over = False
    for kind, key in script:
        if kind == "publish":
            log.append((key, len(log)))
            topic.publish(*log[-1])
            is_over = is_over or len(log) - lossless_from > BOUND
        elif kind == "lossless":
            try:
                assert lossless.take() == [value for _key, value in log[lossless_from:]]
                assert not is_over
            except LimitError:
                assert is_over
            lossless_from = len(log)
        elif kind == "conflated":
            newest = {key: value for key, value in log[conflated_from:] if key in "ab"}
            assert sorted(conflated.take()) == sorted(newest.values())
            conflated_from = len(log)
        else:
            values = [value for _key, value in log[sampling_from:]]
            assert sampling.take() == values[-BOUND:]
            assert sampling.take_dropped() == max(0, len(values) - BOUND)
            sampling_from = len(log)
    assert topic.latest == dict(log)
