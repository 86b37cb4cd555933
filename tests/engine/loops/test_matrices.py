from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.algorithms.base import Sample
from service.engine.borders import indices
from service.engine.geometry import PaddingMode
from service.engine.loops import matrices
from service.engine.loops.matrices import KINDS, lay_windows

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(get_args(PaddingMode)),
    st.sampled_from(get_args(Sample)),
    PAIRS,
    PAIRS,
    PAIRS,
    st.integers(1, 8),
    st.integers(0, 9),
    st.tuples(st.integers(0, 2), st.integers(1, 2)),
)
def test_each_row_is_the_window_of_one_output(
    mode: PaddingMode,
    sample: Sample,
    taps: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    width: int,
    padding: int,
    part: tuple[int, int],
) -> None:
    first, count = part
    image = np.random.default_rng(0).integers(0, 200, (5, width, first + count)).astype(sample)
    rows, columns = (indices(size, (padding, padding), mode) for size in image.shape[:2])
    view = [(taps[axis] - 1) * dilation[axis] + 1 for axis in (0, 1)]
    out = [(len(positions) - view[axis]) // stride[axis] + 1 for axis, positions in enumerate((rows, columns))]
    if min(out) < 1:
        return
    matrix = np.full((out[0] * out[1], taps[0] * taps[1] * count), np.nan, np.float32)
    source = image.reshape(5, -1).view(np.uint8)
    source.flags.writeable = False
    channels = image.shape[2]
    lay_windows(source, KINDS[sample], rows, columns, stride, dilation, taps, channels, first, 7.0, out[1], matrix)
    for y in range(out[0]):
        for x in range(out[1]):
            row = rows[y * stride[0] : y * stride[0] + view[0] : dilation[0]]
            column = columns[x * stride[1] : x * stride[1] + view[1] : dilation[1]]
            window = image[row][:, column, first:].astype(np.float32)
            window[row < 0] = 7
            window[:, column < 0] = 7
            np.testing.assert_array_equal(matrix[y * out[1] + x], window.reshape(-1))


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_nothing_is_compiled_after_warming(number: Any) -> None:
    matrices.warm()
    loop: Any = lay_windows
    before = len(loop.signatures)
    source = np.zeros((2, 16), np.uint8)
    source.flags.writeable = False
    nowhere = np.zeros(2, np.intp)
    lay_windows(source, 3, nowhere, nowhere, (1, 1), (1, 1), (2, 2), 2, 0, 0.0, 1, np.zeros((1, 8), number))
    assert len(loop.signatures) == before
