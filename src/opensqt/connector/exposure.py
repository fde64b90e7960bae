"""What is on its way to the venue in one symbol and not in the mirror yet, at its worst. Pure."""

from typing import final

from opensqt.connector.mirror import AccountMirror
from opensqt.domain.order import OrderRequest, Side


@final
class PendingExposure:
    """Placements and amendments whose effect the venue has not shown."""

    def __init__(self) -> None:
        self.orders = 0
        self._lots = {Side.BUY: 0, Side.SELL: 0}
        self._amended: dict[str, dict[int, int]] = {}

    def count(self, request: OrderRequest, sign: int) -> None:
        """Add a placement that is on its way now (+1), or take off one that is no longer (-1)."""
        self.orders += sign
        if not request.reduce_only:
            self._lots[request.side] += sign * request.lots

    def amending(self, client_order_id: str, token: int, total_lots: int) -> None:
        """Add an amendment that is on its way: the order may have this size any moment."""
        self._amended.setdefault(client_order_id, {})[token] = total_lots

    def amended(self, client_order_id: str, token: int) -> None:
        """Take off an amendment that took no effect, or whose effect the mirror has."""
        sizes = self._amended.get(client_order_id)
        if sizes is not None:
            sizes.pop(token, None)
            if not sizes:
                del self._amended[client_order_id]

    def lots(self, side: Side, mirror: AccountMirror) -> int:
        """Return what may be added to one side by everything that is on its way."""
        lots = self._lots[side]
        if self._amended:
            for client_order_id, sizes in list(self._amended.items()):
                order = mirror.order(client_order_id)
                if order is None or order.state.is_terminal:
                    # Its end says what was executed of it.
                    del self._amended[client_order_id]
                elif order.side is side and not order.reduce_only:
                    lots += max(0, max(sizes.values()) - order.lots)
        return lots
