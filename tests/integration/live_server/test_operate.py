"""What an operator can do from the page, and that nobody else can."""

from typing import Any

import pytest
from models.fake_stack import OPERATOR_TOKEN
from models.fake_world import BOT_ID

from opensqt.runtime.config import Secret

BEARER = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
BODIES: dict[str, Any] = {
    "pause": {},
    "resume": {},
    "stop": {"mode": "keep"},
    "reconcile": {},
    "kill": {"flatten": False},
    "grid/preview": {"changes": {"interval": "3"}},
    "grid/apply": {"changes": {"interval": "3"}, "expected_version": 1, "preview_token": "t"},
    "grid/undo": {"expected_version": 1, "preview_token": "t"},
}


@pytest.mark.parametrize("action", BODIES)
async def test_every_control_needs_the_operator_and_our_own_page(
    start: Any, operator_token: Secret, action: str
) -> None:
    path, body = f"/api/bots/{BOT_ID}/{action}", BODIES[action]
    async with start(operator_token=operator_token) as running:
        assert (await running.request(path, body)).status == 401
        evil = {**BEARER, "Origin": "https://evil.example"}
        assert (await running.request(path, body, headers=evil)).status == 403
        form = {**BEARER, "Content-Type": "application/x-www-form-urlencoded"}
        assert (await running.request(path, raw=b"{}", headers=form)).status == 415
        assert running.stack.engine.calls == []
        answer = await running.request(path, body, headers=BEARER)
        assert (answer.status, answer.json()["ok"]) == (200, True)
        assert len(running.stack.engine.calls) == 1


async def test_a_preview_lists_every_order_it_touches_and_applying_it_sends_what_was_previewed(
    start: Any, operator_token: Secret
) -> None:
    path = f"/api/bots/{BOT_ID}/grid"
    async with start(operator_token=operator_token) as running:
        changes = {"interval": "3.5", "buy_window": 12, "range_action": "stop"}
        told = (await running.request(f"{path}/preview", {"changes": changes}, headers=BEARER)).json()
        assert [(step["kind"], step["side"], step["price"]) for step in told["steps"]] == [("ADD", "BUY", "2990")]
        body = {"changes": changes, "expected_version": told["base_version"], "preview_token": told["preview_token"]}
        applied = (await running.request(f"{path}/apply", body, headers=BEARER)).json()
        assert applied["version"] == told["base_version"] + 1
        (_, previewed), (_, sent) = running.stack.engine.calls
        assert previewed == sent
        assert "interval" in sent
        assert "3.5" in sent


@pytest.mark.parametrize(
    "changes",
    [None, {}, [], {"leverage": 5}, {"interval": 3}, {"interval": "-3"}, {"interval": "1e9"}, {"buy_window": "12"}],
)
async def test_a_misshapen_edit_is_refused_before_the_engine_hears_of_it(
    start: Any, operator_token: Secret, changes: Any
) -> None:
    async with start(operator_token=operator_token) as running:
        answer = await running.request(f"/api/bots/{BOT_ID}/grid/preview", {"changes": changes}, headers=BEARER)
        assert answer.status == 400
        assert running.stack.engine.calls == []


async def test_versions_can_be_read_by_everybody_who_may_read(start: Any) -> None:
    async with start() as running:
        told = (await running.request(f"/api/bots/{BOT_ID}/grid/versions")).json()
        assert [(item["version"], item["is_current"]) for item in told["versions"]] == [(1, True)]
