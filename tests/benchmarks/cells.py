"""What is compared: one piece of work, done by us and by each peer that can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.report import Row
from tests.benchmarks.timing import medians

Array = NDArray[Any]
Work = Callable[[], Any]

OURS = "convserve"
LEVELS = 0.51
"""So far a rounded answer may be from the exact one."""
RELATIVE = 1e-3
"""So far one of floats may be, in units of the largest number."""


@dataclass(frozen=True)
class Cell:
    """`ours` and `peers` are timed; `exact` gives the answer (H, W, C) in floats, which those of the peers must be.

    Within `rim` of the border answers are not compared: peers pad as they can.
    """

    group: str
    name: str
    ours: Work
    peers: Mapping[str, Work]
    exact: Callable[[], Array] | None = None
    rim: int = 0
    way: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What keeps a peer from being compared with."""


def run(cell: Cell, budget: float, clock: Callable[[], float]) -> Row:
    """Time a cell for about `budget` seconds, once everything is warm."""
    inexact = dict(cell.notes)
    cell.ours()
    exact = None if cell.exact is None else cell.exact()
    for name, work in cell.peers.items():
        answer = work()
        if exact is not None and name not in inexact:
            off = distance(exact, answered(answer), cell.rim)
            allowed = LEVELS if answered(answer).dtype.kind == "u" else RELATIVE * float(np.abs(exact).max())
            if off > allowed:
                inexact[name] = f"{off:.2g}"
    taken = medians({OURS: cell.ours, **cell.peers}, budget, clock)
    ours = taken.pop(OURS)
    peers = {name: seconds * 1e3 for name, seconds in taken.items()}
    return Row(cell.group, cell.name, ours * 1e3, peers, inexact, cell.way)


def answered(answer: Any) -> Array:
    """Bring a peer's answer to (H, W, C): tensors (1, C, H, W), planes (H, W)."""
    if hasattr(answer, "detach"):
        tensor = answer.detach().numpy()
        return np.asarray(tensor[0] if tensor.ndim == 4 else tensor).transpose(1, 2, 0)
    array = np.asarray(answer)
    return array[:, :, None] if array.ndim == 2 else array


def distance(exact: Array, answer: Array, rim: int) -> float:
    """Find how far two answers are apart; one that is rounded stays within 0..255."""
    if exact.shape != answer.shape:
        raise ValueError(f"answers of {exact.shape} and of {answer.shape} are not of the same work")
    inner = slice(rim, -rim or None)
    expected = exact[inner, inner].astype(np.float64)
    if answer.dtype == np.uint8:
        expected = np.clip(expected, 0, 255)
    return float(np.abs(expected - answer[inner, inner]).max())


def chosen(cells: Iterator[Cell], words: list[str]) -> Iterator[Cell]:
    """Keep the cells whose name has one of `words` in it."""
    return (cell for cell in cells if not words or any(word in f"{cell.group}: {cell.name}" for word in words))
