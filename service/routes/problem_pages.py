"""GET /problems/{code}: the page behind the `type` of a problem, with its meaning and remedy."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from service.routes.errors import NotFound
from service.routes.names import unknown
from service.routes.pages import link, page, text
from service.routes.problem_table import KINDS, Kind

router = APIRouter(tags=["documentation"])


@router.get("/problems", operation_id="listProblems", summary="List the problems")
async def problems() -> Response:
    """List all problems with their status as an HTML page."""
    return page("Problems", "\n".join(["<dl>", *(_entry(kind) for kind in KINDS.values()), "</dl>"]))


@router.get("/problems/{code}", operation_id="getProblem", summary="Explain a problem")
async def problem_page(code: str) -> Response:
    """Explain a problem and its remedy as an HTML page."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFound(unknown("problem", code, KINDS))
    lines = (
        f"<p>Status {kind.status}, code <code>{kind.code}</code></p>",
        f"<p>{text(kind.meaning)}</p>",
        f"<p>{text(kind.remedy)}</p>",
        f"<p>{link('../problems', 'All problems')}</p>",
    )
    return page(kind.title, "\n".join(lines))


def _entry(kind: Kind) -> str:
    return f"<dt>{link(f'problems/{kind.code}', kind.title)}</dt>\n<dd>{kind.status}: {text(kind.meaning)}</dd>"
