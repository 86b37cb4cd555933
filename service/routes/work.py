"""Gives a job to the dispatcher, for as long as the client is there to take its result."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import Receive

from service.dispatch import Dispatcher
from service.engine.jobs import Job, Result
from service.routes.errors import ClientGone


async def work(dispatcher: Dispatcher, job: Job, request: Request) -> Result:
    """Await a job's result; a client that goes away frees its worker. The body must have been read to its end."""
    doing = asyncio.ensure_future(dispatcher.run(job))
    watching = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait((doing, watching), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientGone
        return doing.result()
    finally:
        for task in (doing, watching):
            task.cancel()
        await asyncio.gather(doing, watching, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
