"""The ground floor: needs nothing compiled, accepts every step, is exact where ties are many, and asks for enough."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.algorithms.base import Algorithm, Sample, Task
from service.engine.algorithms.ground import GROUND
from service.engine.algorithms.ground.products import Products
from service.engine.algorithms.ground.shifted import Shifted
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, Pool, Restore, Step
from service.engine.steps.geometry import Padding, Shape
from tests import oracle
from tests.engine.algorithms.drawn import convolutions, gradients, normalized, shared_convolutions, transposed
from tests.tolerance import assert_computes

RANDOM = np.random.default_rng(0)
SAMPLES: tuple[Sample, ...] = get_args(Sample)
STEPS = st.one_of(convolutions(), gradients(), normalized(), shared_convolutions(), transposed())

WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = sys.modules["llvmlite"] = None
import numpy as np
from service.engine import codecs
from service.engine.algorithms.ground import GROUND
from service.engine.machine.limits import Limits
image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
data = codecs.encode_png(image)
assert (codecs.decode(data, codecs.inspect(data, Limits())).image == image).all()
print(*sorted(name for name in sys.modules if name.startswith("service.engine.loops")))
"""


def test_nothing_compiled_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@settings(max_examples=300, deadline=None)
@given(STEPS, st.sampled_from(SAMPLES))
def test_every_step_is_accepted(step: Step, source: Sample) -> None:
    task = Task(step, Shape(40, 40, step.in_channels), source, source, "float64")
    assert any(algorithm.accepts(task) and algorithm.seconds(task) > 0 for algorithm in GROUND)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Conv2d(np.ones((1, 1, 2, 2)), 3, divisor=8.0), id="eighths"),
        pytest.param(Conv2d(np.array([[[[1.0, -1]]]]), 3, divisor=2.0, bias=np.full(3, 128.0)), id="halves"),
        pytest.param(Conv2d(np.outer([1.0, 2, 1], [1, 2, 1])[None, None], 3, divisor=-32.0), id="negative"),
        pytest.param(Conv2d(np.full((6, 1, 2, 2), 2.0), 3, divisor=16.0), id="depthwise"),
        pytest.param(Conv2d(np.ones((4, 3, 2, 2)), divisor=24.0), id="layer"),
        pytest.param(
            ConvTranspose2d(np.outer([1.0, 3, 3, 1], [1, 3, 3, 1])[None, None], 3, (2, 2), divisor=16.0), id="2x"
        ),
        pytest.param(Pool(3, "average", (2, 2), (2, 2)), id="means"),
    ],
)
def test_ties_are_rounded_to_even(step: Step) -> None:
    """Numbers 0 to 255 of which a quarter or more of the results lie half way between two levels."""
    image = RANDOM.integers(0, 256, (60, 70, 3), np.uint8)
    exact = oracle.apply(step, image)
    assert np.mean(exact - np.floor(exact) == 0.5) > 0.02
    task = Task(step, Shape(*image.shape), "uint8", "uint8", "float32", exact=True)
    for algorithm in GROUND:
        if algorithm.accepts(task):
            result = algorithm.apply(task, image, 2)
            np.testing.assert_array_equal(result, oracle.stored(exact, "uint8"), algorithm.name)


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_weight_of_zero_does_not_hide_what_is_no_number(source: Sample) -> None:
    image = np.ones((5, 6, 2), source)
    image[2, 2, 0] = np.nan
    kernel = np.array([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]])
    for step in (Conv2d(kernel[None, None], 2), Conv2d(np.stack([kernel, kernel])[:, None], 2)):
        task = Task(step, Shape(*image.shape), source, source, "float64")
        for algorithm in (Shifted(), Products()):
            if algorithm.accepts(task):
                np.testing.assert_array_equal(algorithm.apply(task, image, 1), oracle.apply(step, image))


