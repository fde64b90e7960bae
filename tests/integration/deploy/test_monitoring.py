"""Dashboards and alert rules name only metrics and labels that running services show."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from models.ports import free_port
from models.up_process import Up, running_up
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
CONFIG = ROOT / "examples" / "binance-sim.yaml"

pytestmark = pytest.mark.slow

_NAME = re.compile(r"\bopensqt_[a-z_]+")
_SELECTOR = re.compile(r"\b(opensqt_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*[=!]~?")


def _expressions() -> list[tuple[str, str]]:
    """Return every expression with where it stands."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    found = [(rule["alert"], rule["expr"]) for group in rules["groups"] for rule in group["rules"]]
    board = json.loads((DEPLOY / "grafana" / "opensqt.json").read_text())
    found += [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]
    return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """Every series of the three services, with its labels, once the bot trades."""
    connector, engine = free_port(), free_port()
    env = {"CONNECTOR__METRICS__PORT": connector, "ENGINE__METRICS__PORT": engine}
    with running_up(CONFIG, tmp_path_factory.mktemp("monitoring"), env={k: str(v) for k, v in env.items()}) as up:
        _wait_until_active(up)
        addresses = (f"http://127.0.0.1:{connector}/", f"http://127.0.0.1:{engine}/", f"{up.page_url}metrics")
        yield {name: labels for address in addresses for name, labels in _scrape(address).items()}


def _wait_until_active(up: Up) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        bot: dict[str, Any] | None = up.bot()
        if bot is not None and bot["state"] == "active" and bot["open_orders"] > 0:
            return
        time.sleep(0.3)
    raise AssertionError(f"the bot does not trade:\n{up.words()}")


def _scrape(address: str) -> dict[str, set[str]]:
    """Return series names with their labels; a family without series yet is there by its declared name."""
    with urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for name in (family.name, f"{family.name}_total"):
            found.setdefault(name, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_that_is_charted_or_alerted_on_exists(shown: dict[str, set[str]]) -> None:
    named = {(where, name) for where, expression in _expressions() for name in _NAME.findall(expression)}

    assert len(named) > 30
    assert sorted((where, name) for where, name in named if name not in shown) == []


def test_every_label_that_is_selected_exists(shown: dict[str, set[str]]) -> None:
    wrong = [
        (where, name, label)
        for where, expression in _expressions()
        for name, selector in _SELECTOR.findall(expression)
        for label in _LABEL.findall(selector)
        if shown.get(name) and label not in shown[name]
    ]

    assert wrong == []


def test_metric_names_carry_our_prefix_and_their_unit(shown: dict[str, set[str]]) -> None:
    ours = [name for name in shown if not name.startswith(("python_", "process_"))]

    assert ours
    assert [name for name in ours if not name.startswith("opensqt_")] == []


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())

    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
            assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
