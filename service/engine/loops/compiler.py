"""How a loop is compiled: once per signature, without the GIL, cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast, overload

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba.extending
from numba import config, njit
from numba.core import cgutils
from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator

Function = TypeVar("Function", bound=Callable[..., Any])
Fastmath = bool | set[str]


class _Filled(InTreeCacheLocator):
    """The folder beside the source, filled by an image build and read-only since: numba would not look into it."""

    def ensure_cache_path(self) -> None:
        if not any(Path(self.get_cache_path()).glob("*.nbi")):  # type: ignore[no-untyped-call]
            raise FileNotFoundError


class _Places(CompileResultCacheImpl):
    """Numba's own places, and before the user's folder the filled one."""

    _locator_classes = [  # noqa: RUF012 (numba's own attribute)
        *CompileResultCacheImpl._locator_classes[:2],
        _Filled,
        *CompileResultCacheImpl._locator_classes[2:],
    ]


class _Cache(FunctionCache):
    """Numba's cache, for which it is no error that something cannot be kept; void once any file of loops changes."""

    _impl_class = _Places

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        sources = sorted(Path(__file__).parent.glob("*.py"))
        self._cache_file._source_stamp = tuple((s.stat().st_mtime, s.stat().st_size) for s in sources)

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


@overload
def compiled(function: Function, /) -> Function: ...


@overload
def compiled(*, fastmath: Fastmath = False) -> Callable[[Function], Function]: ...


def compiled(function: Callable[..., Any] | None = None, /, *, fastmath: Fastmath = False) -> Callable[..., Any]:
    """Compile `function` when it is first called with arguments of some types; divisions follow IEEE 754.

    `@compiled` and `@compiled(fastmath=True)` both work. It may call functions of other files of this folder.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        dispatcher: Any = njit(nogil=True, fastmath=fastmath, error_model="numpy")(function)
        with suppress(RuntimeError):  # there is no folder at all: compiled anew in each process
            dispatcher._cache = _Cache(function)  # cache=True does it with numba's own
        return cast("Callable[..., Any]", dispatcher)

    return decorate if function is None else decorate(function)


def compiled_for(feature: str, *names: str) -> bool:
    """Say whether the processor that numba compiles for has a feature; it need not be the one this runs on.

    Those called `names` have it.
    """
    name, features = getattr(config, "CPU_NAME", None), getattr(config, "CPU_FEATURES", None)
    if name and name != "host":
        return name in names or f"+{feature}" in (features or "")
    return bool(llvm.get_host_cpu_features().get(feature))


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function` build LLVM code where the compiler would not find it (numba.extending.intrinsic)."""
    return cast("Callable[..., Any]", numba.extending.intrinsic(function))


def address(context: Any, builder: Any, array: Any, value: Any, place: Any, target: Any) -> Any:
    """Build a pointer to a `target` that begins at byte `place` of a contiguous array of bytes."""
    first = context.make_array(array)(context, builder, value).data
    return builder.bitcast(cgutils.gep_inbounds(builder, first, place), target.as_pointer())  # type: ignore[no-untyped-call]
