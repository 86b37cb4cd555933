"""The named kernels, some of them with parameters.

They are stored as applied, as correlations; x grows to the right, y downwards. Kernels that sum to 1 are kept as
integers and a divisor if possible, so 8-bit pictures come out exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, cos, radians, sin
from typing import Literal

import numpy as np

from service.engine.errors import InvalidSpec, WorkTooLarge
from service.engine.machine.limits import Limits
from service.engine.spec.vocabulary import unknown_field, unknown_value
from service.engine.spec.whole_numbers import whole
from service.engine.spec.wording import about, shown
from service.engine.steps import Weights
from service.engine.steps.geometry import Pair
from service.engine.steps.taps import gaussian_size, gaussian_taps, interpolation_taps, places, triangle

Parameters = dict[str, "float | Pair"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel, with its bounds; a "size" is an integer or [vertical, horizontal]."""

    name: str
    type: Literal["integer", "number", "size"]
    default: float | None
    minimum: float
    maximum: float
    summary: str

    def read(self, value: object) -> float | Pair | None:
        """Check a JSON value; raises InvalidSpec with a sentence that lacks its subject."""
        if value is None and self.default is None:
            return None
        if self.type == "size" and isinstance(value, list) and len(value) == 2:
            return self._integer(value[0], value), self._integer(value[1], value)
        if self.type != "number":
            return self._integer(value, value)
        if type(value) not in {int, float} or not self._fits(value):  # type: ignore[arg-type]  # bool is no number here
            raise InvalidSpec(f"must be a number {self.bounds}; was {shown(value)}")
        return float(value)  # type: ignore[arg-type]

    @property
    def bounds(self) -> str:
        return f"from {self.minimum:g} to {self.maximum:g}"

    @property
    def schema(self) -> dict[str, object]:
        """The JSON Schema of the parameter."""
        kind = "number" if self.type == "number" else "integer"
        number: dict[str, object] = {"type": kind, "minimum": self.minimum, "maximum": self.maximum}
        words = {"description": self.summary, "default": self.default}
        if self.type != "size":
            return {**number, **words}
        pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
        forms = [number, pair, {"type": "null"}] if self.default is None else [number, pair]
        return {"anyOf": forms, **words}

    def _integer(self, value: object, given: object) -> int:
        number = whole(value)
        if number is None or not self._fits(number):
            pair = ", or a pair [vertical, horizontal] of them" if self.type == "size" else ""
            raise InvalidSpec(f"must be an integer {self.bounds}{pair}; was {shown(given)}")
        return number

    def _fits(self, value: float) -> bool:
        return self.minimum <= value <= self.maximum  # False for NaN


@dataclass(frozen=True)
class NamedKernel:
    """`sides` predicts the size of the kernel that `numbers` makes: (kH, kW), divided by its sum if `unit`."""

    name: str
    summary: str
    numbers: Callable[..., Weights]
    sides: Callable[..., Pair]
    parameters: tuple[Parameter, ...] = ()
    unit: bool = False

    def read(self, given: Mapping[str, object]) -> Parameters:
        """Check parameters from JSON and fill in the defaults; raises InvalidSpec."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise unknown_field(f"the kernel {self.name}", name, known)
        values: Parameters = {}
        for name, parameter in known.items():
            try:
                value = parameter.read(given.get(name, parameter.default))
            except InvalidSpec as error:
                raise error.at(f"/{name}") from None
            if value is not None:
                values[name] = value
        return values

    def description(self) -> dict[str, object]:
        """Describe the kernel as `GET /v1/kernels` does, with its numbers for the default parameters."""
        parameters = {parameter.name: parameter.schema for parameter in self.parameters}
        return {
            "name": self.name,
            "summary": self.summary,
            "parameters": parameters,
            "kernel": build(self.name).tolist(),
        }


def build(name: str, parameters: Mapping[str, object] | None = None, max_side: int = Limits.max_kernel_side) -> Weights:
    """Build a named kernel's numbers, (kH, kW); raises InvalidSpec, or WorkTooLarge for sides above `max_side`."""
    try:
        numbers, divisor = exact(name, parameters or {}, max_side)
    except InvalidSpec as error:
        raise InvalidSpec.of(list(about(error, name))) from None
    return numbers / divisor


def exact(name: str, parameters: Mapping[str, object], max_side: int) -> tuple[Weights, float]:
    """Build a named kernel as numbers (kH, kW) and a divisor; only integers have a divisor other than 1.

    Raises InvalidSpec and WorkTooLarge with sentences that lack their subject.
    """
    kernel = KERNELS.get(name)
    if kernel is None:
        raise InvalidSpec(
            f"must be the name of a kernel (GET /v1/kernels lists them); {unknown_value('kernel', name, KERNELS)}"
        )
    values = kernel.read(parameters)
    height, width = kernel.sides(**values)
    if max(height, width) > max_side:
        raise WorkTooLarge(f"would be {width}x{height}; max_kernel_side allows sides up to {max_side}")
    numbers = kernel.numbers(**values)
    if not kernel.unit:
        return numbers, 1.0
    total = float(numbers.sum())
    return (numbers, total) if bool(np.all(np.rint(numbers) == numbers)) else (numbers / total, 1.0)


def _pair(size: float | Pair) -> Pair:
    return size if isinstance(size, tuple) else (int(size), int(size))


def _gaussian_sides(sigma: float, size: int | Pair | None = None) -> Pair:
    return _pair(gaussian_size(sigma) if size is None else size)


