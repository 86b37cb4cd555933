"""The peers that are installed; each cell takes those it knows a use for, and `make bench` names the absent ones."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

THREADS = os.cpu_count() or 1

NAMES = {
    "OpenCV": "cv2",
    "libvips": "pyvips",
    "PyTorch": "torch",
    "imagecodecs": "imagecodecs",
}
"""SciPy and Pillow are there anyway."""


def load() -> dict[str, ModuleType]:
    """Import what there is, by module name, and give each as many threads as we take."""
    os.environ["VIPS_CONCURRENCY"] = str(THREADS)
    found: dict[str, ModuleType] = {}
    for module in NAMES.values():
        try:
            found[module] = importlib.import_module(module)
        except ImportError:
            continue
    if "cv2" in found:
        found["cv2"].setNumThreads(THREADS)
    if "torch" in found:
        found["torch"].set_num_threads(THREADS)
        found["torch"].set_grad_enabled(False)
    return found


def absent(found: dict[str, ModuleType]) -> list[str]:
    return [name for name, module in NAMES.items() if module not in found]
