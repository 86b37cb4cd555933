"""The named kernels: numbers, sums, parameters, bounds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from service.engine.errors import InvalidSpec, WorkTooLarge
from service.engine.spec.named_kernels import KERNELS, build, exact

PARAMETERS: list[tuple[str, dict[str, Any]]] = [
    ("box", {"size": 4}),
    ("box", {"size": [1, 6]}),
    ("gaussian", {"sigma": 0.01, "size": 4}),
    ("gaussian", {"sigma": 3}),
    ("gaussian", {"sigma": 2, "size": [3, 8]}),
    ("disk", {"radius": 0}),
    ("disk", {"radius": 4.5}),
    ("motion", {"length": 1}),
    ("motion", {"length": 8, "angle": 33}),
    ("motion", {"length": 7, "angle": -90}),
]


def test_names_are_those_of_the_contract() -> None:
    assert list(KERNELS) == [
        *(
            "identity",
            "sobel_x",
            "sobel_y",
            "scharr_x",
            "scharr_y",
            "prewitt_x",
            "prewitt_y",
            "laplacian",
            "laplacian8",
        ),
        *("sharpen", "emboss", "outline", "box", "gaussian", "disk", "motion", "log", "bilinear"),
    ]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("sobel_x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("sobel_y", [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
        ("scharr_x", [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]),
        ("laplacian", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("outline", [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    ],
)
def test_numbers_of_the_contract(name: str, numbers: list[list[int]]) -> None:
    assert build(name).tolist() == numbers


def test_outline_is_laplacian8_negated() -> None:
    np.testing.assert_array_equal(build("outline"), -build("laplacian8"))


@pytest.mark.parametrize(
    ("name", "parameters"), [*PARAMETERS, ("box", {}), ("gaussian", {}), ("disk", {}), ("motion", {})]
)
def test_blurs_sum_to_1(name: str, parameters: dict[str, Any]) -> None:
    assert build(name, parameters).sum() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("parameters", [{}, {"sigma": 0.4}, {"sigma": 2.5}, {"sigma": 1, "size": [4, 9]}])
def test_log_sums_to_0(parameters: dict[str, Any]) -> None:
    kernel = build("log", parameters)
    assert abs(kernel.sum()) < 1e-14
    if not parameters:
        assert kernel[4, 4] == kernel.min()


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7])
def test_bilinear_sums_to_the_factor_squared(factor: int) -> None:
    kernel = build("bilinear", {"factor": factor})
    assert kernel.sum() == pytest.approx(factor**2)
    assert kernel.shape[0] == 2 * factor - factor % 2


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS)
def test_kernel_is_as_large_as_foretold(name: str, parameters: dict[str, Any]) -> None:
    kernel = KERNELS[name]
    assert build(name, parameters).shape == kernel.sides(**kernel.read(parameters))


@pytest.mark.parametrize("name", ["box", "disk"])
def test_means_are_integers_and_a_divisor(name: str) -> None:
    numbers, divisor = exact(name, {}, 255)
    assert divisor == numbers.sum()
    assert set(np.unique(numbers)) <= {0, 1}


def test_gaussian_is_cut_where_scipy_cuts_it() -> None:
    assert build("gaussian", {"sigma": 1.5}).shape == (13, 13)


def test_disk_holds_what_is_no_farther_than_its_radius() -> None:
    assert (build("disk", {"radius": 1}) * 5).tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        (0, [[1, 1, 1]]),
        (90, [[1], [1], [1]]),
        (180, [[1, 1, 1]]),
    ],
)
def test_motion_along_an_axis_is_a_row_or_a_column(angle: float, expected: list[list[int]]) -> None:
    numbers, divisor = exact("motion", {"length": 3, "angle": angle}, 255)
    assert (numbers.tolist(), divisor) == (expected, 3)


def test_motion_turns_counter_clockwise() -> None:
    kernel = build("motion", {"length": 9, "angle": 45})
    assert kernel[0, -1] > 0
    assert kernel[0, 0] == 0
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1])


@pytest.mark.parametrize(
    ("name", "parameters", "pointer", "words"),
    [
        ("gauss", {}, "", 'was "gauss": use "gaussian"'),
        ("box", {"size": 0}, "/size", "must be an integer from 1 to 10000, or a pair"),
        ("box", {"size": 2.5}, "/size", "was 2.5"),
        ("box", {"size": [3, True]}, "/size", "must be an integer"),
        ("box", {"size": [3, 3, 3]}, "/size", r"was \[3, 3, 3\]"),
        ("box", {"size": None}, "/size", "was null"),
        ("box", {"radius": 3}, "/radius", "did you mean size"),
        ("gaussian", {"sigma": -1}, "/sigma", "must be a number from 0.01 to 10000; was -1"),
        ("gaussian", {"sigma": "1"}, "/sigma", 'was "1"'),
        ("gaussian", {"sigma": True}, "/sigma", "was true"),
        ("gaussian", {"sigma": float("nan")}, "/sigma", "was a number beyond"),
        ("motion", {"length": 3.5}, "/length", "must be an integer from 1 to 10000; was 3.5"),
        ("motion", {"angle": 361}, "/angle", "from -360 to 360; was 361"),
        ("sobel_x", {"size": 3}, "/size", "is not a field of the kernel sobel_x; it has none"),
        ("bilinear", {"factor": 0}, "/factor", "from 1"),
    ],
)
def test_faulty_parameter_is_refused(name: str, parameters: dict[str, Any], pointer: str, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words) as refused:
        build(name, parameters)
    assert refused.value.faults[0].pointer == pointer


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("box", {"size": [1, 256]}),
        ("gaussian", {"sigma": 32}),
        ("gaussian", {"sigma": 10_000}),
        ("disk", {"radius": 128}),
        ("motion", {"length": 9999, "angle": 20}),
        ("log", {"sigma": 9999.5}),
        ("bilinear", {"factor": 128}),
    ],
)
def test_side_above_the_limit_is_refused_before_the_kernel_is_built(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(WorkTooLarge, match="max_kernel_side allows sides up to 255"):
        build(name, parameters)


@pytest.mark.parametrize("name", KERNELS)
def test_description_is_json(name: str) -> None:
    description = KERNELS[name].description()
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert set(description) == {"name", "summary", "parameters", "kernel"}
