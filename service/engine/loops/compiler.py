"""How a loop is compiled: once per signature, without the GIL, kept on disk where that is possible (kept.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar, cast, overload

import numba.extending
from numba import config, njit, types
from numba.core import cgutils, event
from numba.core.codegen import AOTCodeLibrary, AOTCPUCodegen
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.sigutils import normalize_signature

from service.engine.loops.kept import Kept
from service.engine.machine import levels

LEVEL = levels.current()
"""What the loops are compiled for, whatever machine this runs on."""
if LEVEL is None:
    raise ImportError("this processor has none of the levels that loops are compiled for")
_numba: Any = config
if not _numba.CPU_NAME:  # a process that was started for this has it from its environment: see levels.py
    _numba.CPU_NAME, _numba.CPU_FEATURES = levels.target(LEVEL), ""

Function = TypeVar("Function", bound=Callable[..., Any])
Fastmath = bool | set[str]


class _NoMachineCode(AOTCPUCodegen):
    """Numba's code generator for files, which makes no machine code before it is asked to: it never is."""

    def set_env(self, name: str, env: Any) -> None:
        """Do nothing: the place for it would be in the machine code."""


class Part(AOTCodeLibrary):
    """Code of a function that others call: it is optimised, and becomes machine code, only as a part of theirs.

    Numba would do both for it by itself, too, and for each caller between it and Python, which is most of the time.
    """

    def __init__(self) -> None:
        super().__init__(_no_machine_code(), "part")  # type: ignore[no-untyped-call]

    def finalize(self) -> None:
        chosen, _numba.OPT = _numba.OPT, 0  # what NUMBA_OPT sets: numba would optimise here
        try:
            super().finalize()  # type: ignore[no-untyped-call]
        finally:
            _numba.OPT = chosen

    def get_pointer_to_function(self, name: str) -> int:  # noqa: ARG002 -- numba's interface
        return 0


@cache
def _no_machine_code() -> _NoMachineCode:
    return _NoMachineCode("parts", "host")  # type: ignore[no-untyped-call]


class _PartCompiler(Compiler):
    def define_pipelines(self) -> Any:
        self.state.library = Part()
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
        dispatcher.compile = _kept(dispatcher)
        _loops.append(dispatcher)
        return cast("Callable[..., Any]", dispatcher)

    return decorate if function is None else decorate(function)


def _kept(dispatcher: Any) -> Callable[[Any], Any]:
    """Make a method "compile" for a dispatcher that looks on disk first, and keeps there what it compiles."""
    kept, compile_anew = Kept(dispatcher.py_func), dispatcher.compile

    def compile_(signature: Any) -> Any:
        with global_compiler_lock:
            arguments, _ = normalize_signature(signature)  # type: ignore[no-untyped-call]
            if arguments not in dispatcher.overloads:
                if found := kept.load(arguments, dispatcher.targetctx):
                    dispatcher.add_overload(found)
                else:
                    compile_anew(signature)
                    kept.save(dispatcher.overloads[arguments])
            return dispatcher.overloads[arguments].entry_point

    return compile_


_loops: list[Any] = []


def all_loops() -> Sequence[Any]:
    """List what was compiled, or may be."""
    return _loops


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
