"""Whatever happened to a capture file: it plays to its end, or it is refused as a CaptureError. Nothing else."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.matching.config import VenueConfig
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.sources.replay import open_replay
from opensqt.matching.venue import SimulatedVenue

T = 1_721_347_200_000
GOOD = b"".join(
    b"%d %s\n" % ((T + i) * 1_000_000, text)
    for i, text in enumerate(
        [
            b'{"lastUpdateId":100,"E":%d,"T":%d,"bids":[["64000.0","1.0"]],"asks":[["64000.1","1.5"]]}' % (T, T),
            b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":%d,"T":%d,"s":"BTCUSDT","U":99,"u":102,'
            b'"pu":95,"b":[["64000.0","0.5"]],"a":[]}}' % (T + 1, T + 1),
            b'{"stream":"btcusdt@trade","data":{"e":"trade","E":%d,"T":%d,"s":"BTCUSDT","t":7,"p":"64000.0",'
            b'"q":"0.010","X":"MARKET","m":true}}' % (T + 2, T + 2),
            b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":103,"s":"BTCUSDT","b":"64000.0","B":"0.5",'
            b'"a":"64000.1","A":"1.5","T":%d,"E":%d}}' % (T + 3, T + 3),
            b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":%d,"s":"BTCUSDT","p":"64000.05",'
            b'"P":"64000.05","i":"64000.05","r":"0.0001","T":%d}}' % (T + 4, T + 1_000),
        ]
    )
)

cuts = st.tuples(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=12))


def _damaged(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, count, new in edits:
        data = data[:at] + new + data[at + count :]
    return data


@settings(max_examples=400, deadline=None)
@given(st.lists(cuts, max_size=3), st.booleans(), st.lists(cuts, max_size=1))
def test_damaged_capture_plays_or_is_refused(
    edits: list[tuple[int, int, bytes]], is_gzip: bool, outer: list[tuple[int, int, bytes]]
) -> None:
    data = _damaged(GOOD, edits)
    if is_gzip:
        data = _damaged(gzip.compress(data, mtime=0), outer)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        path.write_bytes(data)
        try:
            source = open_replay([path])
        except CaptureError:
            return
        venue = SimulatedVenue(VenueConfig(), source.instruments())
        events = list(source.pop(1 << 62))
        assert len(events) == source.summary.event_count
        for event in events:
            venue.on_market(event)
