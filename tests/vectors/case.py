"""The table of fixed vectors as it is stored: the cases in `cases.json`, their numbers in `expected.npz`.

The archive has the pictures by name and, one after another in the order of the cases, the numbers expected: "whole"
(int32) where all of a case are integers, "double" where a picture of integers gives others, and "single" for pictures
of floats, whose results are float32 in any case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

FOLDER = Path(__file__).parent
CASES, ARRAYS = FOLDER / "cases.json", FOLDER / "expected.npz"
STORES: dict[str, DTypeLike] = {"whole": np.int32, "single": np.float32, "double": np.float64}


@dataclass(frozen=True, eq=False)
class Case:
    """One picture, one spec, and what other people's tools make of them.

    `tools` agreed on `expected`, (H', W', C'); the numbers are those of the first. Every one of them comes of at most
    `terms` products, whose absolute values add up to at most `magnitude`. `exact` says that these are products of
    integers, so that nothing may be lost before the division by a divisor and the bias.
    """

    name: str
    image_name: str
    image: NDArray[Any]
    spec: dict[str, Any]
    tools: tuple[str, ...]
    terms: int
    magnitude: float
    exact: bool
    expected: NDArray[np.float64]

    @property
    def store(self) -> Literal["whole", "single", "double"]:
        if bool(np.all(np.rint(self.expected) == self.expected)) and np.abs(self.expected).max() < 2**31:
            return "whole"
        return "single" if self.image.dtype.kind == "f" else "double"


def load() -> list[Case]:
    document = json.loads(CASES.read_text())
    taken = dict.fromkeys(STORES, 0)
    cases = []
    with np.load(ARRAYS) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for entry in document["cases"]:
        store, shape = entry.pop("store"), entry.pop("shape")
        start, taken[store] = taken[store], taken[store] + prod(shape)
        expected = arrays[store][start : taken[store]].reshape(shape).astype(np.float64)
        image = arrays[entry["image_name"]]
        cases.append(Case(**entry | {"image": image, "tools": tuple(entry["tools"]), "expected": expected}))
    return cases


def save(cases: Iterable[Case], versions: dict[str, str]) -> None:
    """Write the table, a case a line; the same cases give the same bytes."""
    images: dict[str, NDArray[Any]] = {}
    numbers: dict[str, list[NDArray[Any]]] = {store: [] for store in STORES}
    lines = []
    for case in cases:
        images[case.image_name] = case.image
        numbers[case.store].append(case.expected.ravel().astype(STORES[case.store]))
        entry = {
            "name": case.name,
            "image_name": case.image_name,
            "spec": case.spec,
            "tools": case.tools,
            "terms": case.terms,
            "magnitude": case.magnitude,
            "exact": case.exact,
            "store": case.store,
            "shape": case.expected.shape,
        }
        lines.append(json.dumps(entry))
    body = ",\n".join(lines)
    CASES.write_text(f'{{"versions": {json.dumps(versions)},\n"cases": [\n{body}\n]}}\n')
    expected = {store: np.concatenate(arrays) for store, arrays in numbers.items()}
    np.savez_compressed(ARRAYS, allow_pickle=False, **images, **expected)
