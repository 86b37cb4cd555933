"""The code blocks of the pages, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    place: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """Find the blocks of some languages, in README.md and docs/."""
    return [block for page in PAGES for block in _of(page) if block.language in languages]


def _of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(f"{page.relative_to(ROOT)}:{line}", found[1], found[2])


class Command(NamedTuple):
    """`refused` says that the comment above promises a refusal."""

    place: str
    line: str
    program: str
    words: tuple[str, ...]
    refused: bool


def commands() -> list[Command]:
    """Split the shell blocks into commands; a command ends where its quotes do and no backslash follows."""
    found = []
    for block in blocks("sh", "shell", "bash", "console"):
        open_lines: list[str] = []
        comment = ""
        for line in block.text.splitlines():
            if not open_lines and line.lstrip().startswith("#"):
                comment = line
                continue
            open_lines.append(line)
            words = _words("\n".join(open_lines))
            if words is None:
                continue
            if words:
                program = next((word for word in words if not re.match(r"[A-Z_]+=", word)), words[0])
                text = "\n".join(open_lines)
                found.append(Command(block.place, text, Path(program).name, tuple(words), "refused" in comment))
            open_lines, comment = [], ""
    return found


def _words(text: str) -> list[str] | None:
    if text.endswith("\\"):
        return None
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return None
