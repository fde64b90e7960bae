"""A client of the original API, run as a process of its own with stubs of its own (never imports opensqt).

usage: original_client.py STUBS_FOLDER CONNECTOR_ADDRESS ENGINE_ADDRESS SYMBOL

Calls every unary RPC and every stream, checks that each answer makes sense, prints one JSON object
{"Service.Rpc": "ok" | "what was wrong"} and exits 0 when all are ok.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

sys.path.insert(0, sys.argv[1])

import grpc
import original_pb2 as pb
import original_pb2_grpc as rpc
from google.type.decimal_pb2 import Decimal as DecimalMessage

TIMEOUT_S = 10


def number(message: DecimalMessage) -> Decimal:
    return Decimal(message.value)


class Checks:
    """Collects one verdict per RPC."""

    def __init__(self) -> None:
        self.verdicts: dict[str, str] = {}

    def run(self, name: str, check: Callable[[], object]) -> None:
        try:
            problem = check()
            self.verdicts[name] = "ok" if problem in (None, True) else f"nonsense: {problem}"
        except grpc.RpcError as error:
            self.verdicts[name] = f"{error.code().name}: {error.details()}"
        except (AssertionError, ValueError, ArithmeticError, IndexError) as error:
            self.verdicts[name] = f"{type(error).__name__}: {error}"


def first(stream: Iterator[object], count: int = 1) -> list:
    messages = []
    for message in stream:
        messages.append(message)
        if len(messages) == count:
            break
    stream.cancel()
    return messages


def expect(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def check_exchange(checks: Checks, stub: rpc.ExchangeServiceStub, symbol: str) -> None:
    call = {"timeout": TIMEOUT_S}
    run = checks.run

    def name() -> None:
        expect(stub.GetName(pb.GetNameRequest(), **call).name, "empty name")

    def kind() -> None:
        expect(stub.GetType(pb.GetTypeRequest(), **call).type == pb.EXCHANGE_TYPE_FUTURES, "not futures")

    def symbols() -> None:
        expect(symbol in stub.GetSymbols(pb.GetSymbolsRequest(), **call).symbols, f"{symbol} is missing")

    info = pb.SymbolInfo()

    def symbol_info() -> None:
        info.CopyFrom(stub.GetSymbolInfo(pb.GetSymbolInfoRequest(symbol=symbol), **call))
        expect(info.symbol == symbol and number(info.tick_size) > 0 and number(info.step_size) > 0, str(info))

    def price() -> None:
        expect(number(stub.GetLatestPrice(pb.GetLatestPriceRequest(symbol=symbol), **call).price) > 0, "no price")

    run("ExchangeService.GetName", name)
    run("ExchangeService.GetType", kind)
    run("ExchangeService.GetSymbols", symbols)
    run(
        "ExchangeService.FetchExchangeInfo",
        lambda: stub.FetchExchangeInfo(pb.FetchExchangeInfoRequest(symbol=symbol), **call) is not None,
    )
    run("ExchangeService.GetSymbolInfo", symbol_info)
    run("ExchangeService.GetLatestPrice", price)

    def account() -> None:
        reply = stub.GetAccount(pb.GetAccountRequest(), **call)
        expect(number(reply.total_wallet_balance) > 0 and number(reply.total_margin_balance) > 0, str(reply))

    def balance() -> None:
        expect(number(stub.GetBalance(pb.GetBalanceRequest(asset=info.quote_asset), **call).balance) > 0, "no balance")

    def positions() -> None:
        reply = stub.GetPositions(pb.GetPositionsRequest(symbol=symbol), **call)
        expect(all(p.symbol == symbol for p in reply.positions), str(reply))

    def tickers() -> None:
        reply = {t.symbol: t for t in stub.GetTickers(pb.GetTickersRequest(), **call).tickers}
        expect(number(reply[symbol].last_price) > 0 and reply[symbol].timestamp > 10**12, str(reply))

    def open_interest() -> None:
        reply = stub.GetOpenInterest(pb.GetOpenInterestRequest(symbol=symbol), **call)
        expect(number(reply.open_interest) >= 0, str(reply))

    def klines() -> None:
        request = pb.GetHistoricalKlinesRequest(symbol=symbol, interval="1m", limit=50)
        candles = stub.GetHistoricalKlines(request, **call).candles
        expect(0 < len(candles) <= 50, f"{len(candles)} candles")
        times = [c.timestamp for c in candles]
        expect(times == sorted(set(times)) and times[0] > 10**12, "times are not rising milliseconds")
        for c in candles:
            low, high = number(c.low), number(c.high)
            expect(0 < low <= number(c.open) <= high and low <= number(c.close) <= high, str(c))

    def funding() -> None:
        reply = stub.GetFundingRate(pb.GetFundingRateRequest(symbol=symbol), **call)
        expect(reply.symbol == symbol and abs(number(reply.rate)) < 1 and reply.next_funding_time > 10**12, str(reply))

    def fundings() -> None:
        reply = stub.GetFundingRates(pb.GetFundingRatesRequest(), **call)
        expect(symbol in {r.symbol for r in reply.rates}, str(reply))

    def past_fundings() -> None:
        request = pb.GetHistoricalFundingRatesRequest(symbol=symbol, limit=10)
        reply = stub.GetHistoricalFundingRates(request, **call)
        expect(len(reply.rates) <= 10 and all(r.symbol == symbol for r in reply.rates), str(reply))

    run("ExchangeService.GetAccount", account)
    run("ExchangeService.GetBalance", balance)
    run("ExchangeService.GetPositions", positions)
    run("ExchangeService.GetTickers", tickers)
    run("ExchangeService.GetOpenInterest", open_interest)
    run("ExchangeService.GetHistoricalKlines", klines)
    run("ExchangeService.GetFundingRate", funding)
    run("ExchangeService.GetFundingRates", fundings)
    run("ExchangeService.GetHistoricalFundingRates", past_fundings)
    check_orders(checks, stub, symbol, info)
    check_streams(checks, stub, symbol, info)


def far_price(stub: rpc.ExchangeServiceStub, symbol: str, info: pb.SymbolInfo, step: int) -> tuple[str, str]:
    """Return (price, quantity) of a buy that rests well below the market and passes the filters."""
    last = number(stub.GetLatestPrice(pb.GetLatestPriceRequest(symbol=symbol), timeout=TIMEOUT_S).price)
    tick, lot = number(info.tick_size), number(info.step_size)
    price = (last * Decimal("0.97") // tick - step) * tick
    lots = max(number(info.min_notional) * 2 // (price * lot) + 1, 1)
    return format(price, "f"), format(lots * lot, "f")


def check_orders(checks: Checks, stub: rpc.ExchangeServiceStub, symbol: str, info: pb.SymbolInfo) -> None:
    call = {"timeout": TIMEOUT_S}
    stamp = f"{time.time_ns():x}"

    def request(step: int, **changes: object) -> pb.PlaceOrderRequest:
        price, quantity = far_price(stub, symbol, info, step)
        fields = {
            "symbol": symbol,
            "side": pb.ORDER_SIDE_BUY,
            "type": pb.ORDER_TYPE_LIMIT,
            "time_in_force": pb.TIME_IN_FORCE_GTX,
            "quantity": DecimalMessage(value=quantity),
            "price": DecimalMessage(value=price),
            "post_only": True,
            "client_order_id": f"orig{stamp}{step}",
        }
        return pb.PlaceOrderRequest(**{**fields, **changes})

    placed = pb.Order()

    def place() -> None:
        sent = request(1)
        placed.CopyFrom(stub.PlaceOrder(sent, **call))
        expect(placed.order_id > 0 and placed.client_order_id == sent.client_order_id, str(placed))
        expect(placed.status == pb.ORDER_STATUS_NEW and number(placed.price) == number(sent.price), str(placed))

    def get() -> None:
        by_id = stub.GetOrder(pb.GetOrderRequest(symbol=symbol, order_id=placed.order_id), **call)
        by_name = stub.GetOrder(pb.GetOrderRequest(symbol=symbol, client_order_id=placed.client_order_id), **call)
        expect(by_id.order_id == by_name.order_id == placed.order_id, f"{by_id} {by_name}")

    def open_orders() -> None:
        reply = stub.GetOpenOrders(pb.GetOpenOrdersRequest(symbol=symbol), **call)
        expect(placed.order_id in {o.order_id for o in reply.orders}, "the new order is not open")

    def cancel() -> None:
        stub.CancelOrder(pb.CancelOrderRequest(symbol=symbol, order_id=placed.order_id), **call)
        after = stub.GetOrder(pb.GetOrderRequest(symbol=symbol, order_id=placed.order_id), **call)
        expect(after.status == pb.ORDER_STATUS_CANCELED, str(after))

    batch_ids: list[int] = []

    def batch_place() -> None:
        orders = [request(2), request(3, side=pb.ORDER_SIDE_UNSPECIFIED), request(4)]
        reply = stub.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(orders=orders), **call)
        expect(len(reply.orders) == 3 and not reply.all_success, str(reply))
        expect([e.index for e in reply.errors] == [1] and "side" in reply.errors[0].error_message, str(reply))
        batch_ids.extend(o.order_id for o in reply.orders if o.order_id)
        expect(len(batch_ids) == 2, str(reply))

    def batch_cancel() -> None:
        ids = [*batch_ids, 1]
        reply = stub.BatchCancelOrders(pb.BatchCancelOrdersRequest(symbol=symbol, order_ids=ids), **call)
        expect([e.index for e in reply.errors] == [2], str(reply))

    checks.run("ExchangeService.PlaceOrder", place)
    checks.run("ExchangeService.GetOrder", get)
    checks.run("ExchangeService.GetOpenOrders", open_orders)
    checks.run("ExchangeService.CancelOrder", cancel)
    checks.run("ExchangeService.BatchPlaceOrders", batch_place)
    checks.run("ExchangeService.BatchCancelOrders", batch_cancel)


def check_streams(checks: Checks, stub: rpc.ExchangeServiceStub, symbol: str, info: pb.SymbolInfo) -> None:
    call = {"timeout": 20}

    def price() -> None:
        got = first(stub.SubscribePrice(pb.SubscribePriceRequest(symbols=[symbol]), **call), 3)
        expect(all(p.symbol == symbol and number(p.price) > 0 for p in got), str(got))

    def klines() -> None:
        got = first(stub.SubscribeKlines(pb.SubscribeKlinesRequest(symbols=[symbol], interval="1m"), **call), 2)
        expect(all(c.symbol == symbol and number(c.high) >= number(c.low) > 0 for c in got), str(got))

    def orders() -> None:
        got = first(stub.SubscribeOrders(pb.SubscribeOrdersRequest(), **call), 1)
        expect(got[0].symbol == symbol and got[0].client_order_id, str(got))

    def account() -> None:
        got = first(stub.SubscribeAccount(pb.SubscribeAccountRequest(), **call), 1)
        expect(number(got[0].total_wallet_balance) > 0, str(got))

    def positions() -> None:
        got = first(stub.SubscribePositions(pb.SubscribePositionsRequest(symbol=symbol), **call), 1)
        expect(got[0].symbol == symbol, str(got))

    def funding() -> None:
        got = first(stub.SubscribeFundingRate(pb.SubscribeFundingRateRequest(symbol=symbol), **call), 1)
        expect(got[0].symbol == symbol and got[0].next_funding_time > 10**12, str(got))

    checks.run("ExchangeService.SubscribePrice", price)
    checks.run("ExchangeService.SubscribeKlines", klines)
    checks.run("ExchangeService.SubscribeOrders", orders)
    checks.run("ExchangeService.SubscribeAccount", account)
    checks.run("ExchangeService.SubscribePositions", positions)
    checks.run("ExchangeService.SubscribeFundingRate", funding)


def check_cancel_all(checks: Checks, stub: rpc.ExchangeServiceStub, symbol: str) -> None:
    """Last, because it takes the running grid's orders too."""

    def cancel_all() -> None:
        stub.CancelAllOrders(pb.CancelAllOrdersRequest(symbol=symbol), timeout=TIMEOUT_S)

    checks.run("ExchangeService.CancelAllOrders", cancel_all)


