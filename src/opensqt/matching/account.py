"""One account of the simulated exchange: its wallet in exact money units and its positions."""

from typing import final

from opensqt.matching.position import PositionState


@final
class AccountState:
    """A cross-margin account in one settle asset. `owner` is the number under which the matcher knows it."""

    __slots__ = ("default_leverage", "name", "owner", "positions", "wallet_units")

    def __init__(self, name: str, owner: int, wallet_units: int, default_leverage: int) -> None:
        self.name = name
        self.owner = owner
        self.wallet_units = wallet_units
        self.default_leverage = default_leverage
        self.positions: dict[str, PositionState] = {}

    def position(self, symbol: str) -> PositionState:
        """Return the position of a symbol, flat at the default leverage when there was none."""
        found = self.positions.get(symbol)
        if found is None:
            found = self.positions[symbol] = PositionState(self.default_leverage)
        return found

    def lots(self, symbol: str) -> int:
        """Return the signed lots held, 0 for none."""
        found = self.positions.get(symbol)
        return 0 if found is None else found.lots
