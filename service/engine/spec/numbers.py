"""Read kernels, weights and vectors from nested JSON lists to read-only float64 arrays, at the speed of C.

The whole list is checked level by level with set(map(type, ...)); only a list that fails is walked element by element,
to find the place. If only the shape is known (a client may plan with it), an array of NaN without memory stands for the
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Annotated, Any

import numpy as np

from service.engine.errors import InvalidSpec, LimitExceeded, TooManyChannels, WorkTooLarge
from service.engine.spec.named_kernels import KERNELS, exact
from service.engine.spec.validation import Checked, Context
from service.engine.spec.whole_numbers import whole
from service.engine.spec.wording import shown
from service.engine.steps import Weights

LARGEST = 1e30
"""Largest number in a spec: products with samples stay far within float64."""
MOST_NUMBERS = 2**24
"""Most numbers that a shape may stand for: as many as a body of 32 MiB can spell out."""

_DIMENSIONS = {1: "a list of numbers", 2: "a list of rows", 3: "a list of matrices", 4: "a list of lists of matrices"}


@dataclass(frozen=True, eq=False)
class Kernel:
    """A 2-D kernel, `numbers` (kH, kW) over `divisor`; a divisor other than 1 keeps the numbers integers."""

    numbers: Weights
    divisor: float = 1.0

    @property
    def values(self) -> Weights:
        return self.numbers if self.divisor == 1 else read_only(self.numbers / self.divisor)


def read_only(array: Weights) -> Weights:
    """Forbid writing into an array."""
    array.flags.writeable = False
    return array


def unknown_numbers(*shape: int) -> Weights:
    """Make an array that stands for unknown numbers of this shape."""
    return np.broadcast_to(np.float64(np.nan), shape)


def is_unknown(array: Weights) -> bool:
    """Tell whether an array stands for unknown numbers."""
    return bool(array.size) and bool(np.isnan(array[(0,) * array.ndim]))


def finite(value: object, what: str = "a number") -> float:
    """Read one number; raises InvalidSpec with a sentence that lacks its subject."""
    if type(value) not in {int, float}:
        raise InvalidSpec(f"must be {what}, was {shown(value)}")
    if not -LARGEST <= value <= LARGEST:  # type: ignore[operator]  # the type was looked at; NaN fails here too
        raise InvalidSpec(f"must be {what} from -1e30 to 1e30, was {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def array(value: object, dimensions: int, context: Context, *, sides: int = 0) -> Weights:
    """Read nested lists of numbers, or {"shape": [...]} if the context allows it.

    The last `sides` dimensions are those of a kernel, the others count channels. Raises InvalidSpec, with the pointer
    to the element, WorkTooLarge and TooManyChannels; their sentences lack their subject.
    """
    if isinstance(value, dict):
        shape = _shape(value, dimensions, context)
        _limit(shape, sides, context)
        return unknown_numbers(*shape)
    _limit(_lengths(value, dimensions), sides, context)
    numbers = _read(value, dimensions)
    if numbers is None:
        place, detail = _fault(value, dimensions)
        raise InvalidSpec(detail).at(place)
    return read_only(numbers)


def kernel(value: object, context: Context) -> Kernel:
    """Read a 2-D kernel: rows of numbers, the name of a kernel, or {"name": ..., parameters}."""
    if isinstance(value, str):
        return _named(value, {}, context)
    if isinstance(value, dict) and "shape" not in value:
        name = value.get("name")
        if not isinstance(name, str):
            names = "the name of a kernel, a string" if "name" in value else "a member name, that of a kernel"
            raise InvalidSpec(f"must have {names}; was {shown(value)}").at("/name" if "name" in value else "")
        return _named(name, {key: item for key, item in value.items() if key != "name"}, context)
    if not isinstance(value, list | dict):
        raise InvalidSpec(f"must be a 2-D list of numbers or a named kernel, was {shown(value)}")
    return Kernel(array(value, 2, context, sides=2))


def kernels(value: object, context: Context) -> Weights:
    """Read a flat list of kernels of equal size, (number, kH, kW), each in a form that `kernel` accepts.

    Also raises TooManyChannels.
    """
    if not isinstance(value, list) or not any(isinstance(item, str | dict) for item in value):
        return array(value, 3, context, sides=2)
    _limit((len(value),), 0, context)
    read: list[Weights] = []
    for index, item in enumerate(value):
        try:
            read.append(kernel(item, Context(context.limits)).values)
        except (InvalidSpec, LimitExceeded) as error:
            raise error.at(f"/{index}") from None
        if len(value) * read[0].size > MOST_NUMBERS:
            raise InvalidSpec(f"stands for {len(value) * read[0].size} numbers; at most {MOST_NUMBERS} can be sent")
        if read[-1].shape != read[0].shape:
            raise InvalidSpec(f"must have the {_sides(read[0])} numbers of the first, has {_sides(read[-1])}").at(
                f"/{index}"
            )
    return read_only(np.stack(read))


def _named(name: str, parameters: dict[str, object], context: Context) -> Kernel:
    numbers, divisor = exact(name, parameters, context.limits.max_kernel_side)
    return Kernel(read_only(numbers), divisor)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _sides(matrix: Weights) -> str:
    return f"{matrix.shape[0]}x{matrix.shape[1]}"


def _lengths(value: object, dimensions: int) -> tuple[int, ...]:
    """Measure the first list at each depth."""
    lengths: list[int] = []
    while isinstance(value, list) and value and len(lengths) < dimensions:
        lengths.append(len(value))
        value = value[0]
    return tuple(lengths) + (0,) * (dimensions - len(lengths))


def _read(value: object, dimensions: int) -> Weights | None:
    """Turn nested lists into an array; None if they are ragged, empty, of another depth or hold anything else."""
    shape = _lengths(value, dimensions)
    if not all(shape):
        return None
    level: Any = [value]
    for length in shape:
        if set(map(type, level)) != {list} or set(map(len, level)) != {length}:
            return None
        level = list(chain.from_iterable(level))
    if not set(map(type, level)) <= {int, float}:
        return None
    try:
        numbers = np.array(level, dtype=np.float64)
    except OverflowError:
        return None
    return numbers.reshape(shape) if np.abs(numbers).max() <= LARGEST else None  # the maximum of NaN is NaN


def _limit(shape: tuple[int, ...], sides: int, context: Context) -> None:
    channels, side = context.limits.max_channels, context.limits.max_kernel_side
    size = "x".join(map(str, shape))
    if sides and max(shape[-sides:]) > side:
        raise WorkTooLarge(f"has {size} numbers; max_kernel_side allows sides up to {side}")
    if max(shape[: len(shape) - sides], default=0) > channels:
        raise TooManyChannels(f"has {size} numbers; max_channels allows {channels} channels")


def _shape(value: dict[str, object], dimensions: int, context: Context) -> tuple[int, ...]:
    form = f'{{"shape": [{", ".join(["…"] * dimensions)}]}}'
    if not context.shapes:
        allowed = ' ({"shape": …} is understood by /v1/plan and /v1/figure only)' if "shape" in value else ""
        raise InvalidSpec(f"must be {_DIMENSIONS[dimensions]}, was {shown(value)}{allowed}")
    if set(value) != {"shape"}:
        raise InvalidSpec(f"must be {_DIMENSIONS[dimensions]} or {form}, was {shown(value)}")
    shape = value["shape"]
    if not isinstance(shape, list) or len(shape) != dimensions:
        raise InvalidSpec(f"must be a list of {dimensions} integers, was {shown(shape)}").at("/shape")
    sides = [whole(side) for side in shape]
    for index, side in enumerate(sides):
        if side is None or side < 1:
            raise InvalidSpec(f"must be an integer of at least 1, was {shown(shape[index])}").at(f"/shape/{index}")
    numbers = tuple(side for side in sides if side)
    if prod(numbers) > MOST_NUMBERS:
        raise InvalidSpec(f"stands for {shown(prod(numbers))} numbers; at most {MOST_NUMBERS} can be sent").at("/shape")
    return numbers


def _fault(value: object, dimensions: int, expected: tuple[int, ...] = (), place: str = "") -> tuple[str, str]:
    """Locate and describe the first fault in faulty nested lists; `expected` is the shape of the first list.

    Valid sublists are skipped whole, at the speed of `_read`.
    """
    if not isinstance(value, list):
        return place, f"must be {_DIMENSIONS[dimensions]}, was {shown(value)}"
    if not value:
        return place, f"must be {_DIMENSIONS[dimensions]}, and is empty"
    if expected and len(value) != expected[0]:
        return place, f"must have {_count(expected[0], 'element')} like the first, has {len(value)}"
    inner = expected[1:]
    for index, item in enumerate(value):
        here = f"{place}/{index}"
        if dimensions == 1:
            try:
                finite(item)
            except InvalidSpec as error:
                return here, error.detail
        else:
            numbers = _read(item, dimensions - 1)
            inner = inner or _lengths(item, dimensions - 1)
            if numbers is None or numbers.shape != inner:
                return _fault(item, dimensions - 1, inner, here)
    return place, f"must be {_DIMENSIONS[dimensions]} of finite numbers"


def _nested(dimensions: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
    for _ in range(dimensions):
        schema = {"type": "array", "items": schema, "minItems": 1}
    return schema


_SHAPE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "ShapeOnly",
    "description": "The lengths of nested lists, for /v1/plan and /v1/figure, which need no numbers; nowhere else.",
    "properties": {
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 4}
    },
    "required": ["shape"],
    "additionalProperties": False,
}


def _kernel_schema() -> dict[str, Any]:
    named = [
        {
            "type": "object",
            "title": f"{name.capitalize()}Kernel",
            "properties": {"name": {"type": "string", "const": name}} | {p.name: p.schema for p in entry.parameters},
            "required": ["name"],
            "additionalProperties": False,
        }
        for name, entry in KERNELS.items()
        if entry.parameters
    ]
    names = {"type": "string", "title": "KernelName", "enum": list(KERNELS)}
    return {"anyOf": [_nested(2), names, *named]}


def _arrays(dimensions: int, sides: int) -> Checked:
    def check(value: object, context: Context) -> Weights:
        return array(value, dimensions, context, sides=sides)

    return Checked(check, {"anyOf": [_nested(dimensions), _SHAPE_SCHEMA]})


def _or_shape(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*schema.get("anyOf", [schema]), _SHAPE_SCHEMA]}


KernelField = Annotated[Kernel, Checked(kernel, _or_shape(_kernel_schema()))]
KernelList = Annotated[
    Weights, Checked(kernels, _or_shape({"type": "array", "items": _kernel_schema(), "minItems": 1}))
]
Weight4d = Annotated[Weights, _arrays(4, 2)]
Matrix = Annotated[Weights, _arrays(2, 0)]
Taps = Annotated[Weights, _arrays(1, 1)]
