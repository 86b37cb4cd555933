"""What the routes need, made once by `create_app` and handed to them by the framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from service.dispatch import Dispatcher
from service.presets import Preset
from service.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    dispatcher: Dispatcher
    presets: Mapping[str, Preset]


async def _services(request: Request) -> Services:
    services: Any = request.app.state.services
    assert isinstance(services, Services)
    return services


Needed = Annotated[Services, Depends(_services)]
