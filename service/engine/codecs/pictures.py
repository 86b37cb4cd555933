"""Pictures that Pillow reads; the only file that knows it.

Its formats are named one by one, it never sees a file of another kind, and none of its words leave this file.
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, _imaging

from service.engine import compiled
from service.engine.codecs import jpeg
from service.engine.codecs import picture_headers as headers
from service.engine.codecs.arrow import lists_of_bytes
from service.engine.codecs.base import Buffer, Decoded, Dtype, Format, ImageInfo, check_pixels
from service.engine.codecs.metadata import fitting_profile, orientation, transposes, upright
from service.engine.codecs.sniff import READ
from service.engine.errors import EngineError, ImageTooLarge, InvalidImage, MemoryLimit
from service.engine.limits import Limits

_imaging.set_use_block_allocator(1)  # each picture in one piece: others cannot be exported
Image.MAX_IMAGE_PIXELS = None  # sizes are checked here, against the service's own bound
with suppress(AttributeError):  # libtiff writes its complaints to standard error, where only log lines belong
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


class _Model(NamedTuple):
    """What a picture becomes: the mode to convert it to, or None; how many channels, of which type."""

    mode: str | None
    channels: int
    dtype: Dtype = "uint8"


_GRAY, _RGB, _DEEP = _Model(None, 1), _Model(None, 3), _Model(None, 1, "uint16")
_TO_GRAY_ALPHA, _TO_RGB, _TO_RGBA = _Model("LA", 2), _Model("RGB", 3), _Model("RGBA", 4)
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
"""By Pillow's mode. Not here, hence refused: 32-bit integers and floats, whose range is nowhere said."""
_WITH_TRANSPARENCY = {"1": _TO_GRAY_ALPHA, "L": _TO_GRAY_ALPHA, "P": _TO_RGBA, "RGB": _TO_RGBA}
_OTHER_MODELS = {"CMYK", "LAB"}
"""Whose profiles do not describe what they are converted to."""
_JPEG = {"JPEG", "MPO"}
"""By Pillow's format: an MPO is a JPEG with others behind it."""

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES = 256, 257, 258, 262, 277
_TILE_WIDTH, _TILE_HEIGHT, _SAMPLE_FORMAT = 322, 323, 339
_STRIPS, _TILES = 273, 324
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
_KINDS = {2: "signed", 3: "float", 5: "complex", 6: "complex"}
"""Tags of a TIFF, and values of photometric interpretation and sample format (TIFF 6.0, section 8)."""
_MAX_STRIPS = 100_000
"""Pillow lists them in Python: 0.25 s for so many."""
_MAX_SAMPLES = 6
"""Of which up to 4 are channels of the picture: Pillow drops the others where the file says that they mean nothing."""
_MAX_TILE_PIXELS = 2**22
"""Where the picture is smaller: a tile is read whole."""


def inspect(data: Buffer, kind: Format, limits: Limits) -> ImageInfo:
    """Read the header. Raises `InvalidImage` and `ImageTooLarge`."""
    content = bytes(data)
    with _refusing(kind):
        _check(content, kind, limits)
        with _opened(content, kind) as picture:
            check_pixels(picture.width, picture.height, limits)
            _check_frames(picture)
            model = _model(picture, kind)
            width, height = picture.size
            if transposes(_orientation(picture)):
                width, height = height, width
            return ImageInfo(kind, width, height, model.channels, model.dtype, alpha=model.channels in {2, 4})


def decode(data: Buffer, info: ImageInfo) -> Decoded:
    """Read the first frame, upright, in the model that `info` says. Raises `InvalidImage` and `MemoryLimit`."""
    content = bytes(data)
    with _refusing(info.format), _opened(content, info.format) as picture:
        model, turned = _model(picture, info.format), _orientation(picture)
        profile = None if picture.mode in _OTHER_MODELS else picture.info.get("icc_profile")
        image = _pixels(picture, model, content)
        if (
            info.format == "tiff"
            and model is _DEEP
            and _tag(picture.tag_v2, _PHOTOMETRIC, _WHITE_IS_ZERO) == _WHITE_IS_ZERO
        ):
            image = 65535 - image  # Pillow does this for 8 bits, and not for 16
        image = upright(image, turned)
        if image.shape != (info.height, info.width, info.channels) or image.dtype != info.dtype:
            raise InvalidImage(f"damaged {READ[info.format]}: its pixels are not what its header promises")
        return Decoded(image, fitting_profile(profile, info.channels))


