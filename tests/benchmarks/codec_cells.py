"""Pictures read and written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from service.engine import codecs
from service.engine.machine.limits import Limits
from tests.benchmarks.cells import Array, Cell, Work
from tests.benchmarks.peers import Peers
from tests.benchmarks.pictures import encoded

MUCH_LARGER = 1.25
"""A writer whose files are so many times as large as ours does less."""


def cells(pictures: dict[str, Array], found: Peers) -> Iterator[Cell]:
    """Write each picture as PNG, and read it as PNG and as JPEG."""
    for name, picture in pictures.items():
        yield writing(name, picture, found)
    for name, picture in pictures.items():
        for kind in ("PNG", "JPEG"):
            yield reading(name, kind, encoded(picture, kind), found)


def writing(name: str, picture: Array, found: Peers) -> Cell:
    ours = partial(codecs.encode_png, picture, compression="fast", icc=None, threads=found.threads)
    peers: dict[str, Work] = {"Pillow 1": partial(pillow_png, picture, 1), "Pillow 6": partial(pillow_png, picture, 6)}
    if "cv2" in found:
        peers["OpenCV"] = partial(found["cv2"].imencode, ".png", np.ascontiguousarray(picture[:, :, ::-1]))
    if "pyvips" in found:
        image = found["pyvips"].Image.new_from_array(picture)
        for level in (1, 6):
            peers[f"libvips {level}"] = partial(image.pngsave_buffer, compression=level)
    if "imagecodecs" in found:
        peers["imagecodecs 1"] = partial(found["imagecodecs"].png_encode, picture, level=1)
    size = len(ours())
    sizes = {peer: length(work()) / size for peer, work in peers.items()}
    notes = {peer: f"{ratio:.2f} times the size" for peer, ratio in sizes.items() if ratio > MUCH_LARGER}
    labels = {peer: f"{peer} ({ratio:.2f} x size)" for peer, ratio in sizes.items() if peer not in notes}
    named = {labels.get(peer, peer): work for peer, work in peers.items()}
    return Cell("codec", f"PNG out, {name} {picture.shape[1]}x{picture.shape[0]}", ours, named, notes=notes)


def reading(name: str, kind: str, data: bytes, found: Peers) -> Cell:
    limits = Limits()
    info = codecs.inspect(data, limits)
    peers: dict[str, Work] = {"Pillow": lambda: np.asarray(Image.open(BytesIO(data)))}
    if "cv2" in found:
        cv2 = found["cv2"]
        peers["OpenCV"] = lambda: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if "pyvips" in found:
        vips = found["pyvips"]
        peers["libvips"] = lambda: vips.Image.new_from_buffer(data, "").numpy()
    if "imagecodecs" in found:
        decode: Any = getattr(found["imagecodecs"], f"{kind.lower()}_decode")
        peers["imagecodecs"] = lambda: decode(data)
    return Cell(
        "codec",
        f"{kind} in, {name} {info.width}x{info.height}",
        lambda: codecs.decode(data, info, found.threads),
        peers,
    )


def pillow_png(picture: Array, level: int) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=level)
    return file.getvalue()


def length(file: Any) -> int:
    return len(file[1]) if isinstance(file, tuple) else len(file)
