"""What is measured on: photographs of a folder, or the one of the documentation, enlarged."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHIPPED = Path(__file__).parents[2] / "docs" / "pictures" / "cat.jpg"
WIDE = (1920, 1200)

Picture = NDArray[Any]


def photographs(folder: Path | None) -> dict[str, Picture]:
    """Read the pictures of `folder` (H, W, 3), by name; the first is what filters are measured on."""
    if folder is None:
        # A small picture enlarged has no grain, without which PNG is too easy.
        smooth = np.asarray(Image.open(SHIPPED).convert("RGB").resize(WIDE, Image.Resampling.BICUBIC), np.float32)
        grain = np.random.default_rng(0).normal(0, 1.5, smooth.shape)
        return {"cat, enlarged": np.clip(np.rint(smooth + grain), 0, 255).astype(np.uint8)}
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not files:
        raise SystemExit(f"no picture (.jpg, .png) in {folder}")
    return {file.stem: np.asarray(Image.open(file).convert("RGB")) for file in files}


def sized(picture: Picture, width: int, height: int) -> Picture:
    """Give the picture in another size, as it is where it has that size."""
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def encoded(picture: Picture, kind: str) -> bytes:
    """Write a file as Pillow does by default; JPEG in quality 90."""
    file = BytesIO()
    if picture.dtype == np.uint16:
        Image.fromarray(picture[:, :, 0]).save(file, kind)
    else:
        Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(file, kind, quality=90)
    return file.getvalue()
