"""Random steps, images and tasks, small and awkward: even kernels, one row, padding and dilation beyond the image."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.engine.algorithms.base import Sample, Task
from service.engine.errors import InvalidSpec
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, NormalizedConv2d, Step, Weights
from service.engine.steps.geometry import Padding, PaddingMode, Shape
from service.engine.steps.precision import Arithmetic

Draw = st.DrawFn
SIDES = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 11])
SMALL = st.sampled_from([1, 1, 1, 2, 3])
SAMPLES: tuple[Sample, ...] = get_args(Sample)
MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)


@st.composite
def images(draw: Draw, channels: int, kinds: tuple[Sample, ...] = SAMPLES) -> NDArray[Any]:
    """Draw (H, W, channels) from one row or column up to sizes that make several blocks and strips."""
    shape = (draw(st.integers(1, 40)), draw(st.integers(1, 40)), channels)
    kind = draw(st.sampled_from(kinds))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    if kind.startswith("uint"):
        return random.integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)
    return (random.random(shape) * 510 - 255).astype(kind)


def weights(shape: tuple[int, ...], *, integral: bool, seed: int) -> Weights:
    random = np.random.default_rng(seed)
    if integral:
        return random.integers(-3, 4, shape).astype(np.float64)
    return random.standard_normal(shape)


@st.composite
def paddings(draw: Draw, highest: int = 12) -> Padding:
    return Padding(*(draw(st.integers(0, highest)) for _ in range(4)))


@st.composite
def geometries(draw: Draw) -> dict[str, Any]:
    return {
        "stride": (draw(SMALL), draw(SMALL)),
        "dilation": (draw(SMALL), draw(SMALL)),
        "padding": draw(paddings()),
        "padding_mode": draw(st.sampled_from(MODES)),
        "padding_value": float(draw(st.integers(-5, 5))),
    }


@st.composite
def shared_convolutions(draw: Draw) -> Conv2d:
    """Draw one kernel for all channels."""
    integral, seed, channels = draw(st.booleans()), draw(st.integers(0, 2**32)), draw(st.integers(1, 4))
    kernel = weights((1, 1, draw(SIDES), draw(SIDES)), integral=integral, seed=seed)
    if draw(st.booleans()):
        kernel[:] = kernel.flat[0]
    return Conv2d(
        kernel,
        channels,
        **draw(geometries()),
        divisor=draw(st.sampled_from([1.0, 2.0, 9.0, -3.0, 0.7])) if not integral else draw(divisors()),
        bias=draw(biases(channels, integral=integral, seed=seed)),
    )


@st.composite
def convolutions(draw: Draw) -> Conv2d:
    """Draw kernels that mix channels in groups; those of one channel each among them."""
    integral, seed, groups = draw(st.booleans()), draw(st.integers(0, 2**32)), draw(st.integers(1, 3))
    per_group, outputs = draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    shape = (outputs, per_group, draw(SIDES), draw(SIDES))
    return Conv2d(
        weights(shape, integral=integral, seed=seed),
        groups,
        **draw(geometries()),
        divisor=draw(divisors()),
        bias=draw(biases(outputs, integral=integral, seed=seed)),
    )


@st.composite
def separable_convolutions(draw: Draw) -> Conv2d:
    integral, seed, channels = draw(st.booleans()), draw(st.integers(0, 2**32)), draw(st.integers(1, 4))
    column = weights((draw(SIDES),), integral=integral, seed=seed)
    row = weights((draw(SIDES),), integral=integral, seed=seed + 1)
    kernel = np.multiply.outer(column, row)[None, None]
    assume(bool(kernel.any()))
    return Conv2d(
        kernel,
        channels,
        **draw(geometries()),
        divisor=draw(divisors()),
        bias=draw(biases(channels, integral=integral, seed=seed)),
        factors=draw(st.sampled_from([None, (column, row)])),
    )


@st.composite
def normalized(draw: Draw) -> NormalizedConv2d:
    """Draw a kernel that looks beyond the rim, with negative weights at its ends among them."""
    seed, channels = draw(st.integers(0, 2**32)), draw(st.integers(1, 4))
    integral = draw(st.booleans())

    def axis(seed: int) -> tuple[Weights, int, Padding]:
        stride, reach = draw(st.integers(2, 5)), draw(st.integers(1, 9))
        outer = weights((2 * reach,), integral=integral, seed=seed) / (1 if integral else 4)
        middle = np.full(stride, 3.0 * reach + 1)
        taps = np.concatenate([outer[:reach], middle, outer[reach:]])
        return taps, stride, Padding(reach, draw(st.integers(0, reach)))

    (column, down, above), (row, across, left) = axis(seed), axis(seed + 1)
    conv = Conv2d(
        np.multiply.outer(column, row)[None, None],
        channels,
        (down, across),
        padding=Padding(*above.vertical, *left.vertical),
        divisor=float(column.sum() * row.sum()),
        factors=(column, row),
    )
    return NormalizedConv2d(conv)


@st.composite
def gradients(draw: Draw) -> GradientMagnitude:
    seed, channels = draw(st.integers(0, 2**32)), draw(st.integers(1, 3))
    shape = (1, 1, draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    geometry = draw(geometries())
    x, y = (
        Conv2d(weights(shape, integral=True, seed=seed + i), channels, **geometry, divisor=draw(divisors()))
        for i in range(2)
    )
    return GradientMagnitude(x, y, draw(st.sampled_from(["l1", "l2"])))


@st.composite
def transposed(draw: Draw) -> ConvTranspose2d:
    integral, seed, groups = draw(st.booleans()), draw(st.integers(0, 2**32)), draw(st.integers(1, 3))
    shared = draw(st.booleans())
    per_group, outputs = (1, 1) if shared else (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    shape = (1 if shared else groups * per_group, outputs, draw(SIDES), draw(SIDES))
    stride, dilation = (draw(SMALL), draw(SMALL)), (draw(SMALL), draw(SMALL))
    extra = [draw(st.integers(0, max(pair) - 1)) for pair in zip(stride, dilation, strict=True)]
    return ConvTranspose2d(
        weights(shape, integral=integral, seed=seed),
        groups,
        stride,
        dilation,
        draw(paddings()),
        (extra[0], extra[1]),
        draw(biases(groups * outputs, integral=integral, seed=seed)),
        (draw(st.integers(0, 2)), draw(st.integers(0, 2))),
    )


def divisors() -> st.SearchStrategy[float]:
    return st.sampled_from([1.0, 2.0, 9.0, -3.0, 16.0])


@st.composite
def biases(draw: Draw, channels: int, *, integral: bool, seed: int) -> Weights | None:
    kind = draw(st.sampled_from(["none", "one", "each"]))
    if kind == "none":
        return None
    each = weights((channels,), integral=integral, seed=seed + 7)
    return each if kind == "each" else np.full(channels, each[0])


def task_of(step: Step, image: NDArray[Any], target: Sample, arithmetic: Arithmetic) -> Task:
    """Make a task, exact where it can be; refuses what has no output."""
    shape = Shape(*image.shape)
    try:
        step.output(shape)
    except InvalidSpec:
        assume(False)
    reach = step.reach
    exact = reach.integral and image.dtype.kind == "u"
    if exact and reach.gain * max(float(image.max()), reach.rim) * abs(reach.divisor) >= 2**24:
        arithmetic = "float64"
    if image.dtype == np.float64 or (reach.rounds and "uint16" in {image.dtype.name, target}):
        arithmetic = "float64"  # a root of more than 8 bits is too near to a tie for float32
    source = next(kind for kind in SAMPLES if kind == image.dtype)
    return Task(step, shape, source, target, arithmetic, exact)


@st.composite
def problems(draw: Draw, steps: st.SearchStrategy[Step]) -> tuple[Task, NDArray[Any]]:
    """Draw a task for one of `steps`, and an image for it."""
    step = draw(steps)
    image = draw(images(step.in_channels))
    arithmetic: Arithmetic = draw(st.sampled_from(["float32", "float64"]))
    return task_of(step, image, draw(st.sampled_from(SAMPLES)), arithmetic), image
