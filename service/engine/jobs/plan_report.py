"""Describe a plan: the document of POST /v1/plan."""

from __future__ import annotations

from service.engine.algorithms.rates import rates
from service.engine.jobs.formats import MEDIA_TYPES
from service.engine.jobs.plan import BYTES, Plan, PlannedOperation
from service.engine.steps.geometry import Shape


def describe(plan: Plan) -> dict[str, object]:
    """Describe the plan for JSON: every field resolved, shapes, parameters, multiplications, predicted seconds.

    Channels include alpha; parameters and multiplications are those of the colour planes.
    """
    steps = [_operation(operation, plan.alpha) for operation in plan.operations]
    image = plan.info
    return {
        "image": {"width": image.width, "height": image.height, "channels": image.channels, "dtype": image.dtype},
        "steps": steps,
        "output": {
            **_sides(plan.sheet, alpha=False),
            "dtype": plan.dtype,
            "media_type": MEDIA_TYPES[plan.answer],
        },
        "parameters": sum(_parameters(operation) for operation in plan.operations),
        "macs": sum(operation.macs for operation in plan.operations),
        "peak_bytes": plan.peak_bytes,
        "seconds": sum(operation.seconds for operation in plan.operations) + _coding_seconds(plan),
    }


def _coding_seconds(plan: Plan) -> float:
    """Predict the seconds to read and write a picture, as if its file were a PNG; arrays take next to nothing."""
    image = plan.info
    pixel_bytes = 0 if image.as_array else image.channels * BYTES[image.dtype]
    reading = image.width * image.height * pixel_bytes * rates().png_read_byte
    if plan.answer == "npy":
        return reading
    write_byte: float = getattr(rates(), f"{plan.answer}_write_byte")
    return reading + plan.sheet.samples * BYTES[plan.dtype] * write_byte


def _operation(planned: PlannedOperation, alpha: bool) -> dict[str, object]:  # noqa: FBT001
    views = [step.field_of_view for step in planned.steps]
    return {
        "op": planned.operation.op,
        "resolved": planned.operation.resolved(planned.input),
        "input": _sides(planned.input, alpha=alpha),
        "output": _sides(planned.output, alpha=alpha),
        "field_of_view": [max(view[0] for view in views), max(view[1] for view in views)],
        "parameters": _parameters(planned),
        "bias_parameters": sum(step.bias_parameters for step in planned.steps),
        "macs": planned.macs,
        "algorithm": planned.algorithm,
        "seconds": planned.seconds,
        "alternatives": _alternatives(planned),
    }


def _parameters(planned: PlannedOperation) -> int:
    return sum(step.parameters for step in planned.steps)


def _alternatives(planned: PlannedOperation) -> list[dict[str, object]]:
    """List the algorithms not chosen; for an operation of several steps, each replaces one of the chosen ones."""
    ways = []
    for position, choice in enumerate(planned.choices):
        for name, seconds in choice.alternatives:
            names = [other.algorithm for other in planned.choices]
            names[position] = name
            ways.append((planned.seconds - choice.seconds + seconds, " + ".join(names)))
    return [{"algorithm": name, "seconds": seconds} for seconds, name in sorted(ways)]


def _sides(shape: Shape, *, alpha: bool) -> dict[str, int]:
    return {"width": shape.width, "height": shape.height, "channels": shape.channels + alpha}
