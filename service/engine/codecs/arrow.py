"""Read samples from a library's own memory through Arrow's C data interface.

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
    """View an array of lists of `each` bytes as (n, each), read-only; the view keeps the array alive.

    `capsule` is the second one that `__arrow_c_array__` returns.
    """
    array = ctypes.cast(_pointer(capsule, b"arrow_array"), ctypes.POINTER(_Array)).contents
    values = array.children[0].contents
    start = values.buffers[1] + values.offset + each * array.offset
    memory: Any = (ctypes.c_uint8 * (each * array.length)).from_address(start)
    memory.owner = capsule  # NumPy keeps `memory` alive, and `memory` keeps the capsule alive
    view = np.frombuffer(memory, np.uint8).reshape(-1, each)
    view.flags.writeable = False
    return view
