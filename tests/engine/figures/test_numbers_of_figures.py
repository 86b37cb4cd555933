"""The numbers in a drawing, against the arithmetic guide and the oracle."""

from __future__ import annotations

import re

import numpy as np
import pytest

from service.engine.errors import InvalidSpec
from service.engine.figures import describe, draw
from service.engine.figures.numerals import numeral
from service.engine.steps import Conv2d, ConvTranspose2d, Weights
from service.engine.steps.geometry import Padding, Shape
from tests import oracle
from tests.engine.figures.reading import Drawing

RANDOM = np.random.RandomState(1234)
INPUT = RANDOM.randint(0, 4, (5, 5)).astype(np.float64)
KERNEL = RANDOM.randint(0, 3, (3, 3)).astype(np.float64)[None, None]
"""The data of the numerical figures of vdumoulin/conv_arithmetic."""
SHAPE = Shape(5, 5, 1)
ONE = Padding(1, 1, 1, 1)


def evaluated(line: str) -> float:
    """Work out the left side of "3·1 + 2·(-2) = -1"."""
    left = line.partition("=")[0].replace("·", "*").replace("÷", "/").replace("−", "-")
    assert re.fullmatch(r"[-+*/(). 0-9]+", left)
    return float(eval(left))


@pytest.mark.parametrize(
    ("step", "results"),
    [
        (Conv2d(KERNEL), "12 12 17 10 17 19 9 6 14"),
        (Conv2d(KERNEL, stride=(2, 2), padding=ONE), "6 17 3 8 17 13 6 4 4"),
    ],
)
def test_numerical_figures_of_the_arithmetic_guide(step: Conv2d, results: str) -> None:
    drawing = Drawing(draw(step, SHAPE, INPUT))
    assert drawing.numbers("result") == results.split()
    assert [lines[-1].rpartition("= ")[2] for lines in drawing.sums().values()] == results.split()
    inner = [
        number
        for number, cell in zip(drawing.numbers("source"), drawing.cells("source"), strict=True)
        if cell.role == "input"
    ]
    assert list(map(float, inner)) == INPUT.ravel().tolist()
    assert list(map(float, drawing.numbers("kernel-plane"))) == KERNEL.ravel().tolist()


@pytest.mark.parametrize(
    "step",
    [
        Conv2d(KERNEL - 1, padding=ONE, padding_mode="reflect", divisor=-4.0, bias=np.array([-1.5])),
        Conv2d(KERNEL, padding=Padding(2, 1, 0, 3), padding_mode="constant", padding_value=7.0, stride=(1, 2)),
        Conv2d(KERNEL, dilation=(2, 1), padding=ONE, padding_mode="circular", bias=np.array([3.0])),
        ConvTranspose2d(KERNEL - 1, stride=(2, 1), padding=ONE, bias=np.array([0.5])),
    ],
)
def test_results_and_sums_are_those_of_the_oracle(step: Conv2d | ConvTranspose2d) -> None:
    expected = oracle.apply(step, INPUT[:, :, None]).ravel()
    drawing = Drawing(draw(step, SHAPE, INPUT))
    assert drawing.numbers("result") == [numeral(number).replace("−", "-") for number in expected]
    bias = 0.0 if step.bias is None else step.bias[0]
    divisor = step.divisor if isinstance(step, Conv2d) else 1.0
    for number, lines in zip(expected, drawing.sums().values(), strict=True):
        rows = [line for line in lines if "·" in line]
        assert sum(map(evaluated, rows)) / divisor + bias == pytest.approx(number)
        if len(lines) > len(rows):
            assert evaluated(lines[-1]) == pytest.approx(number)


def test_scattered_sums_grow_to_those_of_the_oracle() -> None:
    step = ConvTranspose2d(KERNEL, stride=(2, 2), padding=Padding(1, 0, 1, 0), bias=np.array([2.0]))
    figure = describe(step, SHAPE, INPUT, reading="scatter")
    for position in range(SHAPE.pixels):
        partial = INPUT.ravel().copy()
        partial[position + 1 :] = 0
        expected = oracle.apply(step, partial.reshape(5, 5, 1))[:, :, 0]
        for row, column, first, end, text in figure.growth:
            if first <= position and (end is None or position < end) and row >= 0 and column >= 0:
                assert text == numeral(expected[row, column])


