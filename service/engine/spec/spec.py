"""Turn the spec, the JSON document of what a client wants, into operations or a refusal that points to its faults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.engine.errors import Fault, InvalidSpec, LimitExceeded, WorkTooLarge
from service.engine.machine.limits import Limits
from service.engine.operations import OPERATIONS, Operation
from service.engine.operations.base import OperationBase
from service.engine.spec.validation import MOST_FAULTS, Checked, Context, faults_of
from service.engine.spec.vocabulary import FIELDS, unknown_field, unknown_operation
from service.engine.spec.whole_numbers import whole
from service.engine.spec.wording import listed, nearest, shown

Alpha = Literal["auto", "preserve", "premultiply", "channels"]
ColorSpace = Literal["coded", "linear"]
MediaType = Literal["image/png", "image/jpeg", "image/webp", "image/avif", "image/tiff"]
Quality = int | Literal["lossless"]

LOSSLESS: Literal["lossless"] = "lossless"
BEST_QUALITY = 100
_COLOUR = "#[0-9a-fA-F]{6}"


def _quality(value: object, context: Context) -> Quality | None:  # noqa: ARG001 -- one signature for all checks
    if value is None or value == LOSSLESS:
        return LOSSLESS if value else None
    number = whole(value)
    if number is None or not 1 <= number <= BEST_QUALITY:
        raise InvalidSpec(f'must be an integer from 1 to {BEST_QUALITY}, or "{LOSSLESS}", was {shown(value)}')
    return number


def _background(value: object, context: Context) -> str | None:  # noqa: ARG001 -- one signature for all checks
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(_COLOUR, value):
        raise InvalidSpec(f'must be a colour as "#rrggbb", in hexadecimal digits, was {shown(value)}')
    return value.lower()


_NONE = {"type": "null"}
_QUALITIES = [
    {"type": "integer", "minimum": 1, "maximum": BEST_QUALITY},
    {"type": "string", "enum": [LOSSLESS]},
    _NONE,
]
QualityField = Annotated[Quality | None, Checked(_quality, {"anyOf": _QUALITIES})]
BackgroundField = Annotated[
    str | None, Checked(_background, {"anyOf": [{"type": "string", "pattern": f"^{_COLOUR}$"}, _NONE]})
]


class Output(BaseModel):
    """How the last step's numbers become a picture."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    range: Literal["clip", "abs", "center", "minmax"] = Field(
        "clip",
        description=(
            "How results are mapped to 0 to 255: clipped (clip); as absolute values (abs); with 128 added (center, for "
            "signed results); stretched from the smallest to the largest sample (minmax)."
        ),
    )
    dtype: Literal["auto", "uint8", "uint16", "float32"] = Field(
        "auto",
        description=(
            "Type of the samples; auto is the input's type, or 8 bits for float arrays. uint16 is for PNG and TIFF, "
            "float32 is for TIFF: 0 to 255 without rounding."
        ),
    )
    layout: Literal["auto", "montage"] = Field(
        "auto", description="montage: shows any number of channels as a grid of gray tiles, one pixel apart."
    )
    compression: Literal["fast", "small"] = Field(
        "fast", description="fast writes quickly; small takes seconds and gives a smaller file."
    )
    quality: QualityField = Field(
        None,
        description=(
            "For JPEG, WebP (default 90) and AVIF (default 75): 1 to 100, or lossless for a WebP or a gray AVIF."
        ),
    )
    background: BackgroundField = Field(
        None, description="For a JPEG of a result with alpha: the colour that shows through it, #rrggbb."
    )
    media_type: MediaType = Field(
        "image/png",
        description="Format of the base64 in a JSON answer, or of a plan; otherwise Accept decides.",
    )


class _Frame(BaseModel):
    """The fields of a spec besides its steps."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    alpha: Alpha = Field(
        "auto",
        description=(
            "auto: an opaque alpha plane is left out of the computation; otherwise preserve if the kernel sums to 0, "
            "and premultiply if it does not. preserve: colour is filtered as it is, and alpha is copied. premultiply: "
            "colour is weighted by alpha. channels: alpha is filtered like any other channel."
        ),
    )
    color_space: ColorSpace = Field(
        "coded",
        description="The numbers as stored (coded), or linear light: decoded from sRGB first, encoded at the end.",
    )
    output: Output | None = Field(
        None, description="How the result becomes a picture; leave it out if you ask for an array."
    )


class Chain(_Frame):
    """Several operations, one after the other, in floating point; the output is made once, at the end."""

    steps: list[Operation] = Field(
        min_length=1, description="The operations, in order; at most max_steps of GET /v1/limits."
    )


@dataclass(frozen=True)
class Spec:
    """A spec after reading; `output` is None if the document leaves it out, `single` is true for a single operation."""

    steps: tuple[Operation, ...]
    alpha: Alpha = "auto"
    color_space: ColorSpace = "coded"
    output: Output | None = None
    single: bool = False

    def pointer(self, index: int) -> str:
        """Return the pointer to step `index` in the document."""
        return "" if self.single else f"/steps/{index}"


def parse(document: object, limits: Limits, *, shapes: bool = False) -> Spec:
    """Read a spec from JSON: one operation, or {"steps": [...]} with the fields beside them.

    With `shapes`, {"shape": [...]} may stand for the numbers of kernels and weights. Raises InvalidSpec, whose pointers
    are relative to the document, WorkTooLarge for more steps than `max_steps` or a kernel wider than `max_kernel_side`,
    and TooManyChannels for a list of more kernels than `max_channels`. Nothing here depends on the image; only
    `steps()` of each operation does.
    """
    context = Context(limits, shapes)
    if not isinstance(document, dict):
        raise InvalidSpec(f"the spec must be an object, was {shown(document)}").at("")
    if "steps" not in document:
        if "op" not in document and document.keys() <= _Frame.model_fields.keys():
            raise InvalidSpec(f"the spec must have op or steps, was {shown(document)}").at("")
        return Spec((_in_place(_operation(document, context), 0),), single=True)
    return _chain(document, context)


def json_schema(ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return the JSON Schema of a spec; `ref_template` is the form of references to its `$defs`."""
    either = Annotated[Operation | Chain, Field(title="Spec")]
    return TypeAdapter(either).json_schema(ref_template=ref_template)


