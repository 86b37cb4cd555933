"""From header and spec to a plan: what will be computed, how, and at what cost. No pixel is touched.

All bounds are checked here, in Python integers, before anything is decoded or allocated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from service.engine import codecs
from service.engine.algorithms.base import Sample, Task
from service.engine.codecs import ImageInfo
from service.engine.errors import (
    EngineError,
    ImageTooLarge,
    InvalidSpec,
    MemoryLimit,
    OutputTooLarge,
    TooManyChannels,
    WorkTooLarge,
)
from service.engine.jobs import blending, formats, keeping, planner, srgb, transparency
from service.engine.jobs.job import Answer
from service.engine.jobs.plan import BYTES, Plan, PlannedOperation
from service.engine.jobs.planner import Choice
from service.engine.machine.limits import Limits
from service.engine.operations import Operation
from service.engine.spec.spec import Output, Spec
from service.engine.steps import (
    INPUT,
    Blend,
    Conv2d,
    ConvTranspose2d,
    GradientMagnitude,
    NormalizedConv2d,
    Pool,
    Restore,
    Step,
)
from service.engine.steps.geometry import Padding, Shape
from service.engine.steps.integers import in_integers
from service.engine.steps.precision import Arithmetic, Signal, arithmetic, follow

GREATEST = 1e38
"""No number of a result, or of one on the way to it, may grow beyond: float32, which they may be in, ends at 3.4e38."""

MOST_PNG_CHANNELS = 4
FLATTENING = 32
"""Most bytes per sample while laying it on a background: the sample and its factor, in float64."""


def prepare(info: ImageInfo, spec: Spec, limits: Limits, answer: Answer | None) -> Plan:
    """Plan `spec` for an image from its header alone.

    Without `answer`, the spec names the format, else it is PNG if that can hold the result. Raises InvalidSpec and
    LimitExceeded, with pointers relative to the spec.
    """
    _check_image(info, spec, limits)
    picture = not info.as_array
    alpha = info.alpha and spec.alpha != "channels"
    unit = 257 if picture and info.dtype == "uint16" else 1
    shape = Shape(info.height, info.width, info.channels - alpha)
    operations = _resolve(shape, spec, limits)
    if answer is None:
        channels = operations[-1].steps[-1].out_channels + alpha
        answer = formats.named(spec) or ("npy" if channels > MOST_PNG_CHANNELS and spec.output is None else "png")
    elif answer == "json":
        answer = formats.within_json(spec)
    formats.check_settings(spec, answer)
    steps = [step.scaled(unit) for operation in operations for step in operation.steps]
    if info.dtype in {"uint8", "uint16"}:  # floats may be so large that a needless factor could overflow
        steps = [in_integers(step) for step in steps]
    numbers = _numbers(info, spec, steps, _others(operations), unit)
    dtype = _result_type(info, spec, answer)
    source: Sample = numbers.arithmetic if spec.color_space == "linear" else info.dtype
    target: Sample = dtype if _stores_directly(info, spec, answer, dtype) else numbers.arithmetic

    tasks = _tasks(operations, steps, numbers, source, target)
    kept = _kept_bytes(operations, tasks, (BYTES[source], BYTES[numbers.arithmetic]), alpha=alpha)
    choices = iter(
        [_choose(task, spec, limits, 255 * unit, beside, alpha=alpha) for task, beside in zip(tasks, kept, strict=True)]
    )
    planned = tuple(
        PlannedOperation(operation, own, ways := tuple(islice(choices, len(own))), before, ways[-1].task.output)
        for operation, own, before in operations
    )
    plan = Plan(info, spec, answer, planned, alpha, unit, numbers.arithmetic, dtype, peak_bytes=0)
    plan = replace(plan, peak_bytes=_peak_bytes(plan, kept))
    _check_result(plan, limits)
    return plan


@dataclass(frozen=True)
class _Numbers:
    arithmetic: Arithmetic
    exact: tuple[int | None, ...]


def _tasks(
    operations: Sequence[_Resolved], steps: Sequence[Step], numbers: _Numbers, source: Sample, target: Sample
) -> list[Task]:
    """Chain the steps: the first takes samples of `source`, the last makes `target`, in between they stay float."""
    tasks: list[Task] = []
    shape = operations[0].input
    for step, places in zip(steps, numbers.exact, strict=True):
        known = places is not None, places or 0
        tasks.append(Task(step, shape, numbers.arithmetic, numbers.arithmetic, numbers.arithmetic, *known))
        shape = tasks[-1].output
    tasks[0] = replace(tasks[0], source=source)
    tasks[-1] = replace(tasks[-1], target=target)
    return tasks


def _numbers(info: ImageInfo, spec: Spec, steps: Sequence[Step], others: Mapping[int, int], unit: int) -> _Numbers:
    """Choose the arithmetic of the whole chain, and count the binary places of each step's exact sums."""
    linear = spec.color_space == "linear"
    whole = info.dtype in {"uint8", "uint16"}
    bound = 65535.0 if info.dtype == "uint16" else 255.0
    signals = follow(Signal(bound, 0 if whole and not linear else None), steps, others)
    # nothing is known of floats but their results, which are looked at
    greatest = max(signal.bound for signal in (signals if whole else signals[-1:]))
    if linear:
        greatest = max(greatest, srgb.greatest(signals[-1].bound, 255.0 * unit, info.gamma))
    if greatest > GREATEST:
        raise InvalidSpec(f"the results could grow to {greatest:.2g}; at most {GREATEST:g} can be answered")
    exact = tuple(before.exact_places(step.reach) for before, step in zip(signals, steps, strict=False))
    if whole:
        steepness = srgb.steepness(info.gamma) if linear else 1.0
        return _Numbers(arithmetic(signals[-1], 255.0 * unit, steepness), exact)
    return _Numbers("float64" if info.dtype == "float64" else "float32", exact)


