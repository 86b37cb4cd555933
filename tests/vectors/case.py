"""The table of fixed vectors as it is stored: `cases.json` and, for the numbers, `expected.npz`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
CASES, ARRAYS = FOLDER / "cases.json", FOLDER / "expected.npz"


@dataclass(frozen=True, eq=False)
class Case:
    """One picture, one spec, and what other people's tools make of them.

    `tools` agreed on `expected`, (H', W', C'); the numbers stored are those of the first. Every one of them comes of at
    most `terms` products, whose absolute values add up to at most `magnitude`. `exact` says that these are products of
    integers, so that nothing may be lost but in the division at the end.
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


def load() -> list[Case]:
    document = json.loads(CASES.read_text())
    with np.load(ARRAYS) as arrays:
        images = {name: arrays[f"image/{name}"] for name in {entry["image"] for entry in document["cases"]}}
        return [
            Case(
                name=entry["name"],
                image_name=entry["image"],
                image=images[entry["image"]],
                spec=entry["spec"],
                tools=tuple(entry["tools"]),
                terms=entry["terms"],
                magnitude=entry["magnitude"],
                exact=entry["exact"],
                expected=arrays[f"expected/{entry['name']}"].astype(np.float64),
            )
            for entry in document["cases"]
        ]


def save(cases: Iterable[Case], versions: dict[str, str]) -> None:
    """Write the table, a case a line; the same cases give the same bytes."""
    arrays: dict[str, NDArray[Any]] = {}
    lines = []
    for case in cases:
        arrays[f"image/{case.image_name}"] = case.image
        arrays[f"expected/{case.name}"] = _compact(case.expected)
        entry = {
            "name": case.name,
            "image": case.image_name,
            "spec": case.spec,
            "tools": case.tools,
            "terms": case.terms,
            "magnitude": case.magnitude,
            "exact": case.exact,
        }
        lines.append(json.dumps(entry))
    body = ",\n".join(lines)
    CASES.write_text(f'{{"versions": {json.dumps(versions)},\n"cases": [\n{body}\n]}}\n')
    np.savez_compressed(ARRAYS, allow_pickle=False, **arrays)


def _compact(numbers: NDArray[np.float64]) -> NDArray[Any]:
    """Give integers that fit as int32; they compress better."""
    integers = numbers.astype(np.int32) if np.abs(numbers).max() < 2**31 else numbers
    return integers if np.array_equal(integers, numbers) else numbers
