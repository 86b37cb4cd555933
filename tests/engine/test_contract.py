"""Every operation that is registered, with every example it shows, against the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.engine import filter_bytes, filter_image
from service.engine.machine.limits import Limits
from service.engine.operations import OPERATIONS
from service.engine.spec.built_in_presets import PRESETS
from service.engine.spec.spec import Spec, parse
from service.engine.steps import Blend
from service.engine.steps.geometry import Shape
from tests import oracle
from tests.engine.pictures import as_png, from_png
from tests.levels import assert_levels

EXAMPLES = [
    pytest.param(example, id=f"{operation.name()}-{index}")
    for operation in OPERATIONS
    for index, example in enumerate(operation.examples)
]
PHOTOGRAPH = Path(__file__).parents[2] / "docs/pictures/cat.jpg"


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    with Image.open(PHOTOGRAPH) as image:
        return np.asarray(image.convert("RGB"))[40:117, 150:251]


def exact(spec: Spec, image: NDArray[Any]) -> NDArray[np.float64]:
    """Chain the steps of a spec in float64, each by its definition."""
    result = image.astype(np.float64)
    if spec.color_space == "linear":
        level = result / 255
        result = 255 * np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    results = [result]
    for operation in spec.steps:
        for step in operation.steps(Shape(*result.shape)):
            if isinstance(step, Blend):
                result = oracle.blend(step, result, results[step.other + 1])
            else:
                result = oracle.apply(step, result)
        results.append(result)
    if spec.color_space == "linear":
        light = np.abs(result) / 255
        coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        result = np.copysign(255 * coded, result)
    return np.abs(result) if spec.output is not None and spec.output.range == "abs" else result


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_gives_the_levels_of_the_oracle(example: dict[str, Any], photograph: NDArray[np.uint8]) -> None:
    result = from_png(filter_bytes(as_png(photograph), example))
    assert_levels(result, exact(parse(example, Limits()), photograph))


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_gives_the_numbers_of_the_oracle(example: dict[str, Any], photograph: NDArray[np.uint8]) -> None:
    expected = exact(parse(example, Limits()), photograph)
    result = filter_image(photograph.astype(np.float64), example)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", PRESETS)
def test_preset_gives_the_levels_of_the_oracle(name: str, photograph: NDArray[np.uint8]) -> None:
    document = PRESETS[name].spec
    result = from_png(filter_bytes(as_png(photograph), document))
    assert_levels(result, exact(parse(document, Limits()), photograph))
