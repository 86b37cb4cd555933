"""Forecast what a batch would do and cost, from the headers of its files alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from service.batch.failures import Failure, failure
from service.batch.files import UnreadableFile, mapped
from service.batch.run import Order
from service.batch.sources import Item
from service.engine import codecs
from service.engine.codecs import ImageInfo
from service.engine.errors import EngineError, MissingImage, UnsupportedFormat
from service.engine.jobs.plan_report import describe
from service.engine.jobs.prepare import prepare
from service.engine.spec.spec import Spec
from service.routes.errors import RouteError


class Shapes(NamedTuple):
    """The shapes of an image and of its result, as text."""

    image: str
    output: str


@dataclass
class Share:
    """The files of one shape, and the cost of each."""

    files: int
    seconds: float


@dataclass
class Forecast:
    """The plan of the whole batch: sums over the files that would be done, and the files that would be refused."""

    files: int = 0
    pixels_in: int = 0
    pixels_out: int = 0
    macs: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    shares: dict[Shapes, Share] = field(default_factory=dict)
    no_pictures: int = 0
    failures: list[Failure] = field(default_factory=list)


def forecast(items: Iterable[Item], order: Order, spec: Spec, advance: Callable[[], None]) -> Forecast:
    """Read the header of every file and plan; no pixel is decoded and nothing is written."""

    @lru_cache(maxsize=256)
    def planned(info: ImageInfo) -> dict[str, Any]:
        return describe(prepare(info, spec, order.limits, order.answer))

    whole = Forecast()
    for item in items:
        try:
            data = mapped(item.source, order.max_body_bytes)
            if not len(data):
                raise MissingImage("the image is empty")
            _add(whole, planned(codecs.inspect(data, order.limits)))
        except UnsupportedFormat:
            whole.no_pictures += 1
        except (EngineError, RouteError, UnreadableFile) as error:
            whole.failures.append(failure(item.source, error))
        advance()
    return whole


def _add(whole: Forecast, plan: dict[str, Any]) -> None:
    image, output = plan["image"], plan["output"]
    whole.files += 1
    whole.pixels_in += image["width"] * image["height"]
    whole.pixels_out += output["width"] * output["height"]
    whole.macs += plan["macs"]
    whole.seconds += plan["seconds"]
    whole.peak_bytes = max(whole.peak_bytes, plan["peak_bytes"])
    shapes = Shapes(_text(image), _text(output))
    share = whole.shares.setdefault(shapes, Share(0, plan["seconds"]))
    share.files += 1


def _text(shape: dict[str, Any]) -> str:
    return f"{shape['width']}x{shape['height']}x{shape['channels']} {shape['dtype']}"
