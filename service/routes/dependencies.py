"""What the routes need, made once by `create_app` and handed to them by the framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from service.dispatch import Dispatcher
from service.presets import Preset
from service.routes.measure import Metrics
from service.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    dispatcher: Dispatcher
    presets: Mapping[str, Preset]
    metrics: Metrics


async def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


Needed = Annotated[Services, Depends(_services)]
