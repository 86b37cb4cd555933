"""`python -m tests.fuzz png --minutes 5`: changes what a target reads until the time is over, or a promise is broken.

Atheris leads the changes by what code they reach, where it is installed (`make fuzz` does that); elsewhere hypothesis
draws them. What is found is kept in build/fuzz, and the input that broke a promise in build/fuzz/<target>/broken;
`python -m tests.fuzz png FILE` tries it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

FOLDER = Path("build/fuzz")
INSTRUMENTED = ["service", "multipart"]
SLOWEST = 30
"""Seconds for one input."""
MOST_MEGABYTES = 3000
ROUND = 500
"""Examples that hypothesis draws before it looks at the clock."""
NAMES = ("png", "npy", "picture", "spec", "form")


def by_atheris(target: str, seconds: int, folder: Path) -> None:
    """End the process, with status 0 where nothing was found."""
    import atheris  # noqa: PLC0415 -- may be absent

    loops = Path("service/engine/loops")  # numba would compile them anew, for minutes, with the counters in them
    compiled = [".".join(path.with_suffix("").parts) for path in sorted(loops.rglob("*.py"))]
    with atheris.instrument_imports(include=INSTRUMENTED, exclude=compiled):
        test = target_of(target)
        from tests.fuzz import seeds  # noqa: PLC0415 -- imports the service

    seeds.write(target, folder / "corpus")
    options = (
        f"-max_total_time={seconds}",
        f"-max_len={2 * seeds.LARGEST}",
        f"-timeout={SLOWEST}",
        f"-report_slow_units={SLOWEST}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-artifact_prefix={folder / 'broken'}/",
        "-print_final_stats=1",
    )
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], test)
    atheris.Fuzz()


def by_hypothesis(target: str, seconds: int, folder: Path) -> None:
    """Draw round after round, each with a seed of its own."""
    from hypothesis import HealthCheck, given, seed, settings  # noqa: PLC0415

    test = target_of(target)
    from tests.fuzz import seeds  # noqa: PLC0415
    from tests.fuzz.changes import changed  # noqa: PLC0415

    tried = 0

    def keeping(data: bytes) -> None:
        nonlocal tried
        tried += 1
        try:
            test(data)
        except BaseException:  # the last one written is the smallest
            (folder / "broken" / "hypothesis").write_bytes(data)
            raise

    drawn = given(changed(seeds.small(target)))
    calm = settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    end = monotonic() + seconds
    number = int.from_bytes(os.urandom(4), "big")
    while monotonic() < end:
        seed(number)(calm(drawn(keeping)))()
        number += 1
    print(f"{target}: {tried:,} inputs, drawn by hypothesis; no promise was broken")


def target_of(name: str) -> Callable[[bytes], None]:
    """Import a target, and set this process up as a worker is."""
    from service.engine import codecs  # noqa: PLC0415 -- atheris instruments what is imported when it says so
    from service.engine.machine import compiled  # noqa: PLC0415 -- atheris instruments what is imported when it says so

    codecs.own_process()
    warnings.simplefilter("error")
    if os.environ.get("CONVSERVE_COMPILE") == "off":
        compiled.forget()
    else:
        compiled.load()
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    return TARGETS[name]


def main(arguments: list[str] | None = None) -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("files", nargs="*", type=Path, help="try these instead of drawing any")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--by", choices=("atheris", "hypothesis"), default=None)
    given = parser.parse_args(arguments)
    if given.files:
        test = target_of(given.target)
        for file in given.files:
            test(file.read_bytes())
        return
    folder = FOLDER / given.target
    (folder / "broken").mkdir(parents=True, exist_ok=True)
    way = given.by or ("atheris" if find_spec("atheris") else "hypothesis")
    print(f"{given.target}: {given.minutes:g} minutes by {way}", flush=True)
    (by_atheris if way == "atheris" else by_hypothesis)(given.target, round(60 * given.minutes), folder)


if __name__ == "__main__":
    main()
