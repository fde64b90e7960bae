"""Typed errors on the wire: OpensqtError <-> google.rpc.Status with ErrorInfo and RetryInfo.

Everything that may change between the two sides goes through the one table in `domain.status_map`.
"""

from collections.abc import Iterable

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.domain.status_map import ERROR_DOMAIN, error_for, reason_of_status, status_of

STATUS_DETAILS_KEY = "grpc-status-details-bin"

# An error travels in trailers, and clients refuse trailers of more than 8 KiB: with an error they cannot read instead.
MAX_MESSAGE_BYTES = 1200
MAX_METADATA_BYTES = 300

# What gRPC's core says when no connection was made, so that the call was certainly never sent.
_NEVER_SENT = ("failed to connect", "connections to all backends failing", "DNS resolution failed")


def to_status(error: OpensqtError) -> grpc.Status:
    """Return the gRPC status that carries an error, for `context.abort_with_status`; long words are cut short."""
    message = status_pb2.Status(code=int(status_of(error.reason)), message=_cut(error.message, MAX_MESSAGE_BYTES))
    metadata = {key: _cut(value, MAX_METADATA_BYTES) for key, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN, metadata=metadata)
    message.details.add().Pack(info)
    if error.retry_after_ms is not None:
        seconds, rest_ms = divmod(error.retry_after_ms, 1000)
        retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds, nanos=rest_ms * 1_000_000))
        message.details.add().Pack(retry)
    status: grpc.Status = rpc_status.to_status(message)
    return status


def _cut(text: str, max_bytes: int) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= max_bytes:
        return text
    return encoded[:max_bytes].decode("utf-8", "ignore") + "..."


def from_status(status_code: int, text: str, details: bytes | None) -> OpensqtError:
    """Return the typed error of a status; `details` is the binary trailing metadata, if there was any.

    A status without our ErrorInfo (a proxy, the transport) is mapped by its code; a connection that broke may have
    delivered the request, so only one that was never made reads as "certainly not done".
    """
    reason: ErrorReason | None = None
    metadata: dict[str, str] = {}
    retry_after_ms: int | None = None
    for detail in _parse(details):
        if isinstance(detail, error_details_pb2.ErrorInfo) and detail.domain == ERROR_DOMAIN:
            reason = ErrorReason.__members__.get(detail.reason)
            metadata = dict(detail.metadata)
        elif isinstance(detail, error_details_pb2.RetryInfo):
            retry_after_ms = detail.retry_delay.seconds * 1000 + detail.retry_delay.nanos // 1_000_000
    if reason is None:
        reason = reason_of_status(status_code)
        if reason is ErrorReason.NOT_CONNECTED and not any(words in text for words in _NEVER_SENT):
            reason = ErrorReason.OUTCOME_UNKNOWN
    return error_for(reason, text, metadata=metadata, retry_after_ms=retry_after_ms)


def to_typed_error(error: aio.AioRpcError) -> OpensqtError:
    """Return the typed error of a failed call."""
    details: bytes | None = None
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS_KEY and isinstance(value, bytes):
            details = value
    code = error.code()
    return from_status(code.value[0], error.details() or code.name, details)


def _parse(details: bytes | None) -> Iterable[error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo]:
    if details is None:
        return
    try:
        status = status_pb2.Status.FromString(details)
        for packed in status.details:
            for message in (error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()):
                if packed.Unpack(message):
                    yield message
    except DecodeError:
        return  # not ours: the status code alone has to do
