"""Specs drawn at random for hypothesis: every field of every operation in every form that it may have.

Mostly they are meant, sometimes impossible, never absurdly large.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from service.engine.operations import OPERATIONS
from service.engine.operations.base import OperationBase

Document = dict[str, Any]
Values = st.SearchStrategy[Any]

NUMBERS = st.one_of(st.integers(-9, 9), st.floats(-4, 4, width=16))
SIDES = st.integers(1, 5)


def both(numbers: st.SearchStrategy[int]) -> Values:
    """Draw one number for both axes, or [vertical, horizontal]."""
    return st.one_of(numbers, st.lists(numbers, min_size=2, max_size=2))


PAIRS = both(st.integers(1, 3))
FOUR = st.fixed_dictionaries({side: st.integers(0, 4) for side in ("top", "bottom", "left", "right")})
MARGINS = st.one_of(both(st.integers(0, 3)), FOUR)
PADDING = st.one_of(st.integers(0, 9), MARGINS, st.sampled_from(["valid", "same", "same_lower", "full"]))
MODES = st.sampled_from(["zeros", "replicate", "reflect", "symmetric", "circular"])
ORIENTATIONS = st.sampled_from(["correlation", "convolution"])
FIXED = ("identity", "sobel_x", "scharr_y", "prewitt_x", "laplacian", "laplacian8", "sharpen", "emboss", "outline")


def with_parameters(name: str, **parameters: Values) -> Values:
    return st.fixed_dictionaries({"name": st.just(name)}, optional=parameters)


SIGMAS = st.floats(0.3, 1.5)
NAMED = st.one_of(
    st.sampled_from(FIXED),
    with_parameters("box", size=both(st.integers(1, 5))),
    with_parameters("gaussian", sigma=SIGMAS, size=st.one_of(st.none(), both(st.integers(1, 5)))),
    with_parameters("log", sigma=SIGMAS, size=st.one_of(st.none(), both(st.integers(1, 5)))),
    with_parameters("disk", radius=st.floats(0, 3)),
    with_parameters("motion", length=st.integers(1, 5), angle=st.floats(-360, 360)),
    with_parameters("bilinear", factor=st.integers(1, 3)),
)


def nested(*sides: int) -> Values:
    """Draw nested lists of numbers of a shape."""
    strategy: Values = NUMBERS
    for side in reversed(sides):
        strategy = st.lists(strategy, min_size=side, max_size=side)
    return strategy


def sized(*most: int) -> Values:
    """Draw nested lists of numbers with sides from 1 to `most`."""
    return st.tuples(*(st.integers(1, side) for side in most)).flatmap(lambda sides: nested(*sides))


def kernels() -> Values:
    return st.one_of(NAMED, sized(5, 5))


def lists_of_kernels(number: int) -> Values:
    """Draw so many kernels of one size, as numbers, by name, or of either sort."""
    three = st.one_of(
        nested(3, 3), st.sampled_from(FIXED), with_parameters("box"), with_parameters("gaussian", size=st.just(3))
    )
    return st.one_of(
        st.tuples(SIDES, SIDES).flatmap(lambda sides: nested(number, *sides)),
        st.lists(three, min_size=number, max_size=number),
    )


def biases(outputs: int) -> Values:
    """Draw none, a number, a number for each output channel, or for as many as there are not."""
    return st.one_of(st.none(), NUMBERS, nested(outputs), nested(outputs + 1))


def sliding(outputs: int) -> dict[str, Values]:
    """Give the fields that all operations with a kernel have."""
    return {"stride": PAIRS, "dilation": PAIRS, "mode": ORIENTATIONS, "bias": biases(outputs)}


def windowed(outputs: int) -> dict[str, Values]:
    """Give the fields of operations that slide a window over a padded image."""
    return sliding(outputs) | {
        "padding": PADDING,
        "padding_mode": st.one_of(MODES, st.just("constant")),
        "padding_value": st.one_of(st.none(), NUMBERS),
        "divisor": st.one_of(st.none(), st.sampled_from([2, 9, 0.3, -4, "sum", "abs_sum"])),
    }


def divisors_of(number: int) -> Values:
    return st.sampled_from([part for part in range(1, number + 1) if number % part == 0])


def drawn(op: str, fields: dict[str, Values], **needed: Values) -> st.SearchStrategy[Document]:
    """Draw one operation: with the fields that it needs, and some of the others."""
    return st.fixed_dictionaries({"op": st.just(op), **needed}, optional=fields)


def conv(channels: int) -> st.SearchStrategy[Document]:
    def weighted(groups: int, each: int) -> st.SearchStrategy[Document]:
        weight = st.tuples(SIDES, SIDES).flatmap(lambda sides: nested(groups * each, channels // groups, *sides))
        fields = windowed(groups * each) | ({"groups": st.just(1)} if groups == 1 else {})
        return drawn("conv", fields, weight=weight, **({} if groups == 1 else {"groups": st.just(groups)}))

    mixing = st.tuples(divisors_of(channels), st.integers(1, 2)).flatmap(lambda sizes: weighted(*sizes))
    return st.one_of(drawn("conv", windowed(channels), kernel=kernels()), mixing)


def transposed(channels: int) -> st.SearchStrategy[Document]:
    fields = {
        "padding": MARGINS,
        "output_padding": st.one_of(st.none(), both(st.integers(0, 2))),
        "output_size": st.one_of(st.none(), both(st.integers(1, 30))),
    }

    def weighted(groups: int, each: int) -> st.SearchStrategy[Document]:
        weight = st.tuples(SIDES, SIDES).flatmap(lambda sides: nested(channels, each, *sides))
        return drawn("transposed", sliding(groups * each) | fields, weight=weight, groups=st.just(groups))

    mixing = st.tuples(divisors_of(channels), st.integers(1, 2)).flatmap(lambda sizes: weighted(*sizes))
    return st.one_of(drawn("transposed", sliding(channels) | fields, kernel=kernels()), mixing)


def depthwise_separable(channels: int) -> st.SearchStrategy[Document]:
    def sizes(each: int, outputs: int) -> st.SearchStrategy[Document]:
        return drawn(
            "depthwise_separable",
            windowed(outputs),
            depthwise=lists_of_kernels(channels * each),
            pointwise=nested(outputs, channels * each),
        )

    return st.tuples(st.integers(1, 2), st.integers(1, 3)).flatmap(lambda drawn_sizes: sizes(*drawn_sizes))


def deconvolve() -> st.SearchStrategy[Document]:
    odd = st.sampled_from([1, 3])
    psf = st.one_of(st.tuples(odd, odd).flatmap(lambda sides: nested(*sides)), NAMED)
    noise = {"noise_to_signal": st.one_of(st.none(), st.floats(0.001, 1))}
    turns = {"iterations": st.one_of(st.none(), st.integers(1, 3))}
    method = st.sampled_from(["wiener", "richardson_lucy", "inverse"])
    rim = {"padding_mode": MODES}
    return st.one_of(
        drawn("deconvolve", rim | noise, psf=psf),
        drawn("deconvolve", rim | turns, psf=psf, method=st.just("richardson_lucy")),
        drawn("deconvolve", rim | noise | turns, psf=psf, method=method),
    )


def operations(channels: int) -> st.SearchStrategy[Document]:
    """Draw one operation of any kind for an image of so many colour channels."""
    return st.one_of(*of_each_kind(channels).values())


@cache  # making these takes longer than drawing from them
def of_each_kind(channels: int) -> dict[str, st.SearchStrategy[Document]]:
    """Draw operations by their names: as written below where that makes more of them fit an image, else by schema."""
    return {operation.name(): by_schema(operation) for operation in OPERATIONS} | _written(channels)


def by_schema(operation: type[OperationBase]) -> st.SearchStrategy[Document]:
    """Draw an operation from the JSON Schema of its fields, with the values of one of its examples for the needed."""
    schema = operation.model_json_schema()
    fields = {name: _of_schema(value) for name, value in schema["properties"].items() if name != "op"}
    needed = [{name: example[name] for name in schema["required"]} for example in operation.examples]
    return st.sampled_from(needed).flatmap(
        lambda base: st.fixed_dictionaries({}, optional=fields).map(lambda more: base | more | {"op": base["op"]})
    )


def _of_schema(schema: dict[str, Any]) -> Values:
    if "anyOf" in schema:
        return st.one_of([_of_schema(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            low = schema.get("minimum", 0)
            return st.integers(low, min(schema.get("maximum", low + 5), low + 5))
        case "number":
            low = max(schema.get("minimum", schema.get("exclusiveMinimum", -4)), -4)
            return st.floats(low, min(schema.get("maximum", low + 8), low + 8), width=16)
        case "array":
            least = schema.get("minItems", 0)
            return st.lists(_of_schema(schema["items"]), min_size=least, max_size=schema.get("maxItems", least + 3))
        case "object" if "properties" in schema:
            return st.fixed_dictionaries({name: _of_schema(one) for name, one in schema["properties"].items()})
        case _:
            return NAMED


def _written(channels: int) -> dict[str, st.SearchStrategy[Document]]:
    rim, dilation = {"padding_mode": MODES}, {"dilation": PAIRS}
    return {
        "conv": conv(channels),
        "separable": st.one_of(
            drawn("separable", windowed(channels), column=sized(4), row=sized(4)),
            drawn("separable", windowed(channels), kernel=NAMED),
        ),
        "depthwise": st.integers(1, 2).flatmap(
            lambda each: drawn("depthwise", windowed(channels * each), kernels=lists_of_kernels(channels * each))
        ),
        "depthwise_separable": depthwise_separable(channels),
        "transposed": transposed(channels),
        "upscale": drawn(
            "upscale", {"factor": st.integers(2, 4), "method": st.sampled_from(["nearest", "bilinear", "bicubic"])}
        ),
        "downscale": drawn(
            "downscale",
            {
                "factor": st.integers(2, 4),
                "method": st.sampled_from(["area", "bilinear", "bicubic", "lanczos3"]),
            },
        ),
        "blur": st.one_of(
            drawn("blur", {"method": st.just("gaussian")} | rim | dilation, sigma=SIGMAS),
            drawn("blur", rim | dilation, method=st.just("box"), size=both(SIDES)),
        ),
        "gradient": drawn(
            "gradient",
            {
                "operator": st.sampled_from(["sobel", "scharr", "prewitt"]),
                "direction": st.sampled_from(["magnitude", "x", "y"]),
                "norm": st.one_of(st.none(), st.sampled_from(["l1", "l2"])),
            }
            | rim,
        ),
        "sharpen": drawn("sharpen", {"sigma": SIGMAS, "amount": st.floats(0, 2)} | rim),
        "grayscale": drawn("grayscale", {"weights": st.one_of(st.sampled_from(["bt601", "bt709"]), nested(3))}),
        "pool": drawn(
            "pool",
            {"stride": st.one_of(st.none(), PAIRS), "padding": MARGINS} | dilation,
            size=PAIRS,
            method=st.sampled_from(["max", "average"]),
        ),
        "blend": drawn(
            "blend",
            {"bias": biases(channels)},
            **{"with": st.one_of(st.just("input"), st.integers(0, 2)), "weights": nested(2)},
        ),
        "deconvolve": deconvolve(),
    }


OUTPUTS = st.fixed_dictionaries(
    {},
    optional={
        "range": st.sampled_from(["clip", "abs", "center", "minmax"]),
        "dtype": st.sampled_from(["auto", "uint8", "uint16"]),
        "layout": st.sampled_from(["auto", "montage"]),
        "compression": st.sampled_from(["fast", "small"]),
    },
)


@cache
def documents(channels: int) -> st.SearchStrategy[Document]:
    """Draw a whole spec: one operation, or a chain with what stands beside it."""
    beside = {
        "alpha": st.sampled_from(["auto", "preserve", "premultiply", "channels"]),
        "color_space": st.sampled_from(["coded", "linear"]),
        "output": st.one_of(st.none(), OUTPUTS),
    }
    steps = st.lists(operations(channels), min_size=1, max_size=3)
    return st.one_of(operations(channels), st.fixed_dictionaries({"steps": steps}, optional=beside))
