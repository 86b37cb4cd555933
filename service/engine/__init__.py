"""The engine: convolution without HTTP.

>>> from service.engine import filter_image
>>> edges = filter_image(image, {"op": "gradient", "operator": "sobel"})

`image` is an array (H, W) or (H, W, C) of uint8, uint16, float32 or float64, used as it is; the result is
float32 (H', W', C'), unclipped. Given the bytes of a picture file, the result is the bytes of a PNG:

>>> png = filter_bytes(Path("photo.jpg").read_bytes(), {"op": "blur", "sigma": 2})

`plan_filter` reports shapes, parameters, cost and the chosen algorithms from the shape of an image alone. All of them
raise `service.engine.errors.EngineError`; its module shows the whole tree. Names are loaded on first use, so modules
such as `service.engine.errors` can be imported without the compiled loops.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.engine.jobs.api import filter_bytes as filter_bytes
    from service.engine.jobs.api import filter_image as filter_image
    from service.engine.jobs.api import plan_filter as plan_filter

__all__ = ["filter_bytes", "filter_image", "plan_filter"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("service.engine.jobs.api"), name)
    raise AttributeError(name)
