"""Map the words of other tools to the words used here.

After the documentation of PyTorch, ONNX, TensorFlow, OpenCV, scipy, NumPy, libvips, ImageMagick, SVG and kornia.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service.engine.errors import InvalidSpec
from service.engine.spec.wording import LONGEST_KEY, listed, nearest, pointer, shown

_BOTH = "transposed (the layer that enlarges) or deconvolve (which undoes a blur)"

HINTS: dict[str, str] = {
    "deconv": _BOTH,
    "deconvolution": _BOTH,
    "deconv2d": _BOTH,
    "convolution": 'conv (with "mode": "convolution" where the kernel is to be rotated)',
    "dilated": "conv (with dilation)",
    "atrous": "conv (with dilation)",
    "dilated_conv": "conv (with dilation)",
    "strided": "conv (with stride)",
    "pointwise": "conv (with a weight of 1x1 kernels)",
    "grouped": "conv (with weight and groups)",
    "separable_conv2d": "separable (one channel at a time) or depthwise_separable",
    "resize": "upscale or downscale",
    "interpolate": "upscale or downscale",
    "pyrdown": "downscale (or separable with stride)",
    "gaussian": 'blur (with "method": "gaussian")',
    "gaussian_blur": 'blur (with "method": "gaussian")',
    "gaussianblur": 'blur (with "method": "gaussian")',
    "gaussian_filter": 'blur (with "method": "gaussian")',
    "gaussian_blur2d": 'blur (with "method": "gaussian")',
    "gaussblur": 'blur (with "method": "gaussian")',
    "box": 'blur (with "method": "box")',
    "box_blur": 'blur (with "method": "box")',
    "boxblur": 'blur (with "method": "box")',
    "boxfilter": 'blur (with "method": "box")',
    "uniform_filter": 'blur (with "method": "box")',
    "mean": 'blur (with "method": "box") or pool (with "method": "average")',
    "sobel": 'gradient (with "operator": "sobel")',
    "scharr": 'gradient (with "operator": "scharr")',
    "prewitt": 'gradient (with "operator": "prewitt")',
    "laplacian": 'conv (with "kernel": "laplacian")',
    "laplace": 'conv (with "kernel": "laplacian")',
    "emboss": 'conv (with "kernel": "emboss")',
    "outline": 'conv (with "kernel": "outline")',
    "identity": 'conv (with "kernel": "identity")',
    "motion_blur": 'conv (with "kernel": {"name": "motion"})',
    "max_pool": 'pool (with "method": "max")',
    "max_pool2d": 'pool (with "method": "max")',
    "maxpool": 'pool (with "method": "max")',
    "maxpool2d": 'pool (with "method": "max")',
    "avg_pool": 'pool (with "method": "average")',
    "avg_pool2d": 'pool (with "method": "average")',
    "avgpool": 'pool (with "method": "average")',
    "avgpool2d": 'pool (with "method": "average")',
    "average_pool": 'pool (with "method": "average")',
    "wiener": 'deconvolve (with "method": "wiener")',
    "richardson_lucy": 'deconvolve (with "method": "richardson_lucy")',
}
"""Other tools' operations that need more than a name here; plain synonyms are in `also_called` of each class."""

FIELDS: dict[str, tuple[str, ...]] = {
    "strides": ("stride",),
    "step": ("stride",),
    "subsample": ("stride",),
    "dilations": ("dilation",),
    "dilation_rate": ("dilation",),
    "rate": ("dilation",),
    "pad": ("padding",),
    "pads": ("padding",),
    "auto_pad": ("padding",),
    "border": ("padding_mode",),
    "border_type": ("padding_mode",),
    "bordertype": ("padding_mode",),
    "border_mode": ("padding_mode",),
    "boundary": ("padding_mode",),
    "edgemode": ("padding_mode",),
    "extend": ("padding_mode",),
    "cval": ("padding_value",),
    "fillvalue": ("padding_value",),
    "fill": ("padding_value",),
    "value": ("padding_value",),
    "background": ("padding_value",),
    "group": ("groups",),
    "offset": ("bias",),
    "delta": ("bias",),
    "scale": ("divisor", "factor"),
    "normalize": ("divisor",),
    "normalized": ("divisor",),
    "behaviour": ("mode",),
    "kernel_matrix": ("kernel",),
    "kernelmatrix": ("kernel",),
    "matrix": ("kernel",),
    "mask": ("kernel",),
    "filter": ("kernel", "kernels", "weight"),
    "filters": ("weight", "kernels"),
    "weights": ("weight", "kernel", "kernels"),
    "weight": ("kernels", "weights"),
    "kernel": ("kernels", "psf"),
    "kernels": ("kernel", "depthwise"),
    "kernel_x": ("row",),
    "kernelx": ("row",),
    "kernel_y": ("column",),
    "kernely": ("column",),
    "output_shape": ("output_size",),
    "zoom": ("factor",),
    "scale_factor": ("factor",),
    "interpolation": ("method",),
    "filter_type": ("method",),
    "type": ("method", "op"),
    "name": ("op",),
    "operation": ("op",),
    "kernel_size": ("size",),
    "kernel_shape": ("size",),
    "ksize": ("size",),
    "window": ("size",),
    "radius": ("sigma", "size"),
    "std": ("sigma",),
    "strength": ("amount",),
    "percent": ("amount",),
    "balance": ("noise_to_signal",),
    "nsr": ("noise_to_signal",),
    "num_iter": ("iterations",),
    "n_iter": ("iterations",),
    "axis": ("direction",),
}

