"""The JSON document that asks for a figure: `{"spec": …, "image": {"width", "height"}, "values": [[…]]}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service.engine.errors import (
    AmbiguousRequest,
    EngineError,
    Fault,
    InvalidSpec,
    MalformedJson,
    MissingImage,
    MissingSpec,
)
from service.engine.figures import draw
from service.engine.figures.description import MOST_SAMPLES, Reading
from service.engine.machine.limits import Limits
from service.engine.operations.conv import Conv
from service.engine.operations.depthwise import Depthwise
from service.engine.operations.separable import Separable
from service.engine.operations.transposed import Transposed
from service.engine.spec.numbers import array
from service.engine.spec.spec import Output, Spec, parse
from service.engine.spec.strict_json import loads
from service.engine.spec.validation import Context
from service.engine.spec.whole_numbers import whole
from service.engine.spec.wording import about, listed, nearest, pointer, shown
from service.engine.steps import Conv2d, ConvTranspose2d, Weights
from service.engine.steps.geometry import Shape

Drawn = Conv | Separable | Depthwise | Transposed
OPERATIONS = "conv, separable, depthwise or transposed"


def figure_document(
    body: bytes | bytearray | memoryview,
    limits: Limits,
    *,
    animate: bool = True,
    position: int | None = None,
    reading: Reading | None = None,
) -> str:
    """Draw the figure that a document asks for; raises EngineError, with pointers to faults in the document."""
    document = _members(body)
    height, width = _sides(document["image"])
    values = _values(document["values"], limits) if "values" in document else None
    operation, at = _operation(document["spec"], limits)
    shape = Shape(height, width, _channels(operation))
    try:
        (step,) = operation.steps(shape)
    except EngineError as error:
        raise error.at(at) from None
    assert isinstance(step, Conv2d | ConvTranspose2d)  # noqa: S101 -- that is what these operations are made of
    rotated = operation.mode == "convolution"
    return draw(step, shape, values, animate=animate, position=position, reading=reading, rotated=rotated)


def _members(body: bytes | bytearray | memoryview) -> Mapping[str, object]:
    document = loads(body)
    if not isinstance(document, dict):
        raise MalformedJson(f"the document must be a JSON object, was {shown(document)}")
    for name in document:
        if name not in KNOWN:
            raise AmbiguousRequest(f"the document has an unknown field: {_stranger(name, KNOWN)}").at("")
    if "spec" not in document:
        raise MissingSpec('the document has no "spec"')
    if "image" not in document:
        raise MissingImage('the document has no "image": give its "width" and "height"')
    return document


KNOWN = ("spec", "image", "values")


def _sides(image: object) -> tuple[int, int]:
    if not isinstance(image, dict):
        raise InvalidSpec(f'"image" must be an object with width and height, was {shown(image)}').at("/image")
    faults = [Fault(pointer(["image", name]), _stranger(name, SIDES)) for name in image if name not in SIDES]
    sides: list[int] = []
    for name in SIDES:
        value = image.get(name)
        if name not in image:
            faults.append(Fault(f"/image/{name}", f"{name} is missing"))
        elif (side := whole(value)) is None or not 1 <= side <= MOST_SAMPLES:
            faults.append(
                Fault(f"/image/{name}", f"{name} must be an integer from 1 to {MOST_SAMPLES}, was {shown(value)}")
            )
        else:
            sides.append(side)
    if faults:
        raise InvalidSpec.of(faults[:MOST_FAULTS])
    height, width = sides
    return height, width


SIDES = ("height", "width")
MOST_FAULTS = 20


def _values(values: object, limits: Limits) -> Weights:
    try:
        return array(values, 2, Context(limits))
    except InvalidSpec as error:
        raise InvalidSpec.of(list(about(error, "values"))).at("/values") from None


def _operation(document: object, limits: Limits) -> tuple[Drawn, str]:
    """Return the only operation of a spec, and its pointer in the document."""
    try:
        spec = parse(document, limits, shapes=True)
        return _single(spec), "/spec" + spec.pointer(0)
    except EngineError as error:
        raise error.at("/spec") from None


def _single(spec: Spec) -> Drawn:
    if len(spec.steps) > 1:
        raise InvalidSpec(f"a figure shows one operation, but steps has {len(spec.steps)}").at("/steps")
    for name, value, default in (
        ("alpha", spec.alpha, "auto"),
        ("color_space", spec.color_space, "coded"),
        ("output", spec.output or Output(), Output()),
    ):
        if value != default:
            raise InvalidSpec(f"{name} has no place in a figure, which shows one plane of numbers: leave it out").at(
                f"/{name}"
            )
    (operation,) = spec.steps
    if not isinstance(operation, Drawn):
        raise InvalidSpec(f"a figure shows {OPERATIONS}, but op is {shown(operation.op)}").at(spec.pointer(0) + "/op")
    return operation


def _channels(operation: Drawn) -> int:
    """Count the channels of the image that the operation takes."""
    match operation:
        case Conv() if operation.weight is not None:
            return int(operation.weight.shape[1]) * operation.groups
        case Transposed() if operation.weight is not None:
            return len(operation.weight)
        case Depthwise():
            return len(operation.kernels)
    bias = operation.bias
    return 1 if bias is None or isinstance(bias, float) else len(bias)


def _stranger(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else f"known are {listed(known, 'and')}"
    return f"{shown(name)} is not a field here; {hint}"
