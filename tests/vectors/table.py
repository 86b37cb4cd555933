"""The cases: a name, a picture, a spec. Their numbers are drawn by `numpy.random.default_rng` from the name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Fields = dict[str, Any]
Size = tuple[int, int]
Draw = Callable[..., Any]

PADDING_MODES = ("zeros", "constant", "replicate", "reflect", "symmetric", "circular")
BORDERS = ("reflect", "zeros", "replicate", "symmetric", "circular")
SLOPES = ("sobel_x", "sobel_y", "scharr_x", "scharr_y", "prewitt_x", "prewitt_y")


@dataclass(frozen=True)
class Row:
    name: str
    image: str
    spec: dict[str, Any]


def rows() -> list[Row]:
    """List all cases."""
    families = (
        figures,
        kernels,
        larger_than_the_image,
        borders,
        strides_and_dilations,
        same,
        weights,
        after_the_sum,
        turned,
        named,
        levels,
        separable,
        depthwise,
        depthwise_separable,
        transposed,
        upscale,
        downscale,
        blur,
        gradient,
        sharpen,
        grayscale,
        pool,
        deconvolve,
    )
    return [row for family in families for row in family()]


def images() -> dict[str, Image]:
    """Draw the pictures: uint8, uint16 or float32, (H, W) or (H, W, C)."""
    drawn: dict[str, Image] = {
        name: random(name).integers(0, 256, size).astype(np.uint8)
        for name, size in {
            "gray 9x11": (9, 11),
            "gray 16x13": (16, 13),
            "gray 6x7": (6, 7),
            "gray 1x1": (1, 1),
            "gray 2x3": (2, 3),
            "row 1x12": (1, 12),
            "column 9x1": (9, 1),
            "rgb 12x15": (12, 15, 3),
            "rgb 8x8": (8, 8, 3),
            "rgb 5x4": (5, 4, 3),
            "two 7x5": (7, 5, 2),
            "four 7x6": (7, 6, 4),
            "six 8x7": (8, 7, 6),
        }.items()
    }
    drawn["extremes 10x9"] = random("extremes").integers(0, 2, (10, 9), dtype=np.uint8) * np.uint8(255)
    drawn["deep 9x8"] = random("deep").integers(0, 2**16, (9, 8, 3)).astype(np.uint16)
    drawn |= {
        name: random(name).uniform(0, 255, size).astype(np.float32)
        for name, size in {
            "float 10x12": (10, 12),
            "float 7x5": (7, 5),
            "float 1x1": (1, 1),
            "float row 1x9": (1, 9),
            "float rgb 9x10": (9, 10, 3),
            "float rgb 4x5": (4, 5, 3),
            "float four 7x6": (7, 6, 4),
            "float six 8x7": (8, 7, 6),
            "float 40x36": (40, 36),
        }.items()
    }
    drawn["signed 8x9"] = random("signed").normal(0, 100, (8, 9)).astype(np.float32)
    drawn["double 7x8"] = random("double").uniform(-1, 1, (7, 8))
    drawn["numerical 5x5"] = NUMERICAL_IMAGE.astype(np.uint8)
    for side in range(2, 8):
        drawn[f"figure {side}x{side}"] = random(f"figure {side}").integers(0, 4, (side, side)).astype(np.uint8)
    return drawn


def random(name: str) -> np.random.Generator:
    return np.random.default_rng(crc32(name.encode()))


def whole(name: str, *shape: int, low: int = -4, high: int = 5) -> Any:
    """Draw integers, as JSON has them."""
    return random(name).integers(low, high, shape).tolist()


def decimals(name: str, *shape: int) -> Any:
    """Draw numbers with two decimals."""
    return (random(name).integers(-100, 101, shape) / 100).tolist()


# V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning": all figures, by their names there

NUMERICAL = np.random.RandomState(1234)
NUMERICAL_IMAGE = NUMERICAL.randint(0, 4, (5, 5))
NUMERICAL_KERNEL = NUMERICAL.randint(0, 3, (3, 3))
FIGURES = {
    # name: (side of the input, of the kernel, stride, padding, dilation), (side of the output, output_padding)
    "no_padding_no_strides": ((4, 3, 1, 0, 1), (2, 0)),
    "arbitrary_padding_no_strides": ((5, 4, 1, 2, 1), (6, 0)),
    "same_padding_no_strides": ((5, 3, 1, 1, 1), (5, 0)),
    "full_padding_no_strides": ((5, 3, 1, 2, 1), (7, 0)),
    "no_padding_strides": ((5, 3, 2, 0, 1), (2, 0)),
    "padding_strides": ((5, 3, 2, 1, 1), (3, 0)),
    "padding_strides_odd": ((6, 3, 2, 1, 1), (3, 1)),
    "dilation": ((7, 3, 1, 0, 2), (3, 0)),
}
PRINTED: dict[str, list[list[float]]] = {
    "numerical_no_padding_no_strides": [[12, 12, 17], [10, 17, 19], [9, 6, 14]],
    "numerical_padding_strides": [[6, 17, 3], [8, 17, 13], [6, 4, 4]],
    "numerical_average_pooling": [[1.7, 1.7, 1.7], [1.0, 1.2, 1.8], [1.1, 0.8, 1.3]],
    "numerical_max_pooling": [[3, 3, 3], [3, 3, 3], [3, 2, 3]],
}
"""The numbers in the guide, to the decimals printed there."""


def figures() -> Iterator[Row]:
    for name, ((side, kernel_side, stride, padding, dilation), (output, output_padding)) in FIGURES.items():
        kernel = whole(name, kernel_side, kernel_side, low=0, high=3)
        geometry = {"kernel": kernel, "stride": stride, "padding": padding}
        yield Row(name, f"figure {side}x{side}", {"op": "conv", **geometry, "dilation": dilation})
        if name != "dilation":
            extra = {"output_padding": output_padding} if output_padding else {}
            yield Row(f"{name}_transposed", f"figure {output}x{output}", {"op": "transposed", **geometry, **extra})
    kernel = NUMERICAL_KERNEL.tolist()
    image = "numerical 5x5"
    yield Row("numerical_no_padding_no_strides", image, {"op": "conv", "kernel": kernel})
    yield Row("numerical_padding_strides", image, {"op": "conv", "kernel": kernel, "stride": 2, "padding": 1})
    for method in ("average", "max"):
        spec = {"op": "pool", "method": method, "size": 3, "stride": 1}
        yield Row(f"numerical_{method}_pooling", image, spec)


# Convolutions


def kernels() -> Iterator[Row]:
    """Kernels of every shape, with every rule of padding."""
    sizes = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (3, 3), (4, 4), (5, 5), (2, 5), (5, 2), (4, 3), (6, 6)]
    for height, width in [*sizes, (7, 7), (1, 7), (7, 1)]:
        name = f"conv {height}x{width} same"
        yield Row(name, "gray 9x11", {"op": "conv", "kernel": whole(name, height, width), "padding": "same"})
    for (height, width), rule in product([(2, 2), (2, 5), (4, 3), (3, 3)], ("same_lower", "valid", "full")):
        name = f"conv {height}x{width} {rule}"
        yield Row(name, "rgb 8x8", {"op": "conv", "kernel": whole(name, height, width), "padding": rule})
    for (height, width), rule in product([(3, 3), (4, 5), (2, 4)], ("same", "same_lower", "valid", "full")):
        name = f"conv float {height}x{width} {rule}"
        yield Row(name, "float rgb 9x10", {"op": "conv", "kernel": decimals(name, height, width), "padding": rule})
    forms: Fields = {
        "integer": 2,
        "pair": [1, 3],
        "object": {"top": 1, "bottom": 0, "left": 2, "right": 3},
        "object at one side": {"top": 0, "bottom": 0, "left": 0, "right": 4},
    }
    for form, padding in forms.items():
        for image, draw in (("gray 9x11", whole), ("float 10x12", decimals)):
            name = f"conv padding as {form}, {image}"
            yield Row(name, image, {"op": "conv", "kernel": draw(name, 3, 4), "padding": padding})
    for side in (17, 23, 31):
        name = f"conv {side}x{side}"
        yield Row(name, "float 40x36", {"op": "conv", "kernel": decimals(name, side, side), "padding": "valid"})
    name = "conv 33x1, 1x33 on a larger picture"
    yield Row(name, "float 40x36", {"op": "conv", "kernel": decimals(name, 33, 1), "stride": 5})
    name = "conv 15x15 of integers"
    yield Row(name, "gray 16x13", {"op": "conv", "kernel": whole(name, 15, 15), "padding": [1, 2]})


def larger_than_the_image() -> Iterator[Row]:
    for image in ("gray 1x1", "gray 2x3", "row 1x12", "column 9x1"):
        for side, padding in ((3, "same"), (5, "same"), (4, "full"), (7, 4)):
            name = f"conv {side}x{side} {padding}, {image}"
            yield Row(name, image, {"op": "conv", "kernel": whole(name, side, side), "padding": padding})
    for mode in PADDING_MODES[2:]:
        name = f"conv 5x5 same {mode}, 1x1"
        spec = {"op": "conv", "kernel": whole(name, 5, 5), "padding": "same", "padding_mode": mode}
        yield Row(name, "gray 1x1", spec)


def borders() -> Iterator[Row]:
    uneven = {"top": 1, "bottom": 3, "left": 0, "right": 2}
    coarse = {"padding": uneven, "stride": 2, "dilation": [2, 1]}
    choices: tuple[tuple[str, str, Draw, Size, Fields], ...] = (
        ("3x3 same", "rgb 12x15", whole, (3, 3), {"padding": "same"}),
        ("2x4 same", "gray 9x11", whole, (2, 4), {"padding": "same"}),
        ("4x2 same_lower", "float 10x12", decimals, (4, 2), {"padding": "same_lower"}),
        ("5x4 uneven", "float rgb 9x10", decimals, (5, 4), {"padding": uneven}),
        ("3x3 uneven stride 2 dilation 2x1", "rgb 8x8", whole, (3, 3), coarse),
        ("3x3 wider than the image", "gray 2x3", whole, (3, 3), {"padding": 7}),
        ("5x5 wider than the image", "float rgb 4x5", decimals, (5, 5), {"padding": [9, 11], "stride": [2, 3]}),
        ("row", "row 1x12", whole, (3, 5), {"padding": "same"}),
    )
    for mode, (what, image, draw, size, geometry) in product(PADDING_MODES, choices):
        border: Fields = {"padding_mode": mode} | ({"padding_value": 77} if mode == "constant" else {})
        name = f"conv {mode} {what}"
        yield Row(name, image, {"op": "conv", "kernel": draw(name, *size), **geometry, **border})
    name = "conv constant fraction"
    spec = {"op": "conv", "kernel": decimals(name, 3, 3), "padding": 2, "padding_mode": "constant"}
    yield Row(name, "float 10x12", spec | {"padding_value": -12.75})


def strides_and_dilations() -> Iterator[Row]:
    strides = (1, [2, 1], [1, 3], [3, 2])
    dilations = (1, [1, 2], [2, 1], [3, 2])
    for number, (stride, dilation) in enumerate(product(strides, dilations)):
        name = f"conv stride {stride} dilation {dilation}"
        image, draw = (("rgb 12x15", whole), ("float rgb 9x10", decimals))[number % 2]
        spec = {"op": "conv", "kernel": draw(name, 3, 2), "stride": stride, "dilation": dilation, "padding": [3, 1]}
        yield Row(name, image, spec)
    for image in ("gray 6x7", "float 7x5"):
        name = f"conv stride larger than the kernel, {image}"
        yield Row(name, image, {"op": "conv", "kernel": whole(name, 2, 2), "stride": [4, 3]})
    name = "conv dilation 4 same"
    yield Row(name, "gray 16x13", {"op": "conv", "kernel": whole(name, 3, 3), "dilation": 4, "padding": "same"})
    name = "conv even dilation 3 same"
    yield Row(name, "gray 16x13", {"op": "conv", "kernel": whole(name, 2, 4), "dilation": [3, 2], "padding": "same"})
    name = "conv dilation 2 full"
    yield Row(name, "gray 6x7", {"op": "conv", "kernel": whole(name, 2, 3), "dilation": 2, "padding": "full"})
    for rule in ("same", "same_lower"):
        name = f"conv dilation 2 stride 2 {rule}"
        spec = {"op": "conv", "kernel": whole(name, 3, 2), "dilation": 2, "stride": 2, "padding": rule}
        yield Row(name, "gray 9x11", spec)


def same() -> Iterator[Row]:
    """Strided SAME, which is not padding by half the kernel."""
    for side, stride, rule in product((1, 2, 3, 4, 5), (2, 3), ("same", "same_lower")):
        for image in ("gray 6x7", "gray 9x11")[side % 2 :]:
            name = f"conv {side}x{side} stride {stride} {rule}, {image}"
            spec = {"op": "conv", "kernel": whole(name, side, side), "stride": stride, "padding": rule}
            yield Row(name, image, spec)


def weights() -> Iterator[Row]:
    """Mixed channels."""
    mixed: tuple[tuple[int, int, int, Size, Fields], ...] = (
        (3, 5, 1, (3, 3), {"padding": 1}),
        (3, 1, 1, (1, 1), {}),
        (3, 3, 1, (3, 3), {"padding": "same", "padding_mode": "reflect"}),
        (3, 4, 1, (2, 2), {"stride": 2}),
        (3, 3, 3, (3, 3), {"padding": 1, "groups": 3}),
        (3, 6, 3, (3, 2), {"padding": [1, 0], "groups": 3, "dilation": 2}),
        (4, 6, 2, (3, 3), {"padding": 1, "groups": 2}),
        (4, 2, 1, (3, 3), {"stride": [2, 1], "dilation": [1, 2], "padding": 2}),
        (4, 4, 4, (4, 4), {"padding": "same", "groups": 4, "padding_mode": "circular"}),
        (6, 6, 3, (3, 3), {"padding": 1, "groups": 3, "stride": 2}),
        (6, 12, 6, (3, 3), {"groups": 6, "padding": "same_lower", "stride": [1, 2]}),
        (6, 4, 2, (5, 1), {"groups": 2, "padding": [2, 0], "bias": [1, -2, 3, 100]}),
        (6, 2, 1, (1, 1), {"bias": 10, "divisor": 6}),
        (6, 3, 3, (2, 3), {"groups": 3, "padding": {"top": 0, "bottom": 2, "left": 1, "right": 0}}),
    )
    for number, (channels, outputs, groups, size, geometry) in enumerate(mixed, 1):
        of_integers = {3: "rgb 8x8", 4: "four 7x6", 6: "six 8x7"}[channels]
        of_floats = {3: "float rgb 9x10", 4: "float four 7x6", 6: "float six 8x7"}[channels]
        for image, draw in ((of_integers, whole), (of_floats, decimals)):
            name = f"weight {number}: {channels} to {outputs} in {groups}, {image}"
            weight = draw(name, outputs, channels // groups, *size)
            yield Row(name, image, {"op": "conv", "weight": weight, **geometry})
    name = "weight of one channel"
    yield Row(name, "gray 9x11", {"op": "conv", "weight": whole(name, 3, 1, 3, 3), "padding": 1, "bias": [0, 64, 128]})
    name = "weight of two channels"
    yield Row(name, "two 7x5", {"op": "conv", "weight": whole(name, 3, 2, 2, 3), "padding": "full"})
    name = "weight 1 to 20"
    yield Row(name, "gray 6x7", {"op": "conv", "weight": whole(name, 20, 1, 2, 2), "stride": 2})


def after_the_sum() -> Iterator[Row]:
    """Divisor and bias."""
    positive = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    mixed = [[-1, 2, 0], [3, 5, -2], [1, -1, 1]]
    choices: tuple[tuple[str, str, Fields], ...] = (
        ("divisor 16", "rgb 12x15", {"kernel": positive, "divisor": 16}),
        ("divisor sum", "rgb 12x15", {"kernel": positive, "divisor": "sum"}),
        ("divisor 9", "rgb 8x8", {"kernel": [[1, 1, 1]] * 3, "divisor": 9}),
        ("divisor 6 of ties", "rgb 8x8", {"kernel": [[1, 2, 3]], "divisor": "sum"}),
        ("divisor 2", "gray 16x13", {"kernel": [[1, 1]], "divisor": 2}),
        ("divisor -3", "gray 9x11", {"kernel": mixed, "divisor": -3}),
        ("divisor 0.5", "gray 9x11", {"kernel": positive, "divisor": 0.5}),
        ("divisor 0.3", "float 10x12", {"kernel": mixed, "divisor": 0.3}),
        ("divisor abs_sum", "gray 9x11", {"kernel": mixed, "divisor": "abs_sum"}),
        ("divisor sum of decimals", "float 10x12", {"kernel": [[0.1, 0.2], [0.3, 0.05]], "divisor": "sum"}),
        ("bias", "rgb 8x8", {"kernel": mixed, "bias": 128}),
        ("bias null", "rgb 8x8", {"kernel": mixed, "bias": None, "divisor": None}),
        ("bias of half a level", "gray 9x11", {"kernel": mixed, "divisor": 8, "bias": 0.5}),
        ("bias by channel", "rgb 8x8", {"kernel": positive, "bias": [10, -20, 30.5], "divisor": 16}),
        ("bias after the divisor", "gray 9x11", {"kernel": mixed, "bias": 100, "divisor": 7}),
    )
    for what, image, fields in choices:
        yield Row(f"conv {what}", image, {"op": "conv", "padding": 1, **fields})


def turned() -> Iterator[Row]:
    """Rotate kernels by 180 degrees."""
    for (height, width), rule in product([(3, 3), (2, 3), (4, 4)], ("full", "valid", "same", "same_lower")):
        name = f"convolution {height}x{width} {rule}"
        image, draw = (("gray 9x11", whole), ("float 10x12", decimals))[(height + len(rule)) % 2]
        spec = {"op": "conv", "mode": "convolution", "kernel": draw(name, height, width), "padding": rule}
        yield Row(name, image, spec)
    for mode in ("symmetric", "circular", "reflect"):
        name = f"convolution {mode}"
        spec = {
            "op": "conv",
            "mode": "convolution",
            "kernel": whole(name, 3, 5),
            "padding": "same",
            "padding_mode": mode,
        }
        yield Row(name, "rgb 8x8", spec)
    name = "convolution stride 2 dilation 2"
    spec = {"op": "conv", "mode": "convolution", "kernel": whole(name, 3, 2), "stride": 2, "dilation": 2, "padding": 2}
    yield Row(name, "rgb 12x15", spec)
    name = "convolution of a weight"
    spec = {"op": "conv", "mode": "convolution", "weight": whole(name, 2, 3, 3, 3), "padding": 1}
    yield Row(name, "rgb 8x8", spec)
    name = "correlation said"
    yield Row(name, "gray 9x11", {"op": "conv", "mode": "correlation", "kernel": whole(name, 3, 3), "padding": 1})


def named() -> Iterator[Row]:
    for simple in ("identity", *SLOPES, "laplacian", "laplacian8", "sharpen", "outline"):
        image = "extremes 10x9" if simple in {"sharpen", "outline"} else "rgb 8x8"
        spec = {"op": "conv", "kernel": simple, "padding": "same", "padding_mode": "replicate"}
        yield Row(f"kernel {simple}", image, spec)
    yield Row("kernel sobel_x convolution", "gray 9x11", {"op": "conv", "kernel": "sobel_x", "mode": "convolution"})
    choices: tuple[tuple[str, str, Fields], ...] = (
        ("box 3", "rgb 8x8", {"name": "box", "size": 3}),
        ("box 2x5", "float 10x12", {"name": "box", "size": [2, 5]}),
        ("gaussian 1.5", "gray 16x13", {"name": "gaussian", "sigma": 1.5}),
        ("gaussian 0.8 of 5", "float rgb 9x10", {"name": "gaussian", "sigma": 0.8, "size": 5}),
        ("gaussian 2 of 4", "float 10x12", {"name": "gaussian", "sigma": 2, "size": 4}),
    )
    for what, image, kernel in choices:
        yield Row(f"kernel {what}", image, {"op": "conv", "kernel": kernel, "padding": "same"})


def levels() -> Iterator[Row]:
    """Large numbers, signed numbers, other types."""
    name = "conv large sums"
    kernel = whole(name, 5, 5, low=-1000, high=1001)
    yield Row(name, "extremes 10x9", {"op": "conv", "kernel": kernel, "padding": "same"})
    name = "conv sums above 2^16"
    yield Row(name, "extremes 10x9", {"op": "conv", "kernel": whole(name, 7, 7, low=1, high=9), "divisor": "sum"})
    name = "conv uint16"
    yield Row(name, "deep 9x8", {"op": "conv", "kernel": whole(name, 3, 3), "padding": 1})
    name = "conv uint16 divisor"
    yield Row(name, "deep 9x8", {"op": "conv", "kernel": whole(name, 3, 3, low=0), "padding": 1, "divisor": "sum"})
    name = "conv signed"
    yield Row(name, "signed 8x9", {"op": "conv", "kernel": decimals(name, 3, 3), "padding": 1})
    name = "conv signed convolution"
    spec = {"op": "conv", "kernel": decimals(name, 2, 4), "padding": "full", "mode": "convolution"}
    yield Row(name, "signed 8x9", spec)
    name = "conv float64"
    yield Row(name, "double 7x8", {"op": "conv", "kernel": decimals(name, 3, 3), "padding": 1, "bias": 0.001})
    name = "weight float64"
    yield Row(name, "double 7x8", {"op": "conv", "weight": decimals(name, 2, 1, 3, 3), "padding": 1})


def separable() -> Iterator[Row]:
    choices: tuple[tuple[str, Draw, Size, Fields], ...] = (
        ("rgb 8x8", whole, (3, 3), {"padding": 1}),
        ("rgb 12x15", whole, (5, 3), {"padding": "same", "padding_mode": "reflect"}),
        ("gray 9x11", whole, (4, 2), {"padding": "same", "padding_mode": "replicate"}),
        ("gray 9x11", whole, (2, 4), {"padding": "same_lower", "padding_mode": "symmetric"}),
        ("gray 16x13", whole, (3, 5), {"stride": [2, 3], "padding": [1, 2]}),
        ("gray 16x13", whole, (3, 3), {"dilation": [2, 3], "padding": "same", "padding_mode": "circular"}),
        ("float rgb 9x10", decimals, (7, 7), {"padding": "same", "padding_mode": "symmetric"}),
        ("float rgb 9x10", decimals, (1, 5), {"padding": "full"}),
        ("float 10x12", decimals, (5, 1), {"padding": "valid"}),
        ("float 10x12", decimals, (4, 3), {"mode": "convolution", "padding": "full"}),
        ("float rgb 4x5", decimals, (9, 9), {"padding": "same", "padding_mode": "reflect"}),
        ("float 40x36", decimals, (31, 31), {"padding": "same", "padding_mode": "replicate", "stride": 6}),
    )
    for number, (image, draw, lengths, geometry) in enumerate(choices, 1):
        name = f"separable {number}: {lengths[0]}x{lengths[1]}, {image}"
        column, row = draw(name + " column", lengths[0]), draw(name + " row", lengths[1])
        yield Row(name, image, {"op": "separable", "column": column, "row": row, **geometry})
    binomial = [1, 4, 6, 4, 1]
    spec: Fields = {"op": "separable", "column": binomial, "row": binomial, "divisor": "sum", "padding": 2}
    yield Row("separable binomial", "rgb 12x15", spec | {"padding_mode": "reflect"})
    spec = {"op": "separable", "column": [1, 2, 1], "row": [1, 0, -1], "padding": 1, "bias": 128}
    yield Row("separable bias", "gray 9x11", spec | {"padding_mode": "constant", "padding_value": 128})
    yield Row("separable named", "gray 9x11", {"op": "separable", "kernel": "sobel_y", "padding": "same"})
    gaussian = {"name": "gaussian", "sigma": 1.2}
    yield Row("separable gaussian", "rgb 8x8", {"op": "separable", "kernel": gaussian, "padding": "same"})


CHANNELS = {"gray": 1, "rgb": 3, "four": 4, "six": 6}


def channels_of(image: str) -> int:
    """Tell the number of channels from the name of a picture."""
    return CHANNELS[image.removeprefix("float ").split()[0]]


def depthwise() -> Iterator[Row]:
    choices: tuple[tuple[str, Draw, int, Size, Fields], ...] = (
        ("rgb 8x8", whole, 1, (3, 3), {"padding": 1}),
        ("rgb 8x8", whole, 2, (2, 3), {"padding": "same"}),
        ("rgb 12x15", whole, 3, (3, 3), {"stride": 2, "padding": "same_lower"}),
        ("four 7x6", whole, 1, (4, 4), {"padding": "full"}),
        ("six 8x7", whole, 2, (3, 3), {"dilation": 2, "padding": 2, "bias": list(range(-6, 6))}),
        ("gray 9x11", whole, 4, (3, 3), {"padding": 1, "padding_mode": "symmetric", "bias": 5}),
        ("rgb 12x15", whole, 1, (3, 3), {"padding": 1, "divisor": 6}),
        ("float rgb 9x10", decimals, 1, (5, 5), {"padding": "same", "padding_mode": "reflect"}),
        ("float rgb 9x10", decimals, 2, (3, 3), {"mode": "convolution", "stride": [1, 2]}),
        ("float six 8x7", decimals, 1, (3, 1), {"padding": {"top": 2, "bottom": 0, "left": 0, "right": 1}}),
        ("float four 7x6", decimals, 3, (3, 3), {"padding": 4, "padding_mode": "circular", "dilation": [1, 2]}),
    )
    for number, (image, draw, multiplier, size, geometry) in enumerate(choices, 1):
        channels = channels_of(image)
        name = f"depthwise {number}: times {multiplier}, {image}"
        kernels = draw(name, channels * multiplier, *size)
        yield Row(name, image, {"op": "depthwise", "kernels": kernels, **geometry})
    kernels = [[[1, 1, 1]] * 2, [[1, 2, 1], [1, 2, 1]], [[2, 1, 1], [3, 2, 1]]]
    spec: Fields = {
        "op": "depthwise",
        "kernels": kernels,
        "padding": "same",
        "padding_mode": "replicate",
        "divisor": "sum",
    }
    yield Row("depthwise divided by own sums", "rgb 12x15", spec)
    spec = {"op": "depthwise", "kernels": ["sobel_x", "sobel_y", "laplacian"], "padding": 1, "divisor": "abs_sum"}
    yield Row("depthwise named, absolute sums", "rgb 8x8", spec)


def depthwise_separable() -> Iterator[Row]:
    choices: tuple[tuple[str, Draw, int, int, Fields], ...] = (
        ("rgb 8x8", whole, 1, 3, {"padding": 1}),
        ("rgb 8x8", whole, 2, 4, {"padding": "same", "stride": 2}),
        ("rgb 12x15", whole, 1, 1, {"padding": 1, "bias": 50, "dilation": 2}),
        ("six 8x7", whole, 1, 8, {"padding": 1, "bias": [0, 1, 2, 3, 4, 5, 6, 7]}),
        ("gray 9x11", whole, 5, 3, {"padding": "same", "padding_mode": "reflect"}),
        ("float rgb 9x10", decimals, 1, 6, {"padding": 1, "padding_mode": "replicate"}),
        ("float six 8x7", decimals, 2, 3, {"stride": [2, 1], "bias": [0.5, -0.5, 1.25]}),
        ("float four 7x6", decimals, 1, 2, {"padding": "full", "mode": "convolution"}),
    )
    for number, (image, draw, multiplier, outputs, geometry) in enumerate(choices, 1):
        channels = channels_of(image)
        name = f"depthwise_separable {number}: {channels} times {multiplier} to {outputs}, {image}"
        kernels, pointwise = draw(name, channels * multiplier, 3, 3), draw(name + "!", outputs, channels * multiplier)
        spec = {"op": "depthwise_separable", "depthwise": kernels, "pointwise": pointwise}
        yield Row(name, image, spec | geometry)


# Transposed convolutions


def transposed() -> Iterator[Row]:
    uneven = {"top": 1, "bottom": 0, "left": 2, "right": 1}
    shared: tuple[tuple[Size, Fields], ...] = (
        ((2, 2), {"stride": 2}),
        ((3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
        ((4, 4), {"stride": 2, "padding": 1}),
        ((3, 3), {}),
        ((5, 5), {"stride": 3, "padding": 2, "output_padding": [2, 1]}),
        ((3, 2), {"stride": [1, 3], "dilation": [2, 1]}),
        ((2, 3), {"stride": [3, 2], "dilation": [2, 3], "padding": [0, 1]}),
        ((3, 3), {"dilation": 3, "output_padding": 2}),
        ((3, 3), {"stride": 2, "padding": uneven}),
        ((4, 5), {"padding": uneven}),
        ((1, 1), {"stride": 3}),
        ((3, 4), {"stride": 2, "output_padding": 1, "padding": uneven, "dilation": 2}),
        ((3, 3), {"stride": 2, "mode": "convolution", "padding": 1}),
        ((3, 3), {"stride": 2, "padding": 1, "output_size": [10, 7]}),
        ((2, 5), {"stride": [2, 4], "output_size": [11, 19]}),
        ((3, 3), {"stride": 2, "bias": 100, "output_padding": 1}),
    )
    for number, (size, geometry) in enumerate(shared, 1):
        for image, draw in (("rgb 5x4", whole), ("float rgb 4x5", decimals)):
            if "output_size" in geometry and image != "rgb 5x4":
                continue
            name = f"transposed {number}: {size[0]}x{size[1]}, {image}"
            yield Row(name, image, {"op": "transposed", "kernel": draw(name, *size), **geometry})
    mixed: tuple[tuple[int, int, int, Size, Fields], ...] = (
        (3, 2, 1, (3, 3), {"stride": 2}),
        (3, 3, 3, (4, 4), {"groups": 3, "stride": 2, "padding": 1}),
        (3, 6, 3, (2, 3), {"groups": 3, "stride": [1, 2], "bias": [1, 2, 3, 4, 5, 6]}),
        (4, 6, 2, (3, 3), {"groups": 2, "stride": 2, "padding": 1, "output_padding": 1}),
        (4, 1, 1, (2, 2), {"stride": 2, "bias": [-7]}),
        (6, 4, 2, (3, 2), {"groups": 2, "dilation": 2, "padding": uneven}),
        (6, 3, 3, (3, 3), {"groups": 3, "stride": 3, "mode": "convolution"}),
        (6, 2, 1, (5, 5), {"stride": 2, "padding": 2, "output_size": [16, 13]}),
    )
    for number, (channels, outputs, groups, size, geometry) in enumerate(mixed, 1):
        of_integers = {3: "rgb 5x4", 4: "four 7x6", 6: "six 8x7"}[channels]
        of_floats = {3: "float rgb 4x5", 4: "float four 7x6", 6: "float six 8x7"}[channels]
        for image, draw in ((of_integers, whole), (of_floats, decimals)):
            name = f"transposed weight {number}: {channels} to {outputs} in {groups}, {image}"
            weight = draw(name, channels, outputs // groups, *size)
            yield Row(name, image, {"op": "transposed", "weight": weight, **geometry})
    for image in ("gray 1x1", "row 1x12", "column 9x1"):
        name = f"transposed 3x3 stride 2, {image}"
        yield Row(name, image, {"op": "transposed", "kernel": whole(name, 3, 3), "stride": 2, "padding": 1, "bias": 3})
    name = "transposed padding larger than the kernel"
    yield Row(name, "gray 6x7", {"op": "transposed", "kernel": whole(name, 2, 2), "stride": 2, "padding": [3, 4]})
    name = "transposed named, bias by channel"
    spec = {"op": "transposed", "kernel": "sharpen", "stride": 2, "padding": 1, "bias": [1, 2, 3]}
    yield Row(name, "rgb 5x4", spec)
    bilinear = {"name": "bilinear", "factor": 2}
    spec = {"op": "transposed", "kernel": bilinear, "stride": 2, "padding": 1}
    yield Row("transposed bilinear", "rgb 5x4", spec)


# Named operations


def upscale() -> Iterator[Row]:
    for method, factor in product(("nearest", "bilinear", "bicubic"), range(2, 9)):
        image = ("rgb 5x4", "float 7x5", "gray 2x3", "float rgb 4x5")[factor % 4]
        yield Row(f"upscale {method} {factor}", image, {"op": "upscale", "method": method, "factor": factor})
    for method, image in product(("nearest", "bilinear", "bicubic"), ("gray 1x1", "float row 1x9", "column 9x1")):
        for factor in (2, 3):
            spec = {"op": "upscale", "method": method, "factor": factor}
            yield Row(f"upscale {method} {factor}, {image}", image, spec)
    yield Row("upscale", "six 8x7", {"op": "upscale"})


def downscale() -> Iterator[Row]:
    for method, factor in product(("area", "bilinear", "bicubic", "lanczos3"), range(2, 9)):
        image = ("rgb 12x15", "float rgb 9x10", "gray 16x13", "float 40x36")[factor % 4]
        yield Row(f"downscale {method} {factor}", image, {"op": "downscale", "method": method, "factor": factor})
    for method, image in product(("area", "bilinear", "bicubic", "lanczos3"), ("gray 2x3", "rgb 5x4", "gray 9x11")):
        yield Row(f"downscale {method}, {image}", image, {"op": "downscale", "method": method})
    yield Row("downscale", "six 8x7", {"op": "downscale"})


def blur() -> Iterator[Row]:
    for image, sigma in (
        ("rgb 12x15", 0.5),
        ("rgb 8x8", 1),
        ("gray 16x13", 2.3),
        ("float rgb 9x10", 1.7),
        ("float 10x12", 0.3),
        ("gray 2x3", 1.5),
        ("gray 1x1", 2),
        ("row 1x12", 1.1),
        ("float 40x36", 6),
    ):
        yield Row(f"blur {sigma}, {image}", image, {"op": "blur", "sigma": sigma})
    for mode in BORDERS:
        image = "rgb 8x8" if mode in {"zeros", "circular"} else "float rgb 4x5"
        yield Row(f"blur {mode}", image, {"op": "blur", "method": "gaussian", "sigma": 1.3, "padding_mode": mode})
    choices: tuple[tuple[str, Fields], ...] = (
        ("rgb 8x8", {"size": 3}),
        ("gray 16x13", {"size": 5, "padding_mode": "replicate"}),
        ("gray 9x11", {"size": 7, "padding_mode": "symmetric"}),
        ("float rgb 9x10", {"size": 9, "padding_mode": "circular"}),
        ("rgb 12x15", {"size": 4}),
        ("gray 16x13", {"size": 2, "padding_mode": "zeros"}),
        ("gray 9x11", {"size": 1}),
        ("gray 2x3", {"size": 11}),
        ("gray 16x13", {"size": 3, "dilation": 3}),
    )
    for image, fields in choices:
        name = "box " + ", ".join(f"{key} {value}" for key, value in fields.items()) + f", {image}"
        yield Row(name, image, {"op": "blur", "method": "box", **fields})
    yield Row("blur dilation 2", "float 10x12", {"op": "blur", "sigma": 0.8, "dilation": 2})


def gradient() -> Iterator[Row]:
    for operator, direction in product(("sobel", "scharr", "prewitt"), ("x", "y", "magnitude")):
        spec = {"op": "gradient", "operator": operator, "direction": direction}
        yield Row(f"gradient {operator} {direction}", "rgb 8x8", spec)
        image = {"x": "float 10x12", "y": "signed 8x9", "magnitude": "float rgb 4x5"}[direction]
        yield Row(f"gradient {operator} {direction}, {image}", image, spec | {"padding_mode": "symmetric"})
    for operator in ("sobel", "scharr", "prewitt"):
        yield Row(f"gradient {operator} l1", "gray 9x11", {"op": "gradient", "operator": operator, "norm": "l1"})
    for mode in ("zeros", "replicate", "circular"):
        yield Row(f"gradient {mode}", "gray 9x11", {"op": "gradient", "padding_mode": mode})
    for image in ("gray 1x1", "row 1x12", "column 9x1"):
        yield Row(f"gradient {image}", image, {"op": "gradient", "operator": "sobel", "direction": "magnitude"})


def sharpen() -> Iterator[Row]:
    choices: tuple[tuple[str, Fields], ...] = (
        ("rgb 12x15", {}),
        ("gray 16x13", {"sigma": 2, "amount": 0.5}),
        ("float rgb 9x10", {"sigma": 0.7, "amount": 3}),
        ("float 10x12", {"sigma": 1.5, "padding_mode": "replicate"}),
        ("extremes 10x9", {"sigma": 1, "amount": 1.5, "padding_mode": "circular"}),
        ("rgb 5x4", {"sigma": 2.5, "amount": 1}),
    )
    for image, fields in choices:
        name = "sharpen" + "".join(f" {key} {value}" for key, value in fields.items()) + f", {image}"
        yield Row(name, image, {"op": "sharpen", **fields})


def grayscale() -> Iterator[Row]:
    for weights, image in (
        ("bt601", "rgb 12x15"),
        ("bt709", "rgb 12x15"),
        ("bt601", "float rgb 9x10"),
        ("bt709", "float rgb 9x10"),
        ([0.2, 0.5, 0.3], "rgb 8x8"),
        ([1, -1, 2], "rgb 8x8"),
    ):
        yield Row(f"grayscale {weights}, {image}", image, {"op": "grayscale", "weights": weights})
    yield Row("grayscale", "rgb 5x4", {"op": "grayscale"})


def pool() -> Iterator[Row]:
    of_both: tuple[tuple[str, Fields], ...] = (
        ("rgb 8x8", {"size": 2}),
        ("rgb 12x15", {"size": 3}),
        ("gray 9x11", {"size": [2, 3]}),
        ("gray 9x11", {"size": 3, "stride": 1, "padding": 1}),
        ("gray 16x13", {"size": [4, 3], "stride": [3, 2], "padding": [2, 1]}),
        ("six 8x7", {"size": 3, "stride": 2, "padding": [1, 0]}),
        ("signed 8x9", {"size": 3, "stride": 2, "padding": 1}),
        ("float rgb 9x10", {"size": 4, "stride": [1, 3]}),
        ("row 1x12", {"size": [1, 5], "stride": [1, 2]}),
    )
    of_the_largest: tuple[tuple[str, Fields], ...] = (
        ("gray 16x13", {"size": 3, "stride": 1, "dilation": 2}),
        ("signed 8x9", {"size": [2, 3], "stride": 2, "dilation": [3, 2], "padding": 1}),
    )
    for method, choices in (("max", of_both), ("average", of_both), ("max", of_the_largest)):
        for image, fields in choices:
            name = f"pool {method} " + ", ".join(f"{key} {value}" for key, value in fields.items()) + f", {image}"
            yield Row(name, image, {"op": "pool", "method": method, **fields})


def deconvolve() -> Iterator[Row]:
    lopsided = [[0.05, 0.1, 0.05], [0.1, 0.4, 0.05], [0.1, 0.05, 0.1]]
    box = {"name": "box", "size": 3}
    choices: tuple[tuple[str, Fields], ...] = (
        ("gray 9x11", {"psf": box, "method": "wiener"}),
        ("rgb 8x8", {"psf": lopsided, "method": "wiener", "noise_to_signal": 0.05}),
        ("float rgb 9x10", {"psf": {"name": "gaussian", "sigma": 1}, "method": "wiener", "noise_to_signal": 0.001}),
        ("float 7x5", {"psf": [[0.2, 0.5, 0.3]], "method": "wiener"}),
        ("float 10x12", {"psf": [[0.1, 0.1, 0], [0.1, 0.6, 0], [0, 0.1, 0]], "method": "inverse"}),
        ("gray 9x11", {"psf": lopsided, "method": "richardson_lucy", "iterations": 1}),
        ("float rgb 9x10", {"psf": lopsided, "method": "richardson_lucy", "iterations": 7}),
    )
    for image, fields in choices:
        psf = "matrix" if isinstance(fields["psf"], list) else fields["psf"]["name"]
        name = f"deconvolve {fields['method']} {psf}, {image}"
        yield Row(name, image, {"op": "deconvolve", **fields, "padding_mode": "circular"})