_EXTENSION = {
    "edge": "replicate",
    "nearest": "replicate",
    "border": "replicate",
    "border_replicate": "replicate",
    "duplicate": "replicate",
    "clamp": "replicate",
    "copy": "replicate",
    "extend": "replicate",
    "mirror": '"symmetric" (cba|abcd|dcb) or "reflect" (dcb|abcd|cba, as scipy.ndimage means it)',
    "symm": "symmetric",
    "border_reflect": "symmetric",
    "reflect101": "reflect",
    "reflect_101": "reflect",
    "border_reflect101": "reflect",
    "border_reflect_101": "reflect",
    "border_default": "reflect",
    "wrap": "circular",
    "border_wrap": "circular",
    "grid-wrap": "circular",
    "repeat": "circular",
    "tile": "circular",
    "periodic": "circular",
    "zero": "zeros",
    "none": "zeros",
    "black": "zeros",
    "fill": "constant",
    "border_constant": "constant",
}

VALUES: dict[str, dict[str, str]] = {
    "padding_mode": _EXTENSION,
    "padding": {"same_upper": "same", "half": "same", "none": "valid"},
    "mode": {"corr": "correlation", "conv": "convolution", "convolve": "convolution"},
    "method": {
        "linear": "bilinear",
        "cubic": "bicubic",
        "lanczos": "lanczos3",
        "mean": "box",
        "uniform": "box",
        "avg": "average",
        "maximum": "max",
        "rl": "richardson_lucy",
        "lucy": "richardson_lucy",
        "naive": "inverse",
    },
    "direction": {"both": "magnitude", "horizontal": "x", "vertical": "y", "xy": "magnitude"},
    "norm": {"euclidean": "l2", "manhattan": "l1", "abs": "l1"},
    "weights": {"rec601": "bt601", "rec709": "bt709", "601": "bt601", "709": "bt709"},
    "kernel": {
        "sobel": '"sobel_x" or "sobel_y"',
        "scharr": '"scharr_x" or "scharr_y"',
        "prewitt": '"prewitt_x" or "prewitt_y"',
        "laplace": "laplacian",
        "gauss": "gaussian",
        "mean": "box",
        "average": "box",
    },
    "divisor": {"normalize": "sum", "auto": "sum", "abs": "abs_sum"},
    "color_space": {"srgb": "coded", "gamma": "coded", "linearrgb": "linear", "linear_light": "linear"},
    "range": {"clamp": "clip", "saturate": "clip", "absolute": "abs", "normalize": "minmax", "stretch": "minmax"},
    "dtype": {"u8": "uint8", "u16": "uint16", "8": "uint8", "16": "uint16"},
    "alpha": {"premultiplied": "premultiply", "keep": "preserve", "ignore": "preserve"},
    "compression": {"fastest": "fast", "best": "small", "smallest": "small"},
}
VALUES["psf"] = VALUES["kernel"]


def unknown_operation(name: str, known: Iterable[str], others: Mapping[str, str]) -> str:
    """Say that there is no such operation, and which one is meant; `others` maps other tools' names to known ones."""
    names = tuple(known)
    if candidate := HINTS.get(name.lower()) or others.get(name.lower()) or nearest(name, names):
        return f"op {shown(name)} is not known here; use {candidate}"
    return f"op {shown(name)} is not known; it must be {listed(names)}"


def unknown_field(owner: str, name: str, known: Iterable[str]) -> InvalidSpec:
    """Refuse a field that `owner` does not have, naming the one meant; the sentence lacks its subject."""
    names = tuple(known)
    if len(name) > LONGEST_KEY:
        return InvalidSpec(f"has a field with a name of {len(name)} characters, which is not known").at("")
    meant = next((field for field in FIELDS.get(name.lower(), ()) if field in names), None) or nearest(name, names)
    hint = f"did you mean {meant}?" if meant else f"it has {listed(names, 'and')}" if names else "it has none"
    return InvalidSpec(f"is not a field of {owner}; {hint}").at(pointer([name]))


def unknown_value(field: str, word: str, known: Iterable[str]) -> str:
    """Quote a word that is not a value of `field`, and name the value probably meant."""
    meant = VALUES.get(field, {}).get(word.lower()) or nearest(word, known)
    if not meant:
        return f"was {shown(word)}"
    quoted = meant if '"' in meant else f'"{meant}"'
    return f"was {shown(word)}: use {quoted}"
