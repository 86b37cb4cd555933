"""The page of operations, written from the operations themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from docs.photographs import PADDING_MODES, PHOTOGRAPH, SHOWN_PRESETS, Example, examples
from service.engine import plan_filter
from service.engine.operations import OPERATIONS
from service.engine.spec.built_in_presets import PRESETS
from service.engine.spec.named_kernels import KERNELS, NamedKernel

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- operations: made by `make docs` -->", "<!-- operations: end -->"
HEAD = """# Operations

For each operation, this page shows a photograph before and after, a drawing of the arithmetic, the fields, and specs
that you can run as they are. The pictures are details at full size, so you can see single samples. `make docs` writes
this page from the running code; the same examples are in `GET /v1/operations` and on the service's own page, `/docs`.

"Parameters" counts the numbers in the kernels, without bias, as usual for layers. "Multiplications" counts those of
the definition; the service may compute the result with fewer. [Arithmetic](arithmetic.md) explains both, and where the
sizes come from.
"""
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
    contents = _contents("")
    sections = [_section(cls, [each for each in listed if each.op == cls.name()]) for cls in OPERATIONS]
    return "\n".join([HEAD, *contents, "", *sections, _presets(), _padding_modes(), _kernels()])


def readme() -> str:
    """Return README.md with a current table of operations."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([f"{before}{BEGIN}", "", *_contents("docs/operations.md"), "", f"{END}{after}"])


def _contents(page: str) -> list[str]:
    rows = [f"| [`{cls.name()}`]({page}#{cls.name()}) | {cls.summary} |" for cls in OPERATIONS]
    return ["| op | what it does |", "|---|---|", *rows]


def _section(operation: type[Any], own: list[Example]) -> str:
    name = operation.name()
    fields = {key: value for key, value in operation.model_json_schema()["properties"].items() if key != "op"}
    table = ["| field | default | |", "|---|---|---|", *(_field(*item) for item in fields.items()), ""]
    before, shown = (f"{own[0].name}-before.jpg", "blurred") if own[0].undone else ("before.jpg", "before")
    return "\n".join(
        [
            f"## {name}",
            "",
            operation.summary,
            "",
            f"![The photograph, {shown}](pictures/{before})",
            f"![The photograph after {name}](pictures/{own[0].name}.jpg)",
            "",
            operation.notes,
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
    if pictured and example.undone:
        lines[-2] = f"![The blurred photograph](pictures/{example.name}-before.jpg)\n{lines[-2]}"
    if example.undone:
        lines += ["The blur before it:", "", f"```json\n{json.dumps(example.undone)}\n```", ""]
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
        "Presets are specs with a name: for `POST /v1/filters/{preset}` you only send an image. These are some of "
        "them; `GET /v1/presets` lists all with their specs. `motion-deblur` is shown on the result of `motion-blur`."
    )
    return "\n".join(["## Presets", "", head, "", "| preset | | |", "|---|---|---|", *rows, ""])


def _padding_modes() -> str:
    rows = [
        f"| `{mode}` | {_in_table(MEANING[mode])} | ![The photograph, padded](pictures/padding-{mode}.jpg) |"
        for mode in PADDING_MODES
    ]
    head = "What lies beyond the border, for the row `abcd` and a padding of 3. The pictures are padded by 75 samples."
    return "\n".join(["## Padding modes", "", head, "", "| `padding_mode` | | |", "|---|---|---|", *rows, ""])


def _kernels() -> str:
    rows = [f"| `{name}` | {_numbers(kernel)} | {kernel.summary} |" for name, kernel in KERNELS.items()]
    head = (
        "The numbers are shown as applied, as correlations; x grows to the right, y downwards. `GET /v1/kernels` has "
        "them too."
    )
    return "\n".join(
        ["## Named kernels", "", head, "", "| name | numbers, or parameters | |", "|---|---|---|", *rows, ""]
    )


def _numbers(kernel: NamedKernel) -> str:
    if kernel.parameters:
        return ", ".join(f"`{parameter.name}`" for parameter in kernel.parameters)
    return f"`{json.dumps(kernel.numbers().astype(int).tolist(), separators=(',', ':'))}`"
