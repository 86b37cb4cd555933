"""The page of operations, written from the operations themselves."""

from __future__ import annotations

import json
from typing import Any

from PIL import Image

from docs.photographs import PADDING_MODES, PHOTOGRAPH, SHOWN_PRESETS, Example, blurring, examples
from service.engine import plan_filter
from service.engine.operations import OPERATIONS
from service.engine.spec.built_in_presets import PRESETS
from service.engine.spec.named_kernels import KERNELS, NamedKernel

HEAD = """# Operations

Each operation is shown by a photograph before and after it, by a drawing of its arithmetic, by its fields and by specs
that run as they stand. The pictures are details at their own size, so that single samples can be seen. `make docs`
writes this page from the running code; the same examples are in `GET /v1/operations` and on the service's own page,
`/docs`.

"Parameters" are the numbers of the kernels, without bias, as layers are counted. "Multiplications" are those of the
definition; the service may know a shorter way. [Arithmetic](arithmetic.md) explains both, and where the sizes come
from.
"""
NOTES = {
    "conv": (
        "The drawing: the window walks over the input, and each position gives one sum. With a 2-D `kernel` every "
        "channel goes through the same window by itself, as pictures want it. With a 4-D `weight` each output channel "
        "is a sum over all input channels of its group, as layers want it."
    ),
    "separable": (
        "A kernel that is a column times a row can be applied in two passes: first along the rows, then along the "
        "columns. A 3x3 kernel then costs 6 multiplications instead of 9, and a 31x31 one 62 instead of 961. "
        "The result is the same."
    ),
    "depthwise": (
        "Each channel is read by a kernel of its own, and nothing is added up across channels. Three channels and 3x3 "
        "kernels make 27 parameters; a standard layer from 3 to 3 channels has 81."
    ),
    "depthwise_separable": (
        "First one kernel for each channel, then, at each pixel by itself, a mixture of the channels. From 16 to 32 "
        "channels with 3x3 kernels that is 144 + 512 = 656 parameters; the standard layer has 4608."
    ),
    "transposed": (
        "The drawing: each input sample is multiplied by the kernel and added into the output, one stride further for "
        "the next one. Where the stamps overlap, their sums stand. `padding` crops the rim of the result. It returns "
        "the size from before a strided convolution, not the samples; "
        "[why](arithmetic.md#transposed-is-not-deconvolution)."
    ),
    "upscale": (
        "A transposed convolution whose kernel covers each output evenly, so that neither a checkerboard nor a dark "
        "rim appears. Every channel goes through it by itself."
    ),
    "downscale": (
        "A strided convolution whose kernel grows with the factor: each sample of the image has its part in the "
        "result, and [no pattern appears that was not there](arithmetic.md#stride-is-downsampling). At the rim the "
        "sum is divided by the weights that lie within the image, and nothing is assumed to lie beyond. If the factor "
        "does not divide a size, the rest at the right or the bottom gets no sample of its own; wide kernels still "
        "look at it. The drawing shows `area`; `lanczos3` is the sharpest."
    ),
    "blur": (
        "Both kinds are separable, and are computed in two passes. A Gaussian of `sigma` 2 reaches 8 samples to each "
        "side: 17x17 samples, 34 numbers."
    ),
    "gradient": (
        "The difference of the neighbours at both sides, smoothed across. The slopes are signed: a PNG shows the "
        'negative ones as 0 unless `"output": {"range": "center"}` or `"abs"` says otherwise. The magnitude is never '
        "negative."
    ),
    "sharpen": (
        "The image minus its blur is the detail; `amount` times the detail is added. All of it is one convolution, "
        "with a kernel that is 1 + amount in the middle, minus amount times the Gaussian. The drawing shows the "
        'small fixed relative of it, `{"op": "conv", "kernel": "sharpen"}`.'
    ),
    "grayscale": (
        "A pointwise convolution: the window is one pixel, and the weight, (1, 3, 1, 1), has a number for each of red, "
        "green and blue."
    ),
    "pool": (
        "The window walks as that of a convolution does, by its own size unless `stride` says otherwise. The average "
        "is a convolution with equal numbers, as drawn; the maximum has no kernel."
    ),
    "blend": (
        "The one step that looks back: at the input, or at the result of an earlier step, counted from 0, which must "
        "have the shape of the result so far. It says differences of blurs, layers of detail and strengths of an "
        'effect: after `{"op": "blur", "sigma": 20}`, `{"op": "blend", "with": "input", '
        '"weights": [-0.4, 1.4]}` raises the local contrast. In `"color_space": "linear"` it is light that '
        "is summed. With alpha, weights that sum to 0 leave the alpha of the result so far; others weigh each colour "
        "by its alpha. The photograph below is blended with itself, which is all that one step alone can do; "
        "[presets](#presets) show more."
    ),
    "deconvolve": (
        "Here the picture before is one that was blurred by that `psf` and stored in 8 bits. The chart shows what is "
        "done to each frequency. To divide by what the blur has left is exact as long as something is left; then the "
        "rounding to 8 bits is multiplied as well. `wiener` stops where the noise begins to win."
    ),
}
MEANING = {
    "zeros": "`000|abcd|000`",
    "constant": "`vvv|abcd|vvv`, with `padding_value`",
    "replicate": "`aaa|abcd|ddd`",
    "reflect": "`dcb|abcd|cba`",
    "symmetric": "`cba|abcd|dcb`",
    "circular": "`bcd|abcd|abc`",
}


