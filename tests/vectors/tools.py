"""The judges: each tool behind functions of (H, W, C) float64 arrays that say what is meant in the tool's own words.

Pairs are (vertical, horizontal), sides (top, bottom, left, right); kernels are correlations unless it is said.
Nothing here is taken from the service.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import scipy.ndimage
import scipy.signal
import torch
import torch.nn.functional as F  # noqa: N812 -- as everybody has it
from numpy.typing import NDArray
from PIL import Image

Numbers = NDArray[np.float64]
Pair = tuple[int, int]
Sides = tuple[int, int, int, int]

NUMPY_PAD = {"zeros": "constant", "constant": "constant", "replicate": "edge", "circular": "wrap"}
TORCH_PAD = {"zeros": "constant", "constant": "constant"}
NDIMAGE: dict[str, Any] = {
    "zeros": "constant",
    "replicate": "nearest",
    "reflect": "mirror",
    "symmetric": "reflect",
    "circular": "wrap",
}
OPENCV = {
    "zeros": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
    "symmetric": cv2.BORDER_REFLECT,
}
INTERPOLATION = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
PILLOW = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}
SINGLE_PRECISION = {"onnxruntime", "opencv cvtColor", "opencv resize", "pillow"}

torch.set_num_threads(1)


def versions() -> dict[str, str]:
    packages = ("torch", "onnx", "onnxruntime", "opencv-python-headless", "pillow", "scipy", "numpy")
    return {package: version(package) for package in packages}


def pad(image: Numbers, sides: Sides, mode: str, value: float = 0.0) -> Numbers:
    """Pad by torch, or by NumPy where torch cannot: "symmetric", and more than the image has to give."""
    top, bottom, left, right = sides
    height, width = image.shape[:2]
    least = {"reflect": 1, "circular": 0}.get(mode, -np.inf)
    enough = max(top, bottom) <= height - least and max(left, right) <= width - least
    if mode != "symmetric" and enough:
        constant = {"value": value if mode == "constant" else 0.0} if mode in TORCH_PAD else {}
        return to_numpy(F.pad(to_torch(image), (left, right, top, bottom), TORCH_PAD.get(mode, mode), **constant))
    around = ((top, bottom), (left, right), (0, 0))
    if mode in TORCH_PAD:
        return np.pad(image, around, mode="constant", constant_values=value if mode == "constant" else 0.0)
    padded: Numbers = np.pad(image, around, mode=NUMPY_PAD.get(mode, mode))  # type: ignore[call-overload]
    return padded


# PyTorch


def to_torch(image: Numbers) -> Any:
    """Give a torch.Tensor (1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]


def to_numpy(tensor: Any) -> Numbers:
    array: Numbers = tensor[0].numpy().transpose(1, 2, 0)
    return np.ascontiguousarray(array)


def torch_conv(
    image: Numbers, weight: Numbers, *, stride: Pair, dilation: Pair, padding: Pair | str = (0, 0), groups: int = 1
) -> Numbers:
    return to_numpy(F.conv2d(to_torch(image), _tensor(weight), None, stride, padding, dilation, groups))


def torch_transposed(
    image: Numbers,
    weight: Numbers,
    *,
    stride: Pair,
    dilation: Pair,
    padding: Pair,
    groups: int,
    output_padding: Pair = (0, 0),
    output_size: Pair | None = None,
) -> Numbers:
    """Scatter; `output_size` goes through the module, which finds the output padding itself."""
    if output_size is None:
        words = (stride, padding, output_padding, groups, dilation)
        return to_numpy(F.conv_transpose2d(to_torch(image), _tensor(weight), None, *words))
    inputs, outputs, *size = weight.shape
    layer = torch.nn.ConvTranspose2d(
        inputs, outputs * groups, size, stride, padding, 0, groups, bias=False, dilation=dilation, dtype=torch.float64
    )
    with torch.no_grad():
        layer.weight.copy_(_tensor(weight))
        return to_numpy(layer(to_torch(image), output_size=output_size))


