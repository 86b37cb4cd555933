"""Read pictures with Pillow; no other module does.

Pillow's formats are named one by one, it never sees a file of another kind, and none of its messages leave this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.engine.codecs import bmp, jpeg, tiff, tiff_reader
from service.engine.codecs import picture_headers as headers
from service.engine.codecs.arrow import lists_of_bytes
from service.engine.codecs.base import Buffer, Decoded, Dtype, Format, ImageInfo, check_pixels
from service.engine.codecs.metadata import (
    Density,
    Metadata,
    density,
    exif_density,
    fitting_profile,
    orientation,
    transposes,
    upright,
)
from service.engine.codecs.picture_headers import Frame
from service.engine.codecs.pillow_state import quiet
from service.engine.codecs.sniff import READ
from service.engine.codecs.tiff_directory import ORIENTATION, PHOTOMETRIC, SHORT, Directory, first_directory, with_short
from service.engine.errors import EngineError, ImageTooLarge, InvalidImage, MemoryLimit
from service.engine.machine import compiled
from service.engine.machine.limits import Limits


class _Model(NamedTuple):
    """What a picture becomes: the mode to convert it to, or None; number of channels; sample type.

    If `frame` is given, the picture is transparent around it.
    """

    mode: str | None
    channels: int
    dtype: Dtype = "uint8"
    frame: Frame | None = None


_GRAY, _RGB, _DEEP = _Model(None, 1), _Model(None, 3), _Model(None, 1, "uint16")
_TO_GRAY_ALPHA, _TO_RGB, _TO_RGBA = _Model("LA", 2), _Model("RGB", 3), _Model("RGBA", 4)
_RGB_AND_ALPHA = _Model("RGB", 4)
"""The model of a BMP with alpha, which Pillow does not always read."""
_MODELS = {
    "1": _Model("L", 1),
    "L": _GRAY,
    "LA": _Model(None, 2),
    "La": _TO_GRAY_ALPHA,
    "P": _TO_RGB,
    "PA": _TO_RGBA,
    "RGB": _RGB,
    "RGBX": _TO_RGB,
    "RGBA": _Model(None, 4),
    "RGBa": _TO_RGBA,
    "CMYK": _TO_RGB,
    "YCbCr": _TO_RGB,
    "LAB": _TO_RGB,
    "HSV": _TO_RGB,
    "I;16": _DEEP,
    "I;16L": _DEEP,
    "I;16B": _DEEP,
}
"""Models by Pillow's mode. 32-bit integers and floats are absent, so refused: nothing tells their range."""
_WITH_TRANSPARENCY = {"1": _TO_GRAY_ALPHA, "L": _TO_GRAY_ALPHA, "P": _TO_RGBA, "RGB": _TO_RGBA}
_OTHER_MODELS = {"CMYK", "LAB"}
"""Modes whose profiles do not describe what they are converted to."""
_JPEG = {"JPEG", "MPO"}
"""Kinds by Pillow's format: an MPO is a JPEG followed by others."""

_WHITE_IS_ZERO = 0
_JFIF_UNITS = {0: 1, 1: 2, 2: 3}
"""TIFF's unit, by that of JFIF 1.02."""
_UNBOUNDED = Limits(max_image_pixels=2**62, max_channels=2**31)
"""Limits for a file whose header has been checked."""


def inspect(data: Buffer, kind: Format, limits: Limits) -> ImageInfo:
    """Read the header. Raises `InvalidImage`, `ImageTooLarge` and `TooManyChannels`."""
    content = bytes(data)
    with _refusing(kind):
        if kind == "tiff" and (samples := tiff.check(content, limits)):
            width, height = samples.width, samples.height
            if transposes(samples.orientation):
                width, height = height, width
            return ImageInfo(kind, width, height, samples.kept, samples.dtype, alpha=bool(samples.alpha))
        frame = _check(content, kind, limits)
        with _opened(content, kind) as picture:
            check_pixels(picture.width, picture.height, limits)
            _check_frames(picture)
            model = _model(picture, kind, content, frame)
            width, height = picture.size
            if transposes(_orientation(picture)):
                width, height = height, width
            return ImageInfo(kind, width, height, model.channels, model.dtype, alpha=model.channels in {2, 4})


def decode(data: Buffer, info: ImageInfo) -> Decoded:
    """Read the first frame, upright, in the model that `info` says. Raises `InvalidImage` and `MemoryLimit`."""
    content = bytes(data)
    with _refusing(info.format):
        if info.format == "tiff" and (samples := tiff.check(content, _UNBOUNDED)):
            decoded = tiff_reader.decode(samples)
        else:
            decoded = _decoded(content, info)
        if decoded.image.shape != (info.height, info.width, info.channels) or decoded.image.dtype != info.dtype:
            raise InvalidImage(f"damaged {READ[info.format]}: its pixels are not what its header promises")
        return decoded


def _decoded(content: bytes, info: ImageInfo) -> Decoded:
    kind = info.format
    frame = _check(content, kind, _UNBOUNDED)
    with _opened(content, kind) as picture:
        model, turned = _model(picture, kind, content, frame), _orientation(picture)
        profile = None if picture.mode in _OTHER_MODELS else picture.info.get("icc_profile")
        resolution = _resolution(picture, content)
        image = _pixels(picture, model, content)
        if model.frame:
            image = _clear_around(image, model.frame)
        if model is _RGB_AND_ALPHA and (alpha := bmp.alpha(content, *picture.size)) is not None:
            image = np.dstack([image, alpha])
        if kind == "tiff" and model is _DEEP and first_directory(content).integer(PHOTOMETRIC, 0) == _WHITE_IS_ZERO:
            image = 65535 - image  # Pillow does this for 8 bits, but not for 16
    metadata = Metadata(density=resolution).turned(turned)
    return Decoded(upright(image, turned), fitting_profile(profile, info.channels), metadata)


