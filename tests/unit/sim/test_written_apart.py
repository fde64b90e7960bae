"""The venue reads and writes its protocol by itself: nothing of the clients' side of the wire is used here."""

import ast
from pathlib import Path

CLIENT_SIDE = ("opensqt.connector", "opensqt._core.decode", "opensqt.engine", "opensqt.live_server", "ccxt")


def test_no_module_uses_the_clients_encoder_or_decoder(project_root: Path) -> None:
    used = set()
    for source in (project_root / "src" / "opensqt" / "sim").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                used.add(node.module)
            elif isinstance(node, ast.Import):
                used.update(name.name for name in node.names)
    assert [name for name in used if name.startswith(CLIENT_SIDE)] == []
