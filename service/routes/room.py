"""How much the server holds of bodies and answers at once: whoever comes beyond that is asked to come again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from service.dispatch.errors import QueueFull, Refused

RETRY_AFTER = 1


class Room:
    """Bounds the bytes of all bodies that are being read, wait or are worked on, and of all answers being sent.

    Only bodies are refused: an answer that is there is sent, and no more work is taken in until it has gone.
    """

    def __init__(self, most: int, refusal: Callable[[int], Refused | None]) -> None:
        self.most = most
        self.held = 0
        self._refusal = refusal

    def upload(self, announced: int) -> Held:
        """Begin to hold a body; raises QueueFull or ShuttingDown before any of it is read.

        `announced` is its size, if that is known, or else 0.
        """
        if refusal := self._refusal(announced):
            raise refusal
        return Held(self)

    def answer(self, size: int) -> Held:
        return Held(self, size)


class Held:
    """What a request has brought so far, or its answer: held for as long as the context lasts."""

    def __init__(self, room: Room, size: int = 0) -> None:
        self.size = size
        self._room = room
        room.held += size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.held -= self.size

    def grow(self, size: int) -> None:
        """Take in more bytes; raises QueueFull where there is no room for them."""
        if self._room.held + size > self._room.most:
            held, most = self._room.held, self._room.most
            raise QueueFull(
                f"bodies and answers of {held:,} bytes are held already, of at most {most:,} (max_bodies_bytes)",
                RETRY_AFTER,
            )
        self._room.held += size
        self.size += size