@contextmanager
def _refusing(kind: Format) -> Iterator[None]:
    """Turn whatever Pillow raises into a refusal; keep its warnings about files out of the log."""
    with quiet():
        try:
            yield
        except EngineError:
            raise
        except MemoryError:
            raise MemoryLimit(f"there is not enough memory for this {READ[kind]}") from None
        except Image.DecompressionBombError:  # the host program's own bound, when the engine is a library
            most = f"{2 * (Image.MAX_IMAGE_PIXELS or 0):,}"
            raise ImageTooLarge(f"the {READ[kind]} has more than the {most} pixels that Pillow takes here") from None
        except Exception:  # its decoders raise nearly everything on damaged files
            raise InvalidImage(f"damaged {READ[kind]}, or of a variant that cannot be read") from None


def _opened(content: bytes, kind: Format) -> Any:
    if kind == "tiff":
        content = _with_plain_orientation(content, first_directory(content))
    return Image.open(BytesIO(content), formats=[kind])


def _with_plain_orientation(content: bytes, directory: Directory) -> bytes:
    """Rewrite the orientation in the only type that Pillow is sure to read: it turns TIFFs by itself."""
    entry = directory.entries.get(ORIENTATION)
    if entry is None or (entry.kind, entry.number) == (SHORT, 1):
        return content
    return with_short(directory, ORIENTATION, tiff.orientation(directory))


def _check(content: bytes, kind: Format, limits: Limits) -> Frame | None:
    """Check what opening alone would pay for; returns the first frame's position on its canvas, if known."""
    match kind:
        case "jpeg":
            headers.check_jpeg(content)
        case "webp":
            return headers.check_webp(content, limits)
        case "gif":
            return headers.check_gif(content)
        case "avif":
            headers.check_avif(content)
    return None


def _check_frames(picture: Any) -> None:
    """Check the number of frames where opening has already counted them."""
    frames = vars(picture).get("n_frames", 1)
    if frames > headers.MAX_FRAMES:
        raise ImageTooLarge(f"the picture has {frames:,} frames; at most {headers.MAX_FRAMES:,} are taken")


def _model(picture: Any, kind: Format, content: bytes, frame: Frame | None) -> _Model:
    """Choose the model of the picture; it is the same before and after its pixels are read."""
    if kind == "bmp" and bmp.alpha(content, *picture.size) is not None:
        return _RGB_AND_ALPHA
    if kind == "bmp" and picture.mode == "RGBA":
        return _TO_RGB
    left, top, right, bottom = frame or (0, 0, *picture.size)
    leaves_open = left > 0 or top > 0 or right < picture.width or bottom < picture.height
    if (leaves_open or picture.info.get("transparency") is not None) and picture.mode in _WITH_TRANSPARENCY:
        return _WITH_TRANSPARENCY[picture.mode]._replace(frame=frame if leaves_open else None)
    model = _MODELS.get(picture.mode)
    if model is None:
        raise InvalidImage(f"{READ[kind]} pictures with samples of this kind ({picture.mode}) cannot be read")
    return model


def _pixels(picture: Any, model: _Model, content: bytes) -> NDArray[Any]:
    """Read the pixels as (H, W, C), in native byte order."""
    if picture.format in _JPEG and model.mode is None:
        plain = jpeg.pixels(content, picture.height, picture.width, model.channels)
        if plain is not None:
            return plain
    if model.mode is None:
        picture.load()
    else:
        picture = picture.convert(model.mode)
    if picture.mode == "RGB" and (loops := compiled.loops("pixels")) is not None:
        return _packed(picture, loops)
    image = np.asarray(picture)
    return image.astype(model.dtype, copy=False).reshape(*image.shape[:2], -1)


def _packed(picture: Any, loops: ModuleType) -> NDArray[Any]:
    """Pack RGB from Pillow's four bytes per pixel; Pillow's own way, joining pieces, takes several times as long."""
    try:
        _, capsule = picture.__arrow_c_array__()
    except ValueError:  # the picture is in several pieces: outside the service, large ones are
        return np.asarray(picture)
    image = np.empty((picture.height, picture.width, 3), np.uint8)
    loops.pack(lists_of_bytes(capsule, 4), image.reshape(-1, 3))
    return image


def _clear_around(image: NDArray[Any], frame: Frame) -> NDArray[Any]:
    """Clear all samples, alpha included, that the frame does not cover."""
    left, top, right, bottom = frame
    cleared = np.zeros_like(image)
    cleared[top:bottom, left:right] = image[top:bottom, left:right]
    return cleared


def _orientation(picture: Any) -> int:
    """Read the EXIF orientation; Pillow itself applies a TIFF's."""
    return 1 if picture.format == "TIFF" else orientation(picture.info.get("exif", b""))


def _resolution(picture: Any, content: bytes) -> Density | None:
    """Read the pixels per metre of the picture before `_orientation` is applied."""
    if picture.format == "TIFF":
        directory = first_directory(content)
        return Metadata(density=tiff.resolution(directory)).turned(tiff.orientation(directory)).density
    if picture.format == "BMP":
        return bmp.density(content)
    across, down = picture.info.get("jfif_density", (0, 0))
    jfif = density((across, 1), (down, 1), _JFIF_UNITS.get(picture.info.get("jfif_unit"), 0))
    if jfif is not None and jfif.metric:
        return jfif
    return exif_density(picture.info.get("exif", b"")) or jfif