def page() -> str:
    """Write docs/operations.md."""
    listed = list(examples())
    contents = ["| op | what it does |", "|---|---|"]
    contents += [f"| [`{cls.name()}`](#{cls.name()}) | {cls.summary} |" for cls in OPERATIONS]
    sections = [_section(cls, [each for each in listed if each.op == cls.name()]) for cls in OPERATIONS]
    return "\n".join([HEAD, *contents, "", *sections, _presets(), _padding_modes(), _kernels()])


def _section(operation: type[Any], own: list[Example]) -> str:
    name = operation.name()
    fields = {key: value for key, value in operation.model_json_schema()["properties"].items() if key != "op"}
    table = ["| field | default | |", "|---|---|---|", *(_field(*item) for item in fields.items()), ""]
    before = f"{own[0].name}-before.jpg" if name == "deconvolve" else "before.jpg"
    head = "blurred, and restored" if name == "deconvolve" else "before, and after the first example"
    return "\n".join(
        [
            f"## {name}",
            "",
            operation.summary,
            "",
            f"![The photograph, {head.partition(',')[0]}](pictures/{before})",
            f"![The photograph after {name}](pictures/{own[0].name}.jpg)",
            "",
            NOTES[name],
            "",
            f"![Drawing: {name}](figures/op-{name}.svg)",
            "",
            "### Fields of " + name,
            "",
            *table,
            "### Examples of " + name,
            "",
            *(_example(each, pictured=number > 0) for number, each in enumerate(own)),
        ]
    )


def _example(example: Example, *, pictured: bool) -> str:
    with Image.open(PHOTOGRAPH) as image:
        plan: dict[str, Any] = plan_filter(example.spec, image.width, image.height)
    into, out = plan["image"], plan["output"]
    sizes = f"{into['width']}x{into['height']}x{into['channels']} → {out['width']}x{out['height']}x{out['channels']}"
    parameters = f"{plan['parameters']:,} parameter{'' if plan['parameters'] == 1 else 's'}"
    macs = f", {plan['macs']:,} multiplications" if plan["macs"] else ""
    lines = [f"```json\n{json.dumps(example.spec)}\n```", "", f"{sizes}, {parameters}{macs}.", ""]
    if pictured:
        lines += [f"![The photograph after that](pictures/{example.name}.jpg)", ""]
    if pictured and example.op == "deconvolve":
        lines[-2] = f"![The blurred photograph](pictures/{example.name}-before.jpg)\n{lines[-2]}"
    if example.op == "deconvolve":
        lines += ["The blur before it:", "", f"```json\n{json.dumps(blurring(example.spec))}\n```", ""]
    return "\n".join(lines)


def _field(name: str, schema: dict[str, Any]) -> str:
    default = json.dumps(schema["default"]) if "default" in schema else ""
    description = _in_table(str(schema.get("description", "")))
    return f"| `{name}` | {f'`{default}`' if default else 'required'} | {description} |"


def _in_table(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _presets() -> str:
    rows = [
        f"| `{name}` | {PRESETS[name].summary} | ![The photograph after {name}](pictures/preset-{name}.jpg) |"
        for name in SHOWN_PRESETS
    ]
    head = (
        "Specs with a name: `POST /v1/filters/{preset}` takes the image alone. `GET /v1/presets` lists all with their "
        "specs; these are some. The one that undoes a motion is shown after `motion-blur`."
    )
    return "\n".join(["## Presets", "", head, "", "| preset | | |", "|---|---|---|", *rows, ""])


def _padding_modes() -> str:
    rows = [
        f"| `{mode}` | {_in_table(MEANING[mode])} | ![That rim](pictures/padding-{mode}.jpg) |"
        for mode in PADDING_MODES
    ]
    head = "What stands beyond the rim, for the row `abcd` and a padding of 3; the pictures are padded by 75 samples."
    return "\n".join(["## Padding modes", "", head, "", "| `padding_mode` | | |", "|---|---|---|", *rows, ""])


def _kernels() -> str:
    rows = [f"| `{name}` | {_numbers(kernel)} | {kernel.summary} |" for name, kernel in KERNELS.items()]
    head = "As they are applied, as correlations; x grows to the right, y downwards. `GET /v1/kernels` has them too."
    return "\n".join(
        ["## Named kernels", "", head, "", "| name | numbers, or parameters | |", "|---|---|---|", *rows, ""]
    )


def _numbers(kernel: NamedKernel) -> str:
    if kernel.parameters:
        return ", ".join(f"`{parameter.name}`" for parameter in kernel.parameters)
    return f"`{json.dumps(kernel.numbers().astype(int).tolist(), separators=(',', ':'))}`"
