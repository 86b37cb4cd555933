"""The presets are specs, and take gray images as well as coloured ones."""

from __future__ import annotations

import json

import pytest

from service.engine.machine.limits import Limits
from service.engine.spec.built_in_presets import PRESETS
from service.engine.spec.spec import parse
from service.engine.steps import Conv2d, GradientMagnitude, Step
from service.engine.steps.geometry import Shape


def steps(name: str, channels: int) -> list[Step]:
    shape, found = Shape(40, 50, channels), []
    for operation in parse(PRESETS[name].spec, Limits()).steps:
        for step in operation.steps(shape):
            assert step.in_channels == shape.channels
            shape = step.output(shape)
            found.append(step)
    assert shape.channels in {1, 3}
    return found


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_preset_fits_gray_and_coloured_images(name: str, channels: int) -> None:
    assert steps(name, channels)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_has_a_summary_and_is_json(name: str) -> None:
    assert PRESETS[name].summary.endswith(".")
    assert json.loads(json.dumps(PRESETS[name].spec)) == PRESETS[name].spec


def test_those_that_the_service_is_known_for_are_there() -> None:
    wanted = {
        "sobel",
        "dilated-blur",
        "depthwise",
        "upscale-2x",
        "gaussian-blur",
        "sharpen",
        "emboss",
        "outline",
        "edges",
    }
    assert wanted <= set(PRESETS)


def test_sobel_is_the_separable_magnitude_of_the_gray_image() -> None:
    gray, gradient = steps("sobel", 3)
    assert gray.out_channels == 1
    assert isinstance(gradient, GradientMagnitude)
    assert gradient.x.factors is not None


def test_dilated_blur_sees_5x5_with_9_numbers() -> None:
    (step,) = steps("dilated-blur", 3)
    assert (step.parameters, step.field_of_view) == (9, (5, 5))


def test_depthwise_has_a_kernel_of_its_own_for_each_channel() -> None:
    (step,) = steps("depthwise", 3)
    assert isinstance(step, Conv2d)
    assert (step.groups, step.weight.shape) == (3, (3, 1, 3, 3))
    assert len({kernel.tobytes() for kernel in step.weight}) == 3
