"""Two passes over wide rows: where blocks of columns, vectors and pieces end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.engine.algorithms.base import Sample
from service.engine.algorithms.separable import Separable
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding
from tests.engine.algorithms.drawn import task_of
from tests.tolerance import assert_computes

SIZES = [(5, 1024, 1), (7, 1030, 3), (19, 1100, 2), (300, 1027, 1), (9, 1055, 4)]


def drawn(shape: tuple[int, int, int], source: str) -> Any:
    random = np.random.default_rng(sum(shape))
    return (
        random.integers(0, 256, shape).astype(source)
        if source != "uint16"
        else random.integers(0, 65536, shape, np.uint16)
    )


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize(("source", "target"), [("uint8", "uint8"), ("uint16", "float32"), ("float32", "uint16")])
@pytest.mark.parametrize("mode", ["reflect", "constant"])
def test_separable_kernels(shape: tuple[int, int, int], source: str, target: Sample, mode: Any) -> None:
    image = drawn(shape, source)
    random = np.random.default_rng(1)
    for size in (1, 2, 5):
        column, row = random.uniform(-0.3, 0.6, size), random.uniform(-0.3, 0.6, size + 2)
        pads = Padding(size // 2, size // 2, size // 2, size // 2 + 1)
        for down, along in ((column, row), (column + column[::-1], row + row[::-1])):
            step = Conv2d(
                np.outer(down, along)[None, None], shape[2], padding=pads, padding_mode=mode,
                padding_value=7.25 if mode == "constant" else 0.0, factors=(down, along), bias=np.full(shape[2], 2.5),
            )  # fmt: skip
            task = task_of(step, image, target, "float32")
            assert_computes(task, image, Separable().apply(task, image, 2))
