"""How a loop is compiled: once per signature, without the GIL, cached on disk where that is possible."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast, overload

import numba.extending
from numba import config, njit, types
from numba.core import cgutils, event
from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from service.engine.machine import levels

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

LEVEL = levels.current()
"""What the loops are compiled for, whatever machine this runs on."""
if LEVEL is None:
    raise ImportError("this processor has none of the levels that loops are compiled for")
_numba: Any = config
if not _numba.CPU_NAME:  # a process that was started for this has it from its environment: see levels.py
    _numba.CPU_NAME, _numba.CPU_FEATURES = levels.target(LEVEL), ""

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
    """Numba's cache, for which it is no error that something cannot be kept; void once any file of loops changes.

    Files are known by what they contain, not by when they were written: what is kept can be carried to another clone.
    """

    _impl_class = _Places

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file._source_stamp = _stamp()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except (AttributeError, ImportError):  # kept by an older version: it names a class that is gone
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError), _alone(self.cache_path):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


@cache
def _stamp() -> str:
    contents = sha256()
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        contents.update(str(source.relative_to(Path(__file__).parent)).encode() + source.read_bytes())
    return contents.hexdigest()


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Wait while another process writes there: of two that add to an index at once, one would lose what it added."""
    if fcntl is None:
        yield
        return
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class _Part(JITCodeLibrary):
    """Code of a function that others call: it is optimised, and becomes machine code, only as a part of theirs.

    Numba would do both for it by itself, too, and for each caller between it and Python, which is most of the time.
    """

    @property
    def codegen(self) -> _Part:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Do nothing: the place for it would be in the machine code."""

    def finalize(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:  # noqa: ARG002 -- numba's interface
        self._ensure_finalized()  # type: ignore[no-untyped-call]
        return 0


class _PartCompiler(Compiler):
    def define_pipelines(self) -> Any:
        self.state.library = _Part(self.state.targetctx.codegen(), "part")  # type: ignore[no-untyped-call]
        return super().define_pipelines()  # type: ignore[no-untyped-call]


class _Uncounted(Compiler):
    """Numba's compiler, for loops whose callers keep their arrays alive: nobody counts who uses these.

    What such a loop calls is compiled likewise.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)  # type: ignore[no-untyped-call]
        state: Any = self.state
        state.flags.nrt, state.targetctx = False, state.targetctx.subtarget(enable_nrt=False)


@overload
def compiled(function: Function, /) -> Function: ...


@overload
def compiled(
    *, fastmath: Fastmath = False, inlined: bool = False, makes_arrays: bool = True, noted: bool = False
) -> Callable[[Function], Function]: ...


def compiled(
    function: Callable[..., Any] | None = None,
    /,
    *,
    fastmath: Fastmath = False,
    inlined: bool = False,
    makes_arrays: bool = True,
    noted: bool = False,
) -> Callable[..., Any]:
    """Compile `function` when it is first called with arguments of some types; divisions follow IEEE 754.

    `@compiled` and `@compiled(fastmath=True)` both work. It may call functions of other files of this folder, and
    becomes a part of these wherever they call it if it is `inlined`: vectors then stay in registers. One that neither
    `makes_arrays` nor calls what does takes a third less to compile; so does one that is `noted` (calls.py), which
    Python cannot call.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": fastmath, "error_model": "numpy", "no_cfunc_wrapper": True}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own: dict[str, Any] = {"no_cpython_wrapper": noted}
        if noted or not makes_arrays:
            own["pipeline_class"] = _Uncounted
        dispatcher: Any = njit(**options, **own)(function)
        options_of_part: dict[str, Any] = {"no_cpython_wrapper": True, "pipeline_class": _PartCompiler}
        options_of_part["forceinline"] = inlined
        part: Any = njit(**options, **options_of_part)(function)

        def called(arguments: Iterable[Any], by_name: dict[str, Any]) -> Any:
            # A constant is a number like others: not a type of its own, for which it would be compiled again.
            general = [types.unliteral(argument) for argument in arguments]  # type: ignore[no-untyped-call]
            return part.get_call_template(general, by_name)

        dispatcher.get_call_template, dispatcher.get_overload = called, part.get_overload
        with suppress(RuntimeError):  # there is no folder at all: compiled anew in each process
            dispatcher._cache = _Cache(function)  # cache=True does it with numba's own
            _folders.add(dispatcher._cache.cache_path)
        _loops.append(dispatcher)
        return cast("Callable[..., Any]", dispatcher)

    return decorate if function is None else decorate(function)


_folders: set[str] = set()
_loops: list[Any] = []


def all_loops() -> Sequence[Any]:
    """List what was compiled, or may be."""
    return _loops


def folders() -> frozenset[str]:
    """Name the folders where what is compiled is kept; none where there is nowhere to keep it."""
    return frozenset(_folders)


class NotKept(Exception):
    """A loop would have to be compiled."""


class _Refusal(event.Listener):
    def on_start(self, event: Any) -> None:  # noqa: ARG002 -- numba's interface
        raise NotKept

    def on_end(self, event: Any) -> None:
        """Do nothing: what was refused does not end."""


@contextmanager
def only_what_is_kept() -> Iterator[None]:
    """Raise NotKept within instead of compiling; what is on disk is loaded."""
    with event.install_listener("numba:compile", _Refusal()):
        yield


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function` build LLVM code where the compiler would not find it (numba.extending.intrinsic)."""
    return cast("Callable[..., Any]", numba.extending.intrinsic(function))


def address(context: Any, builder: Any, array: Any, value: Any, place: Any, target: Any) -> Any:
    """Build a pointer to a `target` that begins at byte `place` of a contiguous array of bytes."""
    first = context.make_array(array)(context, builder, value).data
    return builder.bitcast(cgutils.gep_inbounds(builder, first, place), target.as_pointer())  # type: ignore[no-untyped-call]
