"""Every cell of a drawing against what the oracle does with impulses."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from service.engine.figures import describe, draw
from service.engine.figures.description import Reading
from service.engine.steps import Conv2d, ConvTranspose2d, Weights
from service.engine.steps.geometry import Padding, PaddingMode, Pair, Shape
from tests import oracle
from tests.engine.figures.reading import Drawing

FIGURES = {
    # name: i, k, s, p, d
    "no_padding_no_strides": (4, 3, 1, 0, 1),
    "arbitrary_padding_no_strides": (5, 4, 1, 2, 1),
    "same_padding_no_strides": (5, 3, 1, 1, 1),
    "full_padding_no_strides": (5, 3, 1, 2, 1),
    "no_padding_strides": (5, 3, 2, 0, 1),
    "padding_strides": (5, 3, 2, 1, 1),
    "padding_strides_odd": (6, 3, 2, 1, 1),
    "dilation": (7, 3, 1, 0, 2),
}
"""The figures of vdumoulin/conv_arithmetic."""


def distinct(height: int, width: int) -> Weights:
    """Make a kernel by whose sums one can tell which taps are in them."""
    return np.exp2(np.arange(height * width, dtype=np.float64)).reshape(1, 1, height, width)


def convolution(name: str) -> tuple[Conv2d, Shape]:
    size, kernel, stride, padding, dilation = FIGURES[name]
    step = Conv2d(
        distinct(kernel, kernel), stride=(stride,) * 2, dilation=(dilation,) * 2, padding=Padding(*(padding,) * 4)
    )
    return step, Shape(size, size, 1)


def twin(name: str) -> tuple[ConvTranspose2d, Shape]:
    """Make the transposed convolution that leads back to the size of the figure's input."""
    size, kernel, stride, padding, dilation = FIGURES[name]
    lost = (size + 2 * padding - dilation * (kernel - 1) - 1) % stride
    step = ConvTranspose2d(
        distinct(kernel, kernel),
        stride=(stride,) * 2,
        padding=Padding(*(padding,) * 4),
        dilation=(dilation,) * 2,
        output_padding=(lost, lost),
    )
    forward, shape = convolution(name)
    return step, forward.output(shape)


def responses(step: Conv2d | ConvTranspose2d, shape: Shape) -> Weights:
    """Ask the oracle what each output has of each sample: (H', W', H, W)."""
    impulses = np.eye(shape.pixels).reshape(shape.height, shape.width, shape.pixels)
    many = type(step)(**{**vars(step), "groups": shape.pixels})
    result = oracle.apply(many, impulses)
    return result.reshape(*result.shape[:2], shape.height, shape.width)


