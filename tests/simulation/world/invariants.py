"""The invariants, checked as things happen: against what the venue truly has, not against what anybody believes.

`Truth` knows every order of ours that lives or may still come to life: from the moment the engine sends it until the
venue ended it or nothing can carry it any more. `Checks` compares with it, and with naive twins of book and ledger, at
every turn of the engine, every event of the venue, and after every event of the simulation.
"""

from typing import TYPE_CHECKING, Any

import msgspec
from simulation.world.exchange import ACCOUNT
from simulation.world.truth import NaiveLedger, Truth

from opensqt.connector.commands import Place as VenuePlace
from opensqt.connector.rate_budget import Lane, RateBudget
from opensqt.domain.client_id import parse_client_order_id
from opensqt.domain.errors import ErrorReason, LimitError
from opensqt.domain.fill import Fill
from opensqt.domain.market import BookValidity, FeedHealth
from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState
from opensqt.engine.bot import FILL_OVERLAP_NS, FLATTEN_SLOT
from opensqt.engine.commands import CashFlowRecord, Command, FillRecord, OrderRecord, Place, StoreRecord
from opensqt.engine.events import Attached, BookTop, Event
from opensqt.engine.publisher import Publisher
from opensqt.live_server.replica import EngineReplica, ReplicaDivergedError
from opensqt.matching.events import FillHappened, OrderChanged, VenueEvent
from opensqt.proto import trade_pb2

if TYPE_CHECKING:
    from simulation.world.world import World

BOOK_MEMORY_NS = 6_000_000_000
FULL_BOOK_EVERY = 32

INVARIANTS = (
    "fills_never_lost",
    "fills_never_doubled",
    "cumulative_filled_monotone",
    "terminal_state_needs_venue_evidence",
    "worst_case_within_cap",
    "own_bid_below_own_ask",
    "one_order_per_slot_and_side",
    "no_quote_unless_book_valid",
    "no_opening_while_account_is_silent",
    "cancel_never_blocked_by_limiter",
    "pnl_parts_sum_to_equity",
    "replica_hash_equals_engine_hash",
    "same_seed_same_log",
    "restart_is_idempotent",
    "permuted_events_same_final_state",
    "book_equals_naive_model",
    "limiter_never_exceeds_venue_window",
)
"""`decoder_is_total` is a property test of the decoders (tests/property/core/test_binance_model.py, fuzz/), and
`engine_imports_no_exchange_code` one of the installed wheel (tests/packaging/test_doors.py)."""


