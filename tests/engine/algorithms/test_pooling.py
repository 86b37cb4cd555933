"""Pooling: strips leave no seam, samples keep their type, padding is never the largest."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from service.engine.algorithms.base import Sample, Task
from service.engine.algorithms.ground import pooling
from service.engine.algorithms.ground.pooling import Pooling
from service.engine.steps import Pool
from service.engine.steps.geometry import Padding, Pair, Shape
from tests import oracle

RANDOM = np.random.default_rng(0)
Method = Literal["max", "average"]


@pytest.mark.parametrize("method", ["max", "average"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3), (7, 7)])
@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("strip_bytes", [1, 3000, 1 << 20])
def test_strips_leave_no_seam(
    method: Method, stride: Pair, channels: int, strip_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "STRIP_BYTES", strip_bytes)
    image = RANDOM.integers(0, 256, (40, 33, channels), dtype=np.uint8)
    step = Pool(channels, method, (4, 5), stride, Padding(2, 1, 0, 2))
    task = Task(step, Shape(*image.shape), "uint8", "uint8", "float32", exact=True)
    expected = oracle.stored(oracle.apply(step, image), "uint8")
    np.testing.assert_array_equal(Pooling().apply(task, image, 2), expected)


@pytest.mark.parametrize("source", ["uint8", "uint16", "float32", "float64"])
def test_largest_comes_from_the_image_in_every_type(source: Sample) -> None:
    image = np.full((4, 4, 1), 7).astype(source)
    if source.startswith("float"):
        image = -image
    step = Pool(1, "max", (2, 2), (2, 2), Padding(1, 1, 1, 1))
    task = Task(step, Shape(4, 4, 1), source, source, "float64")
    assert np.unique(Pooling().apply(task, image, 1)).tolist() == [image[0, 0, 0]]


def test_dilated_windows_skip_samples() -> None:
    image = RANDOM.integers(0, 65536, (20, 21, 2), dtype=np.uint16)
    step = Pool(2, "max", (3, 2), (2, 1), dilation=(2, 5))
    task = Task(step, Shape(20, 21, 2), "uint16", "uint16", "float32", exact=True)
    np.testing.assert_array_equal(Pooling().apply(task, image, 1), oracle.apply(step, image))


def test_mean_of_the_largest_window_is_exact() -> None:
    image = RANDOM.integers(0, 256, (260, 257, 1), dtype=np.uint8)
    step = Pool(1, "average", (255, 255), (1, 1))
    task = Task(step, Shape(260, 257, 1), "uint8", "float32", "float32", exact=True)
    expected = oracle.apply(step, image)
    np.testing.assert_array_equal(Pooling().apply(task, image, 1), expected.astype(np.float32))
