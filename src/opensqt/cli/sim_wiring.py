"""`connector.binance.endpoints: from_sim`: let the connector trade on the simulator of the same configuration.

It is resolved in the plain document, before anything is checked: the addresses of the simulator take the word's place,
and the keys of its first account are added. Keys that stand in the configuration are refused beside it: they would be
somebody's real ones.
"""

from typing import Any, cast

from opensqt.cli.sim_section import SimConfig, sim_access
from opensqt.runtime.config import ConfigProblem
from opensqt.runtime.config_convert import Converter

FROM_SIM = "from_sim"
PATH = "connector.binance.endpoints"

_KEYS = ("api_key", "api_key_file", "api_secret", "api_secret_file", "passphrase", "passphrase_file")


def wire_connector(document: dict[str, object], converter: Converter) -> list[ConfigProblem]:
    """Replace `from_sim` in a document by addresses and keys; return what stands against it.

    Args:
        document: of an umbrella, with the environment laid over it; it is changed in place.
        converter: of the document's folder.
    """
    binance = _venue_section(document)
    if binance is None or binance.get("endpoints") != FROM_SIM:
        return []
    problems: list[ConfigProblem] = []
    if "sim" not in document:
        problems.append(
            ConfigProblem(PATH, FROM_SIM, "needs a `sim` section", "add `sim:`, or write the venue's addresses")
        )
    connector = cast("dict[str, Any]", document["connector"])
    if connector.get("mode") == "live":
        problems.append(
            ConfigProblem("connector.mode", "live", "a simulator is not the live venue", "write mode: testnet")
        )
    given = [key for key in _KEYS if binance.pop(key, None) is not None]
    rule = f"must not be given with endpoints: {FROM_SIM}, which brings the simulator's own keys"
    problems += [ConfigProblem(f"connector.binance.{key}", "", rule, "remove it") for key in given]
    # A section with problems is reported when the whole is checked; its defaults do until then.
    sim = converter.convert(document.get("sim"), SimConfig, "sim")
    access = sim_access(sim if isinstance(sim, SimConfig) else SimConfig())
    binance["endpoints"] = {
        "rest": access["rest"],
        "public": access["public"],
        "market": access["market"],
        "private": access["private"],
        "order_api": access["ws_api"],
    }
    if connector.get("mode") != "paper":
        binance["api_key"] = access["accounts"][0]["key"]
        binance["api_secret"] = access["accounts"][0]["secret"]
    return problems


def _venue_section(document: dict[str, object]) -> dict[str, Any] | None:
    connector = document.get("connector")
    binance = connector.get("binance") if isinstance(connector, dict) else None
    return binance if isinstance(binance, dict) else None