class BrokenInvariantError(AssertionError):
    """A promise was broken. `name` is the invariant's."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name}: {what}")
        self.name = name
        self.what = what


class Checks:
    """Watches a world. A broken invariant raises `BrokenInvariantError` in the event that broke it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.truth = Truth()
        self.booked = NaiveLedger()
        self.durable = NaiveLedger()
        self.unbooked: dict[str, Fill] = {}
        self.ended: set[str] = set()
        self.placements = 0
        self.cancels = 0
        self.counts: dict[str, int] = dict.fromkeys(INVARIANTS, 0)
        self.ledger_is_whole = True
        self.replica = EngineReplica()
        self.publisher: Publisher | None = None
        self._reader: Any = None
        self._filled: dict[str, tuple[int, int]] = {}
        self._valid_ns = 0
        self._account_is_silent = False
        self._checked_id = 0
        self._full_checks = 0
        self._publisher_core: Any = None

    def fail(self, name: str, what: str) -> None:
        """Say that an invariant does not hold."""
        raise BrokenInvariantError(name, what)

    # ---- hooks of the world

    def engine_started(self) -> None:
        """A new run knows what was durable, and nothing else."""
        world = self._world
        self.booked = self.durable.copy()
        fills = world.exchange.fills
        self.unbooked = {key: fill for key, fill in fills.items() if key not in self.booked.trade_ids}
        self._filled.clear()
        self.publisher = Publisher(world.engine.core, world.engine.clock)
        self.replica = EngineReplica()
        self._reader = self.publisher.open_reader()
        world.engine.after(250_000_000, "publisher.beat", self._publish)

    def forget_durable(self) -> None:
        """The database is lost: what it had booked may be booked again, and the ledger is not whole any more."""
        self.durable = NaiveLedger()
        self.ledger_is_whole = False

    def committed(self, records: list[StoreRecord]) -> None:
        """Records became durable."""
        for record in records:
            if isinstance(record, FillRecord):
                self.durable.book(record.fill)
            elif isinstance(record, CashFlowRecord):
                self.durable.flows += record.flow.amount

    def connector_started(self) -> None:
        """Watch the limiter of this run."""
        self.watch_limiter(self._world.connector.core.budget)
        self._checked_id = 0

    def watch_limiter(self, budget: RateBudget) -> None:
        """Watch what the limiter does to cancels."""
        take = budget.take

        def watched(lane: Lane, now_ns: int, amounts: Any = None) -> None:
            try:
                take(lane, now_ns, amounts)
            except LimitError as error:
                is_blocked = lane is Lane.CANCEL and error.reason is ErrorReason.RATE_LIMITED
                if is_blocked and any(use.used < use.window.limit for use in budget.usage(now_ns)):
                    self.fail("cancel_never_blocked_by_limiter", error.message)
                raise
            if lane is Lane.CANCEL:
                self.counts["cancel_never_blocked_by_limiter"] += 1

        budget.take = watched  # type: ignore[method-assign]

    def lost_message(self, message: bytes) -> None:
        """A message of the engine will not arrive."""
        request = trade_pb2.TradeRequest.FromString(message)
        for command in request.commands.commands:
            if command.WhichOneof("command") == "place":
                self.truth.never(command.place.client_order_id)

    def never(self, command: Any) -> None:
        """A command of the connector did not and will not take effect."""
        if isinstance(command, VenuePlace):
            self.truth.never(command.request.client_order_id)

    def venue_spoke(self, events: list[VenueEvent]) -> None:
        """Something happened on our account at the venue."""
        for event in events:
            if isinstance(event, FillHappened):
                if event.fill.trade_id not in self.booked.trade_ids:
                    self.unbooked[event.fill.trade_id] = event.fill
            elif isinstance(event, OrderChanged):
                order = event.order
                self.truth.at_venue(order)
                if not order.state.is_terminal and order.client_order_id in self.ended:
                    self.fail(
                        "terminal_state_needs_venue_evidence",
                        f"the engine had ended {order.client_order_id}, and the venue has it open",
                    )

    def request_counted(self, used: int, limit: int) -> None:
        """The venue counted a request in its window."""
        self.counts["limiter_never_exceeds_venue_window"] += 1
        if used > limit:
            self.fail("limiter_never_exceeds_venue_window", f"{used} requests came in one window of the venue")

    # ---- the engine's turn

    def engine_turn(self, events: list[Event], commands: list[Command]) -> None:
        """Check what the engine decided before it is carried out."""
        booked = False
        for event in events:
            for feed in event.feeds if isinstance(event, Attached) else (event,):
                if isinstance(feed, FeedHealth):
                    self._account_is_silent = not feed.private_stream_up
        for command in commands:
            if isinstance(command, Place):
                request = self._world.exchange.listed.placed(command.request)
                self._placement(msgspec.structs.replace(command, request=request))
            elif isinstance(command, OrderRecord):
                self._order(command)
            elif isinstance(command, FillRecord):
                booked = True
                self._fill(command.fill)
            elif isinstance(command, CashFlowRecord):
                booked = True
                self.booked.flows += command.flow.amount
        if booked:
            self._ledger()
        for event in events:
            if isinstance(event, BookTop) and event.valid:
                self.counts["book_equals_naive_model"] += 1
                ticks = self._world.exchange.listed.factors(event.revision)[0]
                if (event.bid_ticks * ticks, event.ask_ticks * ticks) not in self._world.known_tops:
                    self.fail("book_equals_naive_model", f"the engine's touch {event} never was the market's")

    def _placement(self, place: Place) -> None:
        world, request = self._world, place.request
        self.placements += 1
        now_ns = world.timeline.now_ns
        owner = parse_client_order_id(request.client_order_id)
        if owner is None or request.client_order_id in self.truth.alive or request.client_order_id in self.ended:
            self.fail("one_order_per_slot_and_side", f"client order id {request.client_order_id} was used before")
        assert owner is not None
        bot = world.engine.bot
        if not request.reduce_only:
            self.counts["no_quote_unless_book_valid"] += 1
            if not bot.market.valid:
                self.fail("no_quote_unless_book_valid", f"{request.client_order_id} was placed on a book that is not")
            self.counts["no_opening_while_account_is_silent"] += 1
            if self._account_is_silent:
                self.fail(
                    "no_opening_while_account_is_silent",
                    f"{request.client_order_id} was placed although the account's stream is known to be down",
                )
            if now_ns - self._valid_ns > BOOK_MEMORY_NS:
                self.fail(
                    "no_quote_unless_book_valid",
                    f"{request.client_order_id} was placed {(now_ns - self._valid_ns) / 1e9:.1f} s after the last time "
                    "the connector had a valid book",
                )
        long_lots = 0
        for client_id, alive in self.truth.alive.items():
            if alive.side is request.side:
                if client_id in bot.leaving or owner.slot == FLATTEN_SLOT:
                    continue  # a change of the lattice took its level: it is on its way out
                known = bot.owner(client_id)
                if (known.slot if known is not None else alive.slot) == owner.slot:
                    self.fail(
                        "one_order_per_slot_and_side",
                        f"{request.client_order_id} was placed while {client_id} of the same slot may live",
                    )
            elif request.price_ticks and alive.price_ticks:
                bid, ask = (
                    (request.price_ticks, alive.price_ticks)
                    if request.side is Side.BUY
                    else (alive.price_ticks, request.price_ticks)
                )
                if bid >= ask:
                    self.fail(
                        "own_bid_below_own_ask",
                        f"{request.client_order_id} at {request.price_ticks} meets our own {client_id} at "
                        f"{alive.price_ticks}",
                    )
            if alive.side is Side.BUY and not alive.reduce_only:
                long_lots += alive.lots
        for name in ("one_order_per_slot_and_side", "own_bid_below_own_ask", "worst_case_within_cap"):
            self.counts[name] += 1
        self.truth.sent(place)
        cap = bot.gate.limits.max_position_lots
        if cap and not request.reduce_only:
            worst = world.exchange.view.position(ACCOUNT, request.symbol).lots + long_lots + request.lots
            if worst > cap:
                self.fail("worst_case_within_cap", f"position and orders make {worst} lots, the cap is {cap}")

    def _order(self, record: OrderRecord) -> None:
        order = record.order
        client_id = order.client_order_id
        tracked = self._world.engine.bot.orders.by_id.get(client_id)
        now = (order.filled_lots, tracked.venue_filled_lots if tracked is not None else 0)
        before = self._filled.get(client_id, (0, 0))
        self.counts["cumulative_filled_monotone"] += 1
        if now[0] < before[0] or now[1] < before[1]:
            self.fail("cumulative_filled_monotone", f"{client_id} fell from {before} to {now} filled lots")
        if order.filled_lots > order.lots:
            self.fail("fills_never_doubled", f"{client_id} of {order.lots} lots has {order.filled_lots} booked")
        self._filled[client_id] = now
        if order.state.is_terminal and client_id not in self.ended:
            self.counts["terminal_state_needs_venue_evidence"] += 1
            venue = self._world.exchange.view.order(ACCOUNT, order.symbol, client_order_id=client_id)
            if venue is None and client_id in self.truth.alive:
                self.fail(
                    "terminal_state_needs_venue_evidence",
                    f"{client_id} is {order.state.value} for the engine while its placement is still on its way",
                )
            if venue is not None and not venue.state.is_terminal:
                self.fail(
                    "terminal_state_needs_venue_evidence",
                    f"{client_id} is {order.state.value} for the engine and {venue.state.value} at the venue",
                )
            if order.state is OrderState.FILLED and (venue is None or venue.filled_lots < order.lots):
                self.fail("terminal_state_needs_venue_evidence", f"{client_id} was never filled at the venue")
            self.ended.add(client_id)
            if venue is None:
                self.truth.never(client_id)

    def _fill(self, fill: Fill) -> None:
        self.counts["fills_never_doubled"] += 1
        if fill.trade_id in self.booked.trade_ids:
            self.fail("fills_never_doubled", f"trade {fill.trade_id} was booked twice")
        venue = self._world.exchange.fills.get(fill.trade_id)
        if venue is None:
            self.fail("fills_never_doubled", f"trade {fill.trade_id} was booked and never happened")
        assert venue is not None
        if (venue.side, venue.price_ticks, venue.lots, venue.fee) != (fill.side, fill.price_ticks, fill.lots, fill.fee):
            self.fail("fills_never_doubled", f"trade {fill.trade_id} was booked as {fill}, the venue has {venue}")
        self.booked.book(fill)
        self.unbooked.pop(fill.trade_id, None)
        self.counts["fills_never_lost"] += 1

    def _ledger(self) -> None:
        if not self.ledger_is_whole:
            return
        bot, naive = self._world.engine.bot, self.booked
        instrument = bot.instrument
        if instrument is None:
            return
        ledger = bot.ledger
        self.counts["pnl_parts_sum_to_equity"] += 1
        if (ledger.position_lots, ledger.trade_cash_ticks_lots) != (naive.lots, naive.cash_ticks_lots):
            self.fail(
                "pnl_parts_sum_to_equity",
                f"the ledger has {ledger.position_lots} lots and {ledger.trade_cash_ticks_lots} tick-lots of cash, the "
                f"fills make {naive.lots} and {naive.cash_ticks_lots}",
            )
        mark = bot.market.mark_price(instrument)
        pnl = ledger.pnl(instrument, mark)
        cash = instrument.money(naive.cash_ticks_lots * instrument.units_per_tick_lot)
        equity = cash + instrument.lots_to_quantity(naive.lots) * mark + naive.fees + naive.flows
        parts = pnl.grid_profit + pnl.inventory + pnl.fees + pnl.funding + pnl.transfers
        if not parts == pnl.equity_change == equity:
            self.fail("pnl_parts_sum_to_equity", f"the parts sum to {parts}, equity moved by {equity}")

    # ---- after every event

    def after_event(self) -> None:
        """Check what is cheap enough to be checked always."""
        world = self._world
        if world.connector.listening:
            adapter = world.connector.adapter
            if adapter.writer.validity is BookValidity.VALID:  # type: ignore[attr-defined]
                self._valid_ns = world.timeline.now_ns
                sync = adapter.sync
                if sync.last_id != self._checked_id and sync.validity is BookValidity.VALID:
                    self._checked_id = sync.last_id
                    self._book(sync.book, sync.last_id)
        if self.unbooked and world.engine.is_up:
            oldest = next(iter(self.unbooked.values()))
            if oldest.venue_time_ns < world.engine.core.watermark_ns - FILL_OVERLAP_NS:
                self.fail("fills_never_lost", f"trade {oldest.trade_id} lies before the next question for fills")

    def _book(self, book: Any, last_id: int) -> None:
        walk = self._world.exchange.walk
        self.counts["book_equals_naive_model"] += 1
        top = walk.tops.get(last_id)
        ticks, lots = self._world.exchange.listed.factors(0)
        if top is not None and (book.best_bid_ticks * ticks, book.best_ask_ticks * ticks) != top:
            self.fail(
                "book_equals_naive_model",
                f"at update {last_id} the connector has {book.best_bid_ticks} / {book.best_ask_ticks}, the market had "
                f"{top[0]} / {top[1]}",
            )
        self._full_checks += 1
        if self._full_checks % FULL_BOOK_EVERY == 0 and last_id == walk.update_id:
            for is_bid, levels in ((True, walk.bids), (False, walk.asks)):
                if {price * ticks: size * lots for price, size in book.levels(is_bid)} != levels:
                    self.fail("book_equals_naive_model", f"at update {last_id} the levels differ")

    # ---- the page's replica

    def _publish(self) -> None:
        engine = self._world.engine
        assert self.publisher is not None, "it was started"
        self.publisher.flush()
        self.read_replica()
        engine.after(250_000_000, "publisher.beat", self._publish)

    def read_replica(self) -> None:
        """Apply what the publisher told; the replica itself compares the hash of every event."""
        queue = self._reader.queue
        while queue:
            try:
                self.replica.apply(queue.popleft())
            except ReplicaDivergedError as error:
                self.fail("replica_hash_equals_engine_hash", str(error))
            self.counts["replica_hash_equals_engine_hash"] += 1
            if not self.replica.is_verified:
                self.fail("replica_hash_equals_engine_hash", "the hash of a snapshot could not be reproduced")
