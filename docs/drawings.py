"""The drawings: figures of the service itself, and one chart that it has no figure for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from service.engine.figures import describe
from service.engine.figures.drawing import write
from service.engine.figures.style import FONT, PALETTE
from service.engine.machine.limits import Limits
from service.engine.operations import OPERATIONS
from service.engine.operations.base import OperationBase
from service.engine.operations.illustration import Gains, Illustration
from service.engine.spec.spec import parse
from service.engine.steps import Conv2d, ConvTranspose2d
from service.engine.steps.geometry import Shape
from service.engine.steps.taps import gaussian_taps

Spec = dict[str, Any]
ANY3 = {"shape": [3, 3]}
NUMBERS = [[1, 0, 2, 3, 1], [0, 2, 1, 0, 2], [3, 1, 0, 1, 1], [2, 0, 1, 3, 0], [1, 2, 0, 1, 2]]
"""Samples of the figures that show sums."""


def figure(
    spec: Spec,
    width: int,
    height: int | None = None,
    *,
    values: Sequence[Sequence[float]] | None = None,
    channels: int = 1,
    still: int | None = None,
    **more: Any,
) -> str:
    """Draw the first step of `spec`; `still` is the position of a figure that does not move."""
    (operation,) = parse(spec, Limits(), shapes=True).steps
    shape = Shape(height or width, width, channels)
    step = operation.steps(shape)[0]
    assert isinstance(step, Conv2d | ConvTranspose2d)  # noqa: S101 -- as the calls below say
    heading = more.pop("heading", None)
    samples = None if values is None else np.array(values, dtype=np.float64)
    described = describe(step, shape, samples, **more)
    if heading is not None:
        described = replace(described, heading=heading)
    last = len(described.windows) - 1
    position = 0 if still is None else last if still < 0 else still
    return write(described, position, animate=still is None)


def of_operations() -> dict[str, str]:
    """Draw one figure for each operation, by its name."""
    return {operation.name(): illustration(operation) for operation in OPERATIONS}


def illustration(operation: type[OperationBase]) -> str:
    """Draw what an operation asks for, or its first example."""
    match operation.illustration or Illustration(operation.examples[0]):
        case Gains(sigma, ratios):
            return gains(sigma, ratios)
        case Illustration(spec, side, channels, sums, reading, heading):
            values = NUMBERS if sums else None
            return figure(spec, side, values=values, channels=channels, reading=reading, heading=heading)


def of_arithmetic() -> dict[str, str]:
    """Draw the figures of the page on arithmetic, by name."""
    ones = [[1] * 3] * 3
    return {
        "valid": figure({"op": "conv", "kernel": ANY3}, 4),
        "half": figure({"op": "conv", "kernel": ANY3, "padding": 1}, 5),
        "full": figure({"op": "conv", "kernel": ANY3, "padding": "full"}, 5),
        "even": figure({"op": "conv", "kernel": {"shape": [4, 4]}, "padding": 2}, 5),
        "borders": figure({"op": "conv", "kernel": ANY3, "padding": 2, "padding_mode": "reflect"}, 4),
        "stride": figure({"op": "conv", "kernel": ANY3, "stride": 2}, 5),
        "stride-padded": figure({"op": "conv", "kernel": ANY3, "stride": 2, "padding": 1}, 5),
        "stride-odd": figure({"op": "conv", "kernel": ANY3, "stride": 2, "padding": 1}, 6),
        "same": figure({"op": "conv", "kernel": ANY3, "stride": 2, "padding": "same"}, 6, still=0),
        "same-lower": figure({"op": "conv", "kernel": ANY3, "stride": 2, "padding": "same_lower"}, 6, still=0),
        "dilation": figure({"op": "conv", "kernel": ANY3, "dilation": 2}, 7),
        "scatter": figure({"op": "transposed", "kernel": ANY3, "stride": 2}, 2, reading="scatter"),
        "gather": figure({"op": "transposed", "kernel": ANY3, "stride": 2}, 2, reading="gather"),
        "output-padding": figure(
            {"op": "transposed", "kernel": ANY3, "stride": 2, "padding": 1, "output_padding": 1}, 3, reading="gather"
        ),
        "uneven": figure(
            {"op": "transposed", "kernel": ones, "stride": 2}, 4, values=[[1] * 4] * 4, reading="scatter", still=-1
        ),
        "even-cover": figure(
            {"op": "transposed", "kernel": [[1] * 4] * 4, "stride": 2, "padding": 1},
            4,
            values=[[1] * 4] * 4,
            reading="scatter",
            still=-1,
        ),
        "dark-rim": figure(
            {
                "op": "transposed",
                "kernel": [[a * b for b in (1, 3, 3, 1)] for a in (1, 3, 3, 1)],
                "stride": 2,
                "padding": 1,
            },
            4,
            values=[[1] * 4] * 4,
            reading="scatter",
            still=-1,
        ),
    }


def figures() -> dict[str, str]:
    """Draw all; the names are those of files in docs/figures/."""
    drawn = {f"op-{name}": svg for name, svg in of_operations().items()} | of_arithmetic()
    return {f"{name}.svg": svg for name, svg in drawn.items()}


def gains(sigma: float, ratios: Sequence[float]) -> str:
    """Chart by what `inverse` and `wiener` multiply each frequency after a Gaussian blur."""
    width, height, left, bottom, most = 720, 400, 70, 340, 20.0
    taps = gaussian_taps(sigma, 2 * int(4 * sigma + 0.5) + 1)
    frequencies = np.linspace(0, 0.5, 121)
    offsets = np.arange(len(taps)) - len(taps) // 2
    blur = np.cos(2 * np.pi * np.outer(frequencies, offsets)) @ taps
    curves = {"blur": blur, "inverse": 1 / np.maximum(blur, 1e-9)}
    curves |= {f"wiener, noise_to_signal {ratio:g}": blur / (blur**2 + ratio) for ratio in ratios}

    def place(frequency: float, gain: float) -> str:
        return f"{left + frequency / 0.5 * (width - left - 30):.1f},{bottom - min(gain, most) / most * 270:.1f}"

    colours = ("edge", "ink", "made", "copied", "tap")
    lines, keys = [], []
    for number, ((name, curve), colour) in enumerate(zip(curves.items(), colours, strict=True)):
        shown = [place(f, g) for f, g in zip(frequencies, curve, strict=True) if g <= most * 1.01]
        dash = ' stroke-dasharray="7 5"' if name == "inverse" else ""
        lines.append(f'<polyline points="{" ".join(shown)}" fill="none" stroke="var(--{colour})"{dash}/>')
        y = 82 + 25 * number
        keys.append(f'<path d="M410 {y - 5}h34" stroke="var(--{colour})"{dash}/><text x="454" y="{y}">{name}</text>')
    ticks = [
        f'<text x="{left - 12}" y="{bottom - g / most * 270 + 6}" class="r">{g}</text>' for g in (0, 5, 10, 15, 20)
    ]
    ticks += [
        f'<text x="{place(f, 0).partition(",")[0]}" y="{bottom + 26}" class="m">{f:g}</text>'
        for f in (0, 0.1, 0.2, 0.3, 0.4, 0.5)
    ]
    light, dark = (";".join(f"--{key}:{pair[theme]}" for key, pair in PALETTE.items()) for theme in (0, 1))
    style = (
        f".gains{{{light};font-family:{FONT};font-size:17px}}.gains text{{fill:var(--ink)}}.gains .r"
        "{text-anchor:end}.gains .m{text-anchor:middle}.gains polyline,.gains path{stroke-width:3}"
        f"@media (prefers-color-scheme:dark){{.gains{{{dark}}}}}"
    )
    title = f"What undoes a Gaussian blur of sigma {sigma:g}, frequency by frequency"
    text = (
        "The inverse multiplies high frequencies without a bound. Wiener's gain follows it as far as the blur has left "
        "more signal than noise, and falls to nothing beyond."
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gains" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="gains-title gains-desc">'
        f'<title id="gains-title">{title}</title><desc id="gains-desc">{text}</desc><style>{style}</style>'
        f'<rect width="{width}" height="{height}" rx="14" fill="var(--paper)"/>'
        f'<text x="{width // 2}" y="34" class="m" font-size="21" font-weight="600">{title}</text>'
        f'<path d="M{left} 70V{bottom}H{width - 30}" fill="none" stroke="var(--soft)" style="stroke-width:1.5"/>'
        f"{''.join(lines)}{''.join(ticks)}{''.join(keys)}"
        f'<text x="{width // 2}" y="{height - 10}" class="m">cycles per sample; the finest there is has 0.5</text>'
        f'<text x="{left + 8}" y="62">gain</text></svg>\n'
    )
