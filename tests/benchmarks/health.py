"""How long /livez takes while something else goes on: `python -m tests.benchmarks.health URL`, beside `hey` or `ab`.

It is asked every 20 ms on a connection that is kept, and on a new one each time, as probes do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from time import perf_counter, sleep
from urllib.parse import urlsplit

GAP_SECONDS = 0.02
PATIENCE = 60.0
PROMISED = 0.05


def ask(connection: HTTPConnection) -> None:
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"/livez answered {answer.status}")


def again(once: Callable[[], None], seconds: float) -> list[float]:
    """Do it every GAP_SECONDS, and give the seconds that each took."""
    took: list[float] = []
    end = perf_counter() + seconds
    while (start := perf_counter()) < end:
        once()
        took.append(perf_counter() - start)
        sleep(max(0.0, GAP_SECONDS - took[-1]))
    return took


def line(name: str, took: list[float]) -> str:
    ordered = sorted(took)
    shares = (f"{1e3 * ordered[int(share * (len(took) - 1))]:.1f}" for share in (0.5, 0.99, 1))
    return f"| {name} | {len(took)} | {' | '.join(shares)} | {sum(each > PROMISED for each in took)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    address = urlsplit(options.url)

    def connect() -> HTTPConnection:
        return HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)

    def anew() -> None:
        with closing(connect()) as connection:
            ask(connection)

    with closing(connect()) as kept, ThreadPoolExecutor(2) as threads:
        names = {"kept": lambda: ask(kept), "new each time": anew}
        asking = {name: threads.submit(again, once, options.seconds) for name, once in names.items()}
    print("| connection | asked | half within, ms | 99 in 100 | all | later than 50 ms |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, took in asking.items():
        print(line(name, took.result()))


if __name__ == "__main__":
    main()
