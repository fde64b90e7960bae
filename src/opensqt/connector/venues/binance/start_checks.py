"""What must hold before a single order: the clock, the key, the modes of the account, the settings of each symbol.

Asserted, never changed here: one-way mode (it concerns the whole account, the coin-margined market included). Set
when they differ: leverage and margin type of a symbol, where the configuration names them.
"""

from collections.abc import Sequence
from typing import Final, final

import structlog

from opensqt.connector.venues.binance import requests_account as ask
from opensqt.connector.venues.binance import requests_market as ask_market
from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.connector.venues.binance.clock_watch import MAX_ERROR_PART
from opensqt.connector.venues.binance.config import BinanceConfig
from opensqt.connector.venues.binance.error_codes import Executed
from opensqt.connector.venues.binance.errors import Failure
from opensqt.connector.venues.binance.parse_history import parse_key_permissions
from opensqt.connector.venues.binance.parse_market import parse_time
from opensqt.connector.venues.binance.parse_settings import (
    SymbolConfig,
    parse_account_config,
    parse_fees,
    parse_leverage,
    parse_symbol_configs,
)
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.rest import RestClient
from opensqt.connector.venues.binance.symbols import FeeRates
from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.domain.errors import AuthError, ErrorReason, NotFoundError, StateError, UnavailableError
from opensqt.domain.instrument import Instrument
from opensqt.runtime.config import ConfigError

CLOCK_SAMPLES: Final = 5

_log = structlog.get_logger(__name__)


