"""Time whole requests and single algorithms against the peers that are installed: `make bench`.

All contenders of a cell run in turns, each with as many threads as the machine has processors; figures are medians.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they pin an old kernel; read when NumPy is imported
    os.environ.pop(name, None)

from tests.benchmarks import codec_cells, engine_cells, http_cells, peers, report  # noqa: E402
from tests.benchmarks.calibrate import machine  # noqa: E402
from tests.benchmarks.cells import chosen, run  # noqa: E402
from tests.benchmarks.pictures import photographs, sized  # noqa: E402
from tests.benchmarks.report import Row  # noqa: E402

PARTS = ("engine", "codec", "http")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--pictures", type=Path, help="a folder of photographs; without it, the one of the docs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure; all by default")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="cells with one of these in their name")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each cell, about")
    options = parser.parse_args()

    found = peers.load()
    about = f"{machine()}, {peers.THREADS} threads; load when it began: {os.getloadavg()[0]:.1f}"
    print(about)
    if missing := peers.absent(found):
        print(f"Absent: {', '.join(missing)} (pip install -e '.[bench]')")
    before, rows = report.last_run(), list[Row]()
    for part in options.parts:
        print(f"\n{part}\n")
        own = []
        for row in measured(part, options):
            own.append(row)
            ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
            print(f"  {row.cell}: {report.figure(row.ours)} {row.unit}, {ratio}", flush=True)
        rows += own
        print(f"\n{report.table(own, before)}\n\n{report.summary(own)}")
    print(f"\nAll: {report.summary(rows)}")
    report.keep(rows, {"machine": about})


def measured(part: str, options: argparse.Namespace) -> Iterator[Row]:
    pictures, found = photographs(options.pictures), peers.load()
    first = sized(next(iter(pictures.values())), 1920, 1200)
    if part == "http":
        yield from http_cells.rows(first, found, options.only, options.seconds)
        return
    cells = engine_cells.cells(first, found) if part == "engine" else codec_cells.cells(pictures, found)
    for cell in chosen(cells, options.only):
        yield run(cell, options.seconds)


main()
