"""The original's gRPC API, rebuilt from nothing but the published table of its messages, fields and tags.

`write_protos` turns the table (Markdown: one row a message, `tag name: type` a field) into `.proto` files that share no
line with the project's own, so that a client generated from them proves what an existing client sees.
"""

import re
from pathlib import Path

_SHORT_TYPES = {"D": "google.type.Decimal", "TS": "google.protobuf.Timestamp"}
_RPC = re.compile(r"\s*(\w+)\((\w+)\) → (stream )?(\w+)")
_FIELD = re.compile(r"(\d+) (\w+): (.*)")


def read_table(text: str) -> dict[str, list[tuple[str, str]]]:
    """Return rows (name, content) by proto file name."""
    files: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] | None = None
    for line in text.splitlines():
        heading = re.fullmatch(r"\*\*(\w+)\.proto\*\*", line.strip())
        if heading:
            current = files.setdefault(heading.group(1), [])
        elif line.startswith("## "):
            current = None
        elif current is not None and line.startswith("| ") and not line.startswith("| message"):
            name, content = (cell.strip() for cell in line.strip().strip("|").split("|", 1))
            current.append((name, content))
    return files


def services(text: str) -> dict[str, dict[str, tuple[str, str, bool]]]:
    """Return {service: {rpc: (request, response, streams)}}."""
    found: dict[str, dict[str, tuple[str, str, bool]]] = {}
    for rows in read_table(text).values():
        for name, content in rows:
            heading = re.match(r"\*\*service (\w+)\*\*", name)
            if heading:
                found[heading.group(1)] = {
                    rpc: (request, response, bool(stream))
                    for rpc, request, stream, response in (_RPC.match(part).groups() for part in content.split(";"))
                }
    return found


def write_protos(text: str, folder: Path) -> list[Path]:
    """Write one `.proto` file holding everything, and return its path in a list."""
    body: list[str] = []
    for rows in read_table(text).values():
        for name, content in rows:
            body.extend(_declaration(name, content))
    path = folder / "original.proto"
    path.write_text(
        "\n".join(
            [
                'syntax = "proto3";',
                "package opensqt.market_maker.v1;",
                'import "google/protobuf/timestamp.proto";',
                'import "google/type/decimal.proto";',
                *body,
            ]
        )
    )
    return [path]


def _declaration(name: str, content: str) -> list[str]:
    if name.startswith("enum "):
        values = (value.split() for value in content.split(","))
        return [f"{name} {{", *(f"  {key} = {number};" for key, number in values), "}"]
    if name.startswith("**service"):
        service = re.match(r"\*\*service (\w+)\*\*", name).group(1)
        rpcs = (_RPC.match(part).groups() for part in content.split(";"))
        return [f"service {service} {{", *(f"  rpc {n}({q}) returns ({s or ''}{r});" for n, q, s, r in rpcs), "}"]
    if content == "(empty)":
        return [f"message {name} {{}}"]
    fields = (_FIELD.match(field.strip()).groups() for field in content.split(";"))
    return [f"message {name} {{", *(f"  {_type(kind)} {field} = {tag};" for tag, field, kind in fields), "}"]


def _type(kind: str) -> str:
    return re.sub(r"\b(D|TS)\b", lambda match: _SHORT_TYPES[match.group(1)], kind.strip())