def torch_pool(image: Numbers, method: str, *, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Numbers:
    if method == "max":
        return to_numpy(F.max_pool2d(to_torch(image), size, stride, padding, dilation))
    return to_numpy(F.avg_pool2d(to_torch(image), size, stride, padding, count_include_pad=True))


def torch_upscale(image: Numbers, factor: int, method: str) -> Numbers:
    corners = {} if method == "nearest" else {"align_corners": False}
    return to_numpy(F.interpolate(to_torch(image), scale_factor=factor, mode=method, **corners))


def torch_downscale(image: Numbers, factor: int, method: str) -> Numbers:
    """Antialias; by area, take the mean of each square that is whole."""
    if method == "area":
        return to_numpy(F.avg_pool2d(to_torch(image), factor))
    whole = {"mode": method, "antialias": True, "align_corners": False}
    return to_numpy(F.interpolate(to_torch(image), scale_factor=1 / factor, **whole))


def _tensor(array: Numbers) -> Any:
    return torch.from_numpy(np.array(array, dtype=np.float64))


# ONNX Runtime, which convolves in float32 only


def onnx_run(image: Numbers, operator: str, weight: Numbers | None = None, **attributes: object) -> Numbers:
    """Run a model of one node, in float32."""
    names = ["x"] if weight is None else ["x", "w"]
    constants = [] if weight is None else [onnx.numpy_helper.from_array(weight.astype(np.float32), "w")]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operator, names, ["y"], **attributes)],
        operator,
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None] * 4)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None] * 4)],
        constants,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
    y: NDArray[np.float32] = session.run(["y"], {"x": x})[0]
    return np.ascontiguousarray(y[0].transpose(1, 2, 0), dtype=np.float64)


def onnx_pads(sides: Sides) -> list[int]:
    top, bottom, left, right = sides
    return [top, left, bottom, right]


# SciPy


