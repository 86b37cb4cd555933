"""Samples taken from where a library keeps them, by Arrow's C data interface.

https://arrow.apache.org/docs/format/CDataInterface.html and .../CDataInterface/PyCapsuleInterface.html
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Array(ctypes.Structure):
    pass


_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def lists_of_bytes(capsule: Any, each: int) -> NDArray[np.uint8]:
    """View an array of lists of `each` bytes, which is not copied: (n, each), read-only. It lives as long as the view."""
    array = ctypes.cast(_pointer(capsule, b"arrow_array"), ctypes.POINTER(_Array)).contents
    values = array.children[0].contents
    memory = (ctypes.c_uint8 * (array.length * each)).from_address(values.buffers[1] + values.offset + array.offset * each)
    memory.owner = capsule  # type: ignore[attr-defined]  # NumPy holds the memory's object, and that one the capsule
    view = np.frombuffer(memory, np.uint8).reshape(-1, each)
    view.flags.writeable = False
    return view
