"""Assemble the service; importing this module has no effects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware

from service import presets
from service.backends import dispatcher_of
from service.dispatch import Dispatcher
from service.dispatch.board import Seat
from service.dispatch.whole import Whole
from service.routes import (
    catalogue,
    docs,
    figures,
    filters,
    health,
    home,
    metrics,
    openapi,
    plans,
    problem_pages,
    problems,
)
from service.routes.cors import CrossOrigin
from service.routes.dependencies import Services
from service.routes.head_requests import HeadAsGet
from service.routes.logs import RequestLog, configure_logs
from service.routes.measure import Measure, Metrics
from service.routes.prefix import Prefix
from service.routes.query import LongQuery
from service.routes.record import Recorded
from service.routes.security import HEADERS, ApiKeys
from service.routes.shortcut import Shortcut
from service.settings import BadSettings, Settings

_ROUTERS = (filters, plans, figures, catalogue, health, metrics, home, docs, problem_pages)


def create_app(
    settings: Settings | None = None,
    dispatcher: Dispatcher | None = None,
    *,
    seat: Seat | None = None,
    counters: Path | None = None,
) -> FastAPI:
    """Make the application; raises BadSettings.

    Without settings, as under `uvicorn --factory`, it reads them and sets up the log itself. `seat` is the seat of one
    server of several; these keep their counters in the folder `counters`.
    """
    if settings is None:
        settings = Settings.load()
        configure_logs(settings.log_level, settings.log_format)
    known = presets.load(settings.presets, settings.limits())
    seat = seat or Seat.alone()
    dispatcher = dispatcher or dispatcher_of(settings, seat)
    whole = Whole(seat, dispatcher.status)
    metrics = Metrics(whole.status, seat, counters)
    app = FastAPI(
        title="convserve",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # asked for at every request; ours is separate
        lifespan=_lifespan,
        middleware=[
            *([Middleware(Prefix, prefix=settings.root_path)] if settings.root_path else []),
            Middleware(Recorded, headers=HEADERS),
            *_tracing(settings.tracing),
            Middleware(RequestLog),
            Middleware(Measure, metrics=metrics),
            *([Middleware(CrossOrigin, origins=settings.allow_origins)] if settings.allow_origins else []),
            Middleware(problems.Unforeseen),
            *([Middleware(ApiKeys, keys=settings.api_keys)] if settings.api_keys else []),
            Middleware(Shortcut, ways=filters.ways(known)),
            Middleware(LongQuery),
            Middleware(HeadAsGet),
        ],
    )
    app.state.services = Services(settings, dispatcher, known, metrics, whole, seat)
    problems.install(app)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.openapi_schema = openapi.document(app.routes, known)  # made now: it would take too long in the event loop
    return app


def _tracing(collector: str | None) -> list[Middleware]:
    """Make the middleware that sends spans to a collector, if one is set; raises BadSettings without the extra."""
    if collector is None:
        return []
    try:
        from service.routes.tracing import Tracing  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError:
        missing = "OpenTelemetry is not installed here; pip install 'convserve[tracing]' brings it"
        raise BadSettings([f"CONVSERVE_TRACING is {collector!r}: {missing}"]) from None
    return [Middleware(Tracing, collector=collector)]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start warming the workers; until they are warm, /readyz says so and requests wait."""
    services: Services = app.state.services
    await services.dispatcher.start()
    telling = asyncio.create_task(services.whole.tell()) if services.seat.others else None
    try:
        yield
    finally:
        await services.dispatcher.stop()
        if telling:
            telling.cancel()
