"""The command line. It obeys signals from the first moment: as process 1 of a container, a server would miss them."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line."""
    if "serve" in sys.argv[1:]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end)
    from service.cli import main as run  # noqa: PLC0415 (takes a third of a second)

    run()


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """Exit: nothing has been accepted yet. Later the server handles signals in its own way.

    Raising an exception is not enough: Python ignores those raised in callbacks of imports.
    """
    os._exit(0)


if __name__ == "__main__":
    main()
