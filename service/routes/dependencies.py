"""What the routes need: `create_app` makes it once, and the framework passes it to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from service.dispatch import Dispatcher
from service.dispatch.board import Seat
from service.dispatch.whole import Whole
from service.engine.machine.limits import Limits
from service.presets import Preset
from service.routes.measure import Metrics
from service.routes.room import Room
from service.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    dispatcher: Dispatcher
    presets: Mapping[str, Preset]
    metrics: Metrics
    whole: Whole
    seat: Seat

    @cached_property
    def limits(self) -> Limits:
        """Return the limits that the engine checks."""
        return self.settings.limits()

    @cached_property
    def room(self) -> Room:
        """Return the only account of the memory of all bodies and answers."""
        return Room(self.settings.max_bodies_bytes, self.dispatcher.refusal, self.seat)


def services_of(request: Request) -> Services:
    return cast(Services, request.app.state.services)


async def _services(request: Request) -> Services:
    return services_of(request)


Needed = Annotated[Services, Depends(_services)]
