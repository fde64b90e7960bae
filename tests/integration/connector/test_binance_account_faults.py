"""What others do to the account, on a simulated Binance: it is shown at once, with its origin, and never fought."""

from decimal import Decimal
from pathlib import Path

import pytest
from models.binance_rig import trading, until
from models.connector_rig import SYMBOL

from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.domain.fill import FillOrigin
from opensqt.proto import types_pb2


async def test_f40_leverage_changed_by_hand_is_shown_at_once(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        rig.sim.fault("set_leverage", account="user1", symbol="BTCUSDT", leverage=3)
        await until(lambda: rig.core.mirror.positions[SYMBOL].leverage == 3)


async def test_f41_position_and_wallet_changed_by_somebody_else_are_shown(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        rig.sim.fault("position_change", account="user1", symbol="BTCUSDT", side="BUY", quantity="0.010")
        await until(lambda: rig.core.mirror.position_lots(SYMBOL) == 10)
        rig.sim.fault("transfer", account="user1", amount="123.45")
        await until(lambda: any(flow.amount == Decimal("123.45") for flow in rig.core.mirror.flows))
        assert len({flow.id for flow in rig.core.mirror.flows}) == len(rig.core.mirror.flows)


async def test_f41_liquidation_is_booked_with_its_origin(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        await rig.client.call("PlaceOrder", await (await rig.maker()).market(types_pb2.ORDER_SIDE_BUY))
        rig.sim.fault("liquidation", account="user1", symbol="BTCUSDT")
        await until(lambda: rig.core.mirror.position_lots(SYMBOL) == 0)
        await until(lambda: rig.core.mirror.fills[-1].origin is FillOrigin.LIQUIDATION)


async def test_manual_order_is_seen_and_left_alone(tmp_path: Path) -> None:
    async with trading(tmp_path, client_id_prefix="oq") as rig:
        rig.sim.fault("manual_order", account="user1", symbol="BTCUSDT", side="BUY", quantity="0.010", price="50000.00")
        await until(lambda: rig.core.mirror.open_count(SYMBOL) == 1)


async def test_f41_auto_deleveraging_is_booked_with_its_origin_and_orders_stay(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        await rig.client.call("PlaceOrder", await (await rig.maker()).market(types_pb2.ORDER_SIDE_BUY))
        resting = await rig.place()
        lots = rig.core.mirror.position_lots(SYMBOL)
        assert lots > 2
        rig.sim.fault("adl", account="user1", symbol="BTCUSDT", quantity="0.002")
        await until(lambda: rig.core.mirror.position_lots(SYMBOL) == lots - 2)
        await until(lambda: rig.core.mirror.fills[-1].origin is FillOrigin.ADL)
        assert [order.client_order_id for order in rig.core.mirror.open_orders(SYMBOL)] == [resting.client_order_id]


async def test_jump_of_the_mark_price_is_shown_and_the_collar_follows_it(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        before = rig.core.mirror.marks[SYMBOL].mark_price
        rig.sim.fault("mark_price", symbol="BTCUSDT", price=f"{before * 3 // 4:.2f}")
        await until(lambda: rig.core.mirror.marks[SYMBOL].mark_price == Decimal(f"{before * 3 // 4:.2f}"))
        # A buy at the old price reaches far through the new mark.
        maker = await rig.maker()
        refused = await maker.order("1.0", time_in_force=types_pb2.TIME_IN_FORCE_GTC)
        with pytest.raises(OpensqtError) as raised:
            await rig.client.call("PlaceOrder", refused)
        assert raised.value.reason in (ErrorReason.RISK_VETO, ErrorReason.PRICE_BAND)