class _Resolved(NamedTuple):
    operation: Operation
    steps: tuple[Step, ...]
    input: Shape


def _resolve(shape: Shape, spec: Spec, limits: Limits) -> list[_Resolved]:
    """Turn each operation into its steps, checking every shape and the work."""
    resolved, macs, results = [], 0, [shape]
    for index, operation in enumerate(spec.steps):
        try:
            steps, before = operation.steps(shape), shape
            for step in steps:
                if isinstance(step, Blend):
                    _check_alike(step, results[step.other + 1], shape)
                after = step.output(shape)
                _check_sizes(step, shape, after, limits)
                macs += step.macs(shape)
                shape = after
            if macs > limits.max_macs:
                raise WorkTooLarge(f"{macs:,} multiplications; at most {limits.max_macs:,} (max_macs) are allowed")
        except EngineError as error:
            raise error.at(spec.pointer(index)) from None
        resolved.append(_Resolved(operation, steps, before))
        results.append(shape)
    return resolved


def _others(operations: Sequence[_Resolved]) -> dict[int, int]:
    """Map the index of each Blend among all steps to the number of steps before the result it looks back at."""
    others, first = {}, [0]
    for operation in operations:
        for place, step in enumerate(operation.steps, first[-1]):
            if isinstance(step, Blend):
                others[place] = first[step.other + 1]
        first.append(first[-1] + len(operation.steps))
    return others


def _check_alike(step: Blend, other: Shape, shape: Shape) -> None:
    if other != shape:
        whose = "the input" if step.other == INPUT else f"the result of step {step.other}"
        raise InvalidSpec(
            f"with is {whose}, which has {other.width}x{other.height} samples in {other.channels} colour channels, and "
            f"the result so far has {shape.width}x{shape.height} in {shape.channels}: they must be alike"
        ).at("/with")


def _check_image(info: ImageInfo, spec: Spec, limits: Limits) -> None:
    pixels = info.width * info.height
    if pixels > limits.max_image_pixels:
        raise ImageTooLarge(
            f"the image has {info.width}x{info.height} = {pixels:,} pixels; "
            f"at most {limits.max_image_pixels:,} (max_image_pixels) are taken"
        )
    if info.channels > limits.max_channels:
        raise TooManyChannels(
            f"the image has {info.channels} channels; at most {limits.max_channels} (max_channels) are taken"
        )
    if info.as_array and spec.alpha not in {"auto", "channels"}:
        raise InvalidSpec(f'arrays have no alpha: "alpha" must be "auto" or "channels", was "{spec.alpha}"').at(
            "/alpha"
        )


def _check_sizes(step: Step, before: Shape, after: Shape, limits: Limits) -> None:
    if after.pixels > limits.max_output_pixels:
        raise OutputTooLarge(
            f"the output would have {after.width}x{after.height} = {after.pixels:,} pixels; "
            f"at most {limits.max_output_pixels:,} (max_output_pixels) are made"
        )
    if after.channels > limits.max_channels:
        raise TooManyChannels(
            f"the output would have {after.channels} channels; at most {limits.max_channels} (max_channels) are made"
        )
    # A wide dilation may need a wide padding but give a small output, so the padded image is bounded too.
    padding = _padding(step)
    height, width = before.height + sum(padding.vertical), before.width + sum(padding.horizontal)
    if height * width > 2 * limits.max_output_pixels + before.pixels:
        raise OutputTooLarge(
            f"with its padding the image would have {width}x{height} = {height * width:,} pixels; at most its own and "
            f"twice {limits.max_output_pixels:,} (max_output_pixels) are handled"
        )


