"""The pictures: what the engine answers for examples, made small enough to be shown."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.engine import filter_bytes, filter_image
from service.engine.operations import OPERATIONS
from service.engine.operations.deconvolve import Deconvolve
from service.engine.spec.built_in_presets import PRESETS

PHOTOGRAPH = Path(__file__).parent / "pictures" / "cat.jpg"
SHOWN, OF_A_PRESET, SMALL = 300, 150, 160
"""Widths in the pages, there in a table, and beside the examples of the OpenAPI page."""
FACE = (0.42, 0.38)
"""Where a detail is cut out: the middle, as shares of width and height."""
IN_README = ("sobel", "dilated-blur", "depthwise", "upscale-2x")
SHOWN_PRESETS = (
    "unsharp-linear",
    "local-contrast",
    "high-pass",
    "soft-focus",
    "difference-of-gaussians",
    "motion-deblur",
)
BEFORE = {"motion-deblur": "motion-blur"}
"""Presets that are shown after another one."""
PADDING_MODES = ("zeros", "constant", "replicate", "reflect", "symmetric", "circular")
PADDED = 75

Spec = dict[str, Any]


class Example(NamedTuple):
    """One example of an operation: its name everywhere, the bytes that go in, the spec, and what it undoes."""

    name: str
    op: str
    before: bytes
    spec: Spec
    undone: Spec | None


def examples() -> Iterator[Example]:
    """List the examples of all operations, in the order of the API."""
    photograph = PHOTOGRAPH.read_bytes()
    for operation in OPERATIONS:
        for number, spec in enumerate(operation.examples, 1):
            op, undone = operation.name(), operation.undoes(spec)
            before = filter_bytes(photograph, undone) if undone else photograph
            yield Example(f"{op}-{number}", op, before, spec, undone)


def pictures() -> dict[str, bytes]:
    """Make all pictures of the pages; the names are those of files in docs/pictures/."""
    made = {}
    for example in examples():
        after = filter_bytes(example.before, example.spec)
        made[f"{example.name}.jpg"] = cut(after)
        if example.undone:
            made[f"{example.name}-before.jpg"] = cut(example.before)
    photograph = PHOTOGRAPH.read_bytes()
    made["before.jpg"] = cut(photograph)
    for name in IN_README:
        made[f"{name}.jpg"] = cut(filter_bytes(photograph, PRESETS[name].spec))
    for name in SHOWN_PRESETS:
        before = filter_bytes(photograph, PRESETS[BEFORE[name]].spec) if name in BEFORE else photograph
        made[f"preset-{name}.jpg"] = cut(filter_bytes(before, PRESETS[name].spec), OF_A_PRESET)
    for mode in PADDING_MODES:
        made[f"padding-{mode}.jpg"] = scaled(filter_bytes(photograph, padded(mode)), 240)
    return made | arithmetic()


def thumbnails() -> dict[str, bytes]:
    """Make the pictures beside the examples of the OpenAPI page; the names are those of files in static/examples/."""
    return {f"{name}.jpg": scaled(filter_bytes(before, spec), SMALL) for name, _, before, spec, _ in examples()}


def padded(mode: str) -> Spec:
    spec: Spec = {"op": "conv", "kernel": [[1]], "padding": PADDED, "padding_mode": mode}
    return spec | ({"padding_value": 128} if mode == "constant" else {})


def cut(data: bytes, width: int = SHOWN) -> bytes:
    """Write a picture as JPEG without scaling it: of a wide one, the part around FACE."""
    with Image.open(PHOTOGRAPH) as photograph, Image.open(BytesIO(data)) as image:
        return jpeg(_part(image.convert("RGB"), photograph, width), 70)


def scaled(data: bytes, width: int, quality: int = 70) -> bytes:
    """Write a picture as JPEG no wider than `width`; of an enlarged one, a part that shows that it is."""
    with Image.open(PHOTOGRAPH) as photograph, Image.open(BytesIO(data)) as opened:
        image = opened.convert("RGB")
        if image.width > 1.5 * photograph.width:
            image = _part(image, photograph, 2 * width)
        image.thumbnail((width, width), Image.Resampling.BOX)
        return jpeg(image, quality)


def _part(image: Image.Image, photograph: Image.Image, most: int) -> Image.Image:
    width = min(most, image.width)
    height = min(round(most * photograph.height / photograph.width), image.height)
    left = min(max(0, round(FACE[0] * image.width) - width // 2), image.width - width)
    top = min(max(0, round(FACE[1] * image.height) - height // 2), image.height - height)
    return image.crop((left, top, left + width, top + height))


def jpeg(image: Image.Image, quality: int) -> bytes:
    target = BytesIO()
    image.save(target, "JPEG", quality=quality, optimize=True)
    return target.getvalue()


def arithmetic() -> dict[str, bytes]:
    """Make the pictures of the page on arithmetic."""
    return {f"{name}.jpg": drawn(array) for name, array in (*_aliasing(), *_fields(), *_upsampling(), *_restoring())}


def drawn(array: NDArray[Any]) -> bytes:
    return jpeg(Image.fromarray(np.rint(array).clip(0, 255).astype(np.uint8).squeeze()), 75)


def _aliasing() -> Iterator[tuple[str, NDArray[Any]]]:
    """Draw rings that grow finer outwards, and what a stride of 2 leaves of them with and without a blur before."""
    y, x = np.mgrid[-1:1:240j, -1:1:240j]
    rings = 127.5 + 127.5 * np.cos(0.48 * np.pi * 120 * (x**2 + y**2))
    taps = {"column": [1, 6, 15, 20, 15, 6, 1], "row": [1, 6, 15, 20, 15, 6, 1], "divisor": "sum"}
    yield "rings", rings
    yield "rings-plain", filter_image(rings, {"op": "conv", "kernel": [[1]], "stride": 2})
    blurred: Spec = {"op": "separable", "stride": 2, "padding": "same_lower", "padding_mode": "reflect"}
    yield "rings-blurred", filter_image(rings, blurred | taps)


def _fields() -> Iterator[tuple[str, NDArray[Any]]]:
    """Look at what three 3x3 layers see around one sample: taps of equal dilation leave holes."""
    dot = np.zeros((17, 17))
    dot[8, 8] = 1
    for name, dilations in (("view-124", (1, 2, 4)), ("view-222", (2, 2, 2))):
        layers = [
            {"op": "conv", "kernel": {"name": "box", "size": 3}, "dilation": step, "padding": "same"}
            for step in dilations
        ]
        seen = filter_image(dot, {"steps": layers})
        shades = np.sqrt(seen / seen.max()) * 255
        yield name, filter_image(shades, {"op": "upscale", "factor": 8})


def _upsampling() -> Iterator[tuple[str, NDArray[Any]]]:
    """Enlarge one detail in three ways, then repeat each sample to be seen."""
    with Image.open(PHOTOGRAPH) as photograph:
        small = np.asarray(photograph.convert("RGB"))[80:152, 120:216]
    ways: dict[str, Spec] = {
        "doubled-uneven": {"op": "transposed", "kernel": [[4 / 9] * 3] * 3, "stride": 2, "padding": 1},
        "doubled-even": {"op": "transposed", "kernel": {"name": "bilinear", "factor": 2}, "stride": 2, "padding": 1},
        "doubled-upscale": {"op": "upscale", "factor": 2, "method": "bilinear"},
    }
    for name, way in ways.items():
        yield name, filter_image(small, {"steps": [way, {"op": "upscale", "factor": 2}]})


def _restoring() -> Iterator[tuple[str, NDArray[Any]]]:
    """Blur, then apply a transposed convolution with the same kernel, or a deconvolution."""
    with Image.open(PHOTOGRAPH) as photograph:
        sharp = np.asarray(photograph.convert("RGB"))[30:190, 60:300]
    psf = {"name": "gaussian", "sigma": 2}
    blurred = np.rint(filter_image(sharp, Deconvolve.undoes({"psf": psf}))).clip(0, 255).astype(np.uint8)
    radius = 8
    yield "blurred", blurred
    yield "blurred-transposed", filter_image(blurred, {"op": "transposed", "kernel": psf, "padding": radius})
    restoring = {"op": "deconvolve", "psf": psf, "noise_to_signal": 0.001}
    yield "blurred-restored", filter_image(blurred, restoring)
