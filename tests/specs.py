"""Specs drawn at random for hypothesis: mostly meant, sometimes impossible, never absurdly large."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

NUMBERS = st.one_of(st.integers(-9, 9), st.floats(-4, 4, width=16))
SIDES = st.integers(1, 5)
PAIRS = st.one_of(st.integers(1, 3), st.lists(st.integers(1, 3), min_size=2, max_size=2))
FOUR = st.fixed_dictionaries({side: st.integers(0, 4) for side in ("top", "bottom", "left", "right")})
PADDING = st.one_of(
    st.integers(0, 9),
    st.lists(st.integers(0, 3), min_size=2, max_size=2),
    FOUR,
    st.sampled_from(["valid", "same", "same_lower", "full"]),
)
MODES = st.sampled_from(["zeros", "replicate", "reflect", "symmetric", "circular"])
NAMED = st.sampled_from(
    ["sobel_x", "laplacian", "sharpen", "emboss", {"name": "gaussian", "sigma": 0.8}, {"name": "box", "size": 3}]
)


def nested(*sides: int) -> st.SearchStrategy[Any]:
    """Draw nested lists of numbers of a shape."""
    strategy: st.SearchStrategy[Any] = NUMBERS
    for side in reversed(sides):
        strategy = st.lists(strategy, min_size=side, max_size=side)
    return strategy


def kernels() -> st.SearchStrategy[Any]:
    return st.one_of(NAMED, st.tuples(SIDES, SIDES).flatmap(lambda sides: nested(*sides)))


def geometry() -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries(
        {},
        optional={
            "stride": PAIRS,
            "dilation": PAIRS,
            "padding": PADDING,
            "padding_mode": MODES,
            "mode": st.sampled_from(["correlation", "convolution"]),
            "bias": st.one_of(st.none(), NUMBERS),
            "divisor": st.one_of(st.none(), st.sampled_from([2, 9, 0.3, "sum", "abs_sum"])),
        },
    )


def weights(channels: int) -> st.SearchStrategy[Document]:
    """Draw a 4-D weight with its groups, for so many channels."""
    groups = st.sampled_from([groups for groups in range(1, channels + 1) if channels % groups == 0])
    return st.tuples(groups, st.integers(1, 2), SIDES, SIDES).flatmap(
        lambda drawn: st.fixed_dictionaries(
            {
                "groups": st.just(drawn[0]),
                "weight": nested(drawn[0] * drawn[1], channels // drawn[0], drawn[2], drawn[3]),
            }
        )
    )


def joined(op: str, *parts: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
    return st.tuples(*parts).map(
        lambda parts: {"op": op} | {key: value for part in parts for key, value in part.items()}
    )


def operations(channels: int) -> st.SearchStrategy[Document]:
    """Draw one operation of any kind for an image of so many colour channels."""
    return st.one_of(
        joined("conv", geometry(), st.fixed_dictionaries({"kernel": kernels()})),
        joined("conv", geometry(), weights(channels)),
        joined("separable", geometry(), st.fixed_dictionaries({"column": nested(3), "row": nested(2)})),
        joined("depthwise", geometry(), st.fixed_dictionaries({"kernels": nested(2 * channels, 3, 2)})),
        joined(
            "depthwise_separable",
            geometry(),
            st.fixed_dictionaries({"depthwise": nested(channels, 2, 3), "pointwise": nested(3, channels)}),
        ),
        joined(
            "transposed",
            st.fixed_dictionaries(
                {"kernel": kernels()},
                optional={
                    "stride": PAIRS,
                    "dilation": PAIRS,
                    "padding": st.one_of(st.integers(0, 2), FOUR),
                    "bias": NUMBERS,
                },
            ),
        ),
        joined(
            "upscale",
            st.fixed_dictionaries(
                {"factor": st.integers(2, 4), "method": st.sampled_from(["nearest", "bilinear", "bicubic"])}
            ),
        ),
        joined("blur", st.fixed_dictionaries({"sigma": st.floats(0.3, 1.5)}, optional={"padding_mode": MODES})),
        joined(
            "gradient",
            st.fixed_dictionaries(
                {},
                optional={
                    "operator": st.sampled_from(["sobel", "scharr", "prewitt"]),
                    "direction": st.sampled_from(["magnitude", "x", "y"]),
                    "padding_mode": MODES,
                },
            ),
        ),
        joined("sharpen", st.fixed_dictionaries({}, optional={"amount": st.floats(0, 2)})),
        joined("grayscale"),
        joined(
            "pool",
            st.fixed_dictionaries(
                {"method": st.sampled_from(["max", "average"]), "size": PAIRS},
                optional={"stride": PAIRS, "padding": st.integers(0, 1)},
            ),
        ),
    )
