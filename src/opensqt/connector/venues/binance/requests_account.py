"""Builders of account requests: state, settings, history, and the listen key of the user stream.

Source: Binance docs, USDⓈ-M futures, "Account" and "Trade" REST endpoints.
"""

from opensqt.connector.rate_budget import Lane
from opensqt.connector.venues.binance.requests import Cost, Request, Security
from opensqt.domain.errors import invalid_field

MAX_USER_TRADES = 1000
MAX_LEVERAGE = 125
MAX_INCOME = 1000


def account() -> Request:
    """Ask for balances, and positions of symbols that have a position or an open order."""
    return _query("/fapi/v3/account", weight=5, api_method="v2/account.status")


def balance() -> Request:
    """Ask for the balance of every asset."""
    return _query("/fapi/v3/balance", weight=5, api_method="v2/account.balance")


def position_risk(venue_symbol: str = "") -> Request:
    """Ask for positions; only symbols with a position or an open order are answered: what is absent is flat."""
    return _query("/fapi/v3/positionRisk", _symbol(venue_symbol), weight=5, api_method="v2/account.position")


def open_orders(venue_symbol: str = "") -> Request:
    """Ask for open orders, of one symbol (weight 1) or of all (weight 40)."""
    return _query("/fapi/v1/openOrders", _symbol(venue_symbol), weight=1 if venue_symbol else 40)


def user_trades(venue_symbol: str, *, from_id: int | None = None, start_ms: int = 0, limit: int = 500) -> Request:
    """Ask for executions of one symbol, oldest first: from a trade id on, or from a time on.

    Raises:
        RequestError: `limit` is outside 1 to 1000.
    """
    if not 1 <= limit <= MAX_USER_TRADES:
        raise invalid_field("limit", limit, f"must be 1 to {MAX_USER_TRADES}")
    params = [("symbol", venue_symbol)]
    if from_id is not None:
        params.append(("fromId", str(from_id)))
    elif start_ms:
        params.append(("startTime", str(start_ms)))
    params.append(("limit", str(limit)))
    return _query("/fapi/v1/userTrades", tuple(params), weight=5)


def all_orders(venue_symbol: str, *, from_id: int | None = None, limit: int = 500) -> Request:
    """Ask for orders in whatever state, oldest first: executions name only the venue's order id, orders name ours.

    Raises:
        RequestError: `limit` is outside 1 to 1000.
    """
    if not 1 <= limit <= MAX_USER_TRADES:
        raise invalid_field("limit", limit, f"must be 1 to {MAX_USER_TRADES}")
    start = (("orderId", str(from_id)),) if from_id is not None else ()
    params = (("symbol", venue_symbol), *start, ("limit", str(limit)))
    return _query("/fapi/v1/allOrders", params, weight=5)


def account_config() -> Request:
    """Ask for position mode and multi-assets mode; weight 5, where asking for the position mode alone costs 30."""
    return _query("/fapi/v1/accountConfig", weight=5)


def symbol_config(venue_symbol: str = "") -> Request:
    """Ask for margin type and leverage by symbol."""
    return _query("/fapi/v1/symbolConfig", _symbol(venue_symbol), weight=5)


def commission_rate(venue_symbol: str) -> Request:
    """Ask for the account's fee rates in one symbol."""
    return _query("/fapi/v1/commissionRate", _symbol(venue_symbol), weight=20)


def order_rate_limits() -> Request:
    """Ask for the account's own order limits."""
    return _query("/fapi/v1/rateLimit/order", weight=1)


def set_leverage(venue_symbol: str, leverage: int) -> Request:
    """Set a symbol's leverage.

    Raises:
        RequestError: `leverage` is outside 1 to 125.
    """
    if not 1 <= leverage <= MAX_LEVERAGE:
        raise invalid_field("leverage", leverage, f"must be 1 to {MAX_LEVERAGE}")
    return _setting("/fapi/v1/leverage", (("symbol", venue_symbol), ("leverage", str(leverage))))


def set_margin_type(venue_symbol: str, *, isolated: bool) -> Request:
    """Set a symbol's margin type; the answer "no need to change" (-4046) is a success."""
    return _setting("/fapi/v1/marginType", (("symbol", venue_symbol), ("marginType", _MARGIN_TYPES[isolated])))


def set_hedge_mode(*, is_on: bool) -> Request:
    """Set the position mode of the whole account, coin-margined market included; "already so" is -4059."""
    return _setting("/fapi/v1/positionSide/dual", (("dualSidePosition", "true" if is_on else "false"),))


def start_user_stream() -> Request:
    """Create the account's listen key, or extend the one it has: the same key comes back for 60 minutes."""
    return _listen_key("POST", "userDataStream.start")


def extend_user_stream() -> Request:
    """Extend the listen key by 60 minutes."""
    return _listen_key("PUT", "userDataStream.ping")


def close_user_stream() -> Request:
    """Close the user stream for every reader of the account, other processes included."""
    return _listen_key("DELETE", "userDataStream.stop")


_MARGIN_TYPES = {True: "ISOLATED", False: "CROSSED"}


def _symbol(venue_symbol: str) -> tuple[tuple[str, str], ...]:
    return (("symbol", venue_symbol),) if venue_symbol else ()


def _query(path: str, params: tuple[tuple[str, str], ...] = (), *, weight: int, api_method: str = "") -> Request:
    return Request(
        verb="GET", path=path, params=params, security=Security.SIGNED, cost=Cost(weight), api_method=api_method
    )


def _setting(path: str, params: tuple[tuple[str, str], ...]) -> Request:
    return Request(
        verb="POST",
        path=path,
        params=params,
        security=Security.SIGNED,
        cost=Cost(1),
        lane=Lane.AMEND,
        changes_state=True,
    )


def _listen_key(verb: str, api_method: str) -> Request:
    return Request(verb=verb, path="/fapi/v1/listenKey", security=Security.KEY, cost=Cost(1), api_method=api_method)


def income(*, start_ms: int = 0, venue_symbol: str = "", kind: str = "", limit: int = 1000) -> Request:
    """Ask for everything that changed the wallet, oldest first; the venue keeps three months.

    Raises:
        RequestError: `limit` is outside 1 to 1000.
    """
    if not 1 <= limit <= MAX_INCOME:
        raise invalid_field("limit", limit, f"must be 1 to {MAX_INCOME}")
    params = [*_symbol(venue_symbol)]
    if kind:
        params.append(("incomeType", kind))
    if start_ms:
        params.append(("startTime", str(start_ms)))
    params.append(("limit", str(limit)))
    return _query("/fapi/v1/income", tuple(params), weight=30)


def key_permissions() -> Request:
    """Ask what the API key may do; answered by the wallet service, on another host."""
    return _query("/sapi/v1/account/apiRestrictions", weight=1)
