"""Every operation that is registered, with every example it shows, against the oracle."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.engine import filter_bytes, filter_image
from service.engine.geometry import Shape
from service.engine.limits import Limits
from service.engine.operations import OPERATIONS
from service.engine.presets import PRESETS
from service.engine.spec import Spec, parse
from tests import oracle
from tests.levels import assert_levels

EXAMPLES = [
    pytest.param(example, id=f"{operation.name()}-{index}")
    for operation in OPERATIONS
    for index, example in enumerate(operation.examples)
]


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    with Image.open("docs/pictures/cat.jpg") as image:
        return np.asarray(image.convert("RGB"))[40:117, 150:251]


def as_png(image: NDArray[np.uint8]) -> bytes:
    out = BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def from_png(data: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data)) as image:
        pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def exact(spec: Spec, image: NDArray[Any]) -> NDArray[np.float64]:
    """Chain the steps of a spec in float64, each by its definition."""
    result = image.astype(np.float64)
    for operation in spec.steps:
        for step in operation.steps(Shape(*result.shape)):
            result = oracle.apply(step, result)
    return result


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_gives_the_levels_of_the_oracle(example: dict[str, Any], photograph: NDArray[np.uint8]) -> None:
    result = filter_bytes(as_png(photograph), {"steps": [example], "output": {"range": "clip"}})
    assert_levels(from_png(result), exact(parse(example, Limits()), photograph))


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_gives_the_numbers_of_the_oracle(example: dict[str, Any], photograph: NDArray[np.uint8]) -> None:
    expected = exact(parse(example, Limits()), photograph)
    result = filter_image(photograph.astype(np.float64), example)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", PRESETS)
def test_preset_gives_the_levels_of_the_oracle(name: str, photograph: NDArray[np.uint8]) -> None:
    document = PRESETS[name].spec
    spec = parse(document, Limits())
    if spec.output is not None and spec.output.range == "center":
        pytest.fail("a preset of another range than clip or abs needs its own expectation here")
    expected = exact(spec, photograph)
    if spec.output is not None and spec.output.range == "abs":
        expected = np.abs(expected)
    assert_levels(from_png(filter_bytes(as_png(photograph), document)), expected)
