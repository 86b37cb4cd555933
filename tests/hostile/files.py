"""Some hundreds of hostile files: bombs, cut, damaged, disguised, lying. Seeded: the same files each time."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import chain

import numpy as np
from PIL import Image

from tests.engine.codecs.samples import SIGNATURE, chunk, exif, image_of, npy, png, profile, saved
from tests.hostile.case import (
    IMAGE_TOO_LARGE,
    INVALID_IMAGE,
    MEMORY_LIMIT,
    MISSING_IMAGE,
    OK,
    TOO_MANY_CHANNELS,
    UNSUPPORTED_FORMAT,
    File,
    Verdict,
)
from tests.hostile.strangers import strangers, tiff

SEED = 20260
DAMAGED = (OK, INVALID_IMAGE)
"""Where no checksum tells of the damage, a file may still be a picture."""
ANYTHING = (OK, INVALID_IMAGE, IMAGE_TOO_LARGE, UNSUPPORTED_FORMAT, MEMORY_LIMIT)


@cache
def sound() -> dict[str, bytes]:
    """Files that nothing is wrong with, from which the others are made."""
    rgb = image_of(40, 48, 3)
    gray = rgb[:, :, 0]
    rgba = np.dstack([rgb, gray[::-1]])
    return {
        "png": saved(rgb, "PNG", icc_profile=profile(b"RGB "), exif=exif(1)),
        "png-palette": saved(Image.fromarray(rgb).quantize(5), "PNG", bits=4, transparency=1),
        "png-16-interlaced": png(image_of(40, 48, 3, np.uint16), 16, 2, interlaced=True),
        "jpeg": saved(rgb, "JPEG", exif=exif(6)),
        "jpeg-progressive": saved(rgb, "JPEG", progressive=True),
        "jpeg-cmyk": saved(Image.fromarray(rgb).convert("CMYK"), "JPEG"),
        "webp": saved(rgb, "WEBP"),
        "webp-lossless": saved(rgba, "WEBP", lossless=True, exif=exif(3)),
        "gif": saved(Image.fromarray(rgb).quantize(9), "GIF", transparency=2),
        "bmp": saved(rgb, "BMP"),
        "bmp-palette": saved(Image.fromarray(rgb).quantize(9), "BMP"),
        "tiff": saved(rgb, "TIFF"),
        "tiff-lzw": saved(rgba, "TIFF", compression="tiff_lzw"),
        "tiff-16": saved(image_of(40, 48, 1, np.uint16)[:, :, 0], "TIFF"),
        "tiff-16-rgb": tiff(image_of(40, 48, 3, np.uint16), photometric="rgb", compression="zlib", rowsperstrip=7),
        "tiff-float-planes": tiff(
            rgb.transpose(2, 0, 1).astype(">f4"), photometric="rgb", planarconfig="separate", tile=(16, 32)
        ),
        "avif": saved(rgb, "AVIF"),
        "npy": npy(rgb.astype(np.float32)),
    }


@cache
def hostile() -> tuple[File, ...]:
    """All of them, beginning with the sound ones."""
    return tuple(
        chain(
            (File(name, data, frozenset({OK})) for name, data in sound().items()),
            _png_bombs(),
            _bombs(),
            _cut(),
            _flipped(),
            _png_chunks(),
            _jpeg_markers(),
            _disguised(),
            _lying(),
            _arrays(),
            strangers(sound()),
        )
    )


def _file(name: str, data: bytes, *expected: Verdict, like: str | None = None) -> File:
    return File(name, data, frozenset(expected), like)


def _header(width: int, height: int, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def _zeros(size: int) -> bytes:
    """Write the zlib stream of `size` zeros: that of a megabyte, as often as needed (RFC 1950, 1951)."""
    packer = zlib.compressobj(9, wbits=-15)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, wbits=-15)
    rest = packer.compress(bytes(size % (1 << 20))) + packer.flush()
    checksum = (size % 65521) << 16 | 1
    return b"\x78\xda" + megabyte * (size >> 20) + rest + struct.pack(">I", checksum)


def _png_of(*chunks: bytes) -> bytes:
    return b"".join([SIGNATURE, *chunks, chunk(b"IEND")])


def _with_chunk(extra: bytes) -> bytes:
    """Put a chunk behind the header of the sound PNG."""
    data = sound()["png"]
    return data[:33] + extra + data[33:]


def _png_bombs() -> Iterator[File]:
    gigabyte = _zeros(1 << 30)
    for kind, head in ((b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0"), (b"iCCP", b"icc\0\0")):
        yield _file(f"png/{kind.decode()}-of-a-gigabyte", _with_chunk(chunk(kind, head + gigabyte)), OK, like="png")
    many = chunk(b"zTXt", b"Comment\0\0" + _zeros(10 << 20)) * 2000
    yield _file("png/2000-zTXt-of-10-megabytes", _with_chunk(many), OK, like="png")
    yield _file("png/idat-of-a-gigabyte-for-ten-pixels", _png_of(_header(10, 1), chunk(b"IDAT", gigabyte)), OK)
    profiles = chunk(b"iCCP", b"icc\0\0" + _zeros(1 << 20)) * 9_000
    yield _file("png/9000-profiles-of-a-megabyte", _with_chunk(profiles), OK)
    rows = chunk(b"IDAT", _zeros(20000 * 2501))
    yield _file("png/20000x20000-of-one-bit", _png_of(_header(20000, 20000, 1), rows), IMAGE_TOO_LARGE)
    yield _file("png/4000x4000-of-one-bit", _png_of(_header(4000, 4000, 1), chunk(b"IDAT", _zeros(4000 * 501))), OK)
    yield _file("png/largest-sides", _png_of(_header(2**31 - 1, 2**31 - 1), rows), IMAGE_TOO_LARGE)
    yield _file("png/sides-beyond-the-largest", _png_of(_header(2**32 - 1, 1), rows), INVALID_IMAGE)
    yield _file(
        "png/long-row",
        _png_of(_header(40_000_000, 1, 16, 6), chunk(b"IDAT", _zeros(1000))),
        INVALID_IMAGE,
        MEMORY_LIMIT,
    )
    yield _file("png/tall-column-interlaced", _png_of(_header(1, 40_000_000, 8, 0, 1), rows), INVALID_IMAGE)
    frames = b"".join(
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * i, 48, 40, 0, 0, 1, 10, 0, 0))
        + chunk(b"fdAT", struct.pack(">I", 2 * i + 1) + b"x")
        for i in range(30_000)
    )
    data = sound()["png"]
    animated = data[:-12] + chunk(b"acTL", struct.pack(">II", 30_000, 0)) + frames + data[-12:]
    yield _file("png/30000-frames", animated, OK, IMAGE_TOO_LARGE, like="png")
    yield _file("png/200000-empty-chunks", _with_chunk(chunk(b"teXt") * 200_000), INVALID_IMAGE, IMAGE_TOO_LARGE)
    whole = zlib.compress(bytes(11))
    crumbs = b"".join(chunk(b"IDAT", whole[i : i + 1]) for i in range(len(whole)))
    yield _file("png/idat-of-single-bytes", _png_of(_header(10, 1), crumbs), OK)
    empties = chunk(b"IDAT") * 50_000 + chunk(b"IDAT", whole) + chunk(b"IDAT") * 40_000
    yield _file("png/90000-empty-idat", _png_of(_header(10, 1), empties), OK, INVALID_IMAGE)


def _jpeg_scans(number: int) -> bytes:
    """Repeat the last scan of a progressive JPEG."""
    data = sound()["jpeg-progressive"]
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * number + data[-2:]


def _tiff(*entries: tuple[int, int, int, int], big: bool = False, behind: bytes = b"") -> bytes:
    """Write a little-endian TIFF whose directory stands first: (tag, type, count, value or offset)."""
    if big:
        directory = b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
        return struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, len(entries)) + directory + bytes(8) + behind
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4) + behind


def _gray_tiff(width: int, height: int, *more: tuple[int, int, int, int], behind: bytes = b"") -> bytes:
    entries = ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1), *more)
    return _tiff(*sorted(entries), behind=behind)


def _overlapping_strips() -> bytes:
    """Read the same thousand bytes again for each of a thousand rows."""
    number = 1000
    place = 8 + 2 + 12 * 9 + 4
    lists = struct.pack(f"<{number}I", *[place + 8 * number] * number) + struct.pack(f"<{number}I", *[1000] * number)
    return _gray_tiff(
        1000,
        1000,
        (259, 3, 1, 1),
        (273, 4, number, place),
        (278, 4, 1, 1),
        (279, 4, number, place + 4 * number),
        behind=lists + bytes(range(250)) * 4,
    )


def _bombs() -> Iterator[File]:
    for scans in (200, 5000):
        yield _file(f"jpeg/{scans}-scans", _jpeg_scans(scans), IMAGE_TOO_LARGE)
    jpeg = sound()["jpeg"]
    frame = jpeg.index(b"\xff\xc0") + 5
    yield _file("jpeg/65535x65535", jpeg[:frame] + b"\xff\xff\xff\xff" + jpeg[frame + 4 :], IMAGE_TOO_LARGE)
    yield _file("jpeg/20000-comments", jpeg[:2] + b"\xff\xfe\0\x02" * 20_000 + jpeg[2:], INVALID_IMAGE)
    yield _file("jpeg/fill-bytes", jpeg[:2] + b"\xff" * 2_000_000 + jpeg[2:], *DAMAGED)
    gif = saved(Image.new("P", (2, 2)), "GIF")
    first = 13 + (3 << ((gif[10] & 7) + 1))
    yield _file("gif/30000-frames", gif[:-1] + gif[first:-1] * 30_000 + b";", OK)
    plain = sound()["gif"]
    start = 13 + (3 << ((plain[10] & 7) + 1))
    yield _file("gif/20000-extensions", plain[:start] + b"!\xfe\x01x\0" * 20_000 + plain[start:], INVALID_IMAGE)
    yield _file("gif/endless-extension", plain[:start] + b"!\xfe" + b"\x01x" * 1_000_000, INVALID_IMAGE)
    yield _file("gif/65535x65535", plain[:6] + b"\xff" * 4 + plain[10:], IMAGE_TOO_LARGE)
    yield _file("tiff/overlapping-strips", _overlapping_strips(), *DAMAGED)
    yield _file(
        "tiff/one-strip-of-65535x65535", _gray_tiff(65535, 65535, (273, 4, 1, 8), (279, 4, 1, 8)), IMAGE_TOO_LARGE
    )
    yield _file(
        "tiff/100000-strips-of-an-empty-file",
        _gray_tiff(100, 100, (273, 4, 200_000, 8), (279, 4, 200_000, 8), (278, 4, 1, 1)),
        INVALID_IMAGE,
    )
    deflated = _zeros(1 << 28)
    place = 8 + 2 + 12 * 9 + 4
    yield _file(
        "tiff/strip-of-256-megabytes-for-a-small-picture",
        _gray_tiff(
            100, 100, (259, 3, 1, 8), (273, 4, 1, place), (278, 4, 1, 100), (279, 4, 1, len(deflated)), behind=deflated
        ),
        *DAMAGED,
    )
    size = 4 << 20
    everything = [(300 + i, 1, size - 200_000, 150_000) for i in range(5000)]
    yield _file(
        "tiff/5000-values-of-the-whole-file", _gray_tiff(10, 10, *everything, behind=bytes(size)), INVALID_IMAGE
    )
    loop = bytearray(sound()["tiff"])
    directory = struct.unpack_from("<I", loop, 4)[0]
    entries = struct.unpack_from("<H", loop, directory)[0]
    struct.pack_into("<I", loop, directory + 2 + 12 * entries, directory)
    yield _file("tiff/directory-that-follows-itself", bytes(loop), OK, like="tiff")
    yield _file(
        "tiff/huge-tile",
        _gray_tiff(10, 10, (322, 4, 1, 65536), (323, 4, 1, 65536), (324, 4, 1, 8), (325, 4, 1, 8)),
        IMAGE_TOO_LARGE,
    )
    yield _file("tiff/big-with-endless-directory", struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 2**60), INVALID_IMAGE)
    yield _file("tiff/of-4000-samples", _tiff((256, 4, 1, 9), (257, 4, 1, 9), (277, 3, 1, 4000)), TOO_MANY_CHANNELS)
    icon = struct.pack("<HHH", 0, 1, 5000) + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 2**31, 22) * 5000
    yield _file("ico/5000-entries", icon, UNSUPPORTED_FORMAT)
    bmp = sound()["bmp"]
    for name, width, height in (("30000x30000", 30_000, 30_000), ("of-the-largest-sides", 2**31 - 1, 2**31 - 1)):
        header = bmp[:18] + struct.pack("<ii", width, height) + bmp[26:]
        yield _file(f"bmp/{name}", header, IMAGE_TOO_LARGE)
    yield _file("bmp/negative-width", bmp[:18] + struct.pack("<ii", -48, 40) + bmp[26:], INVALID_IMAGE, IMAGE_TOO_LARGE)
    canvas = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x12\0\0\0" + b"\xff\x3f\0" * 2
    yield _file("webp/16384x16384-canvas", b"RIFF" + struct.pack("<I", len(canvas)) + canvas, IMAGE_TOO_LARGE)
    avif = sound()["avif"]
    place = avif.index(b"ispe") + 8
    yield _file(
        "avif/60000x60000", avif[:place] + struct.pack(">II", 60_000, 60_000) + avif[place + 8 :], *ANYTHING[1:3]
    )
    frames = [Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(20)]
    file = BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    yield _file("webp/20-frames", file.getvalue(), OK)


def _cut() -> Iterator[File]:
    """Every sound file, cut at each tenth of its length."""
    for name, data in sound().items():
        for tenth in range(1, 10):
            yield _file(f"cut/{name}-{tenth}", data[: len(data) * tenth // 10], INVALID_IMAGE)
    yield _file("cut/nothing", b"", MISSING_IMAGE)
    for name in ("png", "jpeg", "gif"):
        yield _file(f"cut/{name}-after-its-signature", sound()[name][:8], INVALID_IMAGE)


def _flipped() -> Iterator[File]:
    """Single bits and whole runs turned over, anywhere."""
    chance = random.Random(SEED)
    for name, data in sound().items():
        for number in range(4):
            changed = bytearray(data)
            for _ in range(1 + 3 * number):
                changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            yield _file(f"flipped/{name}-{number}", bytes(changed), *ANYTHING, TOO_MANY_CHANNELS)
        noise = chance.randbytes(len(data) // 2)
        yield _file(f"flipped/{name}-noise-in-the-second-half", data[: len(data) - len(noise)] + noise, *ANYTHING)


def chunks_of(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """List the chunks of a PNG with where they begin and end, length and checksum included."""
    position = len(SIGNATURE)
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield data[position + 4 : position + 8], position, position + 12 + length
        position += 12 + length


def _png_chunks() -> Iterator[File]:
    """Each chunk with a wrong checksum, gone, twice, renamed, and with a length that lies."""
    for name in ("png", "png-palette", "png-16-interlaced"):
        data = sound()[name]
        seen: set[bytes] = set()
        for kind, start, stop in chunks_of(data):
            if kind in seen:
                continue
            seen.add(kind)
            needed = kind in {b"IHDR", b"IDAT", b"IEND", b"PLTE"}
            gone = {b"tRNS": (OK,), b"iCCP": (OK,), b"eXIf": (OK,)}.get(kind, (INVALID_IMAGE,))
            label = f"png-chunks/{name}-{kind.decode()}"
            damaged = data[: stop - 1] + bytes([data[stop - 1] ^ 1]) + data[stop:]
            if kind == b"IEND":  # nothing is in it that its checksum could guard
                yield _file(f"{label}-checksum", damaged, *DAMAGED, like=name)
            else:
                yield _file(f"{label}-checksum", damaged, INVALID_IMAGE if needed else OK)
            yield _file(f"{label}-gone", data[:start] + data[stop:], *gone)
            # a stream that has ended leaves nothing for more IDAT to say
            again = (INVALID_IMAGE,) if kind in {b"IHDR", b"PLTE"} else DAMAGED if needed else (OK,)
            yield _file(f"{label}-twice", data[:stop] + data[start:], *again, like=name)
            renamed = data[:start] + data[start : start + 4] + b"QqQq" + data[start + 8 :]
            yield _file(f"{label}-renamed", renamed, INVALID_IMAGE)
            for length in (0, 2**31 - 1, 2**32 - 1, stop - start - 11):
                lying = data[:start] + struct.pack(">I", length) + data[start + 4 :]
                right = (OK,) if kind == b"IEND" and not length else (INVALID_IMAGE,)
                yield _file(f"{label}-length-{length}", lying, *right)


def markers_of(data: bytes) -> Iterator[tuple[int, int]]:
    """List the segments of a JPEG up to its first scan: where they begin, and where they end."""
    position = 2
    while data[position + 1] != 0xDA:
        stop = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        yield position, stop
        position = stop
    yield position, position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")


def _jpeg_markers() -> Iterator[File]:
    """Each segment gone, of length 0, 1 and 65535, and filled with FF."""
    for name in ("jpeg", "jpeg-progressive", "jpeg-cmyk"):
        data = sound()[name]
        for start, stop in markers_of(data):
            label = f"jpeg-markers/{name}-{data[start + 1]:02x}-at-{start}"
            yield _file(f"{label}-gone", data[:start] + data[stop:], *DAMAGED)
            for length in (0, 1, 65535):
                lying = data[: start + 2] + length.to_bytes(2, "big") + data[start + 4 :]
                yield _file(f"{label}-length-{length}", lying, *DAMAGED)
            filled = data[: start + 4] + b"\xff" * (stop - start - 4) + data[stop:]
            yield _file(f"{label}-filled", filled, *DAMAGED, IMAGE_TOO_LARGE)


def _disguised() -> Iterator[File]:
    """Two files in one, and files that are not what they seem."""
    archive = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
    script = b"*/=1;alert(1)//<script>alert(1)</script>"
    for name in ("png", "jpeg", "gif", "bmp", "tiff"):
        for tail_name, tail in (("archive", archive), ("script", script)):
            yield _file(f"disguised/{name}-with-{tail_name}-behind", sound()[name] + tail, OK, like=name)
    strangers = {
        "html": b"<!doctype html><script>alert(1)</script>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "svg-with-entities": b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
        "pdf": b"%PDF-1.7\n1 0 obj",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file",
        "zip": archive,
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "elf": b"\x7fELF\x02\x01\x01" + bytes(100),
        "pickle": b"\x80\x04\x95" + bytes(40),
        "photoshop": b"8BPS\0\x01" + bytes(40),
        "icns": b"icns" + bytes(40),
        "pcx": b"\n\x05\x01\x08" + bytes(120),
        "tga": bytes(2) + b"\x02" + bytes(9) + b"\x01\0\x01\0\x18\0" + bytes(3),
        "ppm": b"P6 2 2 255\n" + bytes(12),
        "pfm": b"PF\n2 2\n-1.0\n" + bytes(48),
        "wmf": b"\xd7\xcd\xc6\x9a" + bytes(80),
        "emf": b"\x01\0\0\0" + bytes(80),
        "fits": b"SIMPLE  =                    T".ljust(80) * 36,
        "jpeg2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
        "jpegxl": b"\xff\x0a" + bytes(40),
        "heic": b"\0\0\0\x18ftypheic" + bytes(60),
        "mp4": b"\0\0\0\x18ftypisom" + bytes(60),
        "mkv": b"\x1aE\xdf\xa3" + bytes(60),
        "avi": b"RIFF\x20\0\0\0AVI " + bytes(60),
        "wav": b"RIFF\x20\0\0\0WAVE" + bytes(60),
        "exr": b"v/1\x01" + bytes(60),
        "hdr": b"#?RADIANCE\n" + bytes(60),
        "dds": b"DDS " + bytes(124),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(60),
        "mng": b"\x8aMNG\r\n\x1a\n" + bytes(60),
        "text": b"BM, she said, and laughed a little.",
        "json": b'{"image": "x"}',
        "nothing-but-zeros": bytes(1000),
        "nothing-but-ones": b"\xff" * 1000,
        "one-byte": b"\x89",
        "xbm": b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = {0};",
        "xpm": b"/* XPM */\nstatic char *a[] = {",
        "msp": b"DanM" + bytes(40),
        "sun": b"\x59\xa6\x6a\x95" + bytes(40),
        "sgi": b"\x01\xda\x01\x01" + bytes(510),
        "grib": b"GRIB" + bytes(40),
        "url": b"http://127.0.0.1/image.png",
        "path": b"/etc/passwd",
    }
    for name, data in strangers.items():
        yield _file(f"disguised/{name}", data, UNSUPPORTED_FORMAT)
    wrong_endings = {"png-signature-with-unix-lines": sound()["png"].replace(b"\r\n", b"\n", 1)}
    for name, data in wrong_endings.items():
        yield _file(f"disguised/{name}", data, UNSUPPORTED_FORMAT)
    multi = BytesIO()
    images = [Image.fromarray(image_of(16, 16, 3, seed=i)) for i in range(2)]
    images[0].save(multi, "MPO", save_all=True, append_images=images[1:])
    yield _file("disguised/several-pictures-in-a-jpeg", multi.getvalue(), OK)
    frames = BytesIO()
    pages = [Image.fromarray(image_of(16, 16, 3, seed=i)) for i in range(2)]
    pages[0].save(frames, "TIFF", save_all=True, append_images=pages[1:])
    yield _file("disguised/several-pictures-in-a-tiff", frames.getvalue(), OK)


def _lying() -> Iterator[File]:
    """Headers that say another size than there is."""
    pixels = zlib.compress(bytes(49 * 40))
    for width, height in ((48, 39), (48, 41), (47, 40), (49, 40), (1, 1), (48, 40_000), (6000, 6000)):
        data = _png_of(_header(width, height), chunk(b"IDAT", pixels))
        enough = (width + 1) * height <= 49 * 40  # what is left over is ignored
        yield _file(f"lying/png-{width}x{height}", data, OK if enough else INVALID_IMAGE)
    yield _file("lying/png-0x0", _png_of(_header(0, 0), chunk(b"IDAT", pixels)), INVALID_IMAGE)
    for depth, colour in ((3, 0), (16, 3), (1, 2), (4, 6), (8, 1), (8, 5), (8, 7), (255, 255)):
        data = _png_of(_header(48, 40, depth, colour), chunk(b"IDAT", pixels))
        yield _file(f"lying/png-depth-{depth}-colour-{colour}", data, INVALID_IMAGE)
    for place, what in ((10, "compression"), (11, "filter"), (12, "interlace")):
        header = bytearray(struct.pack(">IIBBBBB", 48, 40, 8, 0, 0, 0, 0))
        header[place] = 9
        yield _file(f"lying/png-{what}", _png_of(chunk(b"IHDR", bytes(header)), chunk(b"IDAT", pixels)), INVALID_IMAGE)
    rows = b"".join(bytes([5]) + bytes(48) for _ in range(40))
    yield _file("lying/png-row-filter-5", _png_of(_header(48, 40), chunk(b"IDAT", zlib.compress(rows))), INVALID_IMAGE)
    beyond = _png_of(_header(8, 1, 8, 3), chunk(b"PLTE", b"abc"), chunk(b"IDAT", zlib.compress(b"\0" + b"\x07" * 8)))
    yield _file("lying/png-colour-beyond-the-palette", beyond, INVALID_IMAGE)
    bmp = sound()["bmp"]
    for width, height in ((48, 41), (49, 40), (4800, 4000)):
        yield _file(
            f"lying/bmp-{width}x{height}", bmp[:18] + struct.pack("<ii", width, height) + bmp[26:], INVALID_IMAGE
        )
    for offset in (0, 14, len(bmp), 2**31):
        yield _file(f"lying/bmp-pixels-at-{offset}", bmp[:10] + struct.pack("<I", offset) + bmp[14:], *DAMAGED)
    for bits in (0, 3, 64, 65535):
        yield _file(f"lying/bmp-{bits}-bits", bmp[:28] + struct.pack("<H", bits) + bmp[30:], INVALID_IMAGE)
    webp = sound()["webp"]
    yield _file("lying/webp-longer-than-it-is", webp[:4] + struct.pack("<I", len(webp)) + webp[8:], INVALID_IMAGE)
    gif = sound()["gif"]
    yield _file("lying/gif-screen-smaller-than-its-picture", gif[:6] + struct.pack("<HH", 3, 3) + gif[10:], *ANYTHING)
    jpeg = sound()["jpeg"]
    frame = jpeg.index(b"\xff\xc0") + 5
    for height, width in ((0, 48), (40, 0)):
        lying = jpeg[:frame] + struct.pack(">HH", height, width) + jpeg[frame + 4 :]
        yield _file(f"lying/jpeg-{width}x{height}", lying, INVALID_IMAGE)
    deep = jpeg[: frame - 1] + b"\x0c" + jpeg[frame:]
    yield _file("lying/jpeg-of-12-bits", deep, INVALID_IMAGE)


def _array(header: str, data: bytes = b"", version: bytes = b"\x01\0") -> bytes:
    text = header.encode("latin-1") + b"\n"
    length = len(text).to_bytes(2 if version == b"\x01\0" else 4, "little")
    return b"\x93NUMPY" + version + length + text + data


def _arrays() -> Iterator[File]:
    def shaped(shape: str, descr: str = "'<f4'", order: str = "False") -> str:
        return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"

    good = bytes(4 * 4 * 4)
    yield _file("npy/plain", _array(shaped("(4, 4)"), good), OK)
    for name, header in {
        "pickled-objects": shaped("(4, 4)", "'|O'"),
        "structured": shaped("(4, 4)", "[('a', '<f4')]"),
        "strings": shaped("(4, 4)", "'<U1'"),
        "complex": shaped("(4, 4)", "'<c8'"),
        "booleans": shaped("(4, 4)", "'|b1'"),
        "dates": shaped("(4, 4)", "'<M8[s]'"),
        "half": shaped("(4, 4)", "'<f2'"),
        "one-dimension": shaped("(16,)"),
        "no-dimension": shaped("()"),
        "four-dimensions": shaped("(1, 4, 4, 1)"),
        "negative-side": shaped("(-4, -4)"),
        "true-for-a-side": shaped("(True, 16)"),
        "text-for-a-side": shaped("('4', 4)"),
        "side-of-a-thousand-digits": shaped(f"({'9' * 900}, 4)"),
        "zero-side": shaped("(0, 4)"),
        "zero-channels": shaped("(4, 4, 0)"),
        "number-for-the-order": shaped("(4, 4)", order="1"),
        "a-call": "__import__('os').system('true')",
        "not-a-dictionary": "[1, 2, 3]",
        "missing-key": "{'descr': '<f4', 'shape': (4, 4)}",
        "unknown-key": shaped("(4, 4)")[:-1] + ", 'a': 1}",
        "nested-brackets": "(" * 800,
        "minus-signs": "-" * 900 + "1",
        "nul": shaped("(4, 4)") + "\0",
        "not-ascii": shaped("(4, 4)") + "\xe9",
        "long": shaped("(4, 4)") + "#" * 5000,
        "wider-than-its-data": shaped("(4, 5)"),
        "smaller-than-its-data": shaped("(4, 3)"),
        "bad-escape": r"{'descr': '\d', 'fortran_order': False, 'shape': (4, 4)}",
    }.items():
        expected = (INVALID_IMAGE, IMAGE_TOO_LARGE) if name == "side-of-a-thousand-digits" else (INVALID_IMAGE,)
        yield _file(f"npy/{name}", _array(header, good), *expected)
    yield _file("npy/a-million-by-a-million", _array(shaped("(1000000, 1000000)"), good), IMAGE_TOO_LARGE)
    yield _file("npy/product-beyond-64-bits", _array(shaped(f"({2**33}, {2**33})"), good), IMAGE_TOO_LARGE)
    yield _file("npy/two-billion-channels", _array(shaped("(1, 1, 2000000000)"), good), TOO_MANY_CHANNELS)
    yield _file("npy/version-9", _array(shaped("(4, 4)"), good, b"\x09\0"), INVALID_IMAGE)
    yield _file("npy/header-of-4-gigabytes", b"\x93NUMPY\x02\0\xff\xff\xff\xff{", INVALID_IMAGE)
    yield _file("npy/header-of-65535-blanks", b"\x93NUMPY\x01\0\xff\xff" + b" " * 65535 + good, INVALID_IMAGE)
    for name, value in (("nan", float("nan")), ("infinity", float("inf"))):
        yield _file(f"npy/{name}", _array(shaped("(4, 4)"), struct.pack("<f", value) * 16), INVALID_IMAGE)
    yield _file("npy/largest-floats", _array(shaped("(4, 4)"), struct.pack("<f", 3.4e38) * 16), OK)
    yield _file(
        "npy/largest-doubles", _array(shaped("(4, 4)", "'<f8'"), struct.pack("<d", 1e308) * 16), OK, INVALID_IMAGE
    )
    yield _file("npy/smallest-floats", _array(shaped("(4, 4)"), struct.pack("<f", 1e-45) * 16), OK)
