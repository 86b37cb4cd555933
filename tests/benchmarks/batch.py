"""How fast batches are, and how much memory they take: `python -m tests.benchmarks.batch`.

Ten thousand small pictures and a few dozen large ones, on one worker and on two: on processes of this machine, and on
Dask workers of one thread each, which are started on loopback. Prints a table in Markdown. Seconds mean something on an
otherwise idle machine, which the load tells; the CPU time is that of all processes, the scheduler and its workers too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from tests.live import ROOT

SPEC = b'{"op": "blur", "sigma": 2}'
PYTHON = (sys.executable, "-m")
SUMMARY = re.compile(r"([\d,]+) made, .* in ([\d.]+) s")


def main(
    small: Annotated[int, typer.Option(help="Pictures of 64x64, a PNG each.")] = 10_000,
    large: Annotated[int, typer.Option(help="Pictures of 1920x1200, a JPEG each.")] = 60,
    few: Annotated[int, typer.Option(help="Small pictures where one worker is compared with two.")] = 1_000,
) -> None:
    """Measure all, one after the other."""
    with tempfile.TemporaryDirectory(prefix="convserve-batch-") as name:
        folder = Path(name)
        (folder / "spec.json").write_bytes(SPEC)
        fill(folder / "small", small, "PNG", 64, 64)
        fill(folder / "few", few, "PNG", 64, 64)
        fill(folder / "large", large, "JPEG", 1920, 1200)
        row("pictures", "workers", "files", "seconds", "files/s", "CPU ms a file", "peak of the batch process", "load")
        row(*["---"] * 8)
        measure(folder, "small", "2 local", "--workers", "2")
        for workers in (1, 2):
            measure(folder, "few", f"{workers} local", "--workers", str(workers))
            measure(folder, "large", f"{workers} local", "--workers", str(workers))
        for workers in (1, 2):
            with farm(folder, workers) as address:
                run(folder, "few", "--scheduler", address)  # the workers get ready
                measure(folder, "few", f"{workers} Dask", "--scheduler", address)
                measure(folder, "large", f"{workers} Dask", "--scheduler", address)


def fill(folder: Path, count: int, form: str, width: int, height: int) -> None:
    """Make a folder of pictures, smooth and with some noise."""
    folder.mkdir()
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 6, height))
    smooth = 128 + 90 * np.sin(x)[..., None] * np.cos(y + np.arange(3)[:, None, None]).transpose(1, 2, 0)
    noise = np.random.default_rng(0).normal(0, 4, (height, width, 3))
    stream = BytesIO()
    Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8)).save(stream, form)
    for number in range(count):
        (folder / f"{number:05}.{form.lower()}").write_bytes(stream.getvalue())


def measure(folder: Path, source: str, who: str, *options: str) -> None:
    before = usage()
    output, peak, after = run(folder, source, *options)
    if not (found := SUMMARY.search(output)):
        raise SystemExit(output)
    files, seconds = int(found[1].replace(",", "")), float(found[2])
    spent = sum(after.values()) - sum(before.values())
    cells = f"{files:,}", f"{seconds:.1f}", f"{files / seconds:.3g}", f"{1000 * spent / files:.3g}", f"{peak >> 20} MiB"
    row(source, who, *cells, f"{os.getloadavg()[0]:.1f}")


def run(folder: Path, source: str, *options: str) -> tuple[str, int, dict[int, float]]:
    """Run a batch; gives what it prints, its peak of resident memory, and the CPU time of all processes."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        command = [
            *PYTHON,
            "service",
            "batch",
            str(folder / source),
            out,
            "--spec",
            str(folder / "spec.json"),
            *options,
        ]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            peak, spent = 0, usage()
            while process.poll() is None:
                peak = max(peak, resident_peak(process.pid))
                spent |= usage()
                time.sleep(0.05)
            return process.communicate()[0], peak, spent


def usage() -> dict[int, float]:
    """Give the CPU seconds of every process that descends from this one."""
    ticks = os.sysconf("SC_CLK_TCK")
    spent: dict[int, float] = {}
    for pid in descendants(os.getpid()):
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
            spent[pid] = (int(fields[11]) + int(fields[12])) / ticks
    return spent


def descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text(encoding="ascii").split()):
                yield child
                yield from descendants(child)


def resident_peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) << 10 if found else 0


@contextmanager
def farm(folder: Path, workers: int) -> Iterator[str]:
    """Give the address of a Dask scheduler with so many workers of one thread."""
    processes: list[subprocess.Popen[bytes]] = []
    log = folder / f"scheduler-{workers}.log"

    def begin(*arguments: str) -> None:
        with log.open("ab") as stream:
            command = [*PYTHON, "dask", *arguments]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            processes.append(subprocess.Popen(command, cwd=folder, env=environment, stdout=stream, stderr=stream))

    try:
        begin("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
        while not (found := re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text(encoding="utf-8"))):
            time.sleep(0.1)
        for _ in range(workers):
            begin("worker", found[1], "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder))
        yield found[1]
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def row(*cells: str) -> None:
    typer.echo(f"| {' | '.join(cells)} |")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
