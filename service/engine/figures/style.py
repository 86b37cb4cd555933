"""Colours and style sheet of the drawings. Blue is read, amber reads, green is made; dashed lies outside the image."""

from __future__ import annotations

PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#fcfcfa", "#14181d"),
    "ink": ("#18222e", "#eef2f7"),
    "soft": ("#56626f", "#a9b4c0"),
    "slot": ("#edf0f2", "#1f252c"),
    "input": ("#b9d3f0", "#28507f"),
    "copy": ("#e2edf9", "#1c3048"),
    "copied": ("#6f93bd", "#5f86b4"),
    "empty": ("#8491a0", "#727f8d"),
    "tap": ("#f5b041", "#96590a"),
    "edge": ("#a84f06", "#f7b955"),
    "kernel": ("#f8cf88", "#7d4d0b"),
    "factor": ("#fbe7c4", "#4d3710"),
    "output": ("#a3dabb", "#1d5a46"),
    "made": ("#5f9f80", "#4d8f76"),
}
"""Each colour in the light and the dark theme."""

TAP_OPACITY = 0.87
FONT = "'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif"


def style_sheet(name: str, cell: int) -> str:
    """Write the rules, all scoped to the drawing `name`, as one HTML page may hold several drawings.

    The dot of a gap has a class of its own: selectors with ancestors do not match what `<use>` repeats.
    """
    light, dark = (";".join(f"--{key}:{pair[theme]}" for key, pair in PALETTE.items()) for theme in (0, 1))
    thin, thick = _stroke(cell, 0.035), _stroke(cell, 0.075)
    dash = f"stroke-width:{thin};stroke-dasharray:{_stroke(cell, 0.09)}"
    rules = {
        "": f"{light};font-family:{FONT};font-variant-numeric:tabular-nums",
        " text": "fill:var(--ink)",
        " .heading": "font-size:27px;font-weight:600",
        " .caption, .legend text, .line": "font-size:22px",
        " .caption, .legend text, .name": "fill:var(--soft)",
        " .name": "font-size:22px",
        " .paper": "fill:var(--paper)",
        " .input": "fill:var(--input)",
        " .padding, .key-padding": f"fill:var(--paper);stroke:var(--empty);{dash}",
        ".copies .padding,.copies .key-padding": "fill:var(--copy);stroke:var(--copied)",
        " .gap, .key-gap": "fill:var(--slot)",
        "dot": "fill:var(--empty)",
        " .walk .gap": "fill:var(--paper);opacity:.6",
        " .window, .mark": f"fill:none;stroke:var(--edge);stroke-width:{thick}",
        " .tap": f"fill:var(--tap);opacity:{TAP_OPACITY}",
        " .kernel": "fill:var(--kernel)",
        " .factor": "fill:var(--factor)",
        " .output": "fill:var(--output)",
        " .cropped, .key-cropped": f"fill:var(--paper);stroke:var(--made);{dash}",
        " .slot": "fill:var(--slot)",
        " .veil, .partial": "visibility:hidden",
        " .cells text": "text-anchor:middle",
        " .walk text": "text-anchor:end",
    }
    text = "".join(f"{_scoped(name, selector)}{{{body}}}" for selector, body in rules.items())
    return f"{text}@media (prefers-color-scheme:dark){{.{name}{{{dark}}}}}"


def _scoped(name: str, selector: str) -> str:
    return ",".join(f".{name}{part.rstrip()}" for part in selector.split(","))


def _stroke(cell: int, share: float) -> str:
    return f"{max(0.6, cell * share):.3g}"
