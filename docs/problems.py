"""Makes docs/problems.md from the service's one table of problems: `python -m docs.problems`."""

from __future__ import annotations

from pathlib import Path

from service.routes.problem_table import KINDS, Kind

PAGE = Path(__file__).parent / "problems.md"
_HEAD = """# Problems

`python -m docs.problems` makes this page from the running code. Every refusal is `application/problem+json` (RFC 9457).
Its `type` is the address of a page on the service itself, `/problems/{code}`, with the same text as here.
"""


def document() -> str:
    """Write the page."""
    return "\n".join([_HEAD, *map(_section, KINDS.values())])


def _section(kind: Kind) -> str:
    return f"## {kind.code}\n\n**{kind.status}, {kind.title}.** {kind.meaning}\n\n{kind.remedy}\n"


if __name__ == "__main__":
    PAGE.write_text(document(), encoding="utf-8")
