"""Single steps on prepared arrays: from bytes to bytes, as in a request; peers may start from floats, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft, ndimage, signal

from service.engine.algorithms.base import Sample, Task
from service.engine.jobs import planner
from service.engine.operations.downscale import Downscale
from service.engine.operations.upscale import Upscale
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, Step
from service.engine.steps.geometry import Padding, Shape
from service.engine.steps.precision import Arithmetic, Signal, arithmetic
from tests.benchmarks.cells import Array, Cell, Work
from tests.benchmarks.peers import Peers
from tests.benchmarks.pictures import sized

Kernel = NDArray[np.float64]

fftconvolve: Any = signal.fftconvolve  # the stubs know no arrays of three axes with a pair of axes

DIRECT_KERNEL = 15
"""Up to here peers take part that do nothing but add up all products."""
SMALL_KERNEL = 9
"""Up to here SciPy's direct sums take part, from LARGE_KERNEL on its transforms."""
LARGE_KERNEL = 7


class Ours:
    """A step as a request would do it, planned beforehand."""

    def __init__(self, step: Step, image: Array, threads: int) -> None:
        """Plan `step` for `image`, of which it gives the like."""
        self.image, self.threads = image, threads
        source: Sample = "uint8" if image.dtype == np.uint8 else "float32"
        whole = source == "uint8"
        number: Arithmetic = "float32"
        if whole:
            number = arithmetic(Signal(255.0, places=0).after(step.reach), 255.0)
        exact = whole and step.reach.integral
        self.choice = planner.choose(Task(step, Shape(*image.shape), source, source, number, exact))

    def __call__(self) -> Array:
        return planner.compute(self.choice, self.image, self.threads)

    def exact(self) -> Array:
        """Compute it without rounding at the end."""
        task = replace(self.choice.task, target="float32")
        return planner.compute(planner.choose(task), self.image, self.threads)


def cell(name: str, step: Step, image: Array, found: Peers, peers: dict[str, Work], rim: int) -> Cell:
    ours = Ours(step, image, found.threads)
    return Cell("engine", name, ours, peers, ours.exact, rim, ours.choice.algorithm)


def cells(picture: Array, found: Peers) -> Iterator[Cell]:
    """Make every cell; `picture` is (1200, 1920, 3)."""
    random = np.random.default_rng(0)
    for side in (3, 5, 7, 9, 15, 21, 31, 63):
        kernel = random.uniform(0, 1, (side, side))
        yield dense(f"dense {side}x{side}", kernel / kernel.sum(), picture, found)
    sharpen = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    yield dense("integers, sharpen 3x3", sharpen, picture, found)
    yield dense("integers 7x7", random.integers(-1, 3, (7, 7)).astype(float), picture, found)
    for side in (15, 31):
        yield separable(side, picture, found)
    yield sobel(np.ascontiguousarray(picture[:, :, 1:2]), found)
    for dilation in (2, 4):
        yield dense(f"3x3 dilation {dilation}", random.uniform(0, 0.2, (3, 3)), picture, found, dilation=dilation)
    yield dense("3x3 stride 2", random.uniform(0, 0.2, (3, 3)), picture, found, stride=2)
    yield depthwise(picture, found)
    yield transposed(sized(picture, 960, 600), found)
    for method in ("bilinear", "bicubic"):
        yield upscale(method, sized(picture, 960, 600), found)
    for method, factor in (("area", 2), ("area", 4), ("bilinear", 2), ("bicubic", 2), ("lanczos3", 4)):
        yield downscale(method, factor, picture, found)
    yield gray(picture, found)
    for inputs, outputs in ((3, 16), (16, 32), (64, 64)):
        yield layer(inputs, outputs, found)
    yield dense("dense 3x3, 40 MP", random.uniform(0, 0.2, (3, 3)), np.tile(picture, (4, 4, 1))[:4800, :8333], found)


