"""A file without a result, and why."""

from __future__ import annotations

from typing import NamedTuple

from service.batch.files import FileError
from service.dispatch.errors import JobFailed
from service.routes.problem_table import kind_of


class Failure(NamedTuple):
    """A file without a result; `report` is a traceback if the reason was unforeseen."""

    source: str
    code: str
    detail: str
    report: str = ""


def failure(source: str, error: Exception) -> Failure:
    """Describe a refusal as the service would, by code and detail."""
    if isinstance(error, FileError):
        return Failure(source, error.code, error.detail)
    detail = getattr(error, "detail", str(error))
    return Failure(source, kind_of(error).code, detail, error.report if isinstance(error, JobFailed) else "")
