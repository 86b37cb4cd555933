from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.engine.algorithms.direct import Direct
from service.engine.algorithms.polyphase import Polyphase
from service.engine.steps import Conv2d, ConvTranspose2d
from service.engine.steps.geometry import Padding, Shape
from tests.engine.algorithms.drawn import task_of
from tests.tolerance import assert_computes

POLYPHASE = Polyphase()


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_transposed_is_the_adjoint_of_the_convolution(data: st.DataObject) -> None:
    """<A x, y> = <x, A^T y> for A of the same weight, stride, dilation and padding."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = (
        data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        data.draw(pair),
        data.draw(pair),
    )
    height, width = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    weight = random.standard_normal((4, 2, *kernel))
    padding = Padding(*(data.draw(st.integers(0, 2)) for _ in range(4)))
    convolution = Conv2d(weight, 2, stride, dilation, padding)
    x = random.standard_normal((height, width, 4))
    forward = task_of(convolution, x, "float64", "float64")
    ax = Direct().apply(forward, x, 1)
    y = random.standard_normal(ax.shape)
    # What a strided window never reaches at the end of an axis gets nothing back.
    rest = [
        (side + sum(pads) - (d * (k - 1) + 1)) % s
        for side, pads, d, k, s in zip(
            (height, width), (padding.vertical, padding.horizontal), dilation, kernel, stride, strict=True
        )
    ]
    assume(all(r < max(s, d) for r, s, d in zip(rest, stride, dilation, strict=True)))
    adjoint = ConvTranspose2d(weight, 2, stride, dilation, padding, (rest[0], rest[1]))
    back = POLYPHASE.apply(task_of(adjoint, y, "float64", "float64"), y, 1)
    assert back.shape == x.shape
    np.testing.assert_allclose(np.vdot(ax, y), np.vdot(x, back), rtol=1e-10, atol=1e-9)


def test_crop_may_be_larger_than_the_window() -> None:
    image = np.random.default_rng(1).integers(0, 256, (30, 30, 2), np.uint8)
    step = ConvTranspose2d(np.ones((1, 1, 2, 2)), 2, (2, 2), padding=Padding(20, 11, 13, 20))
    task = task_of(step, image, "uint8", "float32")
    assert_computes(task, image, POLYPHASE.apply(task, image, 1))


def test_outputs_that_no_sample_reaches_are_the_bias() -> None:
    image = np.full((2, 2, 1), 3.0, np.float32)
    step = ConvTranspose2d(np.ones((1, 1, 2, 2)), 1, (5, 5), dilation=(40, 40), bias=np.array([4.0]))
    task = task_of(step, image, "float32", "float32")
    result = POLYPHASE.apply(task, image, 1)
    assert_computes(task, image, result)
    assert (result == 4).sum() == result.size - 16


def test_enormous_dilation_takes_no_more_memory_than_its_output() -> None:
    """The rows between two taps are not made."""
    image = np.ones((2, 2, 1), np.float32)
    step = ConvTranspose2d(np.ones((1, 1, 2, 2)), dilation=(10**9, 10**9), padding=Padding(10**9, 0, 10**9, 0))
    task = task_of(step, image, "float32", "float32")
    assert task.output == Shape(2, 2, 1)
    assert POLYPHASE.workspace(task, 1) < 1 << 20
    np.testing.assert_array_equal(POLYPHASE.apply(task, image, 1), image)