def dense(name: str, kernel: Kernel, image: Array, found: Peers, stride: int = 1, dilation: int = 1) -> Cell:
    """One kernel for all channels."""
    side, half = len(kernel), dilation * (len(kernel) // 2)
    step = shared(kernel, image.shape[2], stride=(stride, stride), dilation=(dilation, dilation))
    spread = np.zeros((2 * half + 1, 2 * half + 1))
    spread[::dilation, ::dilation] = kernel
    floats, peers = image.astype(np.float32), dict[str, Work]()
    small = image.size < 2e7
    if "cv2" in found:
        peers |= opencv(found["cv2"].filter2D, found["cv2"], image, floats, spread, stride)
    if "torch" in found and small and side <= DIRECT_KERNEL:
        weight = np.repeat(kernel[None, None], image.shape[2], axis=0)
        peers |= torch_convolution(found["torch"], floats, weight, image.shape[2], stride, dilation)
    if "pyvips" in found and side <= DIRECT_KERNEL and stride == 1:
        peers["libvips"] = vips_convolution(found["pyvips"], image, spread)
    if stride == 1 and side <= SMALL_KERNEL and small:
        peers["SciPy ndimage"] = lambda: np.stack(
            [ndimage.correlate(floats[:, :, c], spread, mode="mirror") for c in range(image.shape[2])], 2
        )
    if stride == 1 and len(spread) >= LARGE_KERNEL and small:
        turned = np.float32(spread[::-1, ::-1, None])

        def by_fft() -> Array:
            with fft.set_workers(found.threads):
                return np.asarray(fftconvolve(floats, turned, mode="same", axes=(0, 1)))

        peers["SciPy FFT"] = by_fft
    return cell(name, step, image, found, peers, half)


def separable(side: int, image: Array, found: Peers) -> Cell:
    places = np.arange(side) - side // 2
    taps = np.exp(-0.5 * (places / (side / 6)) ** 2)
    taps /= taps.sum()
    step = replace(shared(np.outer(taps, taps), 3), factors=(taps, taps))
    floats, peers = image.astype(np.float32), dict[str, Work]()
    if "cv2" in found:
        cv2 = found["cv2"]
        peers["OpenCV u8>u8"] = lambda: cv2.sepFilter2D(image, -1, taps, taps)
        peers["OpenCV u8>f32"] = lambda: cv2.sepFilter2D(image, cv2.CV_32F, taps, taps)
        peers["OpenCV f32>f32"] = lambda: cv2.sepFilter2D(floats, -1, taps, taps)
        peers["OpenCV GaussianBlur u8"] = lambda: cv2.GaussianBlur(image, (side, side), side / 6)
    if "pyvips" in found:
        vips = found["pyvips"]
        source, mask = vips.Image.new_from_array(image), vips.Image.new_from_array([taps.tolist()])
        peers["libvips"] = lambda: source.convsep(mask, precision="float").numpy()
    if "torch" in found:
        torch = found["torch"]
        tensor = channels_last(torch, floats)
        down, along = (torch.tensor(taps, dtype=torch.float32).reshape(s).expand(3, *s[1:]).contiguous()
                       for s in ((1, 1, side, 1), (1, 1, 1, side)))  # fmt: skip
        two = torch.nn.functional.conv2d
        half = side // 2
        peers["PyTorch NHWC"] = lambda: two(
            two(tensor, down, padding=(half, 0), groups=3), along, padding=(0, half), groups=3
        )
    peers["SciPy ndimage"] = lambda: ndimage.correlate1d(
        ndimage.correlate1d(floats, taps, axis=0, mode="mirror"), taps, axis=1, mode="mirror"
    )
    return cell(f"separable Gaussian {side}", step, image, found, peers, side // 2)


def sobel(gray_image: Array, found: Peers) -> Cell:
    smooth, slope = np.array([1.0, 2, 1]), np.array([-1.0, 0, 1])
    across, down = (replace(shared(np.outer(*pair), 1), factors=pair) for pair in ((smooth, slope), (slope, smooth)))
    floats, peers = gray_image.astype(np.float32), dict[str, Work]()
    if "cv2" in found:
        cv2 = found["cv2"]
        for name, source in (("u8>f32", gray_image), ("f32>f32", floats)):
            peers[f"OpenCV {name}"] = partial(opencv_sobel, cv2, source)
    if "pyvips" in found:
        source = found["pyvips"].Image.new_from_array(gray_image)
        peers["libvips"] = lambda: source.sobel().numpy()
    plane = floats[:, :, 0]
    peers["SciPy ndimage"] = lambda: np.hypot(ndimage.sobel(plane, 1), ndimage.sobel(plane, 0))
    return cell("Sobel magnitude, gray", GradientMagnitude(across, down), gray_image, found, peers, 1)


def depthwise(image: Array, found: Peers) -> Cell:
    """Two kernels for each channel."""
    weight = np.random.default_rng(0).uniform(0, 0.2, (6, 1, 3, 3))
    step = Conv2d(weight, 3, padding=Padding(1, 1, 1, 1), padding_mode="reflect")
    floats, peers = image.astype(np.float32), dict[str, Work]()
    if "cv2" in found:
        cv2 = found["cv2"]

        def each(source: Array) -> Any:
            planes = cv2.split(source)
            return cv2.merge([cv2.filter2D(planes[o // 2], cv2.CV_32F, weight[o, 0]) for o in range(6)])

        peers |= {"OpenCV u8>f32": lambda: each(image), "OpenCV f32>f32": lambda: each(floats)}
    if "torch" in found:
        peers |= torch_convolution(found["torch"], floats, weight, 3)
    return cell("depthwise 3x3, multiplier 2", step, image, found, peers, 1)


def transposed(image: Array, found: Peers) -> Cell:
    """Twice as large by a kernel of 4x4 for each channel."""
    weight = np.random.default_rng(0).uniform(0, 0.3, (3, 1, 4, 4))
    step = ConvTranspose2d(weight, 3, (2, 2), padding=Padding(1, 1, 1, 1))
    floats, peers = image.astype(np.float32), dict[str, Work]()
    if "torch" in found:
        torch = found["torch"]
        taps = torch.tensor(weight, dtype=torch.float32)
        plain = torch.tensor(floats.transpose(2, 0, 1)[None].copy())
        for name, tensor in (("NHWC", channels_last(torch, floats)), ("NCHW", plain)):
            peers[f"PyTorch {name}"] = partial(
                torch.nn.functional.conv_transpose2d, tensor, taps, stride=2, padding=1, groups=3
            )
    return cell("transposed 4x4 stride 2, depthwise", step, image, found, peers, 2)


def upscale(method: str, image: Array, found: Peers) -> Cell:
    operation = Upscale.model_validate({"op": "upscale", "factor": 2, "method": method})
    (step,) = operation.compose(Shape(*image.shape))
    floats, peers = image.astype(np.float32), dict[str, Work]()
    if "cv2" in found:
        cv2 = found["cv2"]
        how = cv2.INTER_LINEAR if method == "bilinear" else cv2.INTER_CUBIC
        for name, source in (("u8>u8", image), ("f32>f32", floats)):
            peers[f"OpenCV {name}"] = partial(cv2.resize, source, None, fx=2, fy=2, interpolation=how)
    if "torch" in found:
        torch = found["torch"]
        for name, tensor in (
            ("f32", channels_last(torch, floats)),
            ("u8", channels_last(torch, image).to(torch.uint8)),
        ):
            peers[f"PyTorch {name}"] = partial(torch.nn.functional.interpolate, tensor, scale_factor=2, mode=method)
    return cell(f"upscale 2x {method}", step, image, found, peers, 0)


def downscale(method: str, factor: int, image: Array, found: Peers) -> Cell:
    """Peers that widen the kernel as this does; OpenCV antialiases by area alone."""
    operation = Downscale.model_validate({"op": "downscale", "factor": factor, "method": method})
    (step,) = operation.compose(Shape(*image.shape))
    floats, picture = image.astype(np.float32), Image.fromarray(image)
    size = image.shape[1] // factor, image.shape[0] // factor
    filters = {"area": "BOX", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos3": "LANCZOS"}
    peers: dict[str, Work] = {
        "Pillow resize": lambda: np.asarray(picture.resize(size, Image.Resampling[filters[method]]))
    }
    if method == "area":
        peers["Pillow reduce"] = lambda: np.asarray(picture.reduce(factor))
    if method == "area" and "cv2" in found:
        cv2 = found["cv2"]
        for name, source in (("u8>u8", image), ("f32>f32", floats)):
            peers[f"OpenCV {name}"] = partial(cv2.resize, source, size, interpolation=cv2.INTER_AREA)
    if method == "area" and "pyvips" in found:
        source = found["pyvips"].Image.new_from_array(image)
        peers["libvips shrink"] = lambda: source.shrink(factor, factor).numpy()
    if method in {"bilinear", "bicubic"} and "torch" in found:
        torch = found["torch"]
        for name, tensor in (
            ("f32", channels_last(torch, floats)),
            ("u8", channels_last(torch, image).to(torch.uint8)),
        ):
            peers[f"PyTorch {name}"] = partial(
                torch.nn.functional.interpolate, tensor, scale_factor=1 / factor, mode=method, antialias=True
            )
    return cell(f"downscale {factor}x {method}", step, image, found, peers, 0)


def gray(image: Array, found: Peers) -> Cell:
    luma = np.array([0.299, 0.587, 0.114])
    floats, peers = image.astype(np.float32), dict[str, Work]()
    if "cv2" in found:
        cv2 = found["cv2"]
        peers["OpenCV cvtColor u8"] = lambda: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        peers["OpenCV cvtColor f32"] = lambda: cv2.cvtColor(floats, cv2.COLOR_RGB2GRAY)
        peers["OpenCV transform u8"] = lambda: cv2.transform(image, luma[None])
    if "torch" in found:
        peers |= torch_convolution(found["torch"], floats, luma.reshape(1, 3, 1, 1), 1)
    single = np.float32(luma)
    peers["NumPy"] = lambda: floats @ single
    return cell("1x1 grayscale", Conv2d(luma.reshape(1, 3, 1, 1)), image, found, peers, 0)


def layer(inputs: int, outputs: int, found: Peers) -> Cell:
    """3x3 on 512x512, in floats: a layer of a network."""
    random = np.random.default_rng(0)
    image = random.normal(size=(512, 512, inputs)).astype(np.float32)
    weight = random.normal(size=(outputs, inputs, 3, 3)) / 10
    peers = torch_convolution(found["torch"], image, weight, 1) if "torch" in found else {}
    step = Conv2d(weight, padding=Padding(1, 1, 1, 1))
    return cell(f"layer {inputs}->{outputs}, 3x3, 512x512 f32", step, image, found, peers, 1)


def shared(kernel: Kernel, channels: int, **geometry: Any) -> Conv2d:
    down, across = (geometry.get("dilation", (1, 1))[axis] * (kernel.shape[axis] // 2) for axis in (0, 1))
    return Conv2d(
        kernel[None, None], channels, padding=Padding(down, down, across, across), padding_mode="reflect", **geometry
    )


def opencv(
    call: Callable[..., Any], cv2: ModuleType, image: Array, floats: Array, kernel: Kernel, stride: int
) -> dict[str, Work]:
    every = slice(None, None, stride)

    def filtered(source: Array, depth: int) -> Any:
        return call(source, depth, kernel)[every, every]

    ways = {"u8>u8": (image, -1), "u8>f32": (image, cv2.CV_32F), "f32>f32": (floats, -1)}
    return {f"OpenCV {name}": partial(filtered, *way) for name, way in ways.items()}


def opencv_sobel(cv2: ModuleType, image: Array) -> Any:
    return cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))


def channels_last(torch: Any, image: Array) -> Any:
    """Copy: a view may have a stride of 0 for the batch of one, for which torch takes ways twenty times as slow."""
    height, width, channels = image.shape
    tensor = torch.empty((1, channels, height, width), memory_format=torch.channels_last)
    return tensor.copy_(torch.tensor(image).permute(2, 0, 1)[None])


def torch_convolution(
    torch: Any, image: Array, weight: Kernel, groups: int, stride: int = 1, dilation: int = 1
) -> dict[str, Work]:
    taps = torch.tensor(weight, dtype=torch.float32)
    last = channels_last(torch, image)
    shapes = {"NHWC": (last, taps.contiguous(memory_format=torch.channels_last)), "NCHW": (last.contiguous(), taps)}
    padding = dilation * (weight.shape[2] // 2)
    convolved = partial(torch.nn.functional.conv2d, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return {
        f"PyTorch {name}": partial(convolved, tensor, kernel)
        for name, (tensor, kernel) in shapes.items()
        if name == "NHWC" or weight.shape[2] <= SMALL_KERNEL
    }


def vips_convolution(vips: ModuleType, image: Array, kernel: Kernel) -> Work:
    source, mask = vips.Image.new_from_array(image), vips.Image.new_from_array(kernel.tolist())
    return lambda: source.conv(mask, precision="float").numpy()