def test_scattered_still_shows_the_results() -> None:
    step = ConvTranspose2d(KERNEL, stride=(2, 2))
    drawing = Drawing(draw(step, SHAPE, INPUT, animate=False, reading="scatter", position=4))
    expected = oracle.apply(step, INPUT[:, :, None]).ravel()
    assert drawing.numbers("result") == [numeral(number) for number in expected]
    assert drawing.sums() == {4: ["0 × kernel is added"]}


def test_still_shows_one_sum() -> None:
    drawing = Drawing(draw(Conv2d(KERNEL), SHAPE, INPUT, animate=False, position=4))
    assert drawing.sums() == {4: ["0·0 + 1·1 + 3·2", "+ 1·2 + 2·2 + 2·0", "+ 0·0 + 0·1 + 2·2 = 17"]}


def test_long_sums_are_given_as_their_result() -> None:
    kernel = np.ones((1, 1, 7, 7))
    drawing = Drawing(draw(Conv2d(kernel), Shape(8, 7, 1), np.ones((8, 7))))
    assert drawing.sums() == {position: ["sum of 49 products = 49"] for position in range(2)}


def test_factors_stand_beside_their_product() -> None:
    column, row = np.array([1.0, 2.0]), np.array([-1.0, 0.0, 3.0])
    step = Conv2d(np.multiply.outer(column, row)[None, None], factors=(column, row))
    drawing = Drawing(draw(step, SHAPE))
    assert drawing.numbers("kernel-plane") == ["-1", "0", "3", "-2", "0", "6", "1", "2", "-1", "0", "3"]
    assert drawing.places("kernel-plane", "factor") == [(0, -1), (1, -1), (-1, 0), (-1, 1), (-1, 2)]


def test_gathering_kernel_is_rotated() -> None:
    drawing = Drawing(draw(ConvTranspose2d(np.arange(4.0).reshape(1, 1, 2, 2)), SHAPE))
    assert drawing.numbers("kernel-plane") == ["3", "2", "1", "0"]
    assert "kernel, rotated" in drawing.text


@pytest.mark.parametrize("values", [None, INPUT])
def test_unknown_kernel_gives_no_sums(values: Weights | None) -> None:
    unknown = np.broadcast_to(np.float64(np.nan), (1, 1, 3, 3))
    for step in (Conv2d(unknown), ConvTranspose2d(unknown)):
        drawing = Drawing(draw(step, SHAPE, values))
        assert not drawing.numbers("result")
        assert not drawing.sums()
        assert "nan" not in drawing.text


def test_unknown_divisor_gives_no_sums() -> None:
    assert not Drawing(draw(Conv2d(KERNEL, divisor=float("nan")), SHAPE, INPUT)).numbers("result")


def test_copied_samples_are_named_where_their_numbers_are_not_known() -> None:
    step = Conv2d(
        np.broadcast_to(np.float64(np.nan), (1, 1, 1, 3)), padding=Padding(0, 0, 2, 2), padding_mode="reflect"
    )
    assert Drawing(draw(step, Shape(1, 4, 1))).numbers("source") == list("cbabcdcb")
    assert not Drawing(draw(Conv2d(step.weight), Shape(1, 4, 1))).numbers("source")


def test_values_of_one_of_several_summed_planes_are_refused() -> None:
    with pytest.raises(InvalidSpec, match="sums over 3 channels") as caught:
        draw(Conv2d(np.ones((2, 3, 1, 1))), Shape(5, 5, 3), INPUT)
    assert caught.value.faults[0].pointer == "/values"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (-3.0, "−3"),
        (1 / 3, "0.3333"),
        (99999.0, "99999"),
        (1234.5, "1234"),
        (1e30, "1e30"),
        (-2.5e-7, "−2.5e−7"),
        (123456.0, "1.235e5"),
    ],
)
def test_numbers_are_short(number: float, text: str) -> None:
    assert numeral(number) == text
