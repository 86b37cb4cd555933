"""Some hundreds of hostile specs. Seeded: the same each time. They meet a picture of 48x32 pixels in RGB."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any

from tests.hostile.case import (
    INVALID_SPEC,
    MALFORMED_JSON,
    MEMORY_LIMIT,
    OK,
    OUTPUT_TOO_LARGE,
    TOO_MANY_CHANNELS,
    WORK_TOO_LARGE,
    Document,
    Verdict,
)

SEED = 20261
CONV: dict[str, Any] = {"op": "conv", "kernel": [[0, 1, 0], [1, 2, 1], [0, 1, 0]]}
LIMITS = (WORK_TOO_LARGE, OUTPUT_TOO_LARGE, TOO_MANY_CHANNELS, MEMORY_LIMIT)


@cache
def hostile() -> tuple[Document, ...]:
    """All of them."""
    return tuple(
        chain(
            _texts(), _numbers(), _types(), _kernels(), _names(), _sizes(), _frames(), _operations(), _cut(), _sound()
        )
    )


def _text(name: str, text: str | bytes, *expected: Verdict, pointer: str | None = None) -> Document:
    data = text.encode() if isinstance(text, str) else text
    return Document(name, data, frozenset(expected or {MALFORMED_JSON}), pointer)


def _spec(name: str, document: Any, *expected: Verdict, pointer: str | None = None) -> Document:
    return _text(name, json.dumps(document), *(expected or (INVALID_SPEC,)), pointer=pointer)


def _with(field: str, literal: str) -> str:
    """Write the convolution with a field whose value is JSON text, or something near to it."""
    return f'{json.dumps(CONV)[:-1]}, "{field}": {literal}}}'


def _texts() -> Iterator[Document]:
    """Texts that are no JSON, or none to some."""
    fine = json.dumps(CONV)
    for name, text in {
        "a-word": "sobel",
        "comment": fine[:-1] + "/* hello */}",
        "line-comment": fine + " // hello",
        "single-quotes": fine.replace('"', "'"),
        "trailing-comma": fine[:-1] + ",}",
        "missing-brace": fine[:-1],
        "extra-brace": fine + "}",
        "two-documents": fine + fine,
        "unquoted-key": "{op: 1}",
        "missing-colon": '{"op" "conv"}',
        "nan": _with("divisor", "NaN"),
        "infinity": _with("divisor", "Infinity"),
        "minus-infinity": _with("bias", "-Infinity"),
        "nan-in-the-kernel": '{"op": "conv", "kernel": [[NaN]]}',
        "leading-zero": _with("stride", "01"),
        "plus-sign": _with("stride", "+1"),
        "hexadecimal": _with("stride", "0x10"),
        "bare-point": _with("bias", "1."),
        "no-digit-before-the-point": _with("bias", ".5"),
        "underscore": _with("bias", "1_000"),
        "python-true": _with("bias", "True"),
        "undefined": _with("bias", "undefined"),
        "a-million-digits": _with("stride", "1" * 1_000_000),
        "minus-a-million-digits": _with("bias", "-" + "1" * 1_000_000),
        "5000-digits": _with("padding", "9" * 5000),
        "op-twice": '{"op": "conv", "op": "blur", "kernel": [[1]]}',
        "kernel-twice": '{"op": "conv", "kernel": [[1]], "kernel": [[2]]}',
        "key-twice-by-escape": '{"op": "conv", "kernel": [[1]], "\\u006fp": "conv"}',
        "twice-deep-inside": '{"op": "conv", "kernel": {"name": "box", "size": 3, "size": 5}}',
        "deep-lists": "[" * 500_000,
        "deep-closed-lists": "[" * 100_000 + "]" * 100_000,
        "deep-objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
        "deep-kernel": '{"op": "conv", "kernel": ' + "[" * 5000 + "1" + "]" * 5000 + "}",
        "lone-high-surrogate": '{"op": "\\ud800"}',
        "lone-low-surrogate": '{"op": "\\udfff"}',
        "surrogates-the-wrong-way-round": '{"op": "\\udc00\\ud800"}',
        "surrogate-in-a-key": '{"\\ud800": 1}',
        "raw-nul": '{"op": "co\0nv"}',
        "nul-behind": fine + "\0",
        "raw-newline-in-a-string": '{"op": "co\nnv"}',
        "bad-escape": '{"op": "\\x41"}',
        "short-escape": '{"op": "\\u12"}',
        "byte-order-mark": "\ufeff" + fine,
        "non-breaking-blank": "\u00a0" + fine,
        "form-feed": "\f" + fine,
        "html": "<!doctype html><title>no</title>",
        "xml": '<?xml version="1.0"?><spec/>',
        "yaml": "op: conv",
        "python": repr(CONV),
        "long-string-that-does-not-end": '{"op": "' + "a" * 1_000_000,
        "long-string-and-nan": '{"op": "' + "a" * 5_000_000 + '", "bias": NaN}',
        "many-escapes-and-nan": '{"op": "' + '\\"' * 1_000_000 + '", "bias": NaN}',
        "backslashes": '{"op": "' + "\\" * 999_999,
        "many-commas": "[" + "," * 1_000_000 + "]",
        "many-quotes": '"' * 1_000_001,
    }.items():
        yield _text(f"text/{name}", text)
    for name, data in {
        "latin-1": '{"op": "caf\u00e9"}'.encode("latin-1"),
        "utf-16": fine.encode("utf-16"),
        "utf-32": fine.encode("utf-32-le"),
        "overlong-slash": b'{"op": "\xc0\xaf"}',
        "surrogate-in-utf-8": b'{"op": "\xed\xa0\x80"}',
        "beyond-unicode": b'{"op": "\xf4\x90\x80\x80"}',
        "cut-in-a-character": b'{"op": "\xe2\x82',
        "bytes": bytes(range(256)),
        "gzip": b"\x1f\x8b\x08" + bytes(50),
    }.items():
        yield _text(f"text/{name}", data)
    for name, text in {"null": "null", "number": "1", "list": "[]", "string": '"conv"', "true": "true"}.items():
        yield _text(f"text/{name}", text, INVALID_SPEC)


def _numbers() -> Iterator[Document]:
    """Numbers that nobody can mean, in each field that takes one."""
    beyond = {
        "1e400": "1e400",
        "minus-1e400": "-1e400",
        "1e308": "1e308",
        "1e99999999": "1e99999999",
        "4000-digits": "1" + "0" * 4000,
    }
    for field in ("stride", "dilation", "padding", "bias", "divisor", "padding_value"):
        for name, literal in beyond.items():
            yield _text(f"numbers/{field}-{name}", _with(field, literal), INVALID_SPEC, pointer=f"/spec/{field}")
    for name, literal in beyond.items():
        yield _text(
            f"numbers/kernel-{name}",
            f'{{"op": "conv", "kernel": [[1, 2], [3, {literal}]]}}',
            INVALID_SPEC,
            pointer="/spec/kernel/1/1",
        )
    for field in ("stride", "dilation", "padding"):
        for value in (-1, 0.5, 1.5, -0.5):
            yield _spec(f"numbers/{field}-{value}", CONV | {field: value}, pointer=f"/spec/{field}")
    for field in ("stride", "dilation"):
        for name, literal in {"minus-zero": "-0.0", "zero": "0", "zero-point": "0.0", "tiny": "1e-400"}.items():
            yield _text(f"numbers/{field}-{name}", _with(field, literal), INVALID_SPEC, pointer=f"/spec/{field}")
        for name, literal in {"point": "1.0", "exponent": "1e0", "digits": "1." + "0" * 5000}.items():
            yield _text(f"numbers/{field}-one-with-{name}", _with(field, literal), OK)
            yield _text(f"numbers/{field}-pair-with-{name}", _with(field, f"[{literal}, {literal}]"), OK)
        for name, literal in {"1e300": "1e300", "2-to-53-and-more": "9007199254740993.0"}.items():
            yield _text(f"numbers/{field}-{name}", _with(field, literal), INVALID_SPEC, pointer=f"/spec/{field}")
    yield _text("numbers/divisor-minus-zero", _with("divisor", "-0.0"), INVALID_SPEC, pointer="/spec/divisor")
    yield _text("numbers/bias-minus-zero", _with("bias", "-0.0"), OK)
    yield _text("numbers/bias-1e-400", _with("bias", "1e-400"), OK)
    yield _text("numbers/divisor-1e-400", _with("divisor", "1e-400"), INVALID_SPEC, pointer="/spec/divisor")
    yield _text("numbers/kernel-of-minus-zero", '{"op": "conv", "kernel": [[-0.0]]}', OK)


def _types() -> Iterator[Document]:
    """Values of another type than the field has."""
    strangers: dict[str, Any] = {
        "true": True,
        "text": "1",
        "list-of-one": [1],
        "list-of-three": [1, 1, 1],
        "nested-list": [[1, 1]],
        "object": {"a": 1},
        "empty-list": [],
        "pair-with-text": [1, "1"],
        "pair-with-true": [True, 1],
        "pair-with-null": [1, None],
    }
    for field in ("stride", "dilation"):
        for name, value in (strangers | {"null": None}).items():
            yield _spec(f"types/{field}-{name}", CONV | {field: value})
    for name, value in strangers.items():
        if name != "object":
            yield _spec(f"types/padding-{name}", CONV | {"padding": value})
    for name in ("true", "text", "object", "empty-list", "list-of-one", "nested-list"):
        yield _spec(f"types/bias-{name}", CONV | {"bias": strangers[name]})
        yield _spec(f"types/divisor-{name}", CONV | {"divisor": strangers[name]})
    for name, value in {
        "side-missing": {"top": 1, "bottom": 1, "left": 1},
        "side-unknown": {"top": 1, "bottom": 1, "left": 1, "right": 1, "front": 1},
        "side-negative": {"top": -1, "bottom": 1, "left": 1, "right": 1},
        "side-true": {"top": True, "bottom": 1, "left": 1, "right": 1},
        "word-unknown": "sane",
        "nothing": None,
    }.items():
        yield _spec(f"types/padding-{name}", CONV | {"padding": value})


def _kernels() -> Iterator[Document]:
    """Kernels and weights that are none."""
    one: list[Any] = [1]
    for name, value, pointer in (
        ("one-dimensional", [1, 2, 1], "/spec/kernel/0"),
        ("three-dimensional", [[[1]]], "/spec/kernel/0/0"),
        ("empty", [], "/spec/kernel"),
        ("empty-row", [[]], "/spec/kernel/0"),
        ("ragged", [[1, 2], [3]], "/spec/kernel/1"),
        ("ragged-the-other-way", [[1], [2, 3]], "/spec/kernel/1"),
        ("row-of-text", ["121"], "/spec/kernel/0"),
        ("number-as-text", [["1"]], "/spec/kernel/0/0"),
        ("true", [[True]], "/spec/kernel/0/0"),
        ("null", [[1], [None]], "/spec/kernel/1/0"),
        ("object-inside", [[{}]], "/spec/kernel/0/0"),
        ("beyond-1e30", [[1e31]], "/spec/kernel/0/0"),
        ("a-number", 3, "/spec/kernel"),
        ("nothing", None, "/spec"),
        ("unknown-name", "sobel_z", "/spec/kernel"),
        ("name-with-nul", "sobel_x\0", "/spec/kernel"),
        ("name-with-a-path", "../../etc/passwd", "/spec/kernel"),
        ("unknown-parameter", {"name": "box", "length": 3}, None),
        ("parameter-as-text", {"name": "box", "size": "3"}, None),
        ("parameter-of-none", {"name": "sobel_x", "size": 3}, None),
        ("size-zero", {"name": "box", "size": 0}, None),
        ("size-true", {"name": "box", "size": True}, None),
        ("sigma-zero", {"name": "gaussian", "sigma": 0}, None),
        ("sigma-negative", {"name": "gaussian", "sigma": -1}, None),
        ("name-missing", {"size": 3}, None),
        ("shape-where-numbers-belong", {"shape": [3, 3]}, None),
    ):
        yield _spec(f"kernels/{name}", {"op": "conv", "kernel": value}, pointer=pointer)
    wide = [one * 300]
    yield _spec("kernels/300-wide", {"op": "conv", "kernel": wide}, WORK_TOO_LARGE, pointer="/spec/kernel")
    yield _spec("kernels/300-high", {"op": "conv", "kernel": [one] * 300}, WORK_TOO_LARGE, pointer="/spec/kernel")
    yield _spec("kernels/a-million-wide", {"op": "conv", "kernel": [one * 1_000_000]}, WORK_TOO_LARGE)
    yield _spec(
        "kernels/a-million-empty-rows", {"op": "conv", "kernel": [[]] * 1_000_000}, INVALID_SPEC, WORK_TOO_LARGE
    )
    yield _spec(
        "kernels/gaussian-of-sigma-1e9",
        {"op": "conv", "kernel": {"name": "gaussian", "sigma": 1e9}},
        INVALID_SPEC,
        *LIMITS,
    )
    yield _spec(
        "kernels/box-of-a-billion", {"op": "conv", "kernel": {"name": "box", "size": 10**9}}, INVALID_SPEC, *LIMITS
    )
    yield _spec(
        "kernels/disk-of-1e30", {"op": "conv", "kernel": {"name": "disk", "radius": 1e30}}, *LIMITS, INVALID_SPEC
    )
    yield _spec(
        "kernels/motion-of-1e30",
        {"op": "conv", "kernel": {"name": "motion", "length": 1e30, "angle": 1}},
        *LIMITS,
        INVALID_SPEC,
    )
    yield _spec(
        "kernels/sums-to-nothing", {"op": "conv", "kernel": "laplacian", "divisor": "sum"}, pointer="/spec/divisor"
    )
    last = [[1.5] * 255 for _ in range(254)] + [[1.5] * 254 + ["x"]]
    yield _spec("kernels/last-of-65025-is-text", {"op": "conv", "kernel": last}, pointer="/spec/kernel/254/254")
    for name, shape, expected in (
        ("wrong-channels", (4, 5, 1, 1), INVALID_SPEC),
        ("one-channel-too-few", (4, 2, 3, 3), INVALID_SPEC),
        ("2000-outputs", (2000, 3, 1, 1), TOO_MANY_CHANNELS),
        ("300-wide", (1, 3, 1, 300), WORK_TOO_LARGE),
    ):
        yield _spec(f"kernels/weight-of-{name}", {"op": "conv", "weight": _filled(shape)}, expected)
    weight = {"op": "conv", "weight": _filled((4, 3, 3, 3))}
    for groups in (0, -1, 2, 5, 10**9, True, "3", 1.5):
        yield _spec(f"kernels/groups-{groups}", weight | {"groups": groups})
    yield _spec("kernels/kernel-and-weight", weight | {"kernel": [[1]]})
    yield _spec("kernels/neither", {"op": "conv"})
    many = {"op": "depthwise", "kernels": ["identity"] * 2000}
    yield _spec("kernels/2000-names", many, TOO_MANY_CHANNELS)
    yield _spec(
        "kernels/names-for-a-gigabyte",
        {"op": "depthwise", "kernels": [{"name": "box", "size": 255}] * 1020},
        INVALID_SPEC,
        *LIMITS,
    )
    yield _spec("kernels/four-for-three-channels", {"op": "depthwise", "kernels": [[[1]]] * 4})
    yield _spec("kernels/of-unequal-size", {"op": "depthwise", "kernels": [[[1]], [[1, 1]], [[1]]]})


def _filled(shape: tuple[int, ...]) -> Any:
    return 1 if not shape else [_filled(shape[1:]) for _ in range(shape[0])]


def _names() -> Iterator[Document]:
    """Fields and operations that there are not."""
    for name in (
        "deconv", "conv2d", "conv_transpose", "Conv", "conv ", "", "\0", "../conv", "__class__", "convolution" * 10_000,
        "\u202econv", "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "'; drop table", "%s%s%n",
    ):  # fmt: skip
        yield _spec(f"names/op-{name[:20]!r}", {"op": name, "kernel": [[1]]}, pointer="/spec/op")
    strangers: list[Any] = [None, 1, True, [], {}, ["conv"]]
    for stranger in strangers:
        yield _spec(f"names/op-{stranger}", {"op": stranger, "kernel": [[1]]}, pointer="/spec/op")
    for name in (
        "strides",
        "pad",
        "Kernel",
        "__proto__",
        "constructor",
        "",
        "\0",
        "a/b~c",
        "x" * 100_000,
        "\n\r\x1b[31m",
    ):
        yield _spec(f"names/field-{name[:20]!r}", CONV | {name: 1})
    yield _spec("names/ten-thousand-fields", CONV | {f"f{i}": i for i in range(10_000)})
    yield _spec("names/op-missing", {"kernel": [[1]]})


def _sizes() -> Iterator[Document]:
    """Strides, dilations and paddings that overflow whatever is not a Python integer."""
    for power in (15, 31, 32, 62, 63, 64, 100, 1000):
        value = 2**power
        refused = (INVALID_SPEC, *LIMITS)
        yield _spec(f"sizes/stride-2-to-{power}", CONV | {"stride": value}, OK, *refused)
        yield _spec(f"sizes/dilation-2-to-{power}", CONV | {"dilation": value}, *refused)
        yield _spec(f"sizes/padding-2-to-{power}", CONV | {"padding": value}, *refused)
        yield _spec(f"sizes/dilation-and-same-2-to-{power}", CONV | {"dilation": value, "padding": "same"}, *refused)
        both = {"padding": value, "dilation": value, "stride": value}
        yield _spec(f"sizes/all-2-to-{power}", CONV | both, OK, *refused)
        transposed = {"op": "transposed", "kernel": [[1, 1], [1, 1]]}
        yield _spec(f"sizes/transposed-stride-2-to-{power}", transposed | {"stride": value}, *refused)
        yield _spec(f"sizes/transposed-output-2-to-{power}", transposed | {"output_size": [value, value]}, *refused)
        yield _spec(f"sizes/transposed-padding-2-to-{power}", transposed | {"padding": value}, *refused)
        yield _spec(f"sizes/pool-2-to-{power}", {"op": "pool", "method": "max", "size": value}, *refused)
        yield _spec(f"sizes/blur-2-to-{power}", {"op": "blur", "sigma": value}, *refused)
        yield _spec(f"sizes/box-2-to-{power}", {"op": "blur", "method": "box", "size": value}, *refused)
        yield _spec(f"sizes/upscale-2-to-{power}", {"op": "upscale", "factor": value}, *refused)
    yield _spec("sizes/kernel-beyond-the-picture", {"op": "conv", "kernel": _filled((33, 49))})
    yield _spec("sizes/padding-9000", CONV | {"padding": 9000}, OUTPUT_TOO_LARGE)
    chain_of_eights = {"steps": [{"op": "upscale", "factor": 8}] * 8}
    yield _spec("sizes/eight-times-eight", chain_of_eights, OUTPUT_TOO_LARGE, pointer="/spec/steps/2")
    work = {"op": "conv", "kernel": _filled((255, 255)), "padding": "same"}
    large = {"steps": [{"op": "upscale", "factor": 8}, {"op": "upscale", "factor": 4}, work, work]}
    yield _spec("sizes/two-hundred-billion-multiplications", large, WORK_TOO_LARGE)
    yield _spec("sizes/seventeen-steps", {"steps": [CONV] * 17}, WORK_TOO_LARGE, pointer="/spec/steps")
    yield _spec("sizes/a-hundred-thousand-steps", {"steps": [{"op": "grayscale"}] * 100_000}, WORK_TOO_LARGE)


def _frames() -> Iterator[Document]:
    """Fields beside the steps."""
    steps = {"steps": [CONV]}
    for field, value in (
        ("alpha", "yes"), ("alpha", None), ("alpha", 1), ("color_space", "srgb"), ("color_space", ["linear"]),
        ("output", []), ("output", "png"), ("output", {"range": "stretch"}), ("output", {"dtype": "float32"}),
        ("output", {"dtype": None}), ("output", {"layout": "grid"}), ("output", {"compression": 9}),
        ("output", {"format": "jpeg"}), ("output", {"range": True}), ("outputs", {}), ("step", []),
    ):  # fmt: skip
        yield _spec(f"frames/{field}-{value}", steps | {field: value})
    for field, values in (
        ("quality", (0, 101, -1, 3.5, "90", True, [90], {"value": 90}, "Lossless", "", 10**300)),
        (
            "background",
            ("white", "#fff", "#ggffff", "#ffffff0", "ffffff", 0, [255, 255, 255], "#ffffff\n", "#ｆｆｆｆｆｆ"),
        ),
        (
            "media_type",
            ("image/gif", "jpeg", None, "IMAGE/JPEG", "image/jpeg;q=1", ["image/jpeg"], "application/x-npy"),
        ),
    ):
        for wrong in values:
            name, document = f"frames/{field}-{str(wrong)[:20]}", steps | {"output": {field: wrong}}
            yield _spec(name, document, pointer=f"/spec/output/{field}")
    yield _spec("frames/media-type-of-another-answer", steps | {"output": {"media_type": "image/avif"}})
    yield _spec("frames/nothing-said", steps | {"output": {"quality": None, "background": None}}, OK)
    no_steps: list[Any] = [[], {}, None, 1, "conv", [[]], [None], [1], [[CONV]], [{}], [{"steps": [CONV]}]]
    for stranger in no_steps:
        yield _spec(f"frames/steps-{str(stranger)[:30]}", {"steps": stranger})
    yield _spec("frames/op-beside-steps", CONV | steps)
    yield _spec("frames/frame-without-steps", {"alpha": "auto"})
    yield _spec(
        "frames/stride-in-the-third-step", {"steps": [CONV, CONV, CONV | {"stride": 0}]}, pointer="/spec/steps/2/stride"
    )
    yield _spec("frames/fault-in-every-step", {"steps": [CONV | {"stride": 0}] * 16}, pointer="/spec/steps/0/stride")


def _operations() -> Iterator[Document]:
    """Every other operation with something wrong in it."""
    documents: list[dict[str, Any]] = [
        {"op": "separable"},
        {"op": "separable", "column": [1], "row": []},
        {"op": "separable", "column": [[1]], "row": [1]},
        {"op": "separable", "kernel": "laplacian"},
        {"op": "separable", "column": [1], "row": [1], "kernel": "box"},
        {"op": "depthwise", "kernels": []},
        {"op": "depthwise", "kernels": [[1]]},
        {"op": "depthwise_separable", "depthwise": [[[1]]] * 3},
        {"op": "depthwise_separable", "depthwise": [[[1]]] * 3, "pointwise": [[1]]},
        {"op": "depthwise_separable", "depthwise": [[[1]]] * 3, "pointwise": [1, 1, 1]},
        {"op": "transposed", "kernel": [[1]], "output_padding": 1},
        {"op": "transposed", "kernel": [[1]], "output_padding": -1},
        {"op": "transposed", "kernel": [[1]], "padding": "same"},
        {"op": "transposed", "kernel": [[1]], "padding": 100},
        {"op": "transposed", "kernel": [[1]], "output_size": [1]},
        {"op": "transposed", "kernel": [[1]], "output_size": [32, 48], "output_padding": 1, "stride": 2},
        {"op": "transposed", "kernel": [[1]], "padding_mode": "reflect"},
        {"op": "upscale", "factor": 1},
        {"op": "upscale", "factor": 9},
        {"op": "upscale", "factor": 2.5},
        {"op": "upscale", "method": "lanczos"},
        {"op": "downscale", "factor": 1},
        {"op": "downscale", "factor": 9},
        {"op": "downscale", "method": "nearest"},
        {"op": "downscale", "padding_mode": "reflect"},
        {"op": "blend", "with": "input"},
        {"op": "blend", "weights": [1, 1]},
        {"op": "blend", "with": 0, "weights": [1, 1]},
        {"op": "blend", "with": 1e300, "weights": [1, 1]},
        {"op": "blend", "with": -1, "weights": [1, 1]},
        {"op": "blend", "with": "input", "weights": [1, 1, 1]},
        {"op": "blend", "with": "input", "weights": [[1], [1]]},
        {"op": "blend", "with": "input", "weights": [1, 1], "bias": [1]},
        {"steps": [{"op": "downscale"}, {"op": "blend", "with": "input", "weights": [1, 1]}]},
        {"op": "blur", "sigma": 0},
        {"op": "blur", "sigma": -1},
        {"op": "blur", "sigma": "2"},
        {"op": "blur", "sigma": True},
        {"op": "blur", "method": "box"},
        {"op": "blur", "sigma": 1, "size": 3},
        {"op": "blur", "sigma": 1, "stride": 2},
        {"op": "gradient", "operator": "canny"},
        {"op": "gradient", "direction": "z"},
        {"op": "gradient", "norm": "l3"},
        {"op": "sharpen", "amount": "much"},
        {"op": "sharpen", "sigma": 0},
        {"op": "sharpen", "amount": 1e308},
        {"op": "grayscale", "weights": "bt2020"},
        {"op": "grayscale", "weights": [1, 2]},
        {"op": "grayscale", "weights": [1, 2, 3, 4]},
        {"op": "grayscale", "weights": [1, 2, "3"]},
        {"op": "pool", "method": "median", "size": 2},
        {"op": "pool", "method": "max"},
        {"op": "pool", "method": "max", "size": 2, "padding": 2},
        {"op": "pool", "method": "average", "size": 2, "dilation": 2},
        {"op": "pool", "method": "max", "size": 0},
        {"op": "deconvolve"},
        {"op": "deconvolve", "psf": [[1, 1]]},
        {"op": "deconvolve", "psf": [[1]], "method": "magic"},
        {"op": "deconvolve", "psf": [[1]], "iterations": 5},
        {"op": "deconvolve", "psf": [[1]], "method": "richardson_lucy", "iterations": 0},
        {"op": "deconvolve", "psf": [[1]], "method": "richardson_lucy", "iterations": 1.5},
        {"op": "deconvolve", "psf": [[1]], "method": "wiener", "noise_to_signal": -1},
        {"op": "deconvolve", "psf": [[1]], "method": "inverse", "noise_to_signal": 1},
        {"op": "conv", "kernel": [[1]], "padding_mode": "wrap"},
        {"op": "conv", "kernel": [[1]], "mode": "same"},
        {"op": "conv", "kernel": [[1]], "bias": [1, 2]},
        {"op": "conv", "kernel": [[1]], "divisor": 0},
        {"op": "conv", "kernel": [[1]], "divisor": "mean"},
        {"op": "conv", "kernel": [[1]], "padding_value": 1},
    ]
    for document in documents:
        yield _spec(f"operations/{json.dumps(document)[:100]}", document)
    yield _spec(
        "operations/a-billion-iterations",
        {"op": "deconvolve", "psf": [[1]], "method": "richardson_lucy", "iterations": 10**9},
        INVALID_SPEC,
        WORK_TOO_LARGE,
    )


def _cut() -> Iterator[Document]:
    """Cut a sound spec, and change it."""
    chance = random.Random(SEED)
    fine = json.dumps({"steps": [CONV, {"op": "blur", "sigma": 2}], "alpha": "auto"})
    for number in range(20):
        yield _text(f"cut/at-{number}", fine[: 1 + chance.randrange(len(fine) - 1)])
    for number in range(20):
        place = chance.randrange(len(fine))
        changed = fine[:place] + chance.choice('{}[],:"0x\\') + fine[place + 1 :]
        yield _text(f"cut/changed-{number}", changed, MALFORMED_JSON, INVALID_SPEC, OK, *LIMITS)


def _sound() -> Iterator[Document]:
    """Large and strange, and right."""
    chance = random.Random(SEED)
    weight = [[[[chance.random() for _ in range(7)] for _ in range(7)] for _ in range(3)] for _ in range(64)]
    back = [[[[chance.random() / 3000 for _ in range(7)] for _ in range(7)] for _ in range(64)] for _ in range(64)]
    three = [[[[1 / 64]] for _ in range(64)] for _ in range(3)]
    network = {"steps": [{"op": "conv", "weight": w, "padding": "same"} for w in (weight, back, three)]}
    yield _spec("sound/weight-of-64x64x7x7", network, OK)
    yield _spec(
        "sound/kernel-of-255x255", {"op": "conv", "kernel": [[chance.random()] * 255] * 255, "padding": "same"}, OK
    )
    yield _text("sound/ten-megabytes-of-blanks", " " * 10_000_000 + json.dumps(CONV), OK)
    yield _text("sound/escaped-letters", '{"\\u006fp": "\\u0063onv", "kernel": [[1]]}', OK)
    yield _text("sound/exponents", '{"op": "conv", "kernel": [[1e0, 10e-1]], "bias": 0.0E+5}', OK)
    yield _spec("sound/sixteen-steps", {"steps": [CONV] * 10 + [{"op": "blur", "sigma": 1}] * 6}, OK)
    yield _spec("sound/padding-wider-than-the-picture", CONV | {"padding": 300, "padding_mode": "reflect"}, OK)
