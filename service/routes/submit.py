"""Submit a job to the dispatcher, and cancel it if the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.types import Receive

from service.dispatch import Dispatcher
from service.engine.jobs import Job, Result
from service.routes.errors import ClientGone
from service.routes.line import line_of


async def submit(dispatcher: Dispatcher, job: Job, request: Request) -> Result:
    """Await a job's result; a client that goes away frees its worker. The body must have been read to its end."""
    doing, gone = asyncio.current_task(), False

    def cancel() -> None:
        nonlocal gone
        gone = True
        if doing:
            doing.cancel()

    unwatch = _watch(request, cancel)
    try:
        return await dispatcher.run(job)
    except asyncio.CancelledError:
        if doing and gone:
            doing.uncancel()
            raise ClientGone from None
        raise
    finally:
        unwatch()


def _watch(request: Request, gone: Callable[[], None]) -> Callable[[], object]:
    """Have `gone` called when the client goes away, by the line, or without one by a task; returns what ends this."""
    if line := line_of(request.scope):
        line.watch(gone)
        return partial(line.watch, None)
    return asyncio.create_task(_wait_for_the_end(request.receive, gone)).cancel


async def _wait_for_the_end(receive: Receive, gone: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone()