@final
class StartChecks:
    """The questions of a start; some are asked again while running."""

    def __init__(self, config: BinanceConfig, queries: BinanceQueries, sync: ClockSync, clock: Clock) -> None:
        self._config = config
        self._q = queries
        self._sync = sync
        self._clock = clock

    async def clock_samples(self, count: int = CLOCK_SAMPLES, *, is_wrong: bool = False) -> int:
        """Ask for the venue's time; what was known before is forgotten when it is known to be wrong.

        Returns:
            By how many ns the estimate turned out to be off, beyond its error.

        Raises:
            OpensqtError: it was not told.
            StateError: CLOCK_SKEW, the round trips are too long to know it well enough.
        """
        worst_ns = 0
        for _ in range(count):
            sent_ns = self._clock.monotonic_ns()
            server_ms = await self._q.ask(ask_market.server_time(), "query time", parse_time)
            if is_wrong:
                self._sync.forget()
                is_wrong = False
            worst_ns = max(worst_ns, self._sync.add(sent_ns, self._clock.monotonic_ns(), server_ms))
        error_ms = self._sync.error_ns(self._clock.monotonic_ns()) // NS_PER_MS
        limit_ms = self._config.recv_window_ms // MAX_ERROR_PART
        if error_ms > limit_ms:
            raise StateError(
                ErrorReason.CLOCK_SKEW,
                f"the venue's clock is known to {error_ms} ms only, {limit_ms} are needed: the connection is too slow; "
                "try again, or raise binance.recv_window_ms",
            )
        return worst_ns

    def choose(self, instruments: Sequence[Instrument]) -> list[Instrument]:
        """Return the configured instruments, in the order of the configuration.

        Raises:
            ConfigError: the venue does not trade one of them.
        """
        by_name = {instrument.venue_symbol: instrument for instrument in instruments}
        by_name |= {instrument.symbol: instrument for instrument in instruments}
        missing = [name for name in self._config.symbols if name not in by_name]
        if missing:
            raise ConfigError.single(
                "binance.symbols",
                ", ".join(missing),
                "Binance USDⓈ-M futures trades no linear perpetual of that name",
                "use the venue's names, for example BTCUSDT",
            )
        return list(dict.fromkeys(by_name[name] for name in self._config.symbols))

    async def modes(self) -> None:
        """Check what concerns the whole account.

        Raises:
            StateError: POSITION_MODE, the account is in hedge mode.
            AuthError: VENUE_PERMISSION, the account may not trade.
            OpensqtError: the question failed.
        """
        config = await self._q.ask(ask.account_config(), "query account settings", parse_account_config)
        if not config.can_trade:
            raise AuthError(
                ErrorReason.VENUE_PERMISSION, "this account or key may not trade futures: enable it at the venue"
            )
        if config.hedge_mode:
            raise StateError(
                ErrorReason.POSITION_MODE,
                "the account is in hedge mode, one-way mode is needed: switch it at the venue (no open orders or "
                "positions may exist; it concerns the coin-margined market too)",
            )
        if config.multi_assets:
            _log.warning("multi_assets_mode_is_on", consequence="margin is shared between assets, isolated is refused")

    async def key(self, wallet: RestClient | None) -> None:
        """Refuse a key that can withdraw; `wallet` is the service that knows.

        Raises:
            AuthError: VENUE_PERMISSION, the key can do too much or too little.
        """
        if wallet is None:
            _log.warning("key_permissions_not_checked", why="no wallet service is configured for this mode")
            return
        body = await wallet.send(ask.key_permissions())
        if isinstance(body, Failure):
            raise body.error("query key permissions")
        try:
            may = parse_key_permissions(body)
        except PayloadError as error:
            raise UnavailableError(
                ErrorReason.VENUE_UNAVAILABLE, f"what the API key may do could not be read ({error}); try again"
            ) from error
        if may.enable_withdrawals:
            raise AuthError(
                ErrorReason.VENUE_PERMISSION,
                "this API key can withdraw: a market maker's key must not; make one for futures trading only",
            )
        if not may.enable_futures:
            raise AuthError(
                ErrorReason.VENUE_PERMISSION, "this API key may not trade futures: enable it at the venue, or make one"
            )
        if not may.ip_restrict:
            _log.warning("key_not_bound_to_addresses", advice="restrict the key to this machine's address")

    async def fees(self, instruments: Sequence[Instrument]) -> dict[str, FeeRates]:
        """Return the account's own rates by venue symbol.

        Raises:
            OpensqtError: the question failed.
        """
        return {
            instrument.venue_symbol: await self._q.ask(
                ask.commission_rate(instrument.venue_symbol), "query fee rates", parse_fees
            )
            for instrument in instruments
        }

    async def symbol_settings(self, instruments: Sequence[Instrument]) -> None:
        """Read leverage and margin type, and set those that the configuration names.

        Raises:
            OpensqtError: the question failed, or the venue refuses (open orders or a position stand against it).
        """
        configs = self._q.configs
        configs.update(await self._q.ask(ask.symbol_config(), "query symbol settings", parse_symbol_configs))
        for instrument in instruments:
            name = instrument.venue_symbol
            known = configs.get(name)
            if known is None:
                raise NotFoundError(ErrorReason.NOT_FOUND, f"the venue tells no settings of {name}; try again")
            wants_isolated = self._config.margin_type == "isolated"
            if self._config.margin_type is not None and known.is_isolated is not wants_isolated:
                await self._set_margin_type(name, wants_isolated)
                known = SymbolConfig(name, known.leverage, wants_isolated)
            if self._config.leverage is not None and known.leverage != self._config.leverage:
                request = ask.set_leverage(name, self._config.leverage)
                _, leverage = await self._q.ask(request, f"set leverage of {name}", parse_leverage)
                known = SymbolConfig(name, leverage, known.is_isolated)
                _log.info("leverage_set", symbol=name, leverage=leverage)
            configs[name] = known

    async def _set_margin_type(self, name: str, is_isolated: bool) -> None:
        found = await self._q.rest.send(ask.set_margin_type(name, isolated=is_isolated))
        if isinstance(found, Failure) and found.executed is not Executed.ALREADY_SO:
            raise found.error(f"set margin type of {name}")
        _log.info("margin_type_set", symbol=name, isolated=is_isolated)
