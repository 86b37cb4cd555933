"""Time whole requests and single algorithms against the peers that are installed: `make bench`.

All contenders of a cell run in turns, each with as many threads as the machine has processors; figures are medians.
Servers have what they take by default, and two worker processes the peer.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they pin an old kernel; read when NumPy is imported
    os.environ.pop(name, None)
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in a worker: tiles are computed side by side

from service.engine.machine import compiled  # noqa: E402
from service.heap import keep_memory  # noqa: E402
from tests.benchmarks import LEVEL, codec_cells, engine_cells, http_cells, report, servers, services  # noqa: E402
from tests.benchmarks.calibrate import machine  # noqa: E402
from tests.benchmarks.cells import chosen, run  # noqa: E402
from tests.benchmarks.peers import Peers  # noqa: E402
from tests.benchmarks.pictures import photographs, sized  # noqa: E402
from tests.benchmarks.report import Row  # noqa: E402

PARTS = ("engine", "codec", "http")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--pictures", type=Path, help="a folder of photographs; without it, the one of the docs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure; all by default")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="cells with one of these in their name")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each cell, about")
    parser.add_argument(
        "--one-thread", action="store_true", help="one thread each, in processor time: where other work disturbs"
    )
    parser.add_argument(
        "--servers", action="store_true", help="only: what a request costs servers and workers, in processor time"
    )
    options = parser.parse_args()
    if options.servers:
        print(f"{machine()}; processor time; load when it began: {os.getloadavg()[0]:.1f}")
        servers.run(sized(next(iter(photographs(options.pictures).values())), 1920, 1200), options.seconds)
        return
    if os.environ.get("CONVSERVE_COMPILE") != "off":
        compiled.load()
    keep_memory()  # as in a worker, and for the peers as well

    found = Peers(1 if options.one_thread else os.cpu_count() or 1)
    clock = "processor time" if options.one_thread else "time on the wall"
    floor = f"{LEVEL}, compiled {compiled.share():.0%}"
    about = (
        f"{machine()}; level {floor}; threads: {found.threads}; {clock}; load when it began: {os.getloadavg()[0]:.1f}"
    )
    print(about)
    if found.absent:
        print(f"Absent: {', '.join(found.absent)} (pip install -e '.[bench]')")
    if "http" in options.parts and not services.has_sharp():
        print("Absent: sharp (npm install sharp; NODE_PATH names its folder node_modules)")
    before, rows = report.last_run(), list[Row]()
    for part in options.parts:
        print(f"\n{part}\n")
        own = []
        for row in measured(part, found, options):
            own.append(row)
            ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
            print(f"  {row.cell}: {report.figure(row.ours)} {row.unit}, {ratio}", flush=True)
        rows += own
        print(f"\n{report.table(own, before)}\n\n{report.summary(own)}")
    print(f"\nAll: {report.summary(rows)}")
    report.keep(rows, {"machine": about})


def measured(part: str, found: Peers, options: argparse.Namespace) -> Iterator[Row]:
    pictures = photographs(options.pictures)
    first = sized(next(iter(pictures.values())), 1920, 1200)
    if part == "http":
        yield from http_cells.rows(first, found, options.only, options.seconds)
        return
    cells = engine_cells.cells(first, found) if part == "engine" else codec_cells.cells(pictures, found)
    for cell in chosen(cells, options.only):
        yield run(cell, options.seconds, process_time if options.one_thread else perf_counter)


main()
