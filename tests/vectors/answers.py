"""What each tool makes of a spec: api.md put into the words of PyTorch, ONNX Runtime, SciPy and OpenCV.

A tool is asked wherever it has the thing asked for, with its own "same", borders and anchors; PyTorch comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.vectors import tools
from tests.vectors.tools import Numbers, Pair, Sides

Spec = dict[str, Any]

SOBEL, SCHARR, PREWITT = (np.outer([side, middle, side], [-1, 0, 1]) for side, middle in ((1, 2), (3, 10), (1, 1)))
NAMED = {
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "sobel_x": SOBEL,
    "sobel_y": SOBEL.T,
    "scharr_x": SCHARR,
    "scharr_y": SCHARR.T,
    "prewitt_x": PREWITT,
    "prewitt_y": PREWITT.T,
    "laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "laplacian8": [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}
GRAY = {"bt601": [0.299, 0.587, 0.114], "bt709": [0.2126, 0.7152, 0.0722]}


@dataclass
class Answer:
    """What the tools say, and how far the numbers reach: |y| <= gain |x| + offset, a sum of `terms` products."""

    by_tool: dict[str, Numbers]
    terms: int
    gain: float
    offset: float = 0.0
    rim: float = 0.0
    integral: bool = False
    """Whether integer samples give quotients of integers."""

    def magnitude(self, image: Numbers) -> float:
        return self.gain * max(float(np.abs(image).max()), self.rim) + self.offset


@dataclass(frozen=True)
class Geometry:
    stride: Pair
    dilation: Pair
    padding: Sides
    mode: str
    value: float
    word: str | None = None
    """The padding where it was said by a word."""

    def keeps_size(self, window: Pair) -> bool:
        """Whether one output would be made per sample, were the stride 1."""
        top, bottom, left, right = self.padding
        return (top + bottom, left + right) == (window[0] - 1, window[1] - 1)


def ask(image: NDArray[Any], spec: Spec) -> Answer:
    """Apply one operation to (H, W, C)."""
    return ASK[spec["op"]](image, spec)


# Convolutions


def conv(image: NDArray[Any], spec: Spec) -> Answer:
    if "weight" in spec:
        weight, groups = np.array(spec["weight"], np.float64), spec.get("groups", 1)
        return _conv(image, spec, weight, groups)
    return _shared(image, spec, named(spec["kernel"]))


def separable(image: NDArray[Any], spec: Spec) -> Answer:
    if "kernel" in spec:
        return _shared(image, spec, named(spec["kernel"]))
    column, row = np.array(spec["column"], np.float64), np.array(spec["row"], np.float64)
    answer = _shared(image, spec, np.outer(column, row))
    geometry = resolve(spec, image.shape[:2], (len(column), len(row)))
    opencv = geometry.keeps_size((len(column), len(row))) and geometry.mode in tools.OPENCV
    if opencv and geometry.dilation == (1, 1) and spec.get("mode") != "convolution":
        top, _, left, _ = geometry.padding
        passed = tools.opencv_separable(samples(image), column, row, top=top, left=left, mode=geometry.mode)
        answer.by_tool["opencv sepFilter2D"] = finish(strided(passed, geometry), spec, np.outer(column, row))
    return answer


def depthwise(image: NDArray[Any], spec: Spec) -> Answer:
    weight = np.stack([named(kernel) for kernel in spec["kernels"]])[:, None]
    return _conv(image, spec, weight, image.shape[2])


def depthwise_separable(image: NDArray[Any], spec: Spec) -> Answer:
    pointwise = np.array(spec["pointwise"], np.float64)[:, :, None, None]
    by_channel = {key: value for key, value in spec.items() if key not in {"depthwise", "pointwise", "bias"}}
    first = depthwise(image, by_channel | {"kernels": spec["depthwise"]})
    across = {"bias": spec.get("bias")}
    second = {name: _conv(maps, across, pointwise, 1) for name, maps in first.by_tool.items()}
    torch = second["torch"]
    return Answer(
        by_tool={name: answer.by_tool[name] for name, answer in second.items() if name in answer.by_tool},
        terms=first.terms + torch.terms,
        gain=first.gain * torch.gain,
        offset=torch.offset,
        integral=first.integral and torch.integral and "divisor" not in spec,
    )


def _shared(image: NDArray[Any], spec: Spec, kernel: Numbers) -> Answer:
    """Filter each channel by itself; here the image tools can be asked too."""
    channels = image.shape[2]
    answer = _conv(image, spec, np.repeat(kernel[None, None], channels, axis=0), channels)
    geometry = resolve(spec, image.shape[:2], kernel.shape)
    true_convolution = spec.get("mode") == "convolution"
    applied = kernel[::-1, ::-1] if true_convolution else kernel
    window = stretched(applied, geometry.dilation)
    top, _, left, _ = geometry.padding
    if geometry.keeps_size(window.shape):
        words: dict[str, Any] = {"top": top, "left": left, "mode": geometry.mode}
        correlated = tools.ndimage_correlate(samples(image), window, value=geometry.value, **words)
        answer.by_tool["scipy.ndimage"] = finish(strided(correlated, geometry), spec, kernel)
        if geometry.mode in tools.OPENCV:
            direct = image.dtype == np.uint8 and window.size < 50  # larger ones go through a DFT, from uint8 in float32
            source = image if direct else samples(image)
            filtered = tools.opencv_filter(source, window, **words)
            answer.by_tool["opencv filter2D"] = finish(strided(filtered, geometry), spec, kernel)
    outside = geometry.mode == "zeros" or geometry.padding == (0, 0, 0, 0)
    covers = image.shape[0] >= window.shape[0] and image.shape[1] >= window.shape[1]
    size = {"same": "same", "same_lower": "same", "valid": "valid", "full": "full"}.get(geometry.word or "")
    if outside and size and (covers or size == "full"):
        asked = stretched(kernel, geometry.dilation)
        odd = window.shape[0] % 2 == window.shape[1] % 2 == 1
        # SciPy's "same" is the middle of "full": of an even kernel it is "same", or "same_lower" of the rotated one
        middle = "same_lower" if true_convolution else "same"
        if size != "same" or (geometry.stride == (1, 1) and (odd or geometry.word == middle)):
            signal = tools.signal_convolve(samples(image), asked, size, true_convolution=true_convolution)
            answer.by_tool["scipy.signal"] = finish(strided(signal, geometry), spec, kernel)
    return answer


def _conv(image: NDArray[Any], spec: Spec, weight: Numbers, groups: int) -> Answer:
    x, kernel_size = samples(image), (weight.shape[2], weight.shape[3])
    applied = np.ascontiguousarray(weight[..., ::-1, ::-1]) if spec.get("mode") == "convolution" else weight
    geometry = resolve(spec, x.shape[:2], kernel_size)
    words: dict[str, Any] = {"stride": geometry.stride, "dilation": geometry.dilation, "groups": groups}
    if geometry.word in {"same", "valid"} and geometry.mode == "zeros" and geometry.stride == (1, 1):
        torch = tools.torch_conv(x, applied, padding=geometry.word, **words)
    else:
        torch = tools.torch_conv(tools.pad(x, geometry.padding, geometry.mode, geometry.value), applied, **words)
    by_tool = {"torch": finish(torch, spec, weight)}
    if geometry.mode == "zeros":
        onnx: dict[str, Any] = {"strides": geometry.stride, "dilations": geometry.dilation, "group": groups}
        auto = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER", "valid": "VALID"}.get(geometry.word or "")
        if auto and geometry.dilation == (1, 1):
            onnx["auto_pad"] = auto
        else:
            onnx["pads"] = tools.onnx_pads(geometry.padding)
        by_tool["onnxruntime"] = finish(tools.onnx_run(x, "Conv", applied, **onnx), spec, weight)
    return Answer(
        by_tool,
        terms=prod(weight.shape[1:]),
        gain=float((np.abs(weight).sum(axis=(1, 2, 3)) / np.abs(divide_by(spec, weight))).max()),
        offset=largest(spec.get("bias")),
        rim=abs(geometry.value),
        integral=whole(weight) and whole(spec.get("bias")) and whole(spec.get("padding_value")),
    )


def transposed(image: NDArray[Any], spec: Spec) -> Answer:
    x, channels = samples(image), image.shape[2]
    if "weight" in spec:
        weight, groups = np.array(spec["weight"], np.float64), spec.get("groups", 1)
    else:
        weight, groups = np.repeat(named(spec["kernel"])[None, None], channels, axis=0), channels
    applied = np.ascontiguousarray(weight[..., ::-1, ::-1]) if spec.get("mode") == "convolution" else weight
    stride, dilation = pair(spec.get("stride", 1)), pair(spec.get("dilation", 1))
    output_padding, output_size = pair(spec.get("output_padding", 0)), spec.get("output_size")
    top, bottom, left, right = crop = sides(spec.get("padding", 0))
    words: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups, "output_padding": output_padding}
    if output_size:
        assert top == bottom, "torch knows symmetric padding only"
        assert left == right, "torch knows symmetric padding only"
        torch = tools.torch_transposed(x, applied, padding=(top, left), **words | {"output_size": tuple(output_size)})
    elif (top, left) == (bottom, right):
        torch = tools.torch_transposed(x, applied, padding=(top, left), **words)
    else:
        torch = tools.torch_transposed(x, applied, padding=(0, 0), **words)
        torch = torch[top : torch.shape[0] - bottom, left : torch.shape[1] - right]
    by_tool = {"torch": finish(torch, spec, weight)}
    if output_size is None and output_padding[0] < stride[0] and output_padding[1] < stride[1]:
        onnx = tools.onnx_run(
            x,
            "ConvTranspose",
            applied,
            strides=stride,
            dilations=dilation,
            group=groups,
            pads=tools.onnx_pads(crop),
            output_padding=output_padding,
        )
        by_tool["onnxruntime"] = finish(onnx, spec, weight)
    by_group = np.abs(weight).reshape(groups, -1, *weight.shape[1:])
    return Answer(
        by_tool,
        terms=by_group.shape[1] * prod(weight.shape[2:]),
        gain=float(by_group.sum(axis=(1, 3, 4)).max()),
        offset=largest(spec.get("bias")),
        integral=whole(weight) and whole(spec.get("bias")),
    )


# Named operations


def upscale(image: NDArray[Any], spec: Spec) -> Answer:
    x, factor, method = samples(image), spec.get("factor", 2), spec.get("method", "nearest")
    terms, gain = {"nearest": (1, 1.0), "bilinear": (4, 1.0), "bicubic": (16, 2.0)}[method]
    by_tool = {
        "torch": tools.torch_upscale(x, factor, method),
        "opencv resize": tools.opencv_upscale(x, factor, method),
    }
    return Answer(by_tool, terms, gain, integral=method == "nearest")


def downscale(image: NDArray[Any], spec: Spec) -> Answer:
    x, factor, method = samples(image), spec.get("factor", 2), spec.get("method", "area")
    squares, gain = {"area": (1, 1.0), "bilinear": (2, 1.0), "bicubic": (4, 2.0), "lanczos3": (6, 3.0)}[method]
    by_tool = {}
    if method != "lanczos3":
        by_tool["torch"] = tools.torch_downscale(x, factor, method)
    if method == "area":
        by_tool["opencv resize"] = tools.opencv_area(x, factor)
    by_tool["pillow"] = tools.pillow_downscale(x, factor, method)
    return Answer(by_tool, (squares * factor) ** 2, gain, integral=method == "area")


def blur(image: NDArray[Any], spec: Spec) -> Answer:
    mode = spec.get("padding_mode", "reflect")
    geometry = {"padding": "same", "padding_mode": mode, "dilation": spec.get("dilation", 1)}
    if spec.get("method", "gaussian") == "box":
        size = spec["size"], spec["size"]
        answer = _shared(image, geometry | {"divisor": "sum"}, np.ones(size))
        if mode in tools.OPENCV and geometry["dilation"] == 1:
            top, _, left, _ = resolve(geometry, image.shape[:2], size).padding
            answer.by_tool["opencv blur"] = tools.opencv_box(samples(image), size, top=top, left=left, mode=mode)
        return answer
    taps = tools.gaussian_taps(spec["sigma"])
    answer = _shared(image, geometry, np.outer(taps, taps))
    if geometry["dilation"] == 1:
        own = tools.ndimage_gaussian(samples(image), spec["sigma"], mode)
        answer.by_tool = {"scipy.ndimage gaussian_filter": own} | answer.by_tool
    return answer


def gradient(image: NDArray[Any], spec: Spec) -> Answer:
    operator, mode = spec.get("operator", "sobel"), spec.get("padding_mode", "reflect")
    direction, norm = spec.get("direction", "magnitude"), spec.get("norm", "l2")
    geometry = {"padding": 1, "padding_mode": mode}
    slopes = {axis: _shared(image, geometry, named(f"{operator}_{axis}")) for axis in "xy"}
    if mode in tools.OPENCV and operator in {"sobel", "scharr"}:
        for axis, (x, y) in {"x": (1, 0), "y": (0, 1)}.items():
            slopes[axis].by_tool["opencv " + operator] = tools.opencv_gradient(image, operator, x, y, mode)
    if operator in {"sobel", "prewitt"}:
        for axis, number in {"x": 1, "y": 0}.items():
            slope = tools.ndimage_gradient(samples(image), operator, number, mode)
            slopes[axis].by_tool["scipy.ndimage " + operator] = slope
    if direction != "magnitude":
        return slopes[direction]
    length: Callable[[Numbers, Numbers], Numbers] = np.hypot if norm == "l2" else lambda x, y: np.abs(x) + np.abs(y)
    across, down = slopes["x"], slopes["y"]
    both = {name: length(slope, down.by_tool[name]) for name, slope in across.by_tool.items()}
    return Answer(both, across.terms + down.terms, across.gain + down.gain, integral=norm == "l1")


def sharpen(image: NDArray[Any], spec: Spec) -> Answer:
    amount, mode = spec.get("amount", 1), spec.get("padding_mode", "reflect")
    soft = blur(image, {"sigma": spec.get("sigma", 1), "padding_mode": mode})
    x = samples(image)
    by_tool = {name: x + amount * (x - blurred) for name, blurred in soft.by_tool.items()}
    return Answer(by_tool, soft.terms + 2, 1 + 2 * abs(amount))


def grayscale(image: NDArray[Any], spec: Spec) -> Answer:
    weights = spec.get("weights", "bt601")
    numbers = GRAY[weights] if isinstance(weights, str) else weights
    answer = _conv(image, {}, np.array(numbers, np.float64)[None, :, None, None], 1)
    if weights == "bt601":
        answer.by_tool["opencv cvtColor"] = tools.opencv_gray(samples(image))
    return answer


def pool(image: NDArray[Any], spec: Spec) -> Answer:
    x, method, size = samples(image), spec["method"], pair(spec["size"])
    words: dict[str, Any] = {"size": size, "stride": pair(spec.get("stride", size))}
    words |= {"padding": pair(spec.get("padding", 0)), "dilation": pair(spec.get("dilation", 1))}
    by_tool = {"torch": tools.torch_pool(x, method, **words)}
    vertical, horizontal = words["padding"]
    onnx: dict[str, Any] = {"kernel_shape": size, "strides": words["stride"], "dilations": words["dilation"]}
    onnx["pads"] = tools.onnx_pads((vertical, vertical, horizontal, horizontal))
    if method == "max":
        by_tool["onnxruntime"] = tools.onnx_run(x, "MaxPool", **onnx)
    else:
        by_tool["onnxruntime"] = tools.onnx_run(x, "AveragePool", count_include_pad=1, **onnx)
    return Answer(by_tool, prod(size) if method == "average" else 1, 1.0, integral=True)


def deconvolve(image: NDArray[Any], spec: Spec) -> Answer:
    """Restore a periodic picture, for there all definitions agree."""
    assert spec["padding_mode"] == "circular"
    psf, method = named(spec["psf"]), spec["method"]
    noise, iterations = spec.get("noise_to_signal", 0.01), spec.get("iterations", 20)
    x = samples(image)
    if method == "richardson_lucy":
        return Answer({"scipy.ndimage": tools.richardson_lucy(x, psf, iterations)}, prod(psf.shape) * iterations, 4.0)
    transfer = np.abs(tools.transfer_function(psf, (x.shape[0], x.shape[1])))
    noise = noise if method == "wiener" else 0.0
    gain = float((transfer / (transfer**2 + noise)).max())
    by_tool = {"numpy.fft": tools.wiener(x, psf, noise), "torch.linalg": tools.wiener_by_matrix(x, psf, noise)}
    return Answer(by_tool, prod(x.shape[:2]), gain)


ASK: dict[str, Callable[[NDArray[Any], Spec], Answer]] = {
    "conv": conv,
    "separable": separable,
    "depthwise": depthwise,
    "depthwise_separable": depthwise_separable,
    "transposed": transposed,
    "upscale": upscale,
    "downscale": downscale,
    "blur": blur,
    "gradient": gradient,
    "sharpen": sharpen,
    "grayscale": grayscale,
    "pool": pool,
    "deconvolve": deconvolve,
}


# The fields of a spec


def named(kernel: Any) -> Numbers:
    """Give the numbers of a kernel."""
    if isinstance(kernel, str):
        return np.array(NAMED[kernel], np.float64)
    if isinstance(kernel, dict):
        match kernel["name"]:
            case "box":
                size = pair(kernel["size"])
                return np.ones(size) / prod(size)
            case "gaussian":
                taps = tools.gaussian_taps(kernel["sigma"], kernel.get("size"))
                return np.outer(taps, taps)
            case "bilinear":
                assert kernel["factor"] == 2
                return np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
    return np.array(kernel, np.float64)


def resolve(spec: Spec, size: tuple[int, ...], kernel: tuple[int, ...]) -> Geometry:
    stride, dilation = pair(spec.get("stride", 1)), pair(spec.get("dilation", 1))
    padding = spec.get("padding", 0)
    word = padding if isinstance(padding, str) else None
    if word:
        view = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        ends = [around(word, *axis) for axis in zip(size, view, stride, strict=True)]
        padding = {"top": ends[0][0], "bottom": ends[0][1], "left": ends[1][0], "right": ends[1][1]}
    mode, value = spec.get("padding_mode", "zeros"), spec.get("padding_value", 0.0)
    return Geometry(stride, dilation, sides(padding), mode, value, word)


def around(word: str, size: int, view: int, stride: int) -> Pair:
    """Say how much a word pads along one axis, as the ONNX standard has it."""
    match word:
        case "valid":
            return 0, 0
        case "full":
            return view - 1, view - 1
    total = max(0, (-(-size // stride) - 1) * stride + view - size)
    less, more = total // 2, total - total // 2
    return (more, less) if word == "same_lower" else (less, more)


def pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def sides(value: Any) -> Sides:
    if isinstance(value, dict):
        return value["top"], value["bottom"], value["left"], value["right"]
    vertical, horizontal = pair(value)
    return vertical, vertical, horizontal, horizontal


def divide_by(spec: Spec, kernel: Numbers) -> Any:
    """Give one divisor, or for a weight that of each output channel."""
    axes = tuple(range(kernel.ndim))[-3:]
    match spec.get("divisor"):
        case None:
            return 1.0
        case "sum":
            return kernel.sum(axis=axes)
        case "abs_sum":
            return np.abs(kernel).sum(axis=axes)
        case number:
            return float(number)


def finish(sums: Numbers, spec: Spec, kernel: Numbers) -> Numbers:
    """Divide and add the bias."""
    bias = spec.get("bias")
    quotients: Numbers = sums / divide_by(spec, kernel)
    return quotients if bias is None else quotients + np.array(bias, np.float64)


def strided(filtered: Numbers, geometry: Geometry) -> Numbers:
    return filtered[:: geometry.stride[0], :: geometry.stride[1]]


def stretched(kernel: Numbers, dilation: Pair) -> Numbers:
    """Put zeros between the numbers of a kernel."""
    height, width = (d * (k - 1) + 1 for k, d in zip(kernel.shape, dilation, strict=True))
    result = np.zeros((height, width))
    result[:: dilation[0], :: dilation[1]] = kernel
    return result


def samples(image: NDArray[Any]) -> Numbers:
    return np.asarray(image, dtype=np.float64)


def whole(numbers: Any) -> bool:
    array = np.array(0 if numbers is None else numbers, np.float64)
    return bool((np.rint(array) == array).all())


def largest(bias: Any) -> float:
    return 0.0 if bias is None else float(np.abs(bias).max())
