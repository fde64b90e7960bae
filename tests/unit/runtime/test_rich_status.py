"""Errors as statuses: they fit into the trailers that clients accept."""

from google.rpc import error_details_pb2, status_pb2

from opensqt.domain.errors import invalid_field
from opensqt.runtime.rich_status import STATUS_DETAILS_KEY, to_status

TRAILER_LIMIT = 8192


def test_error_about_an_endless_word_still_fits_the_trailers():
    for word in ("x" * 100_000, "\N{GRINNING FACE}" * 50_000, "\ud800" * 20_000):
        status = to_status(invalid_field("symbol", word, "must be one of BTC/USDT:USDT"))
        details = dict(status.trailing_metadata)[STATUS_DETAILS_KEY]
        percent_encoded = 3 * len(status.details.encode())
        assert percent_encoded + len(details) * 4 // 3 < TRAILER_LIMIT
        message = status_pb2.Status.FromString(details)
        assert message.message.startswith("symbol was ")
        info = error_details_pb2.ErrorInfo()
        assert message.details[0].Unpack(info)
        assert info.metadata["field"] == "symbol"


def test_ordinary_error_is_not_cut():
    status = to_status(invalid_field("price", "5.55", "must be a multiple of 0.1"))
    assert status.details == "price was 5.55: must be a multiple of 0.1"
