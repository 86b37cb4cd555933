"""Check a TIFF's first directory, and read the samples that Pillow cannot read in full; Pillow reads the others.

Read here, with tifffile: 8 and 16 bits in any number of channels, planar or interleaved; signed, 32-bit and
floating-point samples, which are used as they are, like arrays, without alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from service.engine.codecs import tiff_directory as tags
from service.engine.codecs.base import Dtype, check_pixels
from service.engine.codecs.metadata import Density, density, known_orientation
from service.engine.codecs.tiff_directory import Directory
from service.engine.errors import ImageTooLarge, InvalidImage, TooManyChannels
from service.engine.machine.limits import Limits

MAX_SEGMENTS = 100_000
"""Most strips or tiles: Pillow lists them in Python, 0.25 s for this many."""
SPARE_BYTES = 32 * 2**20
"""Bytes of tiles that may lie beyond the picture's edge, on top of the picture's own size."""
_MAX_TILE_PIXELS = 2**22
"""The bound for smaller pictures: a tile is read whole."""
_MOST_OF_PILLOW = 6
"""Samples, up to 4 of them channels: Pillow drops the others if the file marks them as meaningless."""

WHITE_IS_ZERO, BLACK_IS_ZERO, _RGB = 0, 1, 2
_PHOTOMETRIC = {3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "LAB", 9: "ICC LAB", 10: "ITU LAB", 32844: "LogL"}
UNSIGNED, SIGNED, FLOAT, _VOID = 1, 2, 3, 4
_FORMATS = {UNSIGNED: "", SIGNED: "signed ", FLOAT: "floating-point ", 5: "complex ", 6: "complex ", _VOID: ""}
"""Values of photometric interpretation and sample format (TIFF 6.0, sections 8 and 19)."""
_READ: dict[tuple[int, int], tuple[str, Dtype]] = {
    (UNSIGNED, 8): ("u1", "uint8"),
    (UNSIGNED, 16): ("u2", "uint16"),
    (UNSIGNED, 32): ("u4", "float64"),
    (SIGNED, 8): ("i1", "float32"),
    (SIGNED, 16): ("i2", "float32"),
    (SIGNED, 32): ("i4", "float64"),
    (FLOAT, 16): ("f2", "float32"),
    (FLOAT, 32): ("f4", "float32"),
    (FLOAT, 64): ("f8", "float64"),
}
"""By sample format and bits: the stored type, and the type returned, which holds every value exactly."""
ASSOCIATED, _UNASSOCIATED = 1, 2
_SIDE_BY_SIDE, PLANES = 1, 2
HORIZONTAL, FLOATING = 2, 3

DEFLATE = {8, 32946}
PACKBITS = 32773
_COMPRESSIONS = {
    2: "CCITT",
    3: "CCITT group 3",
    4: "CCITT group 4",
    5: "LZW",
    6: "JPEG",
    7: "JPEG",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
}
BY_IMAGECODECS = {5: "lzw_decode", 34925: "lzma_decode", 50000: "zstd_decode"}
"""Read only with the extra `tiff`; each of these functions takes the most bytes that it may return."""


@dataclass(frozen=True)
class Samples:
    """The layout of a TIFF's samples, if Pillow does not read them; `tile` is (width, height).

    `kept` channels are returned; if `alpha` names a kind of alpha, the last channel is alpha.
    """

    directory: Directory
    width: int
    height: int
    stored: str
    dtype: Dtype
    channels: int
    planar: int
    photometric: int
    compression: int
    predictor: int
    kept: int
    alpha: int
    tile: tuple[int, int] | None
    orientation: int

    @property
    def as_array(self) -> bool:
        """Tell whether the numbers are used as they are, because the file gives no range."""
        return self.dtype.startswith("float")

    @property
    def sample_bytes(self) -> int:
        return int(self.stored[1:])

    @property
    def together(self) -> int:
        """Count the interleaved samples per pixel."""
        return self.channels if self.planar == _SIDE_BY_SIDE else 1

    @property
    def segment(self) -> tuple[int, int]:
        """Return the rows of a strip or tile, and the pixels per row."""
        if self.tile:
            return self.tile[1], self.tile[0]
        rows = self.directory.integer(tags.ROWS_PER_STRIP, self.height)
        return max(1, min(rows, self.height)), self.width

    def segments(self) -> Iterator[tuple[int, int]]:
        """List the rows and bytes of each strip or tile; only the last strip of a plane may be shorter."""
        rows, columns = self.segment
        across = -(-self.width // columns)
        for _ in range(self.channels // self.together):
            for top in range(0, self.height, rows):
                own = rows if self.tile else min(rows, self.height - top)
                for _ in range(across):
                    yield own, own * columns * self.together * self.sample_bytes


def check(content: bytes, limits: Limits) -> Samples | None:
    """Refuse a file that is not the picture itself, is too large or cannot be read in full; None if Pillow reads it.

    Raises `InvalidImage`, `ImageTooLarge` and `TooManyChannels`.
    """
    directory = tags.first_directory(content)
    _check_purpose(directory)
    width, height = directory.integer(tags.WIDTH, 0), directory.integer(tags.HEIGHT, 0)
    check_pixels(width, height, limits)
    tile = (directory.integer(tags.TILE_WIDTH, 0), directory.integer(tags.TILE_HEIGHT, 0))
    if tile[0] * tile[1] > max(width * height, _MAX_TILE_PIXELS):
        raise ImageTooLarge(
            f"the TIFF has tiles of {tile[0] * tile[1]:,} pixels; at most {_MAX_TILE_PIXELS:,} are taken"
        )
    for tag in (tags.STRIP_OFFSETS, tags.TILE_OFFSETS):
        entry = directory.entries.get(tag)
        if entry is not None and entry.number > MAX_SEGMENTS:
            raise InvalidImage(
                f"the TIFF is cut into {entry.number:,} strips or tiles; at most {MAX_SEGMENTS:,} are read"
            )
    return None if _is_pillows(directory) else _samples(directory, width, height, limits)


def orientation(directory: Directory) -> int:
    """Read the orientation (1 to 8), whatever its unsigned type; 1 if there is none."""
    entry = directory.entries.get(tags.ORIENTATION)
    if entry is None or entry.number != 1 or entry.kind not in tags.UNSIGNED:
        return 1
    return known_orientation(directory.integer(tags.ORIENTATION, 1))


def resolution(directory: Directory) -> Density | None:
    """Read the pixels per metre of the picture before it is turned."""
    across, down = directory.rational(tags.X_RESOLUTION), directory.rational(tags.Y_RESOLUTION)
    return density(across, down, directory.integer(tags.RESOLUTION_UNIT, 2)) if across and down else None


def _check_purpose(directory: Directory) -> None:
    """Refuse a first directory that says it is not the picture (TIFF 6.0, NewSubfileType and SubfileType)."""
    kind = directory.integer(tags.NEW_SUBFILE_TYPE, 0)
    if kind & 1 or directory.integer(tags.SUBFILE_TYPE, 0) == 2:
        raise InvalidImage("the first directory of the TIFF is a reduced picture: the preview is not the picture")
    if kind & 4:
        raise InvalidImage("the first directory of the TIFF is a transparency mask, not a picture")


def _is_pillows(directory: Directory) -> bool:
    """Tell whether Pillow reads these samples in full; it refuses those it cannot read at all."""
    bits, channels = directory.integer(tags.BITS, 1), directory.integer(tags.SAMPLES, 1)
    if set(directory.integers(tags.SAMPLE_FORMAT, UNSIGNED)) - {UNSIGNED, _VOID}:
        return False
    photometric, planes = (
        directory.integer(tags.PHOTOMETRIC, 0),
        directory.integer(tags.PLANAR, _SIDE_BY_SIDE) == PLANES,
    )
    if bits == 16:
        return channels == 1 and photometric in {WHITE_IS_ZERO, BLACK_IS_ZERO} and not planes
    if bits > 8:
        return False
    if bits < 8 or photometric > _RGB:
        return channels <= _MOST_OF_PILLOW
    if planes:
        return not _can_be_inflated(directory.integer(tags.COMPRESSION, 1))
    colours = 3 if photometric == _RGB else 1
    extra = directory.integers(tags.EXTRA_SAMPLES)
    if colours == 1 and channels > 1:
        return channels == 2 and extra in {(ASSOCIATED,), (_UNASSOCIATED,)}
    return channels <= _MOST_OF_PILLOW


def _samples(directory: Directory, width: int, height: int, limits: Limits) -> Samples:
    """Describe samples that are read here, or refuse them by name."""
    bits = set(directory.integers(tags.BITS, 1))
    formats = {UNSIGNED if kind == _VOID else kind for kind in directory.integers(tags.SAMPLE_FORMAT, UNSIGNED)}
    channels, photometric = directory.integer(tags.SAMPLES, 1), directory.integer(tags.PHOTOMETRIC, BLACK_IS_ZERO)
    if channels < 1:
        raise InvalidImage("the TIFF has no samples in its pixels")
    if channels > limits.max_channels:
        raise TooManyChannels(f"the TIFF has {channels:,} channels; at most {limits.max_channels:,} are taken")
    kind = _READ.get((min(formats), min(bits)))
    if len(bits) > 1 or len(formats) > 1 or kind is None:
        raise InvalidImage(_unread(f"a {_FORMATS.get(max(formats), 'strange ')}TIFF of {max(bits)} bits per sample"))
    if photometric > _RGB:
        raise InvalidImage(_unread(f"a TIFF of {max(bits)} bits in {_PHOTOMETRIC.get(photometric, 'other')} colours"))
    compression, predictor = directory.integer(tags.COMPRESSION, 1), directory.integer(tags.PREDICTOR, 1)
    _check_compression(compression, predictor, directory)
    colours, extra = 3 if photometric == _RGB else 1, directory.integers(tags.EXTRA_SAMPLES)
    if channels < colours:
        raise InvalidImage(f"damaged TIFF: RGB needs 3 samples per pixel, it has {channels}")
    kept, alpha = channels, 0
    if kind[1].startswith("uint") and channels > colours:
        kept, alpha = _with_alpha(channels, colours, extra)
    planar = directory.integer(tags.PLANAR, _SIDE_BY_SIDE) if channels > 1 else _SIDE_BY_SIDE
    if planar not in {_SIDE_BY_SIDE, PLANES}:
        raise InvalidImage(f"damaged TIFF: its planar configuration is {planar}, which does not exist")
    tile = (directory.integer(tags.TILE_WIDTH, 0), directory.integer(tags.TILE_HEIGHT, 0))
    samples = Samples(
        directory,
        width,
        height,
        *kind,
        channels,
        planar,
        photometric,
        compression,
        predictor,
        kept,
        alpha,
        tile if tags.TILE_OFFSETS in directory.entries else None,
        orientation(directory),
    )
    _check_segments(samples)
    return samples


def _unread(what: str) -> str:
    return (
        f"{what} cannot be read without loss; a TIFF may have up to 8 bits in any colours, or, in gray, RGB or any "
        "number of channels, 16 bits, integers of up to 32 bits, signed or not, or floats of 16, 32 or 64 bits"
    )


def _with_alpha(channels: int, colours: int, extra: tuple[int, ...]) -> tuple[int, int]:
    """Return how many channels are kept, and the kind of alpha if the last is alpha.

    RGB with one more, undescribed sample is taken for RGBA, as in Pillow; extra samples that the file marks as
    meaningless are dropped. With gray, all extra samples are kept: such files hold bands.
    """
    if extra[:1] in {(ASSOCIATED,), (_UNASSOCIATED,)}:
        return colours + 1, extra[0]
    if colours == 1:
        return channels, 0
    return (4, _UNASSOCIATED) if channels == 4 and not extra else (3, 0)


def _can_be_inflated(compression: int) -> bool:
    if compression in BY_IMAGECODECS:
        return find_spec("imagecodecs") is not None
    return compression in {1, PACKBITS} | DEFLATE


def _check_compression(compression: int, predictor: int, directory: Directory) -> None:
    if not _can_be_inflated(compression):
        name = _COMPRESSIONS.get(compression, f"method {compression}")
        way = ", and LZW, LZMA and Zstandard if the extra `tiff` is installed" * (compression in BY_IMAGECODECS)
        raise InvalidImage(
            f"such TIFF samples compressed by {name} cannot be read; uncompressed ones, deflate and PackBits can{way}"
        )
    if predictor not in {1, HORIZONTAL, FLOATING}:
        raise InvalidImage(f"damaged TIFF: its predictor is {predictor}, which does not exist")
    if predictor == FLOATING and directory.integer(tags.SAMPLE_FORMAT, UNSIGNED) != FLOAT:
        raise InvalidImage("damaged TIFF: its predictor is for floating-point samples, and it has others")
    if directory.integer(tags.FILL_ORDER, 1) != 1:
        raise InvalidImage("a TIFF with such samples and reversed bit order (FillOrder 2) cannot be read")


def _check_segments(samples: Samples) -> None:
    """Check that all needed strips or tiles are present, within the file and not too large."""
    rows, columns = samples.segment
    if rows < 1 or columns < 1:
        raise InvalidImage("damaged TIFF: its tiles have no pixels")
    planes = samples.channels // samples.together
    number = planes * -(-samples.height // rows) * -(-samples.width // columns)
    if number > MAX_SEGMENTS:
        raise InvalidImage(f"the TIFF is cut into {number:,} strips or tiles; at most {MAX_SEGMENTS:,} are read")
    padded = number * rows * columns * samples.together * samples.sample_bytes if samples.tile else 0
    own = samples.width * samples.height * samples.channels * samples.sample_bytes
    if padded > 2 * own + SPARE_BYTES:
        raise ImageTooLarge(f"the tiles of the TIFF have {padded:,} bytes, more than twice the {own:,} of its picture")
    offsets, sizes = places(samples, number)
    if sum(sizes) > len(samples.directory.data):
        raise InvalidImage(f"damaged TIFF: its pixels are said to take {sum(sizes):,} bytes, more than the file has")
    for offset, size in zip(offsets, sizes, strict=True):
        if offset + size > len(samples.directory.data):
            raise InvalidImage("damaged TIFF: it is cut off within its pixels")


def places(samples: Samples, number: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the start and size in bytes of each strip or tile; at most the needed size for uncompressed ones.

    Some writers leave lengths out or at 0: they become the length of the samples, or of the rest of the file.
    """
    directory, tiled = samples.directory, samples.tile is not None
    offsets = directory.integers(tags.TILE_OFFSETS if tiled else tags.STRIP_OFFSETS)
    sizes = directory.integers(tags.TILE_BYTES if tiled else tags.STRIP_BYTES)
    needed = tuple(size for _, size in samples.segments())
    if not any(sizes) and samples.compression == 1:
        sizes = needed
    elif not any(sizes) and number == len(offsets) == 1:
        sizes = (max(0, len(directory.data) - offsets[0]),)
    if min(len(offsets), len(sizes)) < number:
        listed = min(len(offsets), len(sizes))
        raise InvalidImage(f"damaged TIFF: {number:,} strips or tiles are needed, it lists {listed:,}")
    if samples.compression == 1:
        sizes = tuple(min(pair) for pair in zip(sizes[:number], needed, strict=True))
    return offsets[:number], sizes[:number]
