"""Write TIFF: strips are deflated here, so the bytes do not depend on what tifffile finds installed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from service.engine.codecs.base import Coding, Compression
from service.engine.codecs.metadata import Density
from service.engine.machine import parallel

STRIP_BYTES = 512 * 1024
_HORIZONTAL = 2
_LEVEL = 9

_DEFLATE: dict[Compression, Callable[[bytes], bytes]] = {
    "fast": lambda strip: isal_zlib.compress(strip, 1),
    "small": lambda strip: zlib.compress(strip, _LEVEL),
}


def encode(image: NDArray[Any], how: Coding) -> bytes:
    """Write an image (H, W, C) of uint8, uint16 or float32, little-endian, deflated in strips of rows.

    Three channels, or four with alpha, are RGB, others gray with extra samples; a second or fourth channel is alpha if
    `how` says so. Integers are written as differences (TIFF 6.0, section 14).
    """
    import tifffile  # noqa: PLC0415 -- only such files are worth 20 ms and 10 MB

    height, _, channels = image.shape
    rows = max(1, STRIP_BYTES // max(1, image[0].nbytes))
    whole = image.dtype.kind == "u"
    strips: dict[int, bytes] = {}

    def deflate_from(top: int) -> None:
        strip = image[top : top + rows]
        strips[top] = _DEFLATE[how.compression](_bytes(_differences(strip) if whole else strip))

    parallel.each(deflate_from, range(0, height, rows), how.threads)
    colour = channels == 3 or (channels == 4 and how.alpha)
    beside = channels - (3 if colour else 1)
    stream = BytesIO()
    tifffile.imwrite(
        stream,
        (strips[top] for top in sorted(strips)),
        shape=image.shape if channels > 1 else image.shape[:2],
        dtype=image.dtype,
        byteorder="<",
        compression="zlib",
        predictor=_HORIZONTAL if whole else False,
        rowsperstrip=rows,
        photometric="rgb" if colour else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha" if how.alpha else "unspecified"] * beside or None,
        iccprofile=how.icc,
        metadata=None,
        software=False,
        **_resolution(how.metadata.density),
    )
    return stream.getvalue()


def _differences(strip: NDArray[Any]) -> NDArray[Any]:
    """Subtract from each sample that of the previous pixel, wrapping around at the end of the range."""
    found = strip.copy()
    found[:, 1:] -= strip[:, :-1]
    return found


def _bytes(strip: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(strip, strip.dtype.newbyteorder("<")).tobytes()


def _resolution(density: Density | None) -> dict[str, Any]:
    """Make the tags: pixels per centimetre, or without a unit the ratio of pixels across to pixels down."""
    if density is None:
        return {}
    unit, scale = ("CENTIMETER", 100) if density.metric else ("NONE", 1)
    pair = [Fraction(number, scale) for number in density[:2]]
    return {"resolution": [(number.numerator, number.denominator) for number in pair], "resolutionunit": unit}
