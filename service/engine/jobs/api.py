"""The engine for Python programs: arrays and bytes in, arrays and bytes out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from service.engine import codecs
from service.engine.jobs.documents import image_info
from service.engine.jobs.execute import Clock, execute
from service.engine.jobs.job import Answer, Buffer
from service.engine.jobs.plan_report import describe
from service.engine.jobs.prepare import prepare
from service.engine.machine import compiled
from service.engine.machine.cores import available_cores
from service.engine.machine.limits import Limits
from service.engine.spec.spec import parse

Spec = Mapping[str, object]
THREADS = available_cores()


@cache
def _load_loops() -> None:
    """Load the compiled loops from disk; `convserve warm` puts them there."""
    compiled.load()


def filter_image(
    image: NDArray[np.generic], spec: Spec, *, limits: Limits | None = None, threads: int = THREADS
) -> NDArray[np.float32]:
    """Apply `spec` to an array (H, W) or (H, W, C), used as it is; returns float32 (H', W', C'), unclipped."""
    source = BytesIO()
    np.lib.format.write_array(source, np.ascontiguousarray(image), allow_pickle=False)
    result = filter_bytes(source.getvalue(), spec, answer="npy", limits=limits, threads=threads)
    array: NDArray[np.float32] = np.lib.format.read_array(BytesIO(result), allow_pickle=False)
    return array


def filter_bytes(
    data: Buffer, spec: Spec, *, answer: Answer = "png", limits: Limits | None = None, threads: int = THREADS
) -> bytes:
    """Apply `spec` to the bytes of a picture or NPY file; returns a PNG's bytes, or with `answer` "npy" an NPY's."""
    _load_loops()
    bounds = limits or Limits()
    info = codecs.inspect(data, bounds)
    return execute(prepare(info, parse(spec, bounds), bounds, answer), data, threads, Clock()).data


def plan_filter(
    spec: Spec, width: int, height: int, channels: int = 3, dtype: str = "uint8", *, limits: Limits | None = None
) -> dict[str, object]:
    """Report what `spec` would do to an image of that shape: the document of POST /v1/plan."""
    _load_loops()
    bounds = limits or Limits()
    info = image_info({"width": width, "height": height, "channels": channels, "dtype": dtype}, bounds)
    return describe(prepare(info, parse(spec, bounds, shapes=True), bounds, None))
