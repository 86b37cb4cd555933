"""How a loop is compiled: once per signature, without the GIL, cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
Fastmath = bool | set[str]


@overload
def compiled(function: Function, /) -> Function: ...


@overload
def compiled(*, fastmath: Fastmath = False) -> Callable[[Function], Function]: ...


def compiled(function: Callable[..., Any] | None = None, /, *, fastmath: Fastmath = False) -> Callable[..., Any]:
    """Compile `function` when it is first called with arguments of some types; divisions follow IEEE 754.

    `@compiled` and `@compiled(fastmath=True)` both work. A cache entry is found by the source file of the
    function alone: keep the functions that it calls in the same file.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def compile_with(*, cache: bool) -> Callable[..., Any]:
            return njit(cache=cache, nogil=True, fastmath=fastmath, error_model="numpy")(function)

        try:
            return compile_with(cache=True)
        except RuntimeError:  # numba found no folder that it may write to
            return compile_with(cache=False)

    return decorate if function is None else decorate(function)
