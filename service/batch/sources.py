"""Find the files of a batch and the place of each result. Nothing is guessed: unclear sources are refused."""

from __future__ import annotations

import glob
import os
import stat
import sys
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from service.batch.failures import Failure, failure
from service.batch.files import HEAD_BYTES, UnreadableFile, mapped
from service.batch.walking import Walk, fixed_part
from service.engine.codecs.sniff import sniff
from service.engine.errors import EngineError, MissingImage, UnsupportedFormat

MOST_NAMED = 10


class BadSources(Exception):
    """The sources make no valid batch; the message says why, with a line for each reason."""


class Item(NamedTuple):
    """A file and where its result goes."""

    source: str
    target: str


class Sources(NamedTuple):
    """The files of a batch, those that cannot be read, and the number found not to be pictures."""

    items: list[Item]
    failures: list[Failure]
    no_pictures: int


def find(source: str, target: Path, suffix: str) -> Sources:
    """List the files of a folder, a glob or a list file, each with its result in the folder `target`.

    Folders are walked recursively, and results go into the same sub-folders; the same holds for a glob, from its first
    part with a wildcard. The results of a list file all go into `target` itself. Names that begin with a dot are
    skipped, and so is `target` if it lies inside. Files are opened only if several of them would have the same result.
    Raises BadSources, and OSError if the source itself cannot be examined.
    """
    if target.exists() and not target.is_dir():
        raise BadSources(f"{shown(target)} exists and is not a folder")
    failures: dict[str, Failure] = {}
    kind = _kind(source)
    if stat.S_ISDIR(kind):
        if target.exists() and os.path.samefile(source, target):
            raise BadSources(f"{shown(source)} is both source and destination: results would be taken for sources")
        walk = Walk(source, target)
        items = [_placed(path, source, target, suffix) for path in walk.tree()]
        failures = walk.failures
    elif stat.S_ISREG(kind):
        items = [Item(path, _join(target, Path(path).name, suffix)) for path in _listed(source)]
    elif glob.has_magic(source):
        root = fixed_part(source)
        walk = Walk(root, target)
        items = [_placed(path, root, target, suffix) for path in walk.matches(source)]
        failures = walk.failures
        if not items and not failures:
            raise BadSources(f"no file matches {shown(source)}")
    else:
        raise BadSources(f"there is no {shown(source)}; give a folder, a glob or a file that lists paths")
    pictures, no_pictures = _sorted_out(items, failures)
    _check_targets(pictures)
    return Sources(pictures, [*failures.values()], no_pictures)


def _kind(source: str) -> int:
    try:
        return os.stat(source).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _sorted_out(items: list[Item], failures: dict[str, Failure]) -> tuple[list[Item], int]:
    """Examine the files that would have the same result: one that is not a picture, or cannot be read, has none."""
    count = Counter(item.target for item in items)
    kept, no_pictures = [], 0
    for item in items:
        if count[item.target] > 1:
            try:
                _look(item.source)
            except UnsupportedFormat:
                no_pictures += 1
                continue
            except (UnreadableFile, MissingImage) as error:
                failures[item.source] = failure(item.source, error)
                continue
        kept.append(item)
    return kept, no_pictures


def shown(path: str | Path) -> str:
    """Write a path in printable form and on one line, whatever its bytes."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _look(path: str) -> None:
    """Check that a file is a picture, even a damaged or too large one; raises an error that says why it is not."""
    data = mapped(path, sys.maxsize)
    if not len(data):
        raise MissingImage("the image is empty")
    sniff(data)


def _listed(path: str) -> Iterator[str]:
    """Read a list: UTF-8, one path per line, relative to the working directory; empty lines are skipped.

    A byte order mark at the beginning, as editors on Windows write it, is not part of a path.
    """
    with open(path, "rb") as stream:
        head = stream.read(HEAD_BYTES)
        if _is_image(head):
            raise BadSources(f"{shown(path)} is an image, but a list of paths is expected here; `run` takes one image")
        stream.seek(len(BOM_UTF8) if head.startswith(BOM_UTF8) else 0)
        for number, line in enumerate(stream, 1):
            if b"\0" in line:
                raise BadSources(f"{shown(path)} is not a list of paths: line {number} contains a zero byte")
            if line := line.rstrip(b"\r\n"):
                yield os.fsdecode(line)


def _is_image(head: bytes) -> bool:
    try:
        sniff(head)
    except EngineError:
        return False
    return True


def _placed(path: str, root: str, target: Path, suffix: str) -> Item:
    return Item(path, _join(target, os.path.relpath(path, root), suffix))


def _join(target: Path, name: str, suffix: str) -> str:
    relative = Path(name)
    return str(target / relative.parent / (relative.stem + suffix))


def _check_targets(items: list[Item]) -> None:
    """Refuse results that would be the same file, or would overwrite a source."""
    first: dict[str, str] = {}
    faults: list[str] = []
    for item in items:
        other = first.setdefault(item.target, item.source)
        if other is not item.source:
            faults.append(f"{shown(other)} and {shown(item.source)} would both become {shown(item.target)}")
    sources = {os.path.realpath(item.source) for item in items} if _nested(items) else set()
    faults += [
        f"the result of {shown(item.source)} would be {shown(item.target)}, which is a source itself"
        for item in items
        if os.path.realpath(item.target) in sources
    ]
    if faults:
        more = len(faults) - MOST_NAMED
        raise BadSources("\n".join(faults[:MOST_NAMED] + ([f"and {more} more"] if more > 0 else [])))


def _nested(items: list[Item]) -> bool:
    """Tell whether a source lies in a folder of results; if not, there is no need to examine every file."""
    folders = {os.path.realpath(os.path.dirname(item.target)) for item in items}
    return any(folder in folders for folder in {os.path.realpath(os.path.dirname(item.source)) for item in items})
