"""Find the files below a folder, or of a glob; anything that cannot be read is reported, never left out.

A linked folder is walked like any other, but each folder only once, and under its own name if it has one. A link to a
folder above it is not followed.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from service.batch.failures import Failure

HIDDEN = "."
ANY_DEPTH = "**"
DEAD_LINK = "it is a link to nothing"


class Walk:
    """Finds files below `root`; the folder `target` is skipped, unless it is the root itself.

    `failures` maps each path that cannot be read to its failure.
    """

    def __init__(self, root: str, target: Path) -> None:
        own = _identity(str(target))
        self._own = None if own == _identity(root) else own
        self._root = root
        self.failures: dict[str, Failure] = {}

    def tree(self) -> Iterator[str]:
        """Yield the files in the root and in all folders below it; names that begin with a dot are skipped."""
        for _, files in self._folders(self._root):
            yield from files

    def matches(self, pattern: str) -> list[str]:
        """List the files that match a glob below the root, by the rules of `glob.glob`."""
        prefix = "" if self._root == os.curdir and not pattern.startswith(os.curdir) else self._root
        parts = pattern[len(prefix) :].lstrip(os.sep).split(os.sep)
        return sorted({*self._matches(prefix, parts)})

    def _folders(self, root: str) -> Iterator[tuple[str, list[str]]]:
        """Yield each folder with its files; folders reached through links come last."""
        seen: set[tuple[int, int]] = set()
        linked = [root]
        while linked:
            ahead = [linked.pop(0)]
            while ahead:
                folder = ahead.pop()
                identity = _identity(folder)
                if identity is None or identity in seen or identity == self._own:
                    continue
                seen.add(identity)
                files, folders, links = self._sorted_out(folder)
                ahead += reversed(folders)
                linked += links
                yield folder, files

    def _sorted_out(self, folder: str) -> tuple[list[str], list[str], list[str]]:
        """List the files of a folder, its sub-folders, and those that are links."""
        files: list[str] = []
        folders: list[str] = []
        links: list[str] = []
        for name in self._names(folder):
            path = os.path.join(folder, name)
            mode = 0 if name.startswith(HIDDEN) else self._mode(path)
            if stat.S_ISREG(mode):
                files.append(path)
            elif stat.S_ISDIR(mode):
                (links if os.path.islink(path) else folders).append(path)
        return files, folders, links

    def _matches(self, folder: str, parts: list[str]) -> Iterator[str]:
        part, *rest = parts
        if part == ANY_DEPTH:
            for below, files in self._folders(folder or os.curdir):
                yield from self._matches(below, rest) if rest else files
            return
        for name in self._names(folder or os.curdir) if glob.has_magic(part) else [part]:
            if name != part and (not fnmatchcase(name, part) or name.startswith(HIDDEN) > part.startswith(HIDDEN)):
                continue
            path = os.path.join(folder, name)
            mode = self._mode(path)
            if rest and stat.S_ISDIR(mode) and _identity(path) != self._own:
                yield from self._matches(path, rest)
            elif not rest and stat.S_ISREG(mode):
                yield path

    def _names(self, folder: str) -> list[str]:
        names: list[str] = []
        try:
            with os.scandir(folder) as entries:
                names.extend(entry.name for entry in entries)
        except OSError as error:
            self._fail(folder, "unreadable_folder", f"it cannot be read: {error.strerror}")
        return sorted(names)

    def _mode(self, path: str) -> int:
        """Return the mode of a path, 0 if nothing is there; a dangling link or an unreadable path is a failure."""
        try:
            return os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            if os.path.islink(path):
                self._fail(path, "unreadable_file", DEAD_LINK)
        except OSError as error:
            self._fail(path, "unreadable_file", f"it cannot be read: {error.strerror}")
        return 0

    def _fail(self, path: str, code: str, detail: str) -> None:
        self.failures[path] = Failure(path, code, detail)


def fixed_part(pattern: str) -> str:
    """Return the folders of a pattern before its first wildcard."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or os.curdir


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