def ndimage_correlate(image: Numbers, kernel: Numbers, *, top: int, left: int, mode: str, value: float) -> Numbers:
    """Correlate and keep the size: `top` and `left` rows and columns of the kernel lie outside at the first sample."""
    origin: Any = (top - kernel.shape[0] // 2, left - kernel.shape[1] // 2)
    border = NDIMAGE.get(mode, mode)
    cval = value if mode == "constant" else 0.0
    return _by_plane(
        image,
        lambda plane: scipy.ndimage.correlate(plane, kernel, np.float64, border, cval, origin),
    )


def signal_convolve(image: Numbers, kernel: Numbers, size: Any, *, true_convolution: bool) -> Numbers:
    """Convolve or correlate with zeros outside; `size` is "full", "valid" or "same"."""
    function = scipy.signal.convolve2d if true_convolution else scipy.signal.correlate2d
    return _by_plane(image, lambda plane: function(plane, kernel, size))


def ndimage_gaussian(image: Numbers, sigma: float, mode: str) -> Numbers:
    border = NDIMAGE[mode]
    return _by_plane(image, lambda plane: scipy.ndimage.gaussian_filter(plane, sigma, mode=border, truncate=4.0))


def gaussian_taps(sigma: float, size: int | None = None) -> Numbers:
    """Give the numbers of `scipy.ndimage.gaussian_filter`, or of a window of `size`; they sum to 1.

    OpenCV's kernels of even size are no Gaussians: it puts both middle samples at distance 0.
    """
    if size is None:
        radius = int(4 * sigma + 0.5)
        impulse = np.zeros(2 * radius + 1)
        impulse[radius] = 1
        taps: Numbers = scipy.ndimage.gaussian_filter1d(impulse, sigma, mode="constant", truncate=4.0)
        return taps
    window: Numbers = np.array(scipy.signal.windows.gaussian(size, sigma))
    window /= window.sum()
    if size % 2:
        np.testing.assert_allclose(window, cv2.getGaussianKernel(size, sigma, cv2.CV_64F)[:, 0], 1e-12)
    return window


def ndimage_gradient(image: Numbers, operator: str, axis: int, mode: str) -> Numbers:
    function = {"sobel": scipy.ndimage.sobel, "prewitt": scipy.ndimage.prewitt}[operator]
    return _by_plane(image, lambda plane: function(plane, axis, mode=NDIMAGE[mode]))


# OpenCV


def opencv_filter(image: NDArray[Any], kernel: Numbers, *, top: int, left: int, mode: str) -> Numbers:
    return _by_plane(
        image, lambda plane: cv2.filter2D(plane, cv2.CV_64F, kernel, anchor=(left, top), borderType=OPENCV[mode])
    )


def opencv_separable(image: NDArray[Any], column: Numbers, row: Numbers, *, top: int, left: int, mode: str) -> Numbers:
    words: dict[str, Any] = {"anchor": (left, top), "borderType": OPENCV[mode]}
    return _by_plane(image, lambda plane: cv2.sepFilter2D(plane, cv2.CV_64F, row, column, **words))


def opencv_gradient(image: NDArray[Any], operator: str, x: int, y: int, mode: str) -> Numbers:
    function = {"sobel": cv2.Sobel, "scharr": cv2.Scharr}[operator]
    return _by_plane(image, lambda plane: function(plane, cv2.CV_64F, x, y, borderType=OPENCV[mode]))


def opencv_box(image: Numbers, size: Pair, *, top: int, left: int, mode: str) -> Numbers:
    words: dict[str, Any] = {"anchor": (left, top), "borderType": OPENCV[mode]}
    return _by_plane(image, lambda plane: cv2.blur(plane, size[::-1], **words))


def opencv_upscale(image: Numbers, factor: int, method: str) -> Numbers:
    """Resize; the weights are float32."""
    words = {"fx": factor, "fy": factor, "interpolation": INTERPOLATION[method]}
    return _by_plane(image, lambda plane: cv2.resize(plane, None, **words))


def opencv_area(image: Numbers, factor: int) -> Numbers:
    """Resize by area, what is left over cut off before."""
    height, width = (side // factor * factor for side in image.shape[:2])
    whole = image[:height, :width]
    size = width // factor, height // factor
    return _by_plane(whole, lambda plane: cv2.resize(plane, size, interpolation=cv2.INTER_AREA))


# Pillow, which sums in double and stores float32


def pillow_downscale(image: Numbers, factor: int, method: str) -> Numbers:
    """Resize each plane as floats; the box is that of the whole squares."""
    height, width = (side // factor for side in image.shape[:2])
    box = (0, 0, width * factor, height * factor)

    def resized(plane: Numbers) -> Numbers:
        return np.asarray(
            Image.fromarray(plane.astype(np.float32)).resize((width, height), PILLOW[method], box), np.float64
        )

    return _by_plane(image, resized)


def opencv_gray(image: Numbers) -> Numbers:
    """BT.601 by cvtColor, which works in float32."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY), dtype=np.float64)[:, :, None]


# Deconvolution: the formulas, twice


def transfer_function(psf: Numbers, size: Pair) -> NDArray[np.complex128]:
    """Transform a centred psf on a periodic plane."""
    height, width = psf.shape
    plane = np.zeros(size)
    plane[:height, :width] = psf
    return np.fft.fft2(np.roll(plane, (-(height // 2), -(width // 2)), axis=(0, 1)))


def wiener(image: Numbers, psf: Numbers, noise: float) -> Numbers:
    """Restore by conj(P) Y / (|P|^2 + noise); with no noise this is the inverse."""
    transfer = transfer_function(psf, (image.shape[0], image.shape[1]))
    restoration = np.conj(transfer) / (np.abs(transfer) ** 2 + noise)
    return _by_plane(image, lambda plane: np.fft.ifft2(restoration * np.fft.fft2(plane)).real)


def wiener_by_matrix(image: Numbers, psf: Numbers, noise: float) -> Numbers:
    """Restore by solving (A'A + noise) x = A'y, where A is the periodic convolution as SciPy does it."""
    size = image.shape[0] * image.shape[1]
    impulses = np.eye(size).reshape(size, image.shape[0], image.shape[1])
    blurred = [scipy.ndimage.convolve(impulse, psf, mode="wrap").ravel() for impulse in impulses]
    matrix = _tensor(np.stack(blurred, axis=1))
    normal = matrix.T @ matrix + noise * torch.eye(size, dtype=torch.float64)
    return _by_plane(
        image, lambda plane: torch.linalg.solve(normal, matrix.T @ _tensor(plane.ravel())).numpy().reshape(plane.shape)
    )


def richardson_lucy(image: Numbers, psf: Numbers, iterations: int) -> Numbers:
    """Iterate x *= P' * (y / (P * x)) from x = y, on a periodic plane."""

    def restore(plane: Numbers) -> Numbers:
        estimate = plane
        for _ in range(iterations):
            ratio = plane / scipy.ndimage.convolve(estimate, psf, mode="wrap")
            estimate = estimate * scipy.ndimage.correlate(ratio, psf, mode="wrap")
        return estimate

    return _by_plane(image, restore)


def _by_plane(image: NDArray[Any], function: Any) -> Numbers:
    return np.stack([function(np.ascontiguousarray(image[:, :, c])) for c in range(image.shape[2])], axis=2)
