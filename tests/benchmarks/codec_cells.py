"""Pictures read and written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from service.engine import codecs
from service.engine.limits import Limits
from tests.benchmarks.cells import Array, Cell, Work
from tests.benchmarks.peers import THREADS
from tests.benchmarks.pictures import encoded

MUCH_LARGER = 1.25
"""A writer whose files are so many times as large as ours does less."""


def cells(pictures: dict[str, Array], modules: dict[str, ModuleType]) -> Iterator[Cell]:
    """Write each picture as PNG, and read it as PNG and as JPEG."""
    for name, picture in pictures.items():
        yield writing(name, picture, modules)
    for name, picture in pictures.items():
        for kind in ("PNG", "JPEG"):
            yield reading(name, kind, encoded(picture, kind), modules)


def writing(name: str, picture: Array, modules: dict[str, ModuleType]) -> Cell:
    ours = partial(codecs.encode_png, picture, compression="fast", icc=None, threads=THREADS)
    peers: dict[str, Work] = {"Pillow 1": partial(pillow_png, picture, 1), "Pillow 6": partial(pillow_png, picture, 6)}
    if "cv2" in modules:
        peers["OpenCV"] = partial(modules["cv2"].imencode, ".png", np.ascontiguousarray(picture[:, :, ::-1]))
    if "pyvips" in modules:
        image = modules["pyvips"].Image.new_from_array(picture)
        for level in (1, 6):
            peers[f"libvips {level}"] = partial(image.pngsave_buffer, compression=level)
    if "imagecodecs" in modules:
        peers["imagecodecs 1"] = partial(modules["imagecodecs"].png_encode, picture, level=1)
    size = len(ours())
    sizes = {peer: length(work()) / size for peer, work in peers.items()}
    notes = {peer: f"{ratio:.2f} times the size" for peer, ratio in sizes.items() if ratio > MUCH_LARGER}
    labels = {peer: f"{peer} ({ratio:.2f} x size)" for peer, ratio in sizes.items() if peer not in notes}
    named = {labels.get(peer, peer): work for peer, work in peers.items()}
    return Cell("codec", f"PNG out, {name} {picture.shape[1]}x{picture.shape[0]}", ours, named, notes=notes)


def reading(name: str, kind: str, data: bytes, modules: dict[str, ModuleType]) -> Cell:
    limits = Limits()
    info = codecs.inspect(data, limits)
    peers: dict[str, Work] = {"Pillow": lambda: np.asarray(Image.open(BytesIO(data)))}
    if "cv2" in modules:
        cv2 = modules["cv2"]
        peers["OpenCV"] = lambda: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if "pyvips" in modules:
        vips = modules["pyvips"]
        peers["libvips"] = lambda: vips.Image.new_from_buffer(data, "").numpy()
    if "imagecodecs" in modules:
        decode: Any = getattr(modules["imagecodecs"], f"{kind.lower()}_decode")
        peers["imagecodecs"] = lambda: decode(data)
    return Cell(
        "codec", f"{kind} in, {name} {info.width}x{info.height}", lambda: codecs.decode(data, info, THREADS), peers
    )


def pillow_png(picture: Array, level: int) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=level)
    return file.getvalue()


def length(file: Any) -> int:
    return len(file[1]) if isinstance(file, tuple) else len(file)
