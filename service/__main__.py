"""The command line, of which a server obeys signals from its first moment: process 1 of a container would miss them."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line."""
    if "serve" in sys.argv[1:]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
    from service.cli import main as run  # noqa: PLC0415 (takes a third of a second)

    run()


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """End: nothing has been accepted yet. Later the server takes signals its own way.

    An exception might be lost: Python ignores those that are raised in the callbacks of imports.
    """
    os._exit(0)


if __name__ == "__main__":
    main()
