"""Gives a job to the dispatcher, for as long as the client is there to take its result."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.types import Receive

from service.dispatch import Dispatcher
from service.engine.jobs import Job, Result
from service.routes.errors import ClientGone


async def work(dispatcher: Dispatcher, job: Job, request: Request) -> Result:
    """Await a job's result; a client that goes away frees its worker. The body must have been read to its end."""
    doing = asyncio.current_task()
    watching = asyncio.create_task(_cancel_without_client(request.receive, doing))
    try:
        return await dispatcher.run(job)
    except asyncio.CancelledError:
        if doing and watching.done():
            doing.uncancel()
            raise ClientGone from None
        raise
    finally:
        watching.cancel()


async def _cancel_without_client(receive: Receive, doing: asyncio.Task[Any] | None) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if doing:
        doing.cancel()