def _padding(step: Step) -> Padding:
    """Return the padding that a step adds around its input."""
    match step:
        case Conv2d() | Pool():
            return step.padding
        case NormalizedConv2d():
            return step.conv.padding
        case GradientMagnitude():
            return step.x.padding
        case Blend():
            return Padding()
        case Restore():
            height, width = step.field_of_view
            return Padding(height, height, width, width)
        case ConvTranspose2d():
            return Padding(step.replicate[0], step.replicate[0], step.replicate[1], step.replicate[1])


def _result_type(info: ImageInfo, spec: Spec, answer: Answer) -> Sample:
    if answer == "npy":
        return "float32"
    dtype = (spec.output or Output()).dtype
    if dtype == "auto":
        return "uint16" if info.dtype == "uint16" else "uint8"
    return dtype


def _stores_directly(info: ImageInfo, spec: Spec, answer: Answer, dtype: Sample) -> bool:
    """Say whether the last step's results, rounded and clipped as they come, are the samples to send."""
    output = spec.output or Output()
    if info.dtype in {"float32", "float64"}:  # some may be beyond their range, and must not be clipped unseen
        return False
    same_units = dtype == "uint8" if info.as_array else dtype == info.dtype
    return answer != "npy" and output.range == "clip" and spec.color_space == "coded" and same_units


def _check_result(plan: Plan, limits: Limits) -> None:
    settings = plan.settings
    if settings.layout == "montage":
        sheet = plan.sheet
        if sheet.pixels > limits.max_output_pixels:
            raise OutputTooLarge(
                f"the montage would have {sheet.width}x{sheet.height} = {sheet.pixels:,} pixels; "
                f"at most {limits.max_output_pixels:,} (max_output_pixels) are made"
            ).at("/output/layout")
    if plan.answer != "npy":
        formats.check_result(plan.spec, plan.answer, plan.result, plan.dtype, alpha=plan.alpha, sheet=plan.sheet)
    if plan.peak_bytes > limits.max_memory_bytes:
        raise MemoryLimit(
            f"the job would need {plan.peak_bytes:,} bytes; "
            f"at most {limits.max_memory_bytes:,} (max_memory_bytes) are given"
        )


def _choose(task: Task, spec: Spec, limits: Limits, opaque: int, kept: int, *, alpha: bool) -> Choice:
    """Choose an algorithm, and as many threads as the memory allows besides `kept` bytes."""
    if isinstance(task.step, Blend):
        return blending.choice(task)
    room = limits.max_memory_bytes - _held_bytes(task, alpha=alpha) - kept
    return planner.choose(task, room, instead=transparency.instead(task, spec.alpha, opaque) if alpha else ())


def _held_bytes(task: Task, *, alpha: bool) -> int:
    """Bound the bytes of a task's input and output."""
    if alpha:
        return transparency.plane_bytes(task, BYTES[task.source])
    return task.shape.samples * BYTES[task.source] + task.output.samples * BYTES[task.target]


def _kept_bytes(
    operations: Sequence[_Resolved], tasks: Sequence[Task], sample_bytes: tuple[int, int], *, alpha: bool
) -> list[int]:
    """Bound the bytes of results kept during each task, besides its own input and output."""
    uses = keeping.last_uses(operation.steps for operation in operations)
    results = [*(operation.input for operation in operations), tasks[-1].output]
    by_operation = keeping.kept_bytes(uses, results, sample_bytes, alpha=alpha)
    return [kept for operation, kept in zip(operations, by_operation, strict=True) for _ in operation.steps]


def _peak_bytes(plan: Plan, kept: Sequence[int]) -> int:
    """Bound the job's peak memory: kept results, and the input, output and workspace of one part."""
    number = BYTES[plan.arithmetic]
    stages = [codecs.decode_bytes(plan.info)]
    choices = [choice for operation in plan.operations for choice in operation.choices]
    stages += [
        _held_bytes(choice.task, alpha=plan.alpha) + choice.workspace + beside
        for choice, beside in zip(choices, kept, strict=True)
    ]
    stored = choices[-1].task.target == plan.dtype  # the numbers need no further work
    each = 3 * BYTES[plan.dtype] if stored else 2 * number + 2 * BYTES[plan.dtype]
    stages.append(plan.result.samples * each + (1 << 20))
    numbers = plan.result.samples * (BYTES[plan.dtype] if stored else number)
    if plan.flattened:
        stages.append(numbers + plan.output.samples * FLATTENING)
    if plan.answer != "npy":
        written = plan.sheet.samples * BYTES[plan.dtype]
        encoder = codecs.encode_bytes(plan.answer, plan.sheet.pixels, written, plan.settings.compression)
        stages.append(numbers + written + encoder)
    return max(stages)