def check_positions(checks: Checks, stub: rpc.PositionServiceStub, symbol: str) -> None:
    call = {"timeout": TIMEOUT_S}
    run = checks.run
    hour_ms = 3_600_000

    def positions() -> None:
        reply = stub.GetPositions(pb.PositionServiceGetPositionsRequest(symbols=[symbol]), **call)
        expect([p.symbol for p in reply.positions] == [symbol], str(reply))

    def position() -> None:
        reply = stub.GetPosition(pb.PositionServiceGetPositionRequest(symbol=symbol), **call)
        expect(reply.position.symbol == symbol and number(reply.position.current_price) > 0, str(reply))
        expect(len(reply.open_orders) > 0, "no open orders")

    def subscribe() -> None:
        request = pb.PositionServiceSubscribePositionsRequest(symbols=[symbol])
        got = first(stub.SubscribePositions(request, timeout=20), 1)
        expect(got[0].position.symbol == symbol and got[0].update_type, str(got))

    def open_orders() -> None:
        reply = stub.GetOpenOrders(pb.PositionServiceGetOpenOrdersRequest(symbols=[symbol]), **call)
        expect(reply.orders and all(o.symbol == symbol for o in reply.orders), str(reply))

    def history() -> None:
        reply = stub.GetOrderHistory(pb.PositionServiceGetOrderHistoryRequest(symbols=[symbol], limit=5), **call)
        expect(0 < len(reply.orders) <= 5, f"{len(reply.orders)} orders")

    def order() -> None:
        known = stub.GetOpenOrders(pb.PositionServiceGetOpenOrdersRequest(symbols=[symbol]), **call).orders[0]
        request = pb.PositionServiceGetOrderRequest(order_id=str(known.order_id))
        reply = stub.GetOrder(request, **call)
        expect(reply.order.client_order_id == known.client_order_id, str(reply))

    def fills() -> None:
        reply = stub.GetFills(pb.PositionServiceGetFillsRequest(symbols=[symbol], limit=5), **call)
        expect(0 < len(reply.fills) <= 5, f"{len(reply.fills)} fills")
        expect(all(number(f.quantity) > 0 and number(f.price) > 0 and f.filled_at > 10**12 for f in reply.fills), "bad")

    def position_history() -> None:
        now = stub.GetPosition(pb.PositionServiceGetPositionRequest(symbol=symbol), **call).position.updated_at
        request = pb.PositionServiceGetPositionHistoryRequest(
            symbol=symbol, start_time=max(0, now - 24 * hour_ms), end_time=now + hour_ms
        )
        reply = stub.GetPositionHistory(request, **call)
        expect(all(s.symbol == symbol for s in reply.snapshots), str(reply))

    def realized() -> None:
        reply = stub.GetRealizedPnL(pb.PositionServiceGetRealizedPnLRequest(symbols=[symbol]), **call)
        expect(
            sum((number(s.realized_pnl) for s in reply.by_symbol), Decimal(0)) == number(reply.total_pnl), str(reply)
        )

    def unrealized() -> None:
        reply = stub.GetUnrealizedPnL(pb.PositionServiceGetUnrealizedPnLRequest(symbols=[symbol]), **call)
        parts = sum((number(p.unrealized_pnl) for p in reply.positions), Decimal(0))
        expect(parts == number(reply.total_pnl), str(reply))

    run("PositionService.GetPositions", positions)
    run("PositionService.GetPosition", position)
    run("PositionService.SubscribePositions", subscribe)
    run("PositionService.GetOpenOrders", open_orders)
    run("PositionService.GetOrderHistory", history)
    run("PositionService.GetOrder", order)
    run("PositionService.GetFills", fills)
    run("PositionService.GetPositionHistory", position_history)
    run("PositionService.GetRealizedPnL", realized)
    run("PositionService.GetUnrealizedPnL", unrealized)


