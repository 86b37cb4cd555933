"""Makes docs/pictures/ and docs/operations.md from the running code: `make docs`.

Pictures are what the engine answers for the examples that stand in the API itself, saved as JPEG to stay small.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from service.engine import filter_bytes, plan_filter
from service.engine.named_kernels import KERNELS
from service.engine.operations import OPERATIONS
from service.engine.presets import PRESETS

DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"
PHOTOGRAPH = PICTURES / "cat.jpg"
IN_README = ("sobel", "dilated-blur", "depthwise", "upscale-2x")
PADDING_MODES = {
    "zeros": "`000|abcd|000`",
    "constant": "`vvv|abcd|vvv`, with `padding_value`",
    "replicate": "`aaa|abcd|ddd`",
    "reflect": "`dcb|abcd|cba`",
    "symmetric": "`cba|abcd|dcb`",
    "circular": "`bcd|abcd|abc`",
}


def save(name: str, spec: dict[str, Any], width: int = 320) -> str:
    """Filter the photograph by `spec` and save what comes, no wider than `width`; gives the file's name."""
    with Image.open(BytesIO(filter_bytes(PHOTOGRAPH.read_bytes(), spec))) as image:
        image.thumbnail((width, width), Image.Resampling.BOX)
        image.convert("RGB").save(PICTURES / f"{name}.jpg", quality=80)
    return f"{name}.jpg"


def example(name: str, document: dict[str, Any]) -> str:
    """Write one example: its spec, its picture, its numbers."""
    with Image.open(PHOTOGRAPH) as image:
        plan: dict[str, Any] = plan_filter(document, image.width, image.height)
    into, out = plan["image"], plan["output"]
    sizes = f"{into['width']}x{into['height']}x{into['channels']} → {out['width']}x{out['height']}x{out['channels']}"
    numbers = f"{sizes}, {plan['parameters']:,} parameters, {plan['macs']:,} multiplications"
    picture = save(name, document)
    return f"```json\n{json.dumps(document)}\n```\n\n![The photograph after that](pictures/{picture})\n\n{numbers}.\n"


def field(name: str, schema: dict[str, Any]) -> str:
    default = json.dumps(schema["default"]) if "default" in schema else ""
    description = str(schema.get("description", "")).replace("|", "\\|").replace("\n", " ")
    return f"| `{name}` | {f'`{default}`' if default else 'required'} | {description} |"


def operation_section(operation: type[Any]) -> str:
    name = operation.name()
    fields = {key: value for key, value in operation.model_json_schema()["properties"].items() if key != "op"}
    table = "\n".join(["| field | default | |", "|---|---|---|", *(field(*item) for item in fields.items())])
    examples = "\n".join(
        example(name if index == 0 else f"{name}-{index + 1}", document)
        for index, document in enumerate(operation.examples)
    )
    return f"## {name}\n\n{operation.summary}\n\n{table if fields else 'It has no fields.'}\n\n{examples}"


def padding_section() -> str:
    rows = []
    for mode, meaning in PADDING_MODES.items():
        spec: dict[str, Any] = {"op": "conv", "kernel": [[1]], "padding": 75, "padding_mode": mode}
        if mode == "constant":
            spec["padding_value"] = 128
        rows.append(
            f"| `{mode}` | {meaning} | ![The photograph with that rim](pictures/{save(f'padding-{mode}', spec, 240)}) |"
        )
    head = "What stands beyond the rim, for the row `abcd` and a padding of 3; the pictures are padded by 75."
    return "\n".join(["## Padding modes", "", head, "", "| `padding_mode` | | |", "|---|---|---|", *rows, ""])


def kernels_section() -> str:
    rows = [f"| `{name}` | {kernel.summary} |" for name, kernel in KERNELS.items()]
    return "\n".join(["## Named kernels", "", "| name | |", "|---|---|", *rows, ""])


def main() -> None:
    for name in IN_README:
        save(name, PRESETS[name].spec)
    head = (
        "# Operations\n\nMade by `make docs` from the running code; the examples are those of `GET /v1/operations`.\n"
    )
    sections = [head, *map(operation_section, OPERATIONS), padding_section(), kernels_section()]
    (DOCS / "operations.md").write_text("\n".join(sections))


if __name__ == "__main__":
    main()
