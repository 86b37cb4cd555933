"""Fails where a file has grown too long to be read in one go: a part of `make check`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_LINES = 400
KINDS = {".py", ".js", ".css", ".html"}
"""Files that are read; tables of data, such as rates.json, are not."""


def main() -> None:
    files = (path for folder in ("service", "docs") for path in (ROOT / folder).rglob("*") if path.suffix in KINDS)
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(files)}
    long = [f"{path.relative_to(ROOT)}: {lines} lines" for path, lines in lengths.items() if lines > MOST_LINES]
    if long:
        sys.exit("\n".join([*long, f"at most {MOST_LINES} lines are allowed: split what has more than one purpose"]))


if __name__ == "__main__":
    main()