def check_risk(checks: Checks, stub: rpc.RiskServiceStub, symbol: str) -> None:
    call = {"timeout": TIMEOUT_S}
    run = checks.run

    def metrics() -> None:
        reply = stub.GetRiskMetrics(pb.GetRiskMetricsRequest(symbols=[symbol]), **call)
        expect([m.symbol for m in reply.metrics] == [symbol] and number(reply.metrics[0].last_price) > 0, str(reply))

    limits = pb.GetPositionLimitsResponse()

    def get_limits() -> None:
        limits.CopyFrom(stub.GetPositionLimits(pb.GetPositionLimitsRequest(symbol=symbol), **call))
        expect(limits.symbol == symbol and number(limits.max_notional_value) > 0, str(limits))

    def update_limits() -> None:
        request = pb.UpdatePositionLimitsRequest(
            symbol=symbol,
            max_position_size=limits.max_position_size,
            max_notional_value=limits.max_notional_value,
            max_leverage=limits.max_leverage,
            max_order_size=limits.max_order_size,
            reason="the same limits again",
        )
        expect(stub.UpdatePositionLimits(request, **call).success, "refused its own limits")

    def exposure() -> None:
        reply = stub.GetExposure(pb.GetExposureRequest(), **call)
        expect(number(reply.total_notional) >= 0 and symbol in {e.symbol for e in reply.exposures}, str(reply))

    breaker = {}

    def opened() -> None:
        request = pb.OpenCircuitBreakerRequest(symbol=symbol, reason="checked by a client")
        expect(stub.OpenCircuitBreaker(request, **call).success, "was not opened")
        status = stub.GetCircuitBreakerStatus(pb.GetCircuitBreakerStatusRequest(symbol=symbol), **call).status
        expect(status.is_open and "checked by a client" in status.reason, str(status))
        breaker["seen"] = True

    def alerts() -> None:
        # Opening the breaker is an alert: a subscriber is told of what is in force, then of changes.
        got = first(stub.SubscribeRiskAlerts(pb.SubscribeRiskAlertsRequest(), timeout=20), 1)
        expect(got[0].message and got[0].severity, str(got))

    def status() -> None:
        expect(breaker.get("seen"), "the breaker was never seen open")

    def closed() -> None:
        expect(stub.CloseCircuitBreaker(pb.CloseCircuitBreakerRequest(symbol=symbol), **call).success, "stayed open")
        after = stub.GetCircuitBreakerStatus(pb.GetCircuitBreakerStatusRequest(symbol=symbol), **call).status
        expect(not after.is_open, str(after))

    reconciliation = pb.TriggerReconciliationResponse()

    def trigger() -> None:
        reconciliation.CopyFrom(stub.TriggerReconciliation(pb.TriggerReconciliationRequest(symbol=symbol), **call))
        expect(reconciliation.reconciliation_id, str(reconciliation))

    def reconciled() -> None:
        request = pb.GetReconciliationStatusRequest(reconciliation_id=reconciliation.reconciliation_id)
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            reply = stub.GetReconciliationStatus(request, **call)
            if reply.completed_at or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        expect(reply.completed_at and reply.results[0].symbol == symbol, str(reply))

    run("RiskService.GetRiskMetrics", metrics)
    run("RiskService.GetPositionLimits", get_limits)
    run("RiskService.UpdatePositionLimits", update_limits)
    run("RiskService.GetExposure", exposure)
    run("RiskService.OpenCircuitBreaker", opened)
    run("RiskService.SubscribeRiskAlerts", alerts)
    run("RiskService.GetCircuitBreakerStatus", status)
    run("RiskService.CloseCircuitBreaker", closed)
    run("RiskService.TriggerReconciliation", trigger)
    run("RiskService.GetReconciliationStatus", reconciled)


