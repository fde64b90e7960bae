"""Error replies of the venue: code, text and HTTP status, and which code a reason of the simulated exchange becomes.

Texts are those of Binance's "Error Codes" page, where recorded replies differ the recorded ones.
"""

from typing import Final, final

from opensqt.domain.errors import ErrorReason

TEXTS: Final[dict[int, str]] = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1002: "You are not authorized to execute this request.",
    -1003: "Too many requests; current limit is {} request weight per 1 MINUTE. Please use WebSocket Streams for live "
    "updates to avoid polling the API.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
    "Please try again.",
    -1015: "Too many new orders; current limit is {} orders per {}.",
    -1016: "This service is no longer available.",
    -1020: "This operation is not supported.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1100: "Illegal characters found in parameter '{}'; legal range is '{}'.",
    -1101: "Too many parameters sent for this endpoint.",
    -1102: "Mandatory parameter '{}' was not sent, was empty/null, or malformed.",
    -1106: "Parameter '{}' sent when not required.",
    -1111: "Precision is over the maximum defined for this asset.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1120: "Invalid interval.",
    -1121: "Invalid symbol.",
    -1125: "This listenKey does not exist.",
    -1128: "Combination of optional parameters invalid.",
    -1131: "recvWindow must be less than 60000",
    -1130: "Data sent for parameter '{}' is not valid.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action, request ip: {}",
    -2019: "Margin is insufficient.",
    -2022: "ReduceOnly Order is rejected.",
    -2025: "Reach max open order limit.",
    -2027: "Exceeded the maximum allowable position at current leverage.",
    -2028: "Leverage is smaller than permitted: insufficient margin balance.",
    -4001: "Price less than 0.",
    -4002: "Price greater than max price.",
    -4003: "Quantity less than or equal to zero.",
    -4004: "Quantity less than min quantity.",
    -4005: "Quantity greater than max quantity.",
    -4013: "Price less than min price.",
    -4014: "Price not increased by tick size.",
    -4015: "Client order id is not valid.",
    -4016: "Limit price can't be higher than {}.",
    -4023: "Qty not increased by step size.",
    -4024: "Limit price can't be lower than {}.",
    -4028: "Leverage {} is not valid.",
    -4045: "Reach max stop order limit.",
    -4046: "No need to change margin type.",
    -4047: "Margin type cannot be changed if there exists open orders.",
    -4048: "Margin type cannot be changed if there exists position.",
    -4059: "No need to change position side.",
    -4060: "Invalid position side.",
    -4061: "Order's position side does not match user's setting.",
    -4067: "Position side cannot be changed if there exists open orders.",
    -4068: "Position side cannot be changed if there exists position.",
    -4082: "Invalid number of batch place orders.",
    -4087: "User can only place reduce only order.",
    -4116: "ClientOrderId is duplicated.",
    -4120: "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    -4131: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    -4140: "Invalid symbol status for opening position.",
    -4164: "Order's notional must be no smaller than {} (unless you choose reduce only)",
    -4168: "Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
    -4171: "No need to change Multi-Assets mode.",
    -5000: "Path {}, Method {} is invalid",
    -5021: "Due to the order could not be filled immediately, the FOK order has been rejected. The order will not be "
    "recorded in the order history",
    -5022: "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not "
    "be recorded in the order history",
    -5025: "Only limit order is supported.",
    -5026: "Exceed maximum modify order limit.",
    -5027: "No need to modify the order.",
    -5029: "Order's notional must be no smaller than {}.",
    -5037: "Invalid price match",
    -5038: "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT",
    -5039: "Invalid self trade prevention mode",
    -5040: "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than "
    "253402300799000",
    -5041: "No depth matches this BBO order",
}

HTTP_STATUS: Final[dict[int, int]] = {
    -1002: 401,
    -1003: 429,
    -1006: 503,
    -1007: 408,
    -1008: 503,
    -1015: 429,
    -2014: 401,
    -2015: 401,
    -5000: 404,
}
"""Statuses other than 400."""

AHEAD_TEXT: Final = "Timestamp for this request was 1000ms ahead of the server's time."

FROM_REASON: Final[dict[ErrorReason, int]] = {
    ErrorReason.INSUFFICIENT_MARGIN: -2019,
    ErrorReason.POST_ONLY_WOULD_CROSS: -5022,
    ErrorReason.REDUCE_ONLY_REJECTED: -2022,
    ErrorReason.DUPLICATE_CLIENT_ID: -4116,
    ErrorReason.MAX_OPEN_ORDERS: -2025,
    ErrorReason.SYMBOL_NOT_TRADING: -4140,
    ErrorReason.UNKNOWN_SYMBOL: -1121,
    ErrorReason.VENUE_UNAVAILABLE: -1008,
    ErrorReason.LEVERAGE_LIMIT: -4028,
    ErrorReason.UNKNOWN_ORDER: -2011,
}
"""What the simulated exchange's own refusals become; filters are checked by the dialect before it is asked."""


@final
class ApiError(Exception):
    """A refusal as the venue words it.

    Args:
        code: the venue's, negative.
        details: fill the blanks of its text.
        text: instead of the table's.
        http: instead of the table's status.
        retry_after_s: sent as a header.
    """

    def __init__(
        self, code: int, *details: object, text: str = "", http: int = 0, retry_after_s: int | None = None
    ) -> None:
        self.code = code
        self.text = text or TEXTS[code].format(*details)
        self.http = http or HTTP_STATUS.get(code, 400)
        self.retry_after_s = retry_after_s
        super().__init__(f"{code}: {self.text}")

    def body(self) -> dict[str, object]:
        """Return the reply's members."""
        return {"code": self.code, "msg": self.text}