_BY_NAME: dict[str, type[OperationBase]] = {operation.name(): operation for operation in OPERATIONS}
_OTHER_NAMES = {other: operation.name() for operation in OPERATIONS for other in operation.also_called}


def _chain(document: dict[str, Any], context: Context) -> Spec:
    steps = document["steps"]
    limit = context.limits.max_steps
    if not isinstance(steps, list):
        raise InvalidSpec(f"steps must be a list of operations, was {shown(steps)}").at("/steps")
    if not steps:
        raise InvalidSpec("steps must have at least 1 operation, was an empty list").at("/steps")
    if len(steps) > limit:
        raise WorkTooLarge(f"steps has {len(steps)} operations; max_steps allows {limit}").at("/steps")
    faults: list[Fault] = []
    operations: list[Operation] = []
    for index, step in enumerate(steps):
        try:
            operations.append(_in_place(_operation(step, context, f"steps/{index}"), index))
        except InvalidSpec as error:
            faults += error.at(f"/steps/{index}").faults
        except LimitExceeded as error:
            raise error.at(f"/steps/{index}") from None
    faults += _strangers(document, Chain.model_fields, "the spec")
    frame = {key: document[key] for key in _Frame.model_fields if key in document}
    if isinstance(output := frame.get("output"), dict):
        faults += [
            Fault(f"/output{place}", detail) for place, detail in _strangers(output, Output.model_fields, "output")
        ]
        frame["output"] = {key: value for key, value in output.items() if key in Output.model_fields}
    try:
        beside = _model(_Frame, frame, context)
    except InvalidSpec as error:
        raise InvalidSpec.of([*faults, *error.faults][:MOST_FAULTS]) from None
    if faults:
        raise InvalidSpec.of(faults[:MOST_FAULTS])
    return Spec(tuple(operations), beside.alpha, beside.color_space, beside.output)


def _operation(document: object, context: Context, subject: str = "the spec") -> Operation:
    if not isinstance(document, dict):
        raise InvalidSpec(f"{subject} must be an object with op, was {shown(document)}").at("")
    if "op" not in document:
        raise InvalidSpec(f"op is missing: it must be {listed(_BY_NAME)}{_misspelt(document)}").at("/op")
    name = document["op"]
    if not isinstance(name, str):
        raise InvalidSpec(f"op must be {listed(_BY_NAME)}, was {shown(name)}").at("/op")
    operation = _BY_NAME.get(name)
    if operation is None:
        raise InvalidSpec(unknown_operation(name, _BY_NAME, _OTHER_NAMES)).at("/op")
    fields = operation.model_fields
    faults = _strangers(document, fields, name)
    known = {key: value for key, value in document.items() if key in fields}
    try:
        read = _model(operation, known, context)
    except InvalidSpec as error:
        raise InvalidSpec.of([*faults, *error.faults][:MOST_FAULTS]) from None
    if faults:
        raise InvalidSpec.of(faults)
    return cast(Operation, read)


def _in_place(operation: Operation, index: int) -> Operation:
    """Return the operation at `index`; refuse one that looks back at a step that does not come before it."""
    back = operation.looks_back()
    if back is not None and back >= index:
        earlier = f" or the number of an earlier step, from 0 to {index - 1}" if index else ": no step comes before"
        raise InvalidSpec(f'with must be "input"{earlier}, was {back}').at("/with")
    return operation


def _misspelt(document: dict[str, Any]) -> str:
    """Find a field that was probably meant to be `op` or `steps`."""
    for name in list(document)[:MOST_FAULTS]:
        meant = "op" if "op" in FIELDS.get(name.lower(), ()) else nearest(name, ["op", "steps"])
        if meant:
            return f"; {shown(name)} is given, did you mean {meant}?"
    return ""


_Model = TypeVar("_Model", bound=BaseModel)


def _model(model: type[_Model], document: dict[str, Any], context: Context) -> _Model:
    try:
        return model.model_validate(document, context=context)
    except ValidationError as error:
        raise InvalidSpec.of(faults_of(error, document)) from None


def _strangers(document: Mapping[str, object], known: Mapping[str, object], owner: str) -> list[Fault]:
    """List the fields that `owner` does not have, each with the field probably meant."""
    faults: list[Fault] = []
    for name in document:
        if name in known:
            continue
        if len(faults) == MOST_FAULTS:
            break
        (fault,) = unknown_field(owner, name, known).faults
        subject = shown(name) if fault.pointer else owner
        beside = '; it stands beside "steps"' if name in _Frame.model_fields and "op" in document else ""
        faults.append(Fault(fault.pointer, f"{subject} {fault.detail}{beside}"))
    return faults