def check_portfolio(checks: Checks, stub: rpc.PortfolioServiceStub, symbol: str) -> None:
    call = {"timeout": TIMEOUT_S}
    run = checks.run

    def profile() -> None:
        reply = stub.GetRiskProfile(pb.GetRiskProfileRequest(), **call)
        expect(number(reply.adjusted_equity) > 0 and 0 <= number(reply.health_score) <= 1, str(reply))

    def simulate() -> None:
        small = stub.SimulateMargin(pb.SimulateMarginRequest(proposals={symbol: DecimalMessage(value="0.001")}), **call)
        huge = stub.SimulateMargin(
            pb.SimulateMarginRequest(proposals={symbol: DecimalMessage(value="1000000")}), **call
        )
        expect(not small.would_liquidate and huge.would_liquidate, f"{small} {huge}")

    def targets() -> None:
        reply = stub.GetTargetPositions(pb.GetTargetPositionsRequest(), **call)
        expect(symbol in {t.symbol for t in reply.targets}, str(reply))

    def scores() -> None:
        # A grid engine scores no arbitrage between exchanges; it says so instead of answering an empty list.
        try:
            stub.GetMarketScores(pb.GetMarketScoresRequest(), **call)
        except grpc.RpcError as error:
            expect(error.code() is grpc.StatusCode.UNIMPLEMENTED and error.details(), str(error))
        else:
            raise AssertionError("answered without having scores")

    run("PortfolioService.GetRiskProfile", profile)
    run("PortfolioService.SimulateMargin", simulate)
    run("PortfolioService.GetTargetPositions", targets)
    run("PortfolioService.GetMarketScores", scores)


def main() -> int:
    _, _, connector, engine, symbol = sys.argv
    checks = Checks()
    with grpc.insecure_channel(connector) as exchange, grpc.insecure_channel(engine) as bot:
        check_exchange(checks, rpc.ExchangeServiceStub(exchange), symbol)
        check_positions(checks, rpc.PositionServiceStub(bot), symbol)
        check_risk(checks, rpc.RiskServiceStub(bot), symbol)
        check_portfolio(checks, rpc.PortfolioServiceStub(bot), symbol)
        check_cancel_all(checks, rpc.ExchangeServiceStub(exchange), symbol)
    sys.stdout.write(json.dumps(checks.verdicts) + "\n")
    return 0 if all(verdict == "ok" for verdict in checks.verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
