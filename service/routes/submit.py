"""Submit a job to the dispatcher, and cancel it if the client goes away."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.types import Receive

from service.dispatch import Dispatcher
from service.engine.jobs import Job, Result
from service.routes.errors import ClientGone

BRIEF_SECONDS = 0.01
"""Work that takes no longer is done before anybody could be told; to watch costs as much as to send a small answer."""


async def submit(dispatcher: Dispatcher, job: Job, request: Request) -> Result:
    """Await a job's result; a client that goes away frees its worker. The body must have been read to its end."""
    loop = asyncio.get_running_loop()
    doing = asyncio.current_task()
    watching: asyncio.Task[None] | None = None

    def watch() -> None:
        nonlocal watching
        watching = loop.create_task(_cancel_without_client(request.receive, doing))

    timer = loop.call_later(BRIEF_SECONDS, watch)
    try:
        return await dispatcher.run(job)
    except asyncio.CancelledError:
        if doing and watching and watching.done():
            doing.uncancel()
            raise ClientGone from None
        raise
    finally:
        timer.cancel()
        if watching:
            watching.cancel()


async def _cancel_without_client(receive: Receive, doing: asyncio.Task[Any] | None) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if doing:
        doing.cancel()
