"""Memory that all servers of one service share, with a row for each, to tell each other how they are.

Only its own server writes a row, and the parent once that server has ended, so nothing is locked. Numbers are written
and read whole. A text may be read while it is being written; its checksum shows that.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

ROW_BYTES = 4096
CELLS = 16
_CELL_BYTES = 8
_TEXT_HEAD = struct.Struct("=II")
_TEXT_FROM = CELLS * _CELL_BYTES + _TEXT_HEAD.size
MOST_TEXT = ROW_BYTES - _TEXT_FROM
TRIES = 100


class _Cell:
    """An integer in a row."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, row: Row, owner: type[Row] | None = None) -> int:
        return row.cells[self._place]

    def __set__(self, row: Row, value: int) -> None:
        row.cells[self._place] = value


class Row:
    """The state of one server: open connections, jobs accepted and not finished, bytes of bodies held.

    `process` is its process id, or 0 before it has written anything and after it has ended. `taken` counts the
    connections that it has accepted, `open` is 1 while it can have work done, and `beats` grows as long as its event
    loop turns.
    """

    process = _Cell(0)
    connections = _Cell(1)
    jobs = _Cell(2)
    held = _Cell(3)
    taken = _Cell(4)
    open = _Cell(5)
    beats = _Cell(6)

    def __init__(self, memory: memoryview) -> None:
        self.cells = memory[: CELLS * _CELL_BYTES].cast("q")
        self._memory = memory

    def tell(self, text: bytes) -> None:
        """Replace the row's text; raises ValueError if it is too long."""
        if len(text) > MOST_TEXT:
            raise ValueError(f"{len(text):,} bytes, of at most {MOST_TEXT:,}")
        self._memory[_TEXT_FROM : _TEXT_FROM + len(text)] = text
        _TEXT_HEAD.pack_into(self._memory, _TEXT_FROM - _TEXT_HEAD.size, len(text), zlib.crc32(text))

    def told(self) -> bytes:
        """Read the row's text; empty if there is none, or if its writer died while writing it."""
        for _ in range(TRIES):
            size, checksum = _TEXT_HEAD.unpack_from(self._memory, _TEXT_FROM - _TEXT_HEAD.size)
            text = bytes(self._memory[_TEXT_FROM : _TEXT_FROM + min(size, MOST_TEXT)])
            if zlib.crc32(text) == checksum:
                return text
        return b""

    def clear(self) -> None:
        """Note that the server has ended and holds nothing. Its last text stays, for its successor."""
        for place in range(CELLS):
            self.cells[place] = 0


class Board:
    """The rows of all servers, and what the parent adds: how many it replaced, and their processor time in µs."""

    def __init__(self, memory: mmap.mmap) -> None:
        view = memoryview(memory)
        parents, *rows = (view[start : start + ROW_BYTES] for start in range(0, len(view), ROW_BYTES))
        self._parents = parents.cast("q")
        self.rows: Sequence[Row] = [Row(row) for row in rows]

    @classmethod
    def alone(cls) -> Board:
        """Make a board for a service of one process."""
        return cls(mmap.mmap(-1, 2 * ROW_BYTES))

    @classmethod
    def make(cls, file: Path, servers: int) -> Board:
        """Make a board in a file: processes forked later share it, and other processes may open it."""
        file.write_bytes(bytes((1 + servers) * ROW_BYTES))  # written in full, so a full disk shows now
        return cls.open(file)

    @classmethod
    def open(cls, file: Path) -> Board:
        with file.open("r+b") as opened:
            return cls(mmap.mmap(opened.fileno(), 0))

    @property
    def replaced(self) -> int:
        return self._parents[0]

    @replaced.setter
    def replaced(self, count: int) -> None:
        self._parents[0] = count

    @property
    def spent(self) -> int:
        return self._parents[1]

    @spent.setter
    def spent(self, microseconds: int) -> None:
        self._parents[1] = microseconds


class Seat:
    """One server's place on a board."""

    def __init__(self, board: Board, number: int) -> None:
        self.board = board
        self.number = number
        self.row = board.rows[number]
        self.others = [row for row in board.rows if row is not self.row]

    @classmethod
    def alone(cls) -> Seat:
        return cls(Board.alone(), 0)

    def share(self, whole: int) -> int:
        """Return this server's part of `whole`: the parts add up to it and differ by at most one."""
        servers = len(self.board.rows)
        return whole // servers + (self.number < whole % servers)

    def jobs_elsewhere(self) -> int:
        return sum(row.jobs for row in self.others)

    def held_elsewhere(self) -> int:
        return sum(row.held for row in self.others)
