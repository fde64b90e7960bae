"""`connector.<venue>.endpoints: from_sim`: let the connector trade on the simulator of the same configuration.

It is resolved in the plain document, before anything is checked: the addresses of the simulator take the word's place,
and the keys of its first account are added. Keys that stand in the configuration are refused beside it: they would be
somebody's real ones.
"""

from typing import Any, cast

from opensqt.cli.sim_section import SimConfig, sim_access
from opensqt.runtime.config import ConfigProblem
from opensqt.runtime.config_convert import Converter

FROM_SIM = "from_sim"

_KEYS = ("api_key", "api_key_file", "api_secret", "api_secret_file", "passphrase", "passphrase_file")


def wire_connector(document: dict[str, object], converter: Converter) -> list[ConfigProblem]:
    """Replace `from_sim` in a document by addresses and keys; return what stands against it.

    Args:
        document: of an umbrella, with the environment laid over it; it is changed in place.
        converter: of the document's folder.
    """
    # A section with problems is reported when the whole is checked; its defaults do until then.
    converted = converter.convert(document.get("sim"), SimConfig, "sim")
    sim = converted if isinstance(converted, SimConfig) else SimConfig()
    section = _venue_section(document, sim.venue)
    if section is None or section.get("endpoints") != FROM_SIM:
        return []
    path = f"connector.{sim.venue}"
    problems: list[ConfigProblem] = []
    if "sim" not in document:
        problems.append(
            ConfigProblem(
                f"{path}.endpoints", FROM_SIM, "needs a `sim` section", "add `sim:`, or write the venue's addresses"
            )
        )
    connector = cast("dict[str, Any]", document["connector"])
    if connector.get("mode") == "live":
        problems.append(
            ConfigProblem("connector.mode", "live", "a simulator is not the live venue", "write mode: testnet")
        )
    given = [key for key in _KEYS if section.pop(key, None) is not None]
    rule = f"must not be given with endpoints: {FROM_SIM}, which brings the simulator's own keys"
    problems += [ConfigProblem(f"{path}.{key}", "", rule, "remove it") for key in given]
    access = sim_access(sim)
    section["endpoints"] = {
        "rest": access["rest"],
        "public": access["public"],
        "market": access["market"],
        "private": access["private"],
        "order_api": access["ws_api"],
    }
    if connector.get("mode") != "paper":
        section["api_key"] = access["accounts"][0]["key"]
        section["api_secret"] = access["accounts"][0]["secret"]
    return problems


def _venue_section(document: dict[str, object], venue: str) -> dict[str, Any] | None:
    connector = document.get("connector")
    section = connector.get(venue) if isinstance(connector, dict) else None
    return section if isinstance(section, dict) else None
