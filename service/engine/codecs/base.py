"""What all codecs share: image descriptions, decoded images and coding options."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from service.engine.codecs.metadata import NOTHING, Metadata
from service.engine.errors import ImageTooLarge, InvalidImage
from service.engine.machine.limits import Limits

Buffer = bytes | bytearray | memoryview
Format = Literal["png", "jpeg", "webp", "gif", "bmp", "tiff", "avif", "npy"]
Dtype = Literal["uint8", "uint16", "float32", "float64"]
Compression = Literal["fast", "small"]
LOSSLESS: Literal["lossless"] = "lossless"
Quality = int | Literal["lossless"]


class ImageInfo(NamedTuple):
    """What the header says: the shape and type of what `decode` returns, width and height upright.

    `gamma` is the power that turns light into levels, if the file gives one; None stands for sRGB's curve.
    """

    format: Format
    width: int
    height: int
    channels: int
    dtype: Dtype
    alpha: bool
    gamma: float | None = None

    @property
    def as_array(self) -> bool:
        """Tell whether the numbers are used as they are, without alpha: NPY, and TIFFs of floats."""
        return self.format == "npy" or self.dtype.startswith("float")


class Decoded(NamedTuple):
    """`image` (H, W, C), C-contiguous, in native byte order, perhaps read-only.

    `icc` is the file's profile if it describes exactly these channels; `metadata` holds what else the file says of
    them.
    """

    image: NDArray[Any]
    icc: bytes | None
    metadata: Metadata = NOTHING


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse an image without pixels (`InvalidImage`) or with too many (`ImageTooLarge`)."""
    if width < 1 or height < 1:
        raise InvalidImage(f"the image is {width}×{height}: it has no pixels")
    if width * height > limits.max_image_pixels:
        raise ImageTooLarge(
            f"the image is {width}×{height} = {width * height:,} pixels; at most {limits.max_image_pixels:,} are taken"
        )


class Coding(NamedTuple):
    """How a picture is written.

    `quality` None is the format's own default; `icc` and `metadata` are written if the format has a place for them;
    `alpha` marks the last of 2 or 4 channels as alpha, for formats that can say so.
    """

    compression: Compression = "fast"
    quality: Quality | None = None
    icc: bytes | None = None
    metadata: Metadata = NOTHING
    alpha: bool = False
    threads: int = 1
