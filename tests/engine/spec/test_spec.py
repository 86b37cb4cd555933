"""The spec: forms, refusals with their places and words, and that nothing but a refusal comes of any document."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.errors import EngineError, InvalidSpec, LimitExceeded, WorkTooLarge
from service.engine.machine.limits import Limits
from service.engine.operations import OPERATIONS
from service.engine.spec.built_in_presets import PRESETS
from service.engine.spec.spec import Output, Spec, json_schema, parse
from service.engine.spec.strict_json import loads
from service.engine.steps import Step
from service.engine.steps.geometry import Shape

LIMITS = Limits()


def faults(document: object, *, limits: Limits = LIMITS) -> dict[str, str]:
    with pytest.raises(EngineError) as caught:
        parse(document, limits)
    assert isinstance(caught.value, InvalidSpec | LimitExceeded)
    return dict(caught.value.faults)


def test_single_operation() -> None:
    spec = parse({"op": "blur", "sigma": 2}, LIMITS)
    assert (len(spec.steps), spec.alpha, spec.color_space, spec.output) == (1, "auto", "coded", None)
    assert spec.pointer(0) == ""


def test_chain_with_all_that_stands_beside_it() -> None:
    document = {
        "steps": [{"op": "grayscale"}, {"op": "gradient", "operator": "sobel"}],
        "alpha": "premultiply",
        "color_space": "linear",
        "output": {"range": "center", "dtype": "uint16"},
    }
    spec = parse(document, LIMITS)
    assert [operation.op for operation in spec.steps] == ["grayscale", "gradient"]
    assert (spec.alpha, spec.color_space) == ("premultiply", "linear")
    assert spec.output == Output(range="center", dtype="uint16", layout="auto", compression="fast")
    assert spec.pointer(1) == "/steps/1"


REFUSALS = [
    # the whole
    ("[]", "", "the spec must be an object, was an empty list"),
    ("3", "", "the spec must be an object, was 3"),
    ("null", "", "the spec must be an object, was null"),
    ("{}", "", "the spec must have op or steps"),
    ('{"stpes": []}', "/op", 'op is missing: it must be conv, separable.*"stpes" is given, did you mean steps?'),
    ('{"type": "conv"}', "/op", 'op is missing.*"type" is given, did you mean op?'),
    ('{"steps": []}', "/steps", "steps must have at least 1 operation, was an empty list"),
    ('{"steps": {"op": "grayscale"}}', "/steps", "steps must be a list of operations, was an object"),
    ('{"steps": [{"op": "grayscale"}, 3]}', "/steps/1", "steps/1 must be an object with op, was 3"),
    ('{"steps": [{"op": "grayscale"}, {"op": "blr"}]}', "/steps/1/op", 'op "blr" is not known here; use blur'),
    ('{"steps": [{"op": "grayscale"}], "op": "blur"}', "/op", '"op" is not a field of the spec'),
    ('{"steps": [{"op": "grayscale"}], "alfa": 1}', "/alfa", '"alfa" is not a field of the spec; did you mean alpha?'),
    ('{"steps": [{"op": "grayscale"}], "alpha": "premultiplied"}', "/alpha", 'was "premultiplied": use "premultiply"'),
    (
        '{"steps": [{"op": "grayscale"}], "color_space": "sRGB"}',
        "/color_space",
        'must be "coded" or "linear", was "sRGB": use "coded"',
    ),
    ('{"steps": [{"op": "grayscale"}], "output": []}', "/output", "output must be an object, was an empty list"),
    ('{"steps": [{"op": "grayscale"}], "output": {"range": "clamp"}}', "/output/range", 'was "clamp": use "clip"'),
    (
        '{"steps": [{"op": "grayscale"}], "output": {"dtype": 8}}',
        "/output/dtype",
        'must be "auto", "uint8", "uint16" or "float32", was 8',
    ),
    ('{"steps": [{"op": "grayscale"}], "output": {"depth": 8}}', "/output/depth", '"depth" is not a field of output'),
    ('{"op": "blur", "sigma": 1, "output": {}}', "/output", 'is not a field of blur.*it stands beside "steps"'),
    # names in use elsewhere
    ('{"op": "deconv"}', "/op", "use transposed .* or deconvolve"),
    ('{"op": "Deconvolution"}', "/op", "use transposed .* or deconvolve"),
    ('{"op": "conv2d"}', "/op", "use conv$"),
    ('{"op": "Conv2d"}', "/op", "use conv$"),
    ('{"op": "filter2D"}', "/op", "use conv$"),
    ('{"op": "sepFilter2D"}', "/op", "use separable"),
    ('{"op": "conv_transpose"}', "/op", "use transposed"),
    ('{"op": "conv_transpose2d"}', "/op", "use transposed"),
    ('{"op": "ConvTranspose2d"}', "/op", "use transposed"),
    ('{"op": "GaussianBlur"}', "/op", 'use blur .with "method": "gaussian".'),
    ('{"op": "gaussian"}', "/op", 'use blur .with "method": "gaussian".'),
    ('{"op": "resize"}', "/op", "use upscale"),
    ('{"op": "unsharp"}', "/op", "use sharpen"),
    ('{"op": "sobel"}', "/op", 'use gradient .with "operator": "sobel".'),
    ('{"op": "median"}', "/op", 'op "median" is not known; it must be conv, .* or deconvolve'),
    ('{"op": true}', "/op", "op must be conv, .*, was true"),
    (
        '{"op": "conv", "kernel": [[1]], "strides": 2}',
        "/strides",
        '"strides" is not a field of conv; did you mean stride?',
    ),
    ('{"op": "conv", "kernel": [[1]], "border": 1}', "/border", "did you mean padding_mode?"),
    ('{"op": "conv", "kernel": [[1]], "dilatoin": 2}', "/dilatoin", "did you mean dilation?"),
    ('{"op": "conv", "filter": [[1]]}', "/filter", "did you mean kernel?"),
    ('{"op": "depthwise", "kernel": [[1]]}', "/kernel", "did you mean kernels?"),
    ('{"op": "deconvolve", "kernel": [[1]]}', "/kernel", "did you mean psf?"),
    ('{"op": "upscale", "scale": 2}', "/scale", "did you mean factor?"),
    ('{"op": "conv", "kernel": [[1]], "padding_mode": "edge"}', "/padding_mode", 'was "edge": use "replicate"'),
    ('{"op": "conv", "kernel": [[1]], "padding_mode": "nearest"}', "/padding_mode", 'was "nearest": use "replicate"'),
    ('{"op": "conv", "kernel": [[1]], "padding_mode": "wrap"}', "/padding_mode", 'was "wrap": use "circular"'),
    ('{"op": "conv", "kernel": [[1]], "padding_mode": "symm"}', "/padding_mode", 'was "symm": use "symmetric"'),
    ('{"op": "conv", "kernel": [[1]], "padding_mode": "mirror"}', "/padding_mode", 'use "symmetric" .* or "reflect"'),
    ('{"op": "conv", "kernel": [[1]], "padding": "SAME_UPPER"}', "/padding", 'was "SAME_UPPER": use "same"'),
    ('{"op": "conv", "kernel": "sobel"}', "/kernel", 'was "sobel": use "sobel_x" or "sobel_y"'),
    # numbers
    ('{"op": "conv", "kernel": [1, 2, 1]}', "/kernel/0", "kernel/0 must be a list of numbers, was 1"),
    ('{"op": "conv", "kernel": []}', "/kernel", "kernel must be a list of rows, and is empty"),
    ('{"op": "conv", "kernel": [[1, 2], [3]]}', "/kernel/1", "kernel/1 must have 2 elements like the first, has 1"),
    ('{"op": "conv", "kernel": [[1, true]]}', "/kernel/0/1", "kernel/0/1 must be a number, was true"),
    ('{"op": "conv", "kernel": [[1, 1e400]]}', "/kernel/0/1", "beyond the range of 64-bit floats"),
    ('{"op": "conv", "kernel": {"name": "gaussian", "sigm": 2}}', "/kernel/sigm", "did you mean sigma?"),
    ('{"op": "conv", "kernel": {"name": "gaussian", "sigma": "2"}}', "/kernel/sigma", 'was "2"'),
    ('{"op": "conv", "kernel": {"shape": [3, 3]}}', "/kernel", "understood by /v1/plan and /v1/figure only"),
    # geometry
    (
        '{"op": "conv", "kernel": [[1]], "stride": 0}',
        "/stride",
        "stride must be an integer from 1 to 65536, or a pair .*, was 0",
    ),
    ('{"op": "conv", "kernel": [[1]], "stride": 2.5}', "/stride", "was 2.5"),
    ('{"op": "conv", "kernel": [[1]], "stride": true}', "/stride", "was true"),
    ('{"op": "conv", "kernel": [[1]], "stride": "3"}', "/stride", 'was "3"'),
    (
        '{"op": "conv", "kernel": [[1]], "stride": [1, 0]}',
        "/stride/1",
        "stride/1 must be an integer from 1 to 65536, was 0",
    ),
    ('{"op": "conv", "kernel": [[1]], "stride": [1, 1, 1]}', "/stride", r"was \[1, 1, 1\]"),
    ('{"op": "conv", "kernel": [[1]], "dilation": 70000}', "/dilation", "from 1 to 65536.*was 70000"),
    (
        '{"op": "conv", "kernel": [[1]], "padding": -1}',
        "/padding",
        "from 0 to 65536, a pair .* an object .* or one of .*, was -1",
    ),
    ('{"op": "conv", "kernel": [[1]], "padding": {"top": 1}}', "/padding", "bottom is missing"),
    (
        '{"op": "conv", "kernel": [[1]], "padding": {"top": 0, "bottom": 0, "left": 0, "right": -1}}',
        "/padding/right",
        "padding/right must be an integer from 0 to 65536, was -1",
    ),
    (
        '{"op": "conv", "kernel": [[1]], "padding": {"top": 0, "bottom": 0, "left": 0, "right": 0, "rihgt": 0}}',
        "/padding/rihgt",
        "did you mean right?",
    ),
    ('{"op": "conv", "kernel": [[1]], "padding_value": 3}', "/padding_value", 'belongs to padding_mode "constant"'),
    ('{"op": "conv", "kernel": [[1]], "mode": "corr"}', "/mode", 'was "corr": use "correlation"'),
    (
        '{"op": "conv", "kernel": [[1]], "divisor": 0}',
        "/divisor",
        'must be a number other than 0, "sum" or "abs_sum".*was 0',
    ),
    ('{"op": "conv", "kernel": [[1]], "divisor": "summ"}', "/divisor", 'was "summ": use "sum"'),
    ('{"op": "conv", "kernel": [[1]], "bias": [1, null]}', "/bias/1", "bias/1 must be a number, was null"),
    ('{"op": "conv", "kernel": [[1]], "bias": "1"}', "/bias", "bias must be a number or a list"),
    # each operation
    ('{"op": "conv"}', "", "exactly one of kernel or weight is needed; neither is given"),
    ('{"op": "conv", "kernel": [[1]], "weight": [[[[1]]]]}', "", "exactly one of .*; both are given"),
    ('{"op": "conv", "kernel": [[1]], "groups": 3}', "/groups", "groups belongs to weight"),
    ('{"op": "conv", "weight": [[[[1]]]], "groups": 0}', "/groups", "groups must be at least 1, was 0"),
    ('{"op": "conv", "weight": [[[[1]]]], "groups": 70000}', "/groups", "groups must be at most 65536, was 70000"),
    ('{"op": "conv", "weight": [[[1]]]}', "/weight/0/0/0", "must be a list of numbers, was 1"),
    ('{"op": "separable"}', "/column", "column is missing"),
    ('{"op": "separable", "column": [1]}', "/row", "row is missing"),
    ('{"op": "separable", "column": [1], "row": [1], "kernel": "box"}', "", "and not both"),
    ('{"op": "separable", "kernel": "laplacian"}', "/kernel", "not the outer product of a column and a row"),
    ('{"op": "depthwise"}', "/kernels", "kernels is missing"),
    ('{"op": "depthwise", "kernels": [[[1]], [[1, 2]]]}', "/kernels/1/0", "must have 1 element like the first, has 2"),
    ('{"op": "depthwise_separable", "depthwise": [[[1]]]}', "/pointwise", "pointwise is missing"),
    ('{"op": "transposed", "kernel": [[1]], "padding": "same"}', "/padding", 'four|left and right, was "same"'),
    (
        '{"op": "transposed", "kernel": [[1]], "output_padding": 1}',
        "/output_padding",
        "less than the larger of stride 1",
    ),
    (
        '{"op": "transposed", "kernel": [[1]], "output_padding": 0, "output_size": [4, 4]}',
        "/output_size",
        "give either output_size or output_padding, not both",
    ),
    ('{"op": "transposed", "kernel": [[1]], "padding_mode": "zeros"}', "/padding_mode", "is not a field of transposed"),
    ('{"op": "upscale", "factor": 9}', "/factor", "factor must be at most 8, was 9"),
    ('{"op": "upscale", "factor": 2.5}', "/factor", "factor must be an integer, was 2.5"),
    ('{"op": "upscale", "method": "linear"}', "/method", 'was "linear": use "bilinear"'),
    ('{"op": "blur"}', "/sigma", 'sigma is missing: method "gaussian" needs it'),
    ('{"op": "blur", "sigma": 0}', "/sigma", "sigma must be at least 0.01, was 0"),
    ('{"op": "blur", "sigma": true}', "/sigma", "sigma must be a finite number, was true"),
    ('{"op": "blur", "sigma": 1e999}', "/sigma", "sigma must be .*beyond the range of 64-bit floats"),
    ('{"op": "blur", "size": 3}', "/size", 'size belongs to method "box", but method is "gaussian"'),
    ('{"op": "blur", "method": "box", "sigma": 3}', "/sigma", 'sigma belongs to method "gaussian"'),
    ('{"op": "blur", "sigma": 1, "padding_mode": "constant"}', "/padding_mode", 'was "constant"'),
    ('{"op": "gradient", "direction": "x", "norm": "l1"}', "/norm", 'norm belongs to direction "magnitude"'),
    ('{"op": "sharpen", "amount": -1}', "/amount", "amount must be at least 0, was -1"),
    ('{"op": "grayscale", "weights": [1, 2]}', "/weights", "a list of three numbers, was a list of 2"),
    ('{"op": "grayscale", "weights": "rec601"}', "/weights", 'use "bt601"'),
    ('{"op": "pool"}', "/size", "size is missing"),
    ('{"op": "pool", "size": 3, "padding": 2}', "/padding", "at most half the window of 3 samples, 1; was 2"),
    ('{"op": "pool", "method": "average", "size": 3, "dilation": 2}', "/dilation", 'dilation belongs to method "max"'),
    ('{"op": "deconvolve", "psf": [[1, 1]]}', "/psf", "psf must have odd sides.*was 2x1"),
    ('{"op": "deconvolve", "psf": [[0]]}', "/psf", "psf is 0 everywhere"),
    ('{"op": "deconvolve", "psf": [[1]], "iterations": 3}', "/iterations", 'belongs to method "richardson_lucy"'),
    ('{"op": "deconvolve", "psf": [[1]], "noise_to_signal": 0}', "/noise_to_signal", "must be greater than 0, was 0"),
    ('{"op": "deconvolve", "psf": [[-1]], "method": "richardson_lucy"}', "/psf", "must not be negative"),
]


@pytest.mark.parametrize(("text", "place", "words"), REFUSALS, ids=[text for text, _, _ in REFUSALS])
def test_refusal_has_its_place_and_its_words(text: str, place: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse(loads(text), LIMITS)
    found = dict(caught.value.faults)
    assert place in found
    assert re.search(words, found[place]), found[place]
    for detail in found.values():
        assert "pydantic" not in detail.lower()
        assert "Input should" not in detail


def test_all_faults_are_told_at_once() -> None:
    document = {
        "steps": [{"op": "blur", "sigma": 0, "size": -1}, {"op": "conv", "kernel": [[1]], "stried": 2, "bias": "a"}],
        "outptu": {},
        "output": {"range": "x", "dtipe": 1},
    }
    assert set(faults(document)) == {
        *("/steps/0/sigma", "/steps/0/size", "/steps/1/stried", "/steps/1/bias"),
        *("/outptu", "/output/range", "/output/dtipe"),
    }


def test_thousands_of_faults_are_not_all_told() -> None:
    assert len(faults({"op": "blur", "sigma": 1, **dict.fromkeys(map(str, range(5000)), 0)})) <= 20


def test_long_words_are_shortened() -> None:
    word = "w" * 100_000
    for document in (
        {"op": word},
        {"op": "blur", word: 1},
        {"op": "blur", "sigma": word},
        {"op": "blur", "method": word},
    ):
        for place, detail in faults(document).items():
            assert len(place) + len(detail) < 500


def test_pointer_escapes_names() -> None:
    assert set(faults({"op": "grayscale", "a/b~c": 1})) == {"/a~1b~0c"}


@pytest.mark.parametrize(
    ("document", "place", "words"),
    [
        ({"steps": [{"op": "grayscale"}] * 17}, "/steps", "steps has 17 operations; max_steps allows 16"),
        (
            {"op": "conv", "kernel": [[1] * 256]},
            "/kernel",
            "kernel has 1x256 numbers; max_kernel_side allows sides up to 255",
        ),
        ({"op": "conv", "kernel": {"name": "box", "size": 300}}, "/kernel", "kernel would be 300x300; max_kernel_side"),
        (
            {"steps": [{"op": "blur", "sigma": 40}]},
            "/steps/0/sigma",
            "sigma makes a kernel of 321x321; max_kernel_side",
        ),
        ({"op": "blur", "method": "box", "size": [256, 1]}, "/size", "size makes a kernel of 1x256; max_kernel_side"),
        ({"op": "sharpen", "sigma": 10_000}, "/sigma", "max_kernel_side allows sides up to 255"),
        ({"op": "pool", "size": 256}, "/size", "size makes a window of 256x256; max_kernel_side"),
        ({"op": "separable", "column": [1] * 256, "row": [1]}, "/column", "max_kernel_side"),
        ({"op": "depthwise", "kernels": ["identity", {"name": "box", "size": 999}]}, "/kernels/1", "max_kernel_side"),
        ({"op": "deconvolve", "psf": {"name": "disk", "radius": 128}}, "/psf", "psf would be 257x257; max_kernel_side"),
    ],
)
def test_too_much_work_names_value_and_limit(document: object, place: str, words: str) -> None:
    with pytest.raises(WorkTooLarge) as caught:
        parse(document, LIMITS)
    assert [fault.pointer for fault in caught.value.faults] == [place]
    assert words in caught.value.detail


def test_limits_are_those_given() -> None:
    with pytest.raises(WorkTooLarge, match="max_steps allows 1"):
        parse({"steps": [{"op": "grayscale"}] * 2}, Limits(max_steps=1))


def test_shapes_stand_for_numbers_where_allowed() -> None:
    spec = parse({"op": "conv", "weight": {"shape": [32, 16, 3, 3]}}, LIMITS, shapes=True)
    (step,) = spec.steps[0].steps(Shape(9, 9, 16))
    assert step.parameters == 4608


def test_schema_takes_every_example_and_preset() -> None:
    schema = jsonschema_rs.validator_for(json.loads(json.dumps(json_schema())))
    for document in [
        *(example for operation in OPERATIONS for example in operation.examples),
        *(preset.spec for preset in PRESETS.values()),
        {"op": "conv", "kernel": [[1]], "padding": {"top": 0, "bottom": 1, "left": 2, "right": 3}, "divisor": "sum"},
    ]:
        assert schema.is_valid(document), document


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"op": "deconv"}',
        '{"steps": []}',
        '{"op": "conv", "kernel": [[1]], "stride": 0}',
        '{"op": "conv", "kernel": [[1]], "padding": {"top": 1}}',
        '{"op": "conv", "kernel": [[]]}',
        '{"op": "conv", "kernel": [1]}',
        '{"op": "conv", "kernel": {"name": "box", "sigma": 1}}',
        '{"op": "blur", "sigma": 0}',
        '{"op": "grayscale", "x": 1}',
    ],
)
def test_schema_refuses_what_is_refused(text: str) -> None:
    assert not jsonschema_rs.validator_for(json_schema()).is_valid(json.loads(text))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, -(10**31), 65536, 1e-300, "sum", "same", "full", "box", "reflect", "max", "gaussian"])
    | st.text(max_size=6)
)
NAMES = sorted(
    {"op", "steps", "alpha", "output", "color_space", "name", "shape", "sigma", "size", "top", "radius", "length"}
    | {field for operation in OPERATIONS for field in operation.model_fields}
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
        | st.lists(st.lists(inner, min_size=1, max_size=2), max_size=3)
    ),
    max_leaves=12,
)


@st.composite
def near_specs(draw: st.DrawFn) -> dict[str, Any]:
    """Take an example and put anything into some of the fields of its operation."""
    operation = draw(st.sampled_from(OPERATIONS))
    document = dict(draw(st.sampled_from(operation.examples)))
    fields = sorted(set(operation.model_fields) - {"op"})
    for name in draw(st.lists(st.sampled_from(fields), max_size=2)):
        document[name] = draw(ANYTHING | st.integers(1, 5) | st.lists(st.integers(1, 5), min_size=2, max_size=2))
    return document


def check_steps(steps: tuple[Step, ...], shape: Shape) -> None:
    for step in steps:
        assert step.in_channels == shape.channels
        shape = step.output(shape)
        assert min(shape) >= 1


def only_refused(document: object, *, shapes: bool) -> None:
    try:
        spec = parse(document, LIMITS, shapes=shapes)
    except (InvalidSpec, LimitExceeded):
        return
    assert isinstance(spec, Spec)
    for operation in spec.steps:
        for shape in (Shape(1, 1, 1), Shape(5, 8, 3), Shape(9, 7, 2)):
            with suppress(InvalidSpec):
                resolved = operation.resolved(shape)
                parse(json.loads(json.dumps(resolved, allow_nan=False)), LIMITS, shapes=True)
                check_steps(operation.steps(shape), shape)


@settings(max_examples=150, deadline=None)
@given(ANYTHING, st.booleans())
def test_any_document_gives_a_spec_or_a_refusal(document: object, shapes: bool) -> None:
    only_refused(document, shapes=shapes)


@settings(max_examples=400, deadline=None)
@given(near_specs(), st.booleans())
def test_almost_any_spec_gives_steps_or_a_refusal(document: dict[str, Any], shapes: bool) -> None:
    only_refused(document, shapes=shapes)
