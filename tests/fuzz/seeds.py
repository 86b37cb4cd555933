"""What the fuzzer begins with: the files, specs and forms of the hostile suite, of those that are small."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from service.engine.operations import OPERATIONS
from service.engine.spec.built_in_presets import PRESETS
from tests.engine.codecs.samples import SIGNATURE, exif, image_of, npy, png, saved
from tests.fuzz.targets import laid_open
from tests.hostile import bodies, files, specs
from tests.hostile.strangers import tiff

LARGEST: Final = 8192
"""Longer ones are seldom worth their time: the fuzzer changes a byte here and there."""


def pngs() -> Iterator[bytes]:
    """Give each as it is, with its checksums set right, and with its pixels laid open."""
    small = [
        png(image_of(7, 9, 1) >> 7, 1, 0),
        png(image_of(7, 9, 1) >> 4, 4, 0, interlaced=True),
        png(image_of(7, 9, 2), 8, 4, interlaced=True),
        saved(image_of(7, 9, 3), "PNG"),
        saved(image_of(7, 9, 4), "PNG"),
    ]
    for data in [*small, *(file.data for file in files.hostile())]:
        if data.startswith(SIGNATURE) and len(data) < LARGEST:
            yield b"r" + data
            yield b"c" + data
            if opened := laid_open(data):
                yield opened


def npys() -> Iterator[bytes]:
    for order in ("<u1", ">u2", "<f4", ">f8"):
        yield npy(image_of(3, 4, 2).astype(order))
    yield from (file.data for file in files.hostile() if file.data.startswith(b"\x93NUMPY"))


def pictures() -> Iterator[bytes]:
    """Give files of all other formats, with metadata, tiles and planes, and what only looks like one."""
    for form, options in (("JPEG", {"exif": exif(5)}), ("TIFF", {}), ("BMP", {}), ("GIF", {}), ("AVIF", {})):
        yield saved(image_of(7, 9, 3), form, **options)
    for kind in ("int8", "uint16", "int32", "float16", "float64"):
        yield tiff(image_of(7, 9, 2).astype(kind), photometric="minisblack", planarconfig="contig")
    yield tiff(image_of(7, 9, 3).transpose(2, 0, 1), photometric="rgb", planarconfig="separate", compression="zlib")
    yield from (file.data for file in files.hostile() if not file.data.startswith((SIGNATURE, b"\x93NUMPY")))


def documents() -> Iterator[bytes]:
    """Give specs to filter by, and the same to be planned and drawn."""
    named = [json.dumps(preset.spec).encode() for preset in PRESETS.values()]
    examples = [json.dumps(example).encode() for kind in OPERATIONS for example in kind.examples]
    for text in [*named, *examples, *(document.text for document in specs.hostile())]:
        yield b"s" + text
        yield b'p{"spec": ' + text + b', "image": {"width": 9, "height": 7, "channels": 3, "dtype": "uint8"}}'
        yield b'f{"spec": ' + text + b', "image": {"width": 5, "height": 4}}'


def forms() -> Iterator[bytes]:
    for talk in bodies.bodies():
        head, _, body = talk.sent.partition(b"\r\n\r\n")
        types = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-type:")]
        yield (types[0].partition(b":")[2].strip() if types else b"") + b"\n" + body


SEEDS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "png": pngs,
    "npy": npys,
    "picture": pictures,
    "spec": documents,
    "form": forms,
}


def small(target: str) -> list[bytes]:
    """Give the seeds of a target, each once."""
    return list(dict.fromkeys(seed for seed in SEEDS[target]() if len(seed) <= LARGEST))


def write(target: str, folder: Path) -> None:
    """Put the seeds into a folder, where the fuzzer adds what it finds."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in small(target):
        (folder / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed)
