"""Machine code on disk: a file for each loop, types of its arguments and processor level.

It is void once any file of loops changes. Files are known by what they contain, not by when they were written: what is
kept can be carried to another clone.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4
from warnings import warn

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)
from numba.core.serialize import dumps

SUFFIX = ".loop"
DIGEST_BYTES = 32


class _Filled(InTreeCacheLocator):
    """The folder beside the source, filled by an image build and read-only since: numba would not look into it."""

    def ensure_cache_path(self) -> None:
        if not any(Path(self.get_cache_path()).glob(f"*{SUFFIX}")):  # type: ignore[no-untyped-call]
            raise FileNotFoundError


_PLACES: tuple[Any, ...] = UserProvidedCacheLocator, InTreeCacheLocator, _Filled, UserWideCacheLocator
"""Numba's own places, and before the user's folder the filled one."""


class _Pickled(CompileResultCacheImpl):
    """Numba's way to make something of its results that can be pickled; where that is kept is decided here."""

    def __init__(self) -> None:
        """Look for no place."""


class Kept:
    """What is kept of one function; nothing if there is no folder at all."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._folder = _folder(function)
        self._sources = _sources(function.__code__.co_filename) if self._folder else b""

    def load(self, arguments: Sequence[Any], target: Any) -> Any:
        """Give numba's result for these types of arguments; None if it has to be compiled."""
        if self._folder is None:
            return None
        target.refresh()
        try:
            content = (self._folder / self._name(arguments, target)).read_bytes()
        except OSError:
            return None
        code = content[DIGEST_BYTES:]
        if content[:DIGEST_BYTES] != self._digest(code):
            return None
        try:
            result = _Pickled().rebuild(target, pickle.loads(code))  # type: ignore[no-untyped-call] # noqa: S301
        except (AttributeError, ImportError):  # it names something that another package no longer has
            return None
        return result if result.signature.args == tuple(arguments) else None

    def save(self, result: Any) -> None:
        """Keep numba's result, for other processes too; it is no error if that fails."""
        if self._folder is None:
            return
        if result.library.has_dynamic_globals:
            warn(f"{self._function.__qualname__} is not kept: it holds addresses of this process", stacklevel=2)
            return
        code = dumps(_Pickled().reduce(result))  # type: ignore[no-untyped-call]
        file = self._folder / self._name(result.signature.args, result.target_context)
        written = file.with_name(f"{file.name}.{uuid4().hex}")
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                written.write_bytes(self._digest(code) + code)
                written.replace(file)  # in one step: another process finds the old file or the whole new one
            finally:
                written.unlink(missing_ok=True)

    def _name(self, arguments: Sequence[Any], target: Any) -> str:
        cells = tuple(cell.cell_contents for cell in self._function.__closure__ or ())
        made_for = repr((*arguments, *target.codegen().magic_tuple())).encode()
        key = sha256(made_for + (dumps(cells) if cells else b"")).hexdigest()[:16]  # type: ignore[no-untyped-call]
        name = f"{Path(self._function.__code__.co_filename).stem}.{self._function.__qualname__}"
        return f"{name.replace('<locals>.', '')}.{key}.{sys.implementation.cache_tag}{SUFFIX}"

    def _digest(self, code: bytes) -> bytes:
        """Sum up what the code is made of and the code itself: neither other sources nor a damaged file fit."""
        line = self._function.__code__.co_firstlineno
        return sha256(f"{numba.__version__} {line} ".encode() + self._sources + code).digest()


_folders: dict[str, Path | None] = {}


def _folder(function: Callable[..., Any]) -> Path | None:
    """Find the folder for what the functions of a file are compiled to."""
    file = function.__code__.co_filename
    if file not in _folders:
        places = _PLACES if Path(file).exists() else ()
        found = next(filter(None, (place.from_function(function, file) for place in places)), None)
        _folders[file] = Path(found.get_cache_path()) if found else None
    return _folders[file]


def folders() -> frozenset[str]:
    """Name the folders where what is compiled is kept; none where there is nowhere to keep it."""
    return frozenset(str(folder) for folder in _folders.values() if folder)


@cache
def _sources(file: str) -> bytes:
    return _loops() + sha256(Path(file).read_bytes()).digest()


@cache
def _loops() -> bytes:
    contents = sha256()
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        contents.update(str(source.relative_to(Path(__file__).parent)).encode() + source.read_bytes())
    return contents.digest()
