"""Account endpoints: balances, positions, settings, fees, brackets, income, listen keys."""

from decimal import Decimal
from typing import Any, Final, final

from opensqt.domain.money import plain
from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.api_types import Call, Endpoint, Security
from opensqt.sim.dialects.binance.brackets import bracket_rows, max_notional
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.limits import LimitConfig
from opensqt.sim.dialects.binance.listen_keys import ListenKeys
from opensqt.sim.dialects.binance.positions import Money, position_risk
from opensqt.sim.dialects.binance.rules import SymbolRules

_MARGIN_TYPES: Final = frozenset({"ISOLATED", "CROSSED"})
_WALLET_LISTS: Final = (
    "/sapi/v1/capital/config/getall",
    "/sapi/v1/margin/allAssets",
    "/sapi/v1/margin/allPairs",
    "/sapi/v1/margin/isolated/allPairs",
)
_SUCCESS: Final = {"code": 200, "msg": "success"}
_END_OF_TIME: Final = 1 << 60


@final
class AccountRest:
    """Answers everything about a user's money and settings."""

    def __init__(self, exchange: Exchange, listen_keys: ListenKeys, limits: LimitConfig) -> None:
        self._exchange = exchange
        self._listen_keys = listen_keys
        self._limits = limits

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return (method, path) -> endpoint."""
        signed, key = Security.SIGNED, Security.KEY
        rows = {
            ("GET", "/fapi/v2/account"): Endpoint(lambda c: self.account(c, every=True), signed, 5),
            ("GET", "/fapi/v3/account"): Endpoint(lambda c: self.account(c, every=False), signed, 5),
            ("GET", "/fapi/v2/balance"): Endpoint(self.balance, signed, 5),
            ("GET", "/fapi/v3/balance"): Endpoint(self.balance, signed, 5),
            ("GET", "/fapi/v2/positionRisk"): Endpoint(lambda c: self.positions(c, every=True), signed, 5),
            ("GET", "/fapi/v3/positionRisk"): Endpoint(lambda c: self.positions(c, every=False), signed, 5),
            ("POST", "/fapi/v1/leverage"): Endpoint(self._set_leverage, signed),
            ("POST", "/fapi/v1/marginType"): Endpoint(self._set_margin_type, signed),
            ("POST", "/fapi/v1/positionSide/dual"): Endpoint(self._set_position_mode, signed),
            ("GET", "/fapi/v1/positionSide/dual"): Endpoint(
                lambda c: {"dualSidePosition": c.user.dual_side}, signed, 30
            ),
            ("POST", "/fapi/v1/multiAssetsMargin"): Endpoint(self._set_multi_assets, signed),
            ("GET", "/fapi/v1/multiAssetsMargin"): Endpoint(
                lambda c: {"multiAssetsMargin": c.user.multi_assets}, signed, 30
            ),
            ("GET", "/fapi/v1/accountConfig"): Endpoint(self._account_config, signed, 5),
            ("GET", "/fapi/v1/symbolConfig"): Endpoint(self._symbol_config, signed, 5),
            ("GET", "/fapi/v1/commissionRate"): Endpoint(self._commission, signed, 20),
            ("GET", "/fapi/v1/leverageBracket"): Endpoint(self._brackets, signed),
            ("GET", "/fapi/v1/rateLimit/order"): Endpoint(self._order_limits, signed),
            ("GET", "/fapi/v1/income"): Endpoint(self._income, signed, 30),
            ("GET", "/fapi/v1/apiTradingStatus"): Endpoint(_trading_status, signed),
            ("POST", "/fapi/v1/listenKey"): Endpoint(self.start_stream, key),
            ("PUT", "/fapi/v1/listenKey"): Endpoint(self.extend_stream, key),
            ("DELETE", "/fapi/v1/listenKey"): Endpoint(self.stop_stream, key),
        }
        # Wallet and margin services of the venue that clients ask at their start; nothing of them concerns futures.
        for path in _WALLET_LISTS:
            rows["GET", path] = Endpoint(lambda _: [], signed, 1)
        return rows

    # ---- money

    def account(self, call: Call, *, every: bool) -> dict[str, Any]:
        """Return totals, assets and positions; `every` lists symbols without position or orders too."""
        user = call.user
        money = Money(self._exchange.venue, user)
        positions = self.positions(call, every=every)
        own = sum((Decimal(row["positionInitialMargin"]) for row in positions), Decimal(0))
        totals = {
            "initialMargin": f"{money.initial:.8f}",
            "maintMargin": f"{money.maintenance:.8f}",
            "walletBalance": f"{money.wallet:.8f}",
            "unrealizedProfit": f"{money.unrealized:.8f}",
            "marginBalance": f"{money.margin:.8f}",
            "positionInitialMargin": f"{own:.8f}",
            "openOrderInitialMargin": f"{max(Decimal(0), money.initial - own):.8f}",
            "crossWalletBalance": f"{money.wallet:.8f}",
            "crossUnPnl": f"{money.unrealized:.8f}",
        }
        asset: dict[str, Any] = {"asset": self._exchange.user_events.asset, **totals}
        asset |= {
            "availableBalance": f"{money.available:.8f}",
            "maxWithdrawAmount": f"{money.available:.8f}",
            "marginAvailable": True,
            "updateTime": user.updated_ms,
        }
        return {
            "feeTier": 0,
            "canTrade": user.can_trade,
            "canDeposit": True,
            "canWithdraw": False,
            "feeBurn": True,
            "tradeGroupId": -1,
            "updateTime": 0,
            "multiAssetsMargin": user.multi_assets,
            **{f"total{name[0].upper()}{name[1:]}": value for name, value in totals.items()},
            "availableBalance": f"{money.available:.8f}",
            "maxWithdrawAmount": f"{money.available:.8f}",
            "assets": [asset],
            "positions": [self._account_position(user, row) for row in positions],
        }

    def balance(self, call: Call) -> list[dict[str, Any]]:
        """Return the wallet per asset."""
        money = Money(self._exchange.venue, call.user)
        return [
            {
                "accountAlias": "".join(char for char in call.user.pair.key if char.isalpha())[:16],
                "asset": self._exchange.user_events.asset,
                "balance": f"{money.wallet:.8f}",
                "crossWalletBalance": f"{money.wallet:.8f}",
                "crossUnPnl": f"{money.unrealized:.8f}",
                "availableBalance": f"{money.available:.8f}",
                "maxWithdrawAmount": f"{money.available:.8f}",
                "marginAvailable": True,
                "updateTime": call.user.updated_ms,
            }
        ]

    def positions(self, call: Call, *, every: bool) -> list[dict[str, Any]]:
        """Return positions; version 3 lists only symbols with a position or an open order."""
        exchange, user = self._exchange, call.user
        wanted = [exchange.rule(call.params.get("symbol"))] if call.params.has("symbol") else exchange.rules.values()
        rows: list[dict[str, Any]] = []
        for rules in wanted:
            for account in user.accounts:
                symbol = rules.instrument.symbol
                is_used = exchange.venue.view.position(account, symbol).lots or exchange.venue.view.open_orders(
                    account, symbol
                )
                if every or is_used:
                    row = position_risk(exchange.venue, user, account, rules)
                    rows.append(row | self._old_fields(user, rules) if every else row)
        return rows

    def _old_fields(self, user: User, rules: SymbolRules) -> dict[str, Any]:
        setting = user.setting(rules.symbol)
        return {
            "leverage": str(setting.leverage),
            "maxNotionalValue": str(max_notional(setting.leverage)),
            "marginType": "isolated" if setting.margin_type == "ISOLATED" else "cross",
            "isAutoAddMargin": "false",
            "isolated": setting.margin_type == "ISOLATED",
            "adlQuantile": 0,
        }

    def _account_position(self, user: User, row: dict[str, Any]) -> dict[str, Any]:
        setting = user.setting(row["symbol"])
        return {
            "symbol": row["symbol"],
            "initialMargin": row["initialMargin"],
            "maintMargin": row["maintMargin"],
            "unrealizedProfit": row["unRealizedProfit"],
            "positionInitialMargin": row["positionInitialMargin"],
            "openOrderInitialMargin": row["openOrderInitialMargin"],
            "leverage": str(setting.leverage),
            "isolated": setting.margin_type == "ISOLATED",
            "entryPrice": row["entryPrice"],
            "breakEvenPrice": row["breakEvenPrice"],
            "maxNotional": str(max_notional(setting.leverage)),
            "positionSide": row["positionSide"],
            "positionAmt": row["positionAmt"],
            "notional": row["notional"],
            "isolatedMargin": row["isolatedMargin"],
            "isolatedWallet": row["isolatedWallet"],
            "updateTime": row["updateTime"],
            "bidNotional": row["bidNotional"],
            "askNotional": row["askNotional"],
        }

    # ---- settings

    def _set_leverage(self, call: Call) -> dict[str, Any]:
        rules = self._exchange.rule(call.params.text("symbol"))
        leverage = call.params.integer("leverage")
        self._exchange.set_leverage(call.user, rules, leverage)
        return {"leverage": leverage, "maxNotionalValue": str(max_notional(leverage)), "symbol": rules.symbol}

    def _set_margin_type(self, call: Call) -> dict[str, Any]:
        exchange, user = self._exchange, call.user
        rules = exchange.rule(call.params.text("symbol"))
        margin_type = call.params.choice("marginType", _MARGIN_TYPES, -1130)
        setting = user.setting(rules.symbol)
        if setting.margin_type == margin_type:
            raise ApiError(-4046)
        if user.multi_assets:
            raise ApiError(-4168)
        if exchange.open_orders(user, rules):
            raise ApiError(-4047)
        if any(exchange.venue.view.position(name, rules.instrument.symbol).lots for name in user.accounts):
            raise ApiError(-4048)
        setting.margin_type = margin_type
        return _SUCCESS

    def _set_position_mode(self, call: Call) -> dict[str, Any]:
        exchange, user = self._exchange, call.user
        dual_side = _truth(call, "dualSidePosition")
        if user.dual_side == dual_side:
            raise ApiError(-4059)
        if exchange.open_orders(user):
            raise ApiError(-4067)
        if any(exchange.venue.view.positions(name) for name in user.accounts):
            raise ApiError(-4068)
        exchange.set_position_mode(user, dual_side=dual_side)
        return _SUCCESS

    def _set_multi_assets(self, call: Call) -> dict[str, Any]:
        multi_assets = _truth(call, "multiAssetsMargin")
        if call.user.multi_assets == multi_assets:
            raise ApiError(-4171)
        call.user.multi_assets = multi_assets
        now_ms = self._exchange.now_ms
        self._exchange.tell(
            call.user, {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ai": {"j": multi_assets}}
        )
        return _SUCCESS

    def _account_config(self, call: Call) -> dict[str, Any]:
        user = call.user
        return {
            "feeTier": 0,
            "canTrade": user.can_trade,
            "canDeposit": True,
            "canWithdraw": False,
            "dualSidePosition": user.dual_side,
            "updateTime": 0,
            "multiAssetsMargin": user.multi_assets,
            "tradeGroupId": -1,
        }

    def _symbol_config(self, call: Call) -> list[dict[str, Any]]:
        exchange, params = self._exchange, call.params
        symbols = [exchange.rule(params.get("symbol")).symbol] if params.has("symbol") else list(exchange.rules)
        settings = [(symbol, call.user.setting(symbol)) for symbol in symbols]
        return [
            {
                "symbol": symbol,
                "marginType": setting.margin_type,
                "isAutoAddMargin": False,
                "leverage": setting.leverage,
                "maxNotionalValue": str(max_notional(setting.leverage)),
            }
            for symbol, setting in settings
        ]

    def _commission(self, call: Call) -> dict[str, Any]:
        rules = self._exchange.rule(call.params.text("symbol"))
        return {
            "symbol": rules.symbol,
            "makerCommissionRate": plain(rules.instrument.maker_fee_rate),
            "takerCommissionRate": plain(rules.instrument.taker_fee_rate),
            "rpiCommissionRate": "0.00005",
        }

    def _brackets(self, call: Call) -> list[dict[str, Any]]:
        exchange, params = self._exchange, call.params
        wanted = [exchange.rule(params.get("symbol"))] if params.has("symbol") else exchange.rules.values()
        return [{"symbol": rules.symbol, "notionalCoef": 1.0, "brackets": bracket_rows(rules)} for rules in wanted]

    def _order_limits(self, _: Call) -> list[dict[str, Any]]:
        return [
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self._limits.orders_10s},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": self._limits.orders_1m},
        ]

    def _income(self, call: Call) -> list[dict[str, Any]]:
        params = call.params
        limit = params.integer("limit", 100, 1, 1_000)
        start_ms, end_ms = params.integer("startTime", 0), params.integer("endTime", _END_OF_TIME)
        symbol, kind = params.get("symbol"), params.get("incomeType")
        rows = [
            row
            for row in call.user.income
            if start_ms <= row["time"] <= end_ms and symbol in {"", row["symbol"]} and kind in {"", row["incomeType"]}
        ]
        return rows[:limit] if start_ms else rows[-limit:]

    # ---- user streams

    def start_stream(self, call: Call) -> dict[str, Any]:
        """Return the user's listen key."""
        return {"listenKey": self._listen_keys.start(call.user, call.now_ms)}

    def extend_stream(self, call: Call) -> dict[str, Any]:
        """Extend the user's listen key."""
        return {"listenKey": self._listen_keys.extend(call.user, call.now_ms)}

    def stop_stream(self, call: Call) -> dict[str, Any]:
        """Close the user's stream for every reader."""
        self._listen_keys.close(call.user)
        return {}


def _trading_status(call: Call) -> dict[str, Any]:
    return {"indicators": {}, "updateTime": call.now_ms}


def _truth(call: Call, name: str) -> bool:
    call.params.text(name)
    return call.params.boolean(name)
