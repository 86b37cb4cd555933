"""How much the server holds of bodies and answers at once: whoever comes beyond that is asked to come again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from service.dispatch.board import Seat
from service.dispatch.errors import QueueFull, Refused

RETRY_AFTER = 1


class Room:
    """Bounds the bytes of all bodies that are being read, wait or are worked on, and of all answers being sent.

    Only bodies are refused: an answer that is there is sent, and no more work is taken in until it has gone. What the
    other servers at the board of `seat` hold counts as well.
    """

    def __init__(self, most: int, refusal: Callable[[int], Refused | None], seat: Seat | None = None) -> None:
        self.most = most
        self._refusal = refusal
        self._seat = seat or Seat.alone()

    @property
    def held(self) -> int:
        """The bytes that are held, here and by the other servers."""
        return self._seat.row.held + self._seat.held_elsewhere()

    def hold(self, size: int) -> None:
        """Hold so many bytes more, or less."""
        self._seat.row.held += size

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
        room.hold(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.hold(-self.size)

    def grow(self, size: int) -> None:
        """Take in more bytes; raises QueueFull where there is no room for them."""
        held, most = self._room.held, self._room.most
        if held + size > most:
            raise QueueFull(
                f"bodies and answers of {held:,} bytes are held already, of at most {most:,} (max_bodies_bytes)",
                RETRY_AFTER,
            )
        self._room.hold(size)
        self.size += size
