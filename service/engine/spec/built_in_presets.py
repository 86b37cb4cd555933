"""Named specs, for clients that send only an image. All of them accept gray images too."""

from __future__ import annotations

from typing import Any, NamedTuple


class Preset(NamedTuple):
    """`spec` is a document as a client would send it."""

    summary: str
    spec: dict[str, Any]


_GRAY = {"op": "grayscale"}

PRESETS: dict[str, Preset] = {
    "sobel": Preset(
        "Edges: the magnitude of the gray image's slope, by the two separable Sobel kernels.",
        {"steps": [_GRAY, {"op": "gradient", "operator": "sobel", "direction": "magnitude"}]},
    ),
    "sobel-x": Preset(
        "The signed slope to the right, by the separable Sobel kernel; middle gray where the image is flat.",
        {
            "steps": [
                _GRAY,
                {
                    "op": "separable",
                    "column": [1, 2, 1],
                    "row": [-1, 0, 1],
                    "padding": 1,
                    "padding_mode": "reflect",
                    "bias": 128,
                },
            ],
        },
    ),
    "edges": Preset(
        "Edges of the blurred gray image, without the noise.",
        {"steps": [_GRAY, {"op": "blur", "sigma": 1.4}, {"op": "gradient", "operator": "sobel", "norm": "l1"}]},
    ),
    "laplacian": Preset(
        "The sum of the second differences, as absolute values.",
        {
            "steps": [_GRAY, {"op": "conv", "kernel": "laplacian", "padding": "same", "padding_mode": "reflect"}],
            "output": {"range": "abs"},
        },
    ),
    "outline": Preset(
        "Light lines at edges, in colour.",
        {"op": "conv", "kernel": "outline", "padding": "same", "padding_mode": "reflect"},
    ),
    "emboss": Preset(
        "A relief, lit from the lower right.",
        {"op": "conv", "kernel": "emboss", "padding": "same", "padding_mode": "replicate"},
    ),
    "gaussian-blur": Preset(
        "A Gaussian blur of standard deviation 2.", {"op": "blur", "method": "gaussian", "sigma": 2}
    ),
    "box-blur": Preset("The mean of each 5x5 square.", {"op": "blur", "method": "box", "size": 5}),
    "dilated-blur": Preset(
        "A 3x3 blur whose taps are 2 samples apart: the field of view of a 5x5 kernel with 9 numbers.",
        {
            "op": "conv",
            "kernel": [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
            "divisor": "sum",
            "dilation": 2,
            "padding": "same",
            "padding_mode": "reflect",
        },
    ),
    "motion-blur": Preset(
        "The blur of a camera that moved 15 samples at 30 degrees.",
        {
            "op": "conv",
            "kernel": {"name": "motion", "length": 15, "angle": 30},
            "padding": "same",
            "padding_mode": "replicate",
        },
    ),
    "lens-blur": Preset(
        "Out of focus: the mean of each disk of radius 5, in linear light.",
        {
            "steps": [
                {"op": "conv", "kernel": {"name": "disk", "radius": 5}, "padding": "same", "padding_mode": "reflect"}
            ],
            "color_space": "linear",
        },
    ),
    "sharpen": Preset(
        "The 3x3 sharpening kernel.",
        {"op": "conv", "kernel": "sharpen", "padding": "same", "padding_mode": "replicate"},
    ),
    "unsharp": Preset("An unsharp mask of standard deviation 2.", {"op": "sharpen", "sigma": 2, "amount": 1}),
    "unsharp-linear": Preset(
        "An unsharp mask in linear light, which makes the dark and light sides of an edge equally strong.",
        {"steps": [{"op": "sharpen", "sigma": 2, "amount": 1}], "color_space": "linear"},
    ),
    "local-contrast": Preset(
        "More local contrast, the same overall contrast: adds two fifths of the difference from a wide blur.",
        {"steps": [{"op": "blur", "sigma": 20}, {"op": "blend", "with": "input", "weights": [-0.4, 1.4]}]},
    ),
    "high-pass": Preset(
        "Only the details: the image minus its blur; middle gray where the image is flat.",
        {"steps": [{"op": "blur", "sigma": 5}, {"op": "blend", "with": "input", "weights": [-1, 1], "bias": 128}]},
    ),
    "soft-focus": Preset(
        "A glow: half the image and half its blur, in linear light.",
        {
            "steps": [{"op": "blur", "sigma": 6}, {"op": "blend", "with": "input", "weights": [0.5, 0.5]}],
            "color_space": "linear",
        },
    ),
    "difference-of-gaussians": Preset(
        "Edges as a drawing: dark lines where a narrow Gaussian blur is darker than a wider one.",
        {
            "steps": [
                _GRAY,
                {"op": "blur", "sigma": 1},
                {"op": "blur", "sigma": 1.25},
                {"op": "blend", "with": 1, "weights": [-12, 12], "bias": 255},
            ],
        },
    ),
    "depthwise": Preset(
        "A different kernel for each channel: red is blurred, green is sharpened, blue is left as it is.",
        {
            "op": "depthwise",
            "kernels": [
                [[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125], [0.0625, 0.125, 0.0625]],
                [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
                [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
            ],
            "padding": "same",
            "padding_mode": "reflect",
        },
    ),
    "grayscale": Preset("Luma by BT.601; leaves a gray image as it is.", _GRAY),
    "upscale-2x": Preset(
        "Twice as wide and tall: bilinear interpolation as a transposed convolution with stride 2.",
        {"op": "upscale", "factor": 2, "method": "bilinear"},
    ),
    "thumbnail-2x": Preset(
        "Half as wide and tall: the mean of each 2x2 square, in linear light.",
        {"steps": [{"op": "downscale", "factor": 2, "method": "area"}], "color_space": "linear"},
    ),
    "thumbnail-4x": Preset(
        "A quarter as wide and tall, as sharp as possible without aliasing: Lanczos, in linear light.",
        {"steps": [{"op": "downscale", "factor": 4, "method": "lanczos3"}], "color_space": "linear"},
    ),
    "downsample": Preset(
        "Half as wide and tall: a strided convolution with the binomial kernel 1 4 6 4 1.",
        {
            "op": "separable",
            "column": [1, 4, 6, 4, 1],
            "row": [1, 4, 6, 4, 1],
            "divisor": "sum",
            "stride": 2,
            "padding": "same_lower",
            "padding_mode": "reflect",
        },
    ),
    "max-pool": Preset("The largest sample of each 2x2 square.", {"op": "pool", "method": "max", "size": 2}),
    "motion-deblur": Preset(
        "Undo a motion blur of 15 samples at 30 degrees, with a Wiener filter.",
        {
            "op": "deconvolve",
            "psf": {"name": "motion", "length": 15, "angle": 30},
            "method": "wiener",
            "noise_to_signal": 0.002,
            "padding_mode": "replicate",
        },
    ),
    "deblur": Preset(
        "Undo a Gaussian blur of standard deviation 1.5, with a Wiener filter.",
        {"op": "deconvolve", "psf": {"name": "gaussian", "sigma": 1.5}, "method": "wiener", "noise_to_signal": 0.01},
    ),
}
