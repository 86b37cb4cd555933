"""Bound the memory of all bodies and answers that the server holds at once; beyond that, clients must try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from service.dispatch.board import Seat
from service.dispatch.errors import QueueFull, Refused

RETRY_AFTER = 1


class Room:
    """Bounds the bytes of all bodies being read, waiting or being processed, and of all answers being sent.

    Only bodies are refused: a finished answer is sent, and no more work is accepted until its bytes are released. Bytes
    held by the other servers at the board of `seat` count too.
    """

    def __init__(self, most: int, refusal: Callable[[int], Refused | None], seat: Seat | None = None) -> None:
        self.most = most
        self._refusal = refusal
        self._seat = seat or Seat.alone()

    @property
    def held(self) -> int:
        """The bytes held here and by the other servers."""
        return self._seat.row.held + self._seat.held_elsewhere()

    def hold(self, size: int) -> None:
        """Hold `size` more bytes, or fewer if it is negative."""
        self._seat.row.held += size

    def upload(self, announced: int) -> Held:
        """Begin to hold a body; raises QueueFull or ShuttingDown before any of it is read.

        `announced` is its size, or 0 if unknown.
        """
        if refusal := self._refusal(announced):
            raise refusal
        return Held(self)

    def answer(self, size: int) -> Held:
        return Held(self, size)


class Held:
    """The bytes received of a request, or its answer: held as long as the context lasts."""

    def __init__(self, room: Room, size: int = 0) -> None:
        self.size = size
        self._room = room
        room.hold(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.hold(-self.size)

    def grow(self, size: int) -> None:
        """Hold more bytes; raises QueueFull if there is no room for them."""
        held, most = self._room.held, self._room.most
        if held + size > most:
            raise QueueFull(
                f"bodies and answers of {held:,} bytes are held already, of at most {most:,} (max_bodies_bytes)",
                RETRY_AFTER,
            )
        self._room.hold(size)
        self.size += size
