"""One table of everything that was measured, for people and as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

LATEST = Path(__file__).with_name("results") / "latest.json"


@dataclass(frozen=True)
class Row:
    """One measurement. `ratio` compares with the baseline, or with the peer where there is no baseline.

    The percentiles are of the same unit, where there are some; the table leaves them out.
    """

    name: str
    unit: str
    ours: float
    baseline: float | None = None
    peer: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    p50: float | None = None
    p99: float | None = None
    p999: float | None = None


ROWS: list[Row] = []


def add(row: Row) -> Row:
    """Note a measurement; a repeated name replaces the one before."""
    ROWS[:] = [known for known in ROWS if known.name != row.name]
    ROWS.append(row)
    return row


def table(rows: list[Row]) -> list[str]:
    """Return the lines of the table."""
    width = max((len(row.name) for row in rows), default=4)
    head = f"{'name':<{width}}  {'ours':>12}  {'baseline':>10}  {'peer':>10}  {'ratio':>8}  {'target':<34}  met"
    lines = [head, "-" * len(head)]
    for row in rows:
        met = {True: "yes", False: "NO", None: "-"}[row.met]
        ratio = "-" if row.ratio is None else f"{row.ratio:.1f}x"
        lines.append(
            f"{row.name:<{width}}  {_text(row.ours) + ' ' + row.unit:>12}  {_text(row.baseline):>10}  "
            f"{_text(row.peer):>10}  {ratio:>8}  {row.target:<34}  {met}"
        )
    missed = sum(row.met is False for row in rows)
    met_count = sum(row.met is True for row in rows)
    lines.append(f"{met_count} targets met, {missed} missed, {len(rows) - met_count - missed} without a target")
    return lines


def write(rows: list[Row], path: Path = LATEST) -> None:
    """Write the rows as JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    for limit, digits in ((100, 0), (10, 1), (0, 2)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def markdown(rows: list[Row]) -> str:
    """Return the table as docs/performance.md shows it."""
    lines = ["| what | ours | baseline | peer | ratio | target | met |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}x"
        met = {True: "yes", False: "**no**", None: ""}[row.met]
        cells = (row.name, f"{_text(row.ours)} {row.unit}".strip(), _blank(row.baseline), _blank(row.peer), ratio)
        lines.append("| " + " | ".join((*cells, row.target, met)) + " |")
    return "\n".join(lines)


def _blank(value: float | None) -> str:
    return "" if value is None else _text(value)


if __name__ == "__main__":
    print(markdown([Row(**row) for row in json.loads(LATEST.read_text())]))
