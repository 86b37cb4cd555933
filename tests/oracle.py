"""The judge: every kind of step by its definition, in float64, one tap at a time, nothing clever.

It reads the fields of the steps and uses nothing else of the engine: no borders, no shapes, no algorithms.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from service.engine.steps import (
    Blend,
    Conv2d,
    ConvTranspose2d,
    GradientMagnitude,
    NormalizedConv2d,
    Pool,
    Restore,
    Step,
)

Numbers = NDArray[np.float64]

NUMPY_MODES = {
    "zeros": "constant",
    "constant": "constant",
    "replicate": "edge",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "circular": "wrap",
}


def apply(step: Step, image: NDArray[np.generic]) -> Numbers:
    """Apply `step` to `image` (H, W, C); gives (H', W', C')."""
    samples = image.astype(np.float64)
    match step:
        case Blend():
            raise TypeError("a blend has two images")
        case Conv2d():
            return convolve(step, samples)
        case ConvTranspose2d():
            return scatter(step, samples)
        case NormalizedConv2d():
            sums = replace(step.conv, divisor=1.0)
            return convolve(sums, samples) / convolve(sums, np.ones_like(samples))
        case GradientMagnitude():
            x, y = convolve(step.x, samples), convolve(step.y, samples)
            return np.sqrt(x * x + y * y) if step.norm == "l2" else np.abs(x) + np.abs(y)
        case Pool():
            return pool(step, samples)
        case Restore():
            return np.stack([restore(step, samples[:, :, c]) for c in range(samples.shape[2])], axis=2)


def blend(step: Blend, so_far: Numbers, other: Numbers) -> Numbers:
    """Sum two images of one shape by their weights."""
    result: Numbers = step.weights[0] * so_far + step.weights[1] * other
    return result if step.bias is None else result + step.bias


def stored(result: Numbers, dtype: DTypeLike) -> NDArray[np.generic]:
    """Round half to even, clip, and cast; a float type takes the numbers as they are."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return result.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(result), limits.min, limits.max).astype(kind)


def pad(samples: Numbers, sides: tuple[tuple[int, int], tuple[int, int]], mode: str, value: float = 0.0) -> Numbers:
    """Pad (H, W, ...) by `sides`, ((top, bottom), (left, right)), as `numpy.pad` does."""
    around = [*sides, *[(0, 0)] * (samples.ndim - 2)]
    if NUMPY_MODES[mode] == "constant":
        return np.pad(samples, around, mode="constant", constant_values=value if mode == "constant" else 0.0)
    padded: Numbers = np.pad(samples, around, mode=NUMPY_MODES[mode])  # type: ignore[call-overload]
    return padded


def stepped(start: int, count: int, stride: int) -> slice:
    """Select `count` positions from `start` on, `stride` apart."""
    return slice(start, start + (count - 1) * stride + 1, stride)


def convolve(step: Conv2d, samples: Numbers) -> Numbers:
    """Correlate by `torch.nn.functional.conv2d`; then the division, then the bias."""
    outputs, per_group, kernel_height, kernel_width = step.weight.shape
    shared = outputs == per_group == 1
    if shared:
        outputs = step.groups
    padding, (stride_v, stride_h), (dilation_v, dilation_h) = step.padding, step.stride, step.dilation
    sides = ((padding.top, padding.bottom), (padding.left, padding.right))
    padded = pad(samples, sides, step.padding_mode, step.padding_value)
    height = (padded.shape[0] - dilation_v * (kernel_height - 1) - 1) // stride_v + 1
    width = (padded.shape[1] - dilation_h * (kernel_width - 1) - 1) // stride_h + 1
    planes, result = np.ascontiguousarray(padded.transpose(2, 0, 1)), np.zeros((outputs, height, width))
    for output in range(outputs):
        kernels = step.weight[0 if shared else output]
        first = output // (outputs // step.groups) * per_group
        for channel in range(per_group):
            for p in range(kernel_height):
                for q in range(kernel_width):
                    rows = stepped(p * dilation_v, height, stride_v)
                    columns = stepped(q * dilation_h, width, stride_h)
                    result[output] += kernels[channel, p, q] * planes[first + channel, rows, columns]
    result = np.ascontiguousarray(result.transpose(1, 2, 0)) / step.divisor
    return result if step.bias is None else result + step.bias


def scatter(step: ConvTranspose2d, samples: Numbers) -> Numbers:
    """Add each sample times the kernel into the output, then crop, by `torch.nn.functional.conv_transpose2d`."""
    inputs, per_group, kernel_height, kernel_width = step.weight.shape
    shared = inputs == per_group == 1
    if shared:
        inputs = step.groups
    (stride_v, stride_h), (dilation_v, dilation_h), padding = step.stride, step.dilation, step.padding
    samples = pad(samples, ((step.replicate[0],) * 2, (step.replicate[1],) * 2), "replicate")
    height, width = samples.shape[:2]
    full = np.zeros(
        (
            (height - 1) * stride_v + dilation_v * (kernel_height - 1) + 1 + step.output_padding[0],
            (width - 1) * stride_h + dilation_h * (kernel_width - 1) + 1 + step.output_padding[1],
            step.groups * per_group,
        )
    )
    for channel in range(inputs):
        first = channel // (inputs // step.groups) * per_group
        for output in range(per_group):
            kernel = step.weight[0 if shared else channel, output]
            for p in range(kernel_height):
                for q in range(kernel_width):
                    rows = stepped(p * dilation_v, height, stride_v)
                    columns = stepped(q * dilation_h, width, stride_h)
                    full[rows, columns, first + output] += kernel[p, q] * samples[:, :, channel]
    cropped = full[padding.top : full.shape[0] - padding.bottom, padding.left : full.shape[1] - padding.right]
    cropped = cropped / step.divisor
    return cropped if step.bias is None else cropped + step.bias


def pool(step: Pool, samples: Numbers) -> Numbers:
    """Take the largest or the mean of each window, by `torch.nn.functional.max_pool2d` and `avg_pool2d`."""
    padding, (stride_v, stride_h), (dilation_v, dilation_h) = step.padding, step.stride, step.dilation
    sides = ((padding.top, padding.bottom), (padding.left, padding.right))
    padded = pad(samples, sides, "constant", -np.inf if step.method == "max" else 0.0)
    height = (padded.shape[0] - dilation_v * (step.size[0] - 1) - 1) // stride_v + 1
    width = (padded.shape[1] - dilation_h * (step.size[1] - 1) - 1) // stride_h + 1
    result = np.zeros((height, width, samples.shape[2]))
    for v in range(height):
        for h in range(width):
            rows = stepped(v * stride_v, step.size[0], dilation_v)
            columns = stepped(h * stride_h, step.size[1], dilation_h)
            window = padded[rows, columns]
            result[v, h] = window.max(axis=(0, 1)) if step.method == "max" else window.mean(axis=(0, 1))
    return result


def restore(step: Restore, plane: Numbers) -> Numbers:
    """Undo the true convolution of `plane` (H, W) with the centred psf.

    The plane is periodic. Unless the padding is circular, it is the picture padded by the sides of the psf, and
    further at the end until its sides have no prime factor above 5. For Richardson-Lucy neither the picture nor its
    blurred estimate is less than a billionth of the largest sample.
    """
    height, width = plane.shape
    top, left = (0, 0) if step.padding_mode == "circular" else step.psf.shape
    if step.padding_mode != "circular":
        bottom = smooth(height + 2 * top) - height - top
        right = smooth(width + 2 * left) - width - left
        plane = pad(plane, ((top, bottom), (left, right)), step.padding_mode)
    blurred = plane
    estimate: Numbers
    if step.method == "richardson_lucy":
        mirrored = step.psf[::-1, ::-1]
        floor = 1e-9 * max(np.abs(blurred).max(), 1e-99)
        estimate = blurred = np.maximum(blurred, floor)
        for _ in range(step.iterations):
            estimate = estimate * blur(blurred / np.maximum(blur(estimate, step.psf), floor), mirrored)
    else:
        impulse = np.zeros(plane.shape)
        impulse[0, 0] = 1
        transfer = fourier(blur(impulse, step.psf), -1)
        power = np.abs(transfer) ** 2
        if step.method == "wiener":
            restored = np.conj(transfer) * fourier(blurred, -1) / (power + step.noise_to_signal)
        else:
            passes = np.abs(transfer) > 1e-9 * np.abs(transfer).max()
            restored = np.where(passes, fourier(blurred, -1) / np.where(passes, transfer, 1), 0)
        estimate = fourier(restored, +1).real / plane.size
    return estimate[top : top + height, left : left + width]


def smooth(size: int) -> int:
    """Find the least number from `size` on that has no prime factor above 5."""
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def blur(plane: Numbers, psf: Numbers) -> Numbers:
    """Convolve the periodic `plane` with the centred `psf`: each sample is smeared over its surroundings."""
    result = np.zeros(plane.shape)
    for p in range(psf.shape[0]):
        for q in range(psf.shape[1]):
            shift = (p - psf.shape[0] // 2, q - psf.shape[1] // 2)
            result += psf[p, q] * np.roll(plane, shift, axis=(0, 1))
    return result


def fourier(plane: Numbers | NDArray[np.complex128], sign: int) -> NDArray[np.complex128]:
    """Sum plane[v, h] exp(sign 2 pi i (v j / H + h k / W)) over v and h, for each j and k: the definition."""

    def matrix(size: int) -> NDArray[np.complex128]:
        turns = np.outer(np.arange(size), np.arange(size)) % size / size
        waves: NDArray[np.complex128] = np.exp(sign * 2j * np.pi * turns)
        return waves

    transformed: NDArray[np.complex128] = matrix(plane.shape[0]) @ plane @ matrix(plane.shape[1])
    return transformed
