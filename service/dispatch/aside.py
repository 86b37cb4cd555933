"""Calls that block, made in a thread which the end of the program does not wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Aside:
    """One thread, which makes one call after another. A ThreadPoolExecutor's would be joined at the end."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._starting = threading.Lock()

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Wait for the call; whoever is cancelled leaves it to run on, unless it has not begun."""
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()
        future: Future[T] = Future()

        def make() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(*arguments))
                except BaseException as error:
                    future.set_exception(error)

        self._calls.put(make)
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while True:
            self._calls.get()()
