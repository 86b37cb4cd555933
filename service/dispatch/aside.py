"""Blocking calls, made in a thread that does not delay the end of the program."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Aside:
    """One thread that makes one call after another. At exit, Python would wait for those of a ThreadPoolExecutor."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._starting = threading.Lock()

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Wait for the call; if the caller is cancelled, a call that has begun runs on."""
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