def gathered_at(drawing: Drawing, kernel: Weights, dilation: Pair, shape: Shape) -> Weights:
    """Add up what the taps of the window in a still lie on: how much of each sample."""
    source = {cell.place: cell for cell in drawing.cells("source")}
    row, column = drawing.at("window")
    found = np.zeros((shape.height, shape.width))
    for tap in drawing.cells("walk", "tap"):
        cell = source[row + tap.place[0], column + tap.place[1]]
        if cell.role == "input" or cell.origin is not None:
            found[cell.origin or cell.place] += kernel[tap.place[0] // dilation[0], tap.place[1] // dilation[1]]
    return found


def check_drawn_in_place(drawing: Drawing) -> None:
    for kind in ("source", "kernel-plane", "result", "walk"):
        for cell in drawing.cells(kind):
            assert cell.drawn == cell.place
    for kind in ("source", "kernel-plane", "result"):
        places = drawing.places(kind)
        assert len(set(places)) == len(places)


def check_gathering(step: Conv2d | ConvTranspose2d, shape: Shape) -> None:
    expected = responses(step, shape)
    height, width = expected.shape[:2]
    kernel = step.weight[0, 0]
    if isinstance(step, ConvTranspose2d):
        kernel = kernel[::-1, ::-1]
    for position in range(height * width):
        drawing = Drawing(draw(step, shape, animate=False, position=position))
        check_drawn_in_place(drawing)
        mark = divmod(position, width)
        assert drawing.at("mark") == mark
        np.testing.assert_array_equal(gathered_at(drawing, kernel, step.dilation, shape), expected[mark])
        assert sorted(drawing.places("result", "output")) == list(np.ndindex(height, width))
        assert len(drawing.places("kernel-plane", "kernel")) == kernel.size
        samples = [cell.origin or cell.place for cell in drawing.cells("source", "input")]
        assert sorted(samples) == list(np.ndindex(shape.height, shape.width))


def check_scattering(step: ConvTranspose2d, shape: Shape) -> None:
    expected = responses(step, shape)
    for position, sample in enumerate(np.ndindex(shape.height, shape.width)):
        drawing = Drawing(draw(step, shape, animate=False, position=position, reading="scatter"))
        check_drawn_in_place(drawing)
        assert drawing.at("mark") == sample
        result = {cell.place: cell.role for cell in drawing.cells("result")}
        outputs = [place for place, role in result.items() if role == "output"]
        assert sorted(outputs) == list(np.ndindex(*expected.shape[:2]))
        row, column = drawing.at("window")
        found = np.zeros(expected.shape[:2])
        for tap in drawing.cells("walk", "tap"):
            place = (row + tap.place[0], column + tap.place[1])
            assert place in result
            if result[place] == "output":
                found[place] += step.weight[0, 0, tap.place[0] // step.dilation[0], tap.place[1] // step.dilation[1]]
        np.testing.assert_array_equal(found, expected[:, :, *sample])
        assert sorted(drawing.places("source", "input")) == list(np.ndindex(shape.height, shape.width))


@pytest.mark.parametrize("name", FIGURES)
def test_convolution_reads_the_samples_that_the_oracle_reads(name: str) -> None:
    check_gathering(*convolution(name))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("reading", ["gather", "scatter"])
def test_both_readings_of_the_transposed_twin_are_the_oracle(name: str, reading: Reading) -> None:
    (check_gathering if reading == "gather" else check_scattering)(*twin(name))


@pytest.mark.parametrize(
    ("name", "padding"),
    [
        ("no_padding_no_strides", 0),
        ("arbitrary_padding_no_strides", 9 * 9 - 25),
        ("same_padding_no_strides", 7 * 7 - 25),
        ("full_padding_no_strides", 9 * 9 - 25),
        ("no_padding_strides", 0),
        ("padding_strides", 7 * 7 - 25),
        ("padding_strides_odd", 8 * 8 - 36),
        ("dilation", 0),
    ],
)
def test_padding_and_gaps_of_the_figures_are_counted(name: str, padding: int) -> None:
    step, shape = convolution(name)
    drawing = Drawing(draw(step, shape, animate=False))
    assert Counter(cell.role for cell in drawing.cells("source")) == Counter(input=shape.pixels, padding=padding)
    view = step.field_of_view[0] ** 2
    taps = step.kernel_size[0] ** 2
    assert Counter(cell.role for cell in drawing.cells("walk")) == Counter(tap=taps, gap=view - taps)


@pytest.mark.parametrize(
    ("name", "stretched", "padding", "extra"),
    [
        # of the report: s(i' - 1) + 1, p' = k - p - 1 and a = (i + 2p - k) mod s
        ("no_padding_no_strides", 2, 2, 0),
        ("arbitrary_padding_no_strides", 6, 1, 0),
        ("same_padding_no_strides", 5, 1, 0),
        ("full_padding_no_strides", 7, 0, 0),
        ("no_padding_strides", 3, 2, 0),
        ("padding_strides", 5, 1, 0),
        ("padding_strides_odd", 5, 1, 1),
    ],
)
def test_stretched_input_is_that_of_the_report(name: str, stretched: int, padding: int, extra: int) -> None:
    step, shape = twin(name)
    drawing = Drawing(draw(step, shape, animate=False))
    whole = stretched + 2 * padding + extra
    roles = Counter(cell.role for cell in drawing.cells("source"))
    assert roles == Counter(input=shape.pixels, gap=stretched**2 - shape.pixels, padding=whole**2 - stretched**2)


def test_cropping_is_the_padding() -> None:
    step, shape = twin("padding_strides")
    drawing = Drawing(draw(step, shape, animate=False, reading="scatter"))
    assert Counter(cell.role for cell in drawing.cells("result")) == Counter(output=25, cropped=49 - 25)


@pytest.mark.parametrize("mode", ["zeros", "constant", "replicate", "reflect", "symmetric", "circular"])
def test_padding_cells_say_which_sample_they_copy(mode: PaddingMode) -> None:
    step = Conv2d(distinct(3, 2), stride=(1, 2), dilation=(2, 3), padding=Padding(3, 4, 2, 3), padding_mode=mode)
    check_gathering(step, Shape(2, 3, 1))


@pytest.mark.parametrize(
    ("step", "shape"),
    [
        (Conv2d(distinct(1, 1)), Shape(1, 1, 1)),
        (Conv2d(distinct(2, 3), stride=(3, 2), padding=Padding(0, 1, 2, 0)), Shape(4, 7, 1)),
        (Conv2d(distinct(3, 3), stride=(2, 2), dilation=(2, 2), padding=Padding(2, 2, 2, 2)), Shape(8, 8, 1)),
    ],
)
def test_uneven_convolution_reads_the_samples_that_the_oracle_reads(step: Conv2d, shape: Shape) -> None:
    check_gathering(step, shape)


@pytest.mark.parametrize(
    ("step", "shape"),
    [
        (ConvTranspose2d(distinct(1, 1)), Shape(1, 1, 1)),
        (
            ConvTranspose2d(distinct(3, 3), stride=(3, 3), padding=Padding(1, 1, 1, 1), output_padding=(2, 2)),
            Shape(3, 3, 1),
        ),
        (ConvTranspose2d(distinct(2, 3), stride=(1, 4), dilation=(3, 1), padding=Padding(1, 0, 2, 3)), Shape(2, 3, 1)),
        (ConvTranspose2d(distinct(3, 3), stride=(2, 2), padding=Padding(4, 4, 4, 4)), Shape(5, 5, 1)),
        (ConvTranspose2d(distinct(1, 2), stride=(4, 3), output_padding=(3, 1)), Shape(2, 2, 1)),
    ],
)
@pytest.mark.parametrize("reading", ["gather", "scatter"])
def test_uneven_transposed_convolution_is_the_oracle(step: ConvTranspose2d, shape: Shape, reading: Reading) -> None:
    (check_gathering if reading == "gather" else check_scattering)(step, shape)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("reading", [None, "gather", "scatter"])
def test_animation_walks_the_positions_of_the_stills(name: str, reading: Reading | None) -> None:
    step, shape = twin(name) if reading else convolution(name)
    figure = describe(step, shape, reading=reading)
    drawing = Drawing(draw(step, shape, reading=reading))
    assert drawing.walked("w") == list(figure.windows)
    assert drawing.walked("m") == list(figure.marks)
    for position in (0, len(figure.windows) - 1):
        still = Drawing(draw(step, shape, animate=False, position=position, reading=reading))
        assert still.at("window") == figure.windows[position]
        assert still.at("mark") == figure.marks[position]


def test_veil_leaves_free_what_has_been_computed() -> None:
    step, shape = convolution("full_padding_no_strides")
    drawing = Drawing(draw(step, shape))
    side = drawing.side
    rects = [
        tuple(int(rect.get(name, "0")) // side for name in ("y", "x", "height", "width"))
        for rect in drawing.plane("veil")
    ]
    outputs = drawing.places("result", "output")
    for position, (row, column) in enumerate(drawing.walked("m")):
        for number, (v, h) in enumerate(sorted(outputs)):
            hidden = any(
                top <= v - row < top + height and left <= h - column < left + width
                for top, left, height, width in rects
            )
            assert hidden == (number > position)


def test_scattered_cells_appear_when_they_are_reached() -> None:
    step, shape = twin("no_padding_strides")
    drawing = Drawing(draw(step, shape, reading="scatter"))
    groups = {
        group.get("class"): group for group in drawing.plane("result") if re.fullmatch(r"a\d+", group.get("class", ""))
    }
    assert [len(groups[f"a{position}"]) for position in range(4)] == [9, 6, 6, 4]
    for position in range(1, 4):
        assert re.search(rf"@keyframes f[0-9a-f]{{5}}a{position}{{0%{{visibility:hidden}}", drawing.style)
