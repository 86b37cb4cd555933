"""The engine against numbers of PyTorch, ONNX Runtime, SciPy and OpenCV, which `make.py` has collected."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.engine import filter_bytes, filter_image
from tests import oracle
from tests.levels import assert_levels
from tests.vectors.case import Case, load
from tests.vectors.table import FIGURES, PRINTED

FLOAT32 = 2.0**-24


def channels(image: NDArray[Any]) -> int:
    return 1 if image.ndim == 2 else image.shape[2]


def written(image: NDArray[np.uint8]) -> bytes:
    """Give the bytes of a PNG."""
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def read(png: bytes) -> NDArray[np.uint8]:
    """Give the samples of a PNG, (H, W, C)."""
    samples = np.asarray(Image.open(BytesIO(png)))
    return samples[:, :, None] if samples.ndim == 2 else samples


def plain(case: Case) -> dict[str, Any]:
    """Give the spec that treats alpha as one more plane, as arrays have it."""
    has_alpha = channels(case.image) in {2, 4}
    return {"steps": [case.spec], "alpha": "channels"} if has_alpha else case.spec


CASES = load()
PICTURES = [
    case
    for case in CASES
    if case.image.dtype == np.uint8 and channels(case.image) <= 4 and channels(case.expected) <= 4
]


def tolerance(case: Case) -> float:
    """Bound the error of a sum in float32, whatever its order: N. J. Higham, "Accuracy and Stability", section 3.1.

    Every product counts, and besides the rounding of a weight, of the quotient, of the bias, and of the number that
    is expected. Products and sums of integers have no error.
    """
    if case.exact and case.store == "whole":
        return 0.0
    return ((0 if case.exact else case.terms) + 4) * FLOAT32 * case.magnitude


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_arrays_are_filtered_as_other_tools_do(case: Case) -> None:
    result = filter_image(case.image, case.spec)
    assert result.dtype == np.float32
    assert result.shape == case.expected.shape
    assert np.abs(result - case.expected).max() <= tolerance(case)


@pytest.mark.parametrize("case", PICTURES, ids=lambda case: case.name)
def test_pictures_are_the_exact_result_rounded_half_to_even(case: Case) -> None:
    result = read(filter_bytes(written(case.image), plain(case)))
    if case.exact:
        np.testing.assert_array_equal(result, oracle.stored(case.expected, np.uint8))
    else:
        assert_levels(result, case.expected)


def test_table_has_all_figures_of_the_arithmetic_guide() -> None:
    transposed = {f"{name}_transposed" for name in FIGURES if name != "dilation"}
    figures = {*FIGURES, *transposed, *PRINTED}
    assert len(figures) == 19
    assert figures <= {case.name for case in CASES}


def test_table_covers_every_operation_with_two_hundred_cases() -> None:
    assert len(CASES) >= 200
    assert len({case.spec["op"] for case in CASES}) == 13
