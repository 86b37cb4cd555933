"""Which files a batch is about, and where the result of each goes. Nothing is guessed: what is unclear is refused."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from service.engine.codecs.sniff import sniff
from service.engine.errors import EngineError

HIDDEN = "."
MOST_NAMED = 10
SNIFFED_BYTES = 4096


class BadSources(Exception):
    """There is no such batch; the message says why, over several lines where there is more than one reason."""


class Item(NamedTuple):
    """A file and where its result goes."""

    source: str
    target: str


def find(source: str, target: Path, suffix: str) -> list[Item]:
    """List the files of a folder, a glob or a list file, each with its result in the folder `target`.

    Folders are walked through with all that is in them, and the results are put into the same sub-folders; so it is
    with a glob, from its first part that has a wildcard. The results of a list file all go into `target` itself. Names
    that begin with a dot are passed over, and so is `target` where it lies inside. Raises BadSources.
    """
    if target.exists() and not target.is_dir():
        raise BadSources(f"{shown(target)} is there and is no folder")
    if os.path.isdir(source):
        if target.exists() and os.path.samefile(source, target):
            raise BadSources(f"{shown(source)} is both source and destination: results would be taken for sources")
        items = [_placed(path, source, target, suffix) for path in _walk(source, target)]
    elif os.path.isfile(source):
        items = [Item(path, _join(target, Path(path).name, suffix)) for path in _listed(source)]
    elif glob.has_magic(source):
        root = _fixed_part(source)
        items = [_placed(path, root, target, suffix) for path in _matches(source, target)]
        if not items:
            raise BadSources(f"no file matches {shown(source)}")
    else:
        raise BadSources(f"there is no {shown(source)}: neither a folder, nor a list file, nor a glob")
    _check_targets(items)
    return items


def shown(path: str | Path) -> str:
    """Write a path so that it can be printed, whatever bytes it is made of, and stays on one line."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _walk(folder: str, target: Path) -> Iterator[str]:
    own = target.resolve()
    for parent, folders, files in os.walk(folder):
        kept = (name for name in folders if not name.startswith(HIDDEN))
        folders[:] = sorted(name for name in kept if Path(parent, name).resolve() != own)
        paths = (os.path.join(parent, name) for name in sorted(files) if not name.startswith(HIDDEN))
        yield from (path for path in paths if os.path.isfile(path))


def _matches(pattern: str, target: Path) -> Iterator[str]:
    """Give the files that match, but for those of the target when it lies below the pattern's root."""
    own, root = target.resolve(), Path(_fixed_part(pattern)).resolve()
    inside = root in own.parents
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isfile(path) and not (inside and Path(path).resolve().is_relative_to(own)):
            yield path


def _fixed_part(pattern: str) -> str:
    """Give the folders of a pattern before its first wildcard."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or os.curdir


def _listed(path: str) -> Iterator[str]:
    """Read a list: UTF-8, one path a line, relative to the working directory; empty lines are passed over."""
    with open(path, "rb") as stream:
        head = stream.read(SNIFFED_BYTES)
        if _is_image(head):
            raise BadSources(f"{shown(path)} is an image; a list of paths is expected here, and `run` takes one image")
        stream.seek(0)
        for number, line in enumerate(stream, 1):
            if b"\0" in line:
                raise BadSources(f"{shown(path)} is no list of paths: line {number} holds a zero byte")
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
    """Refuse results that would be one and the same file, or would overwrite a source."""
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
    """Tell whether a source lies in a folder into which results go, which spares looking at every file otherwise."""
    folders = {os.path.realpath(os.path.dirname(item.target)) for item in items}
    return any(folder in folders for folder in {os.path.realpath(os.path.dirname(item.source)) for item in items})