def test_pieces_leave_no_seam_where_rows_are_very_long() -> None:
    image = RANDOM.integers(0, 256, (3, 70_000, 1), np.uint8)
    around = Padding(1, 1, 1, 1)
    steps: tuple[Step, ...] = (
        Conv2d(RANDOM.normal(size=(1, 1, 3, 3)), 1, padding=around, padding_mode="circular"),
        Conv2d(RANDOM.normal(size=(2, 1, 3, 3)), padding=around),
        ConvTranspose2d(RANDOM.normal(size=(1, 1, 3, 3)), 1, (2, 2)),
        GradientMagnitude(Conv2d(RANDOM.normal(size=(1, 1, 3, 3))), Conv2d(RANDOM.normal(size=(1, 1, 3, 3)))),
    )
    for step in steps:
        task = Task(step, Shape(*image.shape), "uint8", "float32", "float32")
        for algorithm in GROUND:
            if algorithm.accepts(task):
                assert_computes(task, image, algorithm.apply(task, image, 2))


AWKWARD: dict[str, tuple[Step, tuple[int, int]]] = {
    "one row": (Conv2d(RANDOM.normal(size=(1, 1, 3, 3)), 3, padding=Padding(1, 1, 1, 1)), (1, 100_000)),
    "one column": (Conv2d(RANDOM.normal(size=(1, 1, 3, 3)), 3, padding=Padding(1, 1, 1, 1)), (100_000, 1)),
    "much padding": (
        Conv2d(RANDOM.normal(size=(1, 1, 3, 3)), 3, padding=Padding(*[400] * 4), padding_mode="symmetric"),
        (2, 3),
    ),
    "far apart": (Conv2d(RANDOM.normal(size=(1, 1, 3, 3)), 3, dilation=(200, 200)), (500, 500)),
    "large": (Conv2d(RANDOM.normal(size=(1, 1, 101, 101)), 1), (150, 150)),
    "strided": (Conv2d(RANDOM.normal(size=(1, 1, 5, 5)), 3, (2, 3)), (300, 300)),
    "depthwise": (Conv2d(RANDOM.normal(size=(64, 1, 5, 5)), 64), (100, 100)),
    "groups": (Conv2d(RANDOM.normal(size=(64, 2, 3, 3)), 32), (100, 100)),
    "layer of many taps": (Conv2d(RANDOM.normal(size=(3, 3, 31, 31))), (100, 100)),
    "bias": (Conv2d(RANDOM.normal(size=(1, 1, 3, 3)), 3, divisor=3.0, bias=np.arange(3.0)), (300, 300)),
    "transposed": (ConvTranspose2d(RANDOM.normal(size=(1, 1, 4, 4)), 3, (2, 2)), (300, 300)),
    "transposed far apart": (ConvTranspose2d(np.ones((1, 1, 3, 3)), 3, (2, 2), (99, 99)), (100, 100)),
    "transposed layer": (ConvTranspose2d(RANDOM.normal(size=(16, 8, 4, 4)), 1, (2, 2)), (100, 100)),
    "gradient": (
        GradientMagnitude(Conv2d(RANDOM.normal(size=(1, 1, 3, 3)), 3), Conv2d(RANDOM.normal(size=(1, 1, 3, 3)), 3)),
        (300, 300),
    ),
    "means of a row": (Pool(3, "average", (3, 3), (1, 1), Padding(1, 1, 1, 1)), (3, 100_000)),
    "inverse": (Restore(3, np.ones((5, 5)), "inverse"), (200, 200)),
}
CASES = [
    pytest.param(algorithm, replace(task), id=f"{algorithm.name}-{name}-{source}")
    for name, (step, size) in AWKWARD.items()
    for source in SAMPLES
    for task in [Task(step, Shape(*size, step.in_channels), source, source, "float64")]
    for algorithm in GROUND
    if algorithm.accepts(task) and algorithm.seconds(task) < 0.5
]


@pytest.mark.parametrize(("algorithm", "task"), CASES)
def test_workspace_bounds_what_is_taken_in_awkward_shapes(algorithm: Algorithm, task: Task) -> None:
    image = RANDOM.integers(0, 200, task.shape).astype(task.source)
    algorithm.apply(task, image, 1)
    for threads in (1, 2):
        again = replace(task)
        tracemalloc.start()
        result = algorithm.apply(again, image, threads)
        taken = tracemalloc.get_traced_memory()[1] - result.nbytes
        tracemalloc.stop()
        assert taken <= algorithm.workspace(again, threads)
