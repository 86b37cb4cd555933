"""Asks /livez over and over, in a process of its own, so that what is measured is the server and not the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Event, Thread
from time import perf_counter, sleep
from urllib.parse import urlsplit

GAP = 0.01
PATIENCE = 60


@dataclass
class Health:
    """How long /livez took, each time; filled in when the measuring ends."""

    seconds: list[float] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        return max(self.seconds)

    def within(self, share: float) -> float:
        """Give the seconds within which so large a share of the answers came."""
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]


@contextmanager
def measuring(url: str, *, cut: bool = False) -> Iterator[Health]:
    """Measure for as long as the context lasts; raises where /livez failed once.

    With `cut` the connection may be cut, and is opened anew: what comes of that is measured as one answer.
    """
    health = Health()
    process = subprocess.Popen(
        [sys.executable, __file__, url, "cut" if cut else ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield health
    finally:
        output, _ = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 0
    health.seconds += map(float, output.split())


def ask(connection: HTTPConnection) -> HTTPResponse:
    connection.request("GET", "/livez")
    response = connection.getresponse()
    response.read()
    return response


def main() -> None:
    """Print the seconds of each answer, until standard input ends."""
    ended = Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    Thread(target=wait, daemon=True).start()
    address = urlsplit(sys.argv[1])
    connection = HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)
    while not ended.is_set():
        start = perf_counter()
        try:
            response = ask(connection)
        except (HTTPException, ConnectionError):
            if not sys.argv[2]:
                raise
            connection.close()
            response = ask(connection)
        print(perf_counter() - start)
        if response.status != 200:
            raise SystemExit(f"/livez answered {response.status}")
        sleep(GAP)


if __name__ == "__main__":
    main()
