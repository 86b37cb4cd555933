"""Make the table of fixed vectors: `python -m tests.vectors.make`, from the root of the repository.

It needs PyTorch, ONNX Runtime, SciPy and OpenCV; the tests need none of them. They are the extra "vectors":

    python -m venv /tmp/vectors && /tmp/vectors/bin/pip install -e '.[vectors]'
    /tmp/vectors/bin/python -m tests.vectors.make

The versions that made the table stand at the top of `cases.json`; the same versions make the same bytes. A case that
two tools answer differently stops the run: the numbers are never the service's own.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tests.vectors import case, table, tools
from tests.vectors.answers import Answer, ask, samples, whole
from tests.vectors.case import Case

DOUBLE, SINGLE = 2.0**-53, 2.0**-24


def main() -> None:
    images = table.images()
    cases = [make(row, images[row.image]) for row in table.rows()]
    assert len({made.name for made in cases}) == len(cases), "two cases have one name"
    case.save(cases, tools.versions())
    by_operation = Counter(made.spec["op"] for made in cases)
    by_tool = Counter(tool for made in cases for tool in made.tools)
    print(f"{len(cases)} cases, {sum(made.exact for made in cases)} of them exact")
    print("by operation:", ", ".join(f"{name} {count}" for name, count in by_operation.items()))
    print("by tool:", ", ".join(f"{name} {count}" for name, count in by_tool.items()))
    print(", ".join(f"{file.name} {file.stat().st_size:,} bytes" for file in (case.CASES, case.ARRAYS)))


def make(row: table.Row, image: table.Image) -> Case:
    """Ask the tools; raises AssertionError where they do not agree."""
    planes = image if image.ndim == 3 else image[:, :, None]
    answer = ask(planes, row.spec)
    magnitude = answer.magnitude(samples(planes))
    exact = answer.integral and whole(image)
    compare(row.name, answer, magnitude, exact=exact)
    expected = next(iter(answer.by_tool.values()))
    if row.name in table.PRINTED:
        np.testing.assert_allclose(expected[:, :, 0], table.PRINTED[row.name], atol=0.051)
    return Case(
        name=row.name,
        image_name=row.image,
        image=image,
        spec=row.spec,
        tools=tuple(answer.by_tool),
        terms=answer.terms,
        magnitude=float(f"{magnitude * 1.001:.4g}"),
        exact=exact,
        expected=expected,
    )


def compare(name: str, answer: Answer, magnitude: float, *, exact: bool) -> None:
    """Hold every tool against the first, each by its own precision."""
    (first, expected), *others = answer.by_tool.items()
    for tool, numbers in others:
        lossless = exact and whole(expected) and magnitude < 1 / SINGLE
        roundoff = SINGLE if tool in tools.SINGLE_PRECISION and not lossless else DOUBLE
        bound = 4 * (answer.terms + 4) * roundoff * magnitude
        assert numbers.shape == expected.shape, f"{name}: {tool} {numbers.shape}, {first} {expected.shape}"
        difference = float(np.abs(numbers - expected).max())
        assert difference <= bound, f"{name}: {tool} differs from {first} by {difference:.3g}, not {bound:.3g}"


if __name__ == "__main__":
    main()
