"""Start only a few requests in each turn of the event loop, however many come at once, so health checks get answers."""

from __future__ import annotations

import asyncio
from collections import deque

IN_A_TURN = 4
"""Which take some 2 ms."""


class Turns:
    """Lets a few requests pass in each turn of the loop; the others follow in order of arrival."""

    def __init__(self, most: int = IN_A_TURN) -> None:
        self._most = self._left = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Continue at once, or wait for a later turn."""
        loop = asyncio.get_running_loop()
        if self._left == self._most:
            loop.call_soon(self._begin)
        if self._left:
            self._left -= 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _begin(self) -> None:
        """Begin a turn: waiting requests come first."""
        self._left = self._most
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        if self._left < self._most:
            asyncio.get_running_loop().call_soon(self._begin)
