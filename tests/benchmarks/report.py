"""The table of a run, and the run before it."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import exp, log
from pathlib import Path
from typing import Any

LAST = Path(__file__).parent / "last.json"
"""Git-ignored: a run says something on the machine that it was made on."""


@dataclass(frozen=True)
class Row:
    """One cell: our median and those of the peers, all in `unit`.

    `inexact` are the peers whose answer is not the same; they are listed, and not compared with. `higher` says that
    more is better.
    """

    group: str
    cell: str
    ours: float
    peers: Mapping[str, float]
    inexact: Mapping[str, str] = field(default_factory=dict)
    way: str = ""
    unit: str = "ms"
    higher: bool = False

    @property
    def best(self) -> str | None:
        """Name the best peer that gives the same answer."""
        exact = [name for name in self.peers if name not in self.inexact]
        return (max if self.higher else min)(exact, key=self.peers.__getitem__, default=None)

    @property
    def ratio(self) -> float | None:
        """Say how many times as long we take as the best peer: below 1 we are ahead."""
        if self.best is None:
            return None
        peer = self.peers[self.best]
        return peer / self.ours if self.higher else self.ours / peer


def table(rows: Iterable[Row], before: Mapping[str, float]) -> str:
    """Write the rows as Markdown; `before` has our figures of the last run."""
    lines = [
        "| cell | ours | best peer | ratio | last run | other peers |",
        "|---|--:|---|--:|--:|---|",
    ]
    for row in rows:
        best, ratio, last = row.best, row.ratio, before.get(key(row))
        others = ", ".join(
            f"{name} {figure(value)}{'' if name not in row.inexact else f' ~{row.inexact[name]}'}"
            for name, value in sorted(row.peers.items(), key=lambda item: item[1], reverse=row.higher)
            if name != best
        )
        lines.append(
            f"| {row.cell}{f' ({row.way})' if row.way else ''} | {figure(row.ours)} {row.unit} "
            f"| {'-' if best is None else f'{best} {figure(row.peers[best])}'} "
            f"| {'-' if ratio is None else f'{ratio:.2f}'} "
            f"| {'-' if last is None else figure(last)} | {others} |"
        )
    return "\n".join(lines)


def summary(rows: Iterable[Row]) -> str:
    compared = [(row.ratio, row) for row in rows if row.ratio is not None]
    if not compared:
        return "No peer took part."
    mean = exp(sum(log(ratio) for ratio, _ in compared) / len(compared))
    worst, row = max(compared, key=lambda item: item[0])
    return (
        f"Time over that of the best peer: {mean:.2f} in the geometric mean of {len(compared)} cells; ahead in "
        f"{sum(ratio < 1 for ratio, _ in compared)}; worst {worst:.2f} ({row.cell}, {row.best})."
    )


def key(row: Row) -> str:
    return f"{row.group}: {row.cell}"


def figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def last_run() -> dict[str, float]:
    """Give our figures of the last run."""
    try:
        kept = json.loads(LAST.read_text())
    except FileNotFoundError:
        return {}
    return {f"{row['group']}: {row['cell']}": row["ours"] for row in kept["rows"]}


def keep(rows: Iterable[Row], about: Mapping[str, Any]) -> None:
    """Write the run down; cells that were not measured this time stay as they were."""
    new = {key(row): asdict(row) | {"best": row.best, "ratio": row.ratio} for row in rows}
    try:
        old = {f"{row['group']}: {row['cell']}": row for row in json.loads(LAST.read_text())["rows"]}
    except FileNotFoundError:
        old = {}
    kept = new | {name: row for name, row in old.items() if name not in new}
    document = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "python": platform.python_version(), **about}
    LAST.write_text(json.dumps({**document, "rows": list(kept.values())}, indent=1) + "\n")
