"""The process that compiles missing loops while the workers work."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, cast

import structlog

from service.dispatch import Progress, lifeline

Compile = Literal["background", "before", "off"]
"""When to compile: during the work, before it, or never. "off" does not use loops compiled earlier either."""

COMMAND = lifeline.command("warm", "--progress")
NO_COMPILER = 3
"""Exit status if nothing can be compiled: no numba, or no folder for the result."""
PAUSES = (1.0, 5.0, 30.0)
"""Seconds before each new try after one that brought nothing; then it gives up."""
LOOK_SECONDS = 0.25
LAST_WORDS = 4096
LAST_SECONDS = 0.2

log = structlog.get_logger(__name__)


class Compiling:
    """Runs `command` until all parts are on disk, and calls `progress` whenever it prints "K N": K parts of N are.

    If it dies it is started again, and continues where it was. It ends with this process.
    """

    def __init__(self, progress: Callable[[], None], command: Sequence[str] = COMMAND) -> None:
        self.done = self.parts = 0
        self.finished = False
        self.failed = False
        self._progress = progress
        self._command = command
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def so_far(self) -> Progress:
        return Progress(self.done, self.parts, self.finished, self.failed)

    def begin(self) -> None:
        """Compile what is missing; does nothing if that has begun or is not needed."""
        if self._task is None and not self.finished:
            self._task = asyncio.create_task(self._compile())

    def spare(self) -> None:
        """Do not compile: nothing is missing."""
        self.finished = self._task is None or self.finished

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _compile(self) -> None:
        tries = 0
        while True:
            before = self.done
            try:
                status, last_words = await self._run()
            except OSError as error:  # no process can be started
                status, last_words = -1, str(error)
            if status in (0, NO_COMPILER):
                break
            log.warning("compiling_ended", status=status, done=self.done, parts=self.parts, last_words=last_words)
            tries = 0 if self.done > before else tries + 1
            if tries > len(PAUSES):
                log.error("compiling_failed", done=self.done, parts=self.parts)
                self.failed = True
                return
            await asyncio.sleep(PAUSES[max(0, tries - 1)])
        if status == NO_COMPILER:
            log.warning("no_compiler", detail="no loop is compiled; NumPy and SciPy do their work", cause=last_words)
        self.finished = True

    async def _run(self) -> tuple[int, str]:
        """Run the command once; returns its exit status and the end of its standard error."""
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        output, errors = cast(asyncio.StreamReader, process.stdout), cast(asyncio.StreamReader, process.stderr)
        end = asyncio.create_task(_end_of(errors))
        try:
            async for line in output:
                self._note(line)
            return await process.wait(), await end
        finally:
            end.cancel()
            with suppress(ProcessLookupError):
                process.kill()
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):  # its priority is the lowest, so it may take long to end
                    await process.wait()

    def _note(self, line: bytes) -> None:
        words = line.split()
        if len(words) == 2 and all(word.isdigit() for word in words):
            self.done, self.parts = max(self.done, int(words[0])), int(words[1])
            self._progress()


class Following(Compiling):
    """Follows the compiling of another server: `look` returns its progress, or None while that is unknown."""

    def __init__(self, progress: Callable[[], None], look: Callable[[], Progress | None]) -> None:
        super().__init__(progress)
        self._look = look

    async def _compile(self) -> None:
        while not (self.finished or self.failed):
            if seen := self._look():
                self._follow(seen)
            await asyncio.sleep(LOOK_SECONDS)

    def _follow(self, seen: Progress) -> None:
        before = self.done
        self.parts = max(self.parts, seen.parts)
        self.done = max(self.done, seen.done)
        if seen.finished:  # perhaps by the successor of the server that compiled: it did not report the last parts
            self.done = max(self.done, self.parts, 1)
        self.finished, self.failed = seen.finished, seen.failed
        if self.done > before:
            self._progress()


async def _end_of(stream: asyncio.StreamReader) -> str:
    end = b""
    while piece := await stream.read(LAST_WORDS):
        end = (end + piece)[-LAST_WORDS:]
    return end.decode(errors="replace").strip()
