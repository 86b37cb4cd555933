"""Windows into a padded image are windows into what numpy.pad makes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.engine.algorithms.ground.windows import Padded
from service.engine.steps.geometry import Padding, PaddingMode
from tests import oracle

MODES: list[PaddingMode] = ["zeros", "constant", "replicate", "reflect", "symmetric", "circular"]
SIDES = st.integers(0, 9)


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.builds(Padding, SIDES, SIDES, SIDES, SIDES),
    st.sampled_from(MODES),
    st.tuples(SIDES, SIDES),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_window_shows_the_padded_image(
    height: int, width: int, padding: Padding, mode: PaddingMode, corner: tuple[int, int], size: tuple[int, int]
) -> None:
    image = np.arange(1, height * width * 3 + 1, dtype=np.uint16).reshape(height, width, 3)
    whole = oracle.pad(image.astype(np.float64), (padding.vertical, padding.horizontal), mode, 7)
    top, left = min(corner[0], whole.shape[0] - 1), min(corner[1], whole.shape[1] - 1)
    expected = np.zeros((*size, 2))
    seen = whole[top : top + size[0], left : left + size[1], 1:]
    expected[: seen.shape[0], : seen.shape[1]] = seen

    window = np.full((*size, 2), np.nan)
    Padded.of(image, padding, mode, 7).window(top, left, window, slice(1, 3))

    np.testing.assert_array_equal(window, expected)