def _gaussian(sigma: float, size: int | Pair | None = None) -> Weights:
    height, width = _gaussian_sides(sigma, size)
    return np.multiply.outer(gaussian_taps(sigma, height), gaussian_taps(sigma, width))


def _log(sigma: float, size: int | Pair | None = None) -> Weights:
    height, width = _gaussian_sides(sigma, size)
    squared = (places(height)[:, None] / sigma) ** 2 + (places(width) / sigma) ** 2
    curved = (squared - 2) / sigma**2 * _gaussian(sigma, size)
    return np.asarray(curved - curved.mean())


def _box(size: int | Pair) -> Weights:
    return np.ones(_pair(size))


def _disk(radius: float) -> Weights:
    across = places(2 * int(radius) + 1)
    return (across[:, None] ** 2 + across**2 <= radius**2).astype(np.float64)


def _motion_sides(length: int, angle: float) -> Pair:
    half = (length - 1) / 2
    # cos(90 degrees) is 6e-17 in floats: without rounding, a vertical line would be three columns wide
    height, width = (2 * ceil(round(half * abs(turn(radians(angle))), 9)) + 1 for turn in (sin, cos))
    return height, width


def _motion(length: int, angle: float) -> Weights:
    """Weight each sample by 1 minus its distance from a line of `length` samples through the middle."""
    height, width = _motion_sides(length, angle)
    up, right = round(sin(radians(angle)), 15), round(cos(radians(angle)), 15)
    y, x = places(height)[:, None], places(width)
    half = (length - 1) / 2
    along = np.clip(x * right - y * up, -half, half)
    return triangle(np.hypot(x - along * right, y + along * up))


def _bilinear(factor: int) -> Weights:
    taps = interpolation_taps(factor, triangle, reach=1)
    return np.multiply.outer(taps, taps)


def _bilinear_sides(factor: int) -> Pair:
    return 2 * factor - factor % 2, 2 * factor - factor % 2


def _fixed(name: str, summary: str, rows: list[list[float]], *, turned: bool = False) -> NamedKernel:
    numbers = np.array(rows, dtype=np.float64)
    numbers = np.ascontiguousarray(numbers.T) if turned else numbers
    numbers.flags.writeable = False
    shape: Pair = (numbers.shape[0], numbers.shape[1])
    return NamedKernel(name, summary, lambda: numbers, lambda: shape)


_SOBEL: list[list[float]] = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
_SCHARR: list[list[float]] = [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]
_PREWITT: list[list[float]] = [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]

FAR = 10_000
"""Bound on every parameter; the real limit is the kernel's side."""

_SIZE = Parameter("size", "size", 3, 1, FAR, "Samples across; a pair is [vertical, horizontal].")
_SIGMA = Parameter("sigma", "number", 1, 0.01, FAR, "Standard deviation in samples.")
_CUT = Parameter(
    "size",
    "size",
    None,
    1,
    FAR,
    "Samples across; default 2 int(4 sigma + 0.5) + 1; a pair is [vertical, horizontal].",
)

KERNELS: dict[str, NamedKernel] = {
    kernel.name: kernel
    for kernel in (
        _fixed("identity", "Changes nothing.", [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        _fixed("sobel_x", "Slope to the right, smoothed downwards by 1 2 1.", _SOBEL),
        _fixed("sobel_y", "Slope downwards, smoothed to the right by 1 2 1.", _SOBEL, turned=True),
        _fixed("scharr_x", "Slope to the right, smoothed downwards by 3 10 3.", _SCHARR),
        _fixed("scharr_y", "Slope downwards, smoothed to the right by 3 10 3.", _SCHARR, turned=True),
        _fixed("prewitt_x", "Slope to the right, smoothed downwards by 1 1 1.", _PREWITT),
        _fixed("prewitt_y", "Slope downwards, smoothed to the right by 1 1 1.", _PREWITT, turned=True),
        _fixed("laplacian", "Sum of the second differences along both axes.", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        _fixed("laplacian8", "The Laplacian with the diagonals included.", [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
        _fixed("sharpen", "The image minus its Laplacian.", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        _fixed("emboss", "A relief, lit from the lower right.", [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
        _fixed(
            "outline",
            "Light lines on both sides of edges: laplacian8 negated.",
            [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
        ),
        NamedKernel("box", "The mean of a rectangle.", _box, _pair, (_SIZE,), unit=True),
        NamedKernel("gaussian", "A Gaussian that sums to 1.", _gaussian, _gaussian_sides, (_SIGMA, _CUT), unit=True),
        NamedKernel(
            "disk",
            "The mean of a disk, like a lens out of focus.",
            _disk,
            lambda radius: _pair(2 * int(radius) + 1),
            (Parameter("radius", "number", 2, 0, FAR, "In samples; those no farther from the centre are averaged."),),
            unit=True,
        ),
        NamedKernel(
            "motion",
            "The mean along a line through the centre, like a camera that moved.",
            _motion,
            _motion_sides,
            (
                Parameter("length", "integer", 9, 1, FAR, "Samples along the line."),
                Parameter("angle", "number", 0, -360, 360, "Degrees, counter-clockwise from the horizontal."),
            ),
            unit=True,
        ),
        NamedKernel("log", "Laplacian of a Gaussian; sums to 0.", _log, _gaussian_sides, (_SIGMA, _CUT)),
        NamedKernel(
            "bilinear",
            "What one sample contributes to a linearly interpolated image; sums to factor squared.",
            _bilinear,
            _bilinear_sides,
            (Parameter("factor", "integer", 2, 1, FAR, "How many times wider and taller the image becomes."),),
        ),
    )
}