@contextmanager
def _refusing(kind: Format) -> Iterator[None]:
    """Turn whatever Pillow raises into a refusal; its warnings are about files, and not for the log."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        yield
    except EngineError:
        raise
    except MemoryError:
        raise MemoryLimit(f"there is not enough memory for this {READ[kind]}") from None
    except Exception:  # its decoders raise nearly everything on damaged files
        raise InvalidImage(f"damaged {READ[kind]}, or one of a form that is not read here") from None


def _opened(content: bytes, kind: Format) -> Any:
    return Image.open(BytesIO(content), formats=[kind])


def _check(content: bytes, kind: Format, limits: Limits) -> None:
    match kind:
        case "jpeg":
            headers.check_jpeg(content)
        case "webp":
            headers.check_webp(content, limits)
        case "gif":
            headers.check_gif(content)
        case "avif":
            headers.check_avif(content)
        case "tiff":
            _check_tiff(content, limits)


def _check_frames(picture: Any) -> None:
    """Ask how many frames there are where opening has counted them already."""
    frames = vars(picture).get("n_frames", 1)
    if frames > headers.MAX_FRAMES:
        raise ImageTooLarge(f"the picture has {frames:,} frames; at most {headers.MAX_FRAMES:,} are taken")


def _model(picture: Any, kind: Format) -> _Model:
    """Say what the picture becomes; the same before and after its pixels are read."""
    if picture.info.get("transparency") is not None and picture.mode in _WITH_TRANSPARENCY:
        return _WITH_TRANSPARENCY[picture.mode]
    model = _MODELS.get(picture.mode)
    if model is None:
        raise InvalidImage(f"{READ[kind]} pictures of this kind of samples ({picture.mode}) are not read")
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
    return image.astype(model.dtype, copy=False).reshape(*image.shape[:2], model.channels)


def _packed(picture: Any, loops: ModuleType) -> NDArray[Any]:
    """Pack RGB out of Pillow's four bytes per pixel; its own way, joining pieces, takes several times as long."""
    _, capsule = picture.__arrow_c_array__()
    image = np.empty((picture.height, picture.width, 3), np.uint8)
    loops.pack(lists_of_bytes(capsule, 4), image.reshape(-1, 3))
    return image


def _orientation(picture: Any) -> int:
    """Read the EXIF orientation; that of TIFF Pillow applies by itself."""
    return 1 if picture.format == "TIFF" else orientation(picture.info.get("exif", b""))


def _check_tiff(content: bytes, limits: Limits) -> None:
    """Refuse sizes beyond the bound, and samples of which Pillow would lose a part, by name."""
    tags = _tiff_tags(content)
    width, height = _tag(tags, _WIDTH, 0), _tag(tags, _HEIGHT, 0)
    check_pixels(width, height, limits)
    tile = _tag(tags, _TILE_WIDTH, 0) * _tag(tags, _TILE_HEIGHT, 0)
    if tile > max(width * height, _MAX_TILE_PIXELS):
        raise ImageTooLarge(f"the TIFF has tiles of {tile:,} pixels; at most {_MAX_TILE_PIXELS:,} are taken")
    for parts in (tags.get(_STRIPS), tags.get(_TILES)):
        if isinstance(parts, tuple) and len(parts) > _MAX_STRIPS:
            raise InvalidImage(f"the TIFF is cut into {len(parts):,} strips or tiles; at most {_MAX_STRIPS:,} are read")
    bits, channels = _tag(tags, _BITS, 1), _tag(tags, _SAMPLES, 1)
    if channels > _MAX_SAMPLES:
        raise InvalidImage(f"a TIFF of {channels} samples per pixel is not read; at most {_MAX_SAMPLES} are")
    kind = _KINDS.get(_tag(tags, _SAMPLE_FORMAT, _UNSIGNED), "")
    if kind or not (bits <= 8 or (bits == 16 and channels == 1)):
        name = " ".join(filter(None, (f"{bits}-bit", kind, "TIFF")))
        raise InvalidImage(
            f"a {name} of {channels} channel{'s' * (channels > 1)} cannot be read whole: read are up to 8 bits, and 16"
            " bits of one channel; PNG takes 16 bits of up to four channels, NPY takes floats"
        )


def _tiff_tags(content: bytes) -> Any:
    """Read the first directory."""
    big = 43 in content[2:4]
    tags = TiffImagePlugin.ImageFileDirectory_v2(content[: 16 if big else 8])
    counter_bytes, entry_bytes = (8, 20) if big else (2, 12)
    start = tags.next + counter_bytes
    order: Literal["little", "big"] = "little" if tags.prefix == b"II" else "big"
    entries = int.from_bytes(content[tags.next : start], order)
    if entries > headers.MAX_PARTS or start + entries * entry_bytes > len(content):
        raise InvalidImage(f"damaged TIFF: its directory of {entries:,} entries is too long")
    values = headers.tiff_value_bytes(content[start : start + entries * entry_bytes], order, entry_bytes)
    if values > len(content):
        raise InvalidImage(f"damaged TIFF: its directory promises {values:,} bytes of values, more than the file has")
    file = BytesIO(content)
    file.seek(tags.next)
    tags.load(file)
    return tags


def _tag(tags: Any, number: int, default: int) -> int:
    """Give the integer of a tag, the largest where there are several."""
    value = tags.get(number, default)
    largest = max(value) if isinstance(value, tuple) else value
    if not isinstance(largest, int):
        raise InvalidImage(f"damaged TIFF: tag {number} is not of integers")
    return largest
