"""The contract of algorithms: whatever accepts a task gives the oracle's answer."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.engine.algorithms import named, usable
from service.engine.algorithms.base import Sample, Task
from service.engine.machine import compiled
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, Pool, Restore, Step
from service.engine.steps.geometry import Padding, PaddingMode, Pair, Shape
from tests import oracle
from tests.engine.algorithms import drawn
from tests.engine.algorithms.grid import steps_for
from tests.tolerance import assert_computes

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
MODES = st.sampled_from(get_args(PaddingMode))


@st.composite
def gradients(draw: st.DrawFn) -> GradientMagnitude:
    smooth, slope = draw(st.sampled_from([([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0]), ([3.0, 10.0, 3.0], [-1.0, 0.0, 1.0])]))
    channels, mode = draw(st.integers(1, 4)), draw(MODES)

    def derivative(column: list[float], row: list[float]) -> Conv2d:
        factors = np.array(column), np.array(row)
        weight = np.multiply.outer(*factors)[None, None]
        return Conv2d(weight, channels, padding=Padding(1, 1, 1, 1), padding_mode=mode, factors=factors)

    return GradientMagnitude(derivative(smooth, slope), derivative(slope, smooth), draw(st.sampled_from(["l2", "l1"])))


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    size, padded = draw(st.tuples(st.integers(1, 6), st.integers(1, 6))), draw(st.booleans())
    padding = [draw(st.integers(0, side // 2)) for side in (size[0], size[0], size[1], size[1])]
    method: Literal["max", "average"] = draw(st.sampled_from(["max", "average"]))
    return Pool(
        draw(st.sampled_from([1, 3, 9])),
        method,
        size,
        draw(PAIRS),
        Padding(*padding) if padded else Padding(),
        # With both, a window may see nothing but padding, of which the largest is not defined for integers.
        draw(PAIRS) if method == "max" and not padded else (1, 1),
    )


@st.composite
def restorations(draw: st.DrawFn) -> Restore:
    sides = st.sampled_from([1, 3, 5])
    psf = np.random.default_rng(draw(st.integers(0, 999))).uniform(0, 1, draw(st.tuples(sides, sides)))
    psf[psf.shape[0] // 2, psf.shape[1] // 2] = psf.size  # far from a zero of the transfer function
    return Restore(
        draw(st.integers(1, 3)),
        psf / psf.sum(),
        draw(st.sampled_from(["wiener", "inverse", "richardson_lucy"])),
        iterations=draw(st.integers(0, 4)),
        padding_mode=draw(MODES),
    )


STEPS: dict[str, st.SearchStrategy[Step]] = {
    "shared": drawn.shared_convolutions(),
    "channels": drawn.convolutions(),
    "separable": drawn.separable_convolutions(),
    "transposed": drawn.transposed(),
    "gradient": gradients(),
    "normalized": drawn.normalized(),
    "pool": pools(),
    "restore": restorations(),
}
MADE_FOR = {
    "shared": "direct",
    "channels": "direct",
    "separable": "separable",
    "transposed": "polyphase",
    "normalized": "separable + rim",
}
"""Algorithms that must not refuse such steps."""


def picture(shape: Shape, source: Sample, seed: int = 0) -> NDArray[Any]:
    random = np.random.default_rng(seed)
    if source in {"uint8", "uint16"}:
        return random.integers(0, np.iinfo(source).max, shape, endpoint=True).astype(source)
    return random.uniform(-50, 300, shape).astype(source)


def check(name: str, task: Task, threads: int = 1, image: NDArray[Any] | None = None) -> None:
    image = picture(task.shape, task.source) if image is None else image
    result = named(name).apply(task, image, threads)
    assert result.flags.c_contiguous
    if isinstance(task.step, Restore):
        assert_restores(task, image, result)
    else:
        assert_computes(task, image, result)


def assert_restores(task: Task, image: NDArray[Any], result: NDArray[Any]) -> None:
    """Hold a restoration, of which no bound is known, against the oracle: these psf are far from amplifying."""
    exact = oracle.apply(task.step, image)
    expected = oracle.stored(exact, task.target).astype(np.float64)
    assert result.dtype == task.target
    allowed = (1e-6 if task.target == "float32" else 1e-9) * float(np.abs(image).max())
    near_a_tie = task.target.startswith("uint") & (np.abs(exact - np.floor(exact) - 0.5) <= allowed)
    np.testing.assert_allclose(result[~near_a_tie], expected[~near_a_tie], rtol=0, atol=allowed)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1 + allowed)


def accepting(task: Task) -> list[str]:
    return [algorithm.name for algorithm in usable() if algorithm.accepts(task)]


@pytest.mark.parametrize("kind", STEPS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_algorithm_that_accepts_gives_the_oracles_answer(kind: str, data: st.DataObject) -> None:
    task, image = data.draw(drawn.problems(STEPS[kind]))
    names = accepting(task)
    assert names, "nothing can compute this"
    assert not compiled.generation() or kind not in MADE_FOR or MADE_FOR[kind] in names
    for name in names:
        check(name, task, data.draw(st.integers(1, 3)), image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 31), (31, 1), (2, 3), (7, 7), (13, 17), (64, 65), (97, 101)])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (1, 4), (7, 7), (8, 3), (13, 17), (23, 29)])
def test_sizes_that_hurt(shape: Pair, kernel: Pair) -> None:
    weight = np.random.default_rng(1).integers(0, 4, (1, 1, *kernel)).astype(np.float64)
    padding = Padding(kernel[0] // 2, (kernel[0] - 1) // 2, kernel[1] // 2, (kernel[1] - 1) // 2)
    step = Conv2d(weight, 3, padding=padding, padding_mode="reflect", divisor=weight.sum() or 1)
    targets: tuple[Sample, ...] = ("uint8", "float32")
    for target in targets:
        task = Task(step, Shape(*shape, 3), "uint8", target, "float32", exact=True)
        for name in accepting(task):
            check(name, task)


@pytest.mark.parametrize("name", [algorithm.name for algorithm in usable()])
def test_threads_do_not_change_the_result(name: str) -> None:
    accepted = 0
    for step in steps_for(named(name)):
        shape = Shape(150, 331, step.in_channels)
        image = picture(shape, "uint8")
        for target in get_args(Sample):
            task = Task(step, shape, "uint8", target, "float32")
            if named(name).accepts(task):
                accepted += 1
                results = [named(name).apply(task, image, threads) for threads in (1, 2, 3)]
                np.testing.assert_array_equal(results[0], results[1])
                np.testing.assert_array_equal(results[0], results[2])
    assert accepted, "it accepts none of these"


QUARTERS = np.random.default_rng(3).integers(-9, 10, (4, 3)) / 4
WIDE = Padding(1, 1, 1, 1)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Conv2d(QUARTERS[None, None], 3, padding=WIDE), id="shared"),
        pytest.param(Conv2d(QUARTERS[None, None], 3, (1, 2), padding=WIDE, bias=np.arange(3.0)), id="strided"),
        pytest.param(Conv2d(np.stack([QUARTERS] * 6)[:, None], 3, padding=WIDE, divisor=3.0), id="depthwise"),
        pytest.param(Conv2d(np.ones((1, 1, 2, 2)), 3, divisor=4.0), id="many ties"),
        pytest.param(Conv2d(np.ones((1, 1, 1, 2)), 3, divisor=-2.0), id="negative"),
        pytest.param(Conv2d(np.full((1, 1, 1, 2), 1 / 64), 3, divisor=2.0**20), id="far beneath a level"),
        pytest.param(ConvTranspose2d(QUARTERS[None, None], 3, (2, 2), padding=WIDE), id="transposed"),
        pytest.param(ConvTranspose2d(np.stack([QUARTERS] * 3)[:, None], 3, (2, 2)), id="transposed depthwise"),
        pytest.param(
            ConvTranspose2d(QUARTERS[None, None], 3, (3, 5), bias=np.full(3, 0.5)), id="transposed by 3 and 5"
        ),
    ],
)
@pytest.mark.parametrize("target", ["uint8", "uint16", "float32"])
def test_quarters_on_rows_of_several_blocks(step: Step, target: Sample) -> None:
    shape = Shape(11, 700, 3)
    task = Task(step, shape, "uint8", target, "float32")
    for name in accepting(task):
        check(name, task)
