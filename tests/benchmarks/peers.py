"""The peers that are installed; each cell takes those it knows a use for, and `make bench` names the absent ones."""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from types import ModuleType

NAMES = {
    "OpenCV": "cv2",
    "libvips": "pyvips",
    "PyTorch": "torch",
    "imagecodecs": "imagecodecs",
}
"""SciPy and Pillow are there anyway."""


class Peers(dict[str, ModuleType]):
    """The modules that there are, and how many threads every contender has."""

    def __init__(self, threads: int) -> None:
        """Import what there is, with that many threads."""
        super().__init__()
        self.threads = threads
        os.environ["VIPS_CONCURRENCY"] = str(threads)
        for module in NAMES.values():
            with suppress(ImportError):
                self[module] = importlib.import_module(module)
        if "cv2" in self:
            self["cv2"].setNumThreads(threads)
        if "torch" in self:
            self["torch"].set_num_threads(threads)
            self["torch"].set_grad_enabled(False)

    @property
    def absent(self) -> list[str]:
        return [name for name, module in NAMES.items() if module not in self]
