"""Whatever is asked and however the venue answers: one send per client id, one result per command, sound counts."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from models.connector_parts import SYMBOL, TIMEOUT_NS, Gate, order, request

from opensqt.connector.commands import Outcome, OutcomeReport, Place
from opensqt.domain.errors import ExistsError, NotFoundError
from opensqt.domain.order_state import OrderState

ids = st.sampled_from(["a", "b", "c", "d"])
outcomes = st.sampled_from(list(Outcome))


class GatewayMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.now = 0
        self.sent: dict[int, str] = {}
        self.results: dict[int, int] = {}
        self.asked = 0
        self.alive: set[str] = set()

    def _reply(self, number: int) -> object:
        def reply(_report: OutcomeReport) -> None:
            self.results[number] = self.results.get(number, 0) + 1

        return reply

    @rule(client_order_id=ids)
    def place(self, client_order_id: str) -> None:
        number = self.asked
        try:
            command = self.gate.gateway.place(request(client_order_id), self._reply(number), self.now)  # type: ignore[arg-type]
        except ExistsError:
            assert client_order_id in self.alive
            return
        assert client_order_id not in self.alive, "it was sent while it may exist already"
        assert isinstance(command, Place)
        self.asked += 1
        self.sent[command.token] = client_order_id
        self.alive.add(client_order_id)

    @rule(client_order_id=ids)
    def cancel(self, client_order_id: str) -> None:
        try:
            self.gate.gateway.cancel(SYMBOL, client_order_id, "", self._reply(self.asked), self.now)  # type: ignore[arg-type]
        except NotFoundError:
            return
        self.asked += 1

    @rule(outcome=outcomes, data=st.data())
    def answer(self, outcome: Outcome, data: st.DataObject) -> None:
        if not self.sent:
            return
        token = data.draw(st.sampled_from(sorted(self.sent)))
        client_order_id = self.sent.pop(token)
        if outcome is Outcome.CONFIRMED:
            self.gate.push(order(client_order_id))
        was_unknown = self.gate.gateway.unsettled.get(client_order_id) is not None
        self.gate.gateway.on_outcome(OutcomeReport(token=token, outcome=outcome), self.now)
        if outcome is Outcome.REJECTED:
            self.alive.discard(client_order_id)
        if was_unknown and outcome is Outcome.UNKNOWN:
            assert self.gate.gateway.unsettled.get(client_order_id) is not None

    @rule()
    def time_out(self) -> None:
        self.now += TIMEOUT_NS
        self.gate.gateway.expire(self.now)

    @invariant()
    def nobody_hears_twice(self) -> None:
        assert all(count == 1 for count in self.results.values())

    @invariant()
    def what_may_exist_is_counted(self) -> None:
        pending = {o.client_order_id for o in self.gate.gateway.pending_orders(SYMBOL)}
        shown = {o.client_order_id for o in self.gate.mirror.open_orders(SYMBOL)}
        assert pending | shown == self.alive
        assert all(o.state in {OrderState.PENDING_NEW, OrderState.UNKNOWN}
                   for o in self.gate.gateway.pending_orders(SYMBOL))  # fmt: skip


GatewayMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestGateway = GatewayMachine.TestCase
