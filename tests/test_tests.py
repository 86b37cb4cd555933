"""Tests hold anywhere: what they must not depend on, and where they do for a reason."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCES = {
    path.relative_to(TESTS).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(TESTS.rglob("*.py"))
    if "benchmarks" not in path.parts  # they measure, and claim nothing
}
CLOCKS = {"perf_counter", "monotonic", "process_time", "thread_time", "time"}
MACHINE = {
    "available_cores",
    "cpu_count",
    "get_host_cpu_features",
    "get_host_cpu_name",
    "getloadavg",
    "getrusage",
    "sched_getaffinity",
    "sched_setaffinity",
    "SO_RCVBUF",
    "SO_SNDBUF",
}
DOCUMENTED = {"_exit", "_replace", "_asdict", "_fields", "_make"}
"""Names that os and named tuples document."""
SYSTEM = ("/proc/cpuinfo", "/proc/meminfo", "VmHWM", "VmRSS")
SEEDED = {"default_rng", "Random", "RandomState"}


def name_of(node: ast.AST) -> str:
    """Give the last part of a name: `sleep` of `time.sleep`, and of `sleep`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def sleeps(tree: ast.AST) -> Iterator[str]:
    """Find waiting for a time; to let others go first, which is asyncio.sleep(0), is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) == "sleep" and not is_zero(node.args[:1]):
            yield "sleep"


def clocks(tree: ast.AST) -> Iterator[str]:
    """Find times that are compared, or subtracted to be compared."""
    for node in ast.walk(tree):
        operands = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        operands += [node.left] if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) else []
        for operand in operands:
            if isinstance(operand, ast.Call) and name_of(operand.func) in CLOCKS:
                yield name_of(operand.func)


def machines(tree: ast.AST) -> Iterator[str]:
    """Find what asks the machine how many cores it has, which processor, how much memory or how large buffers."""
    for node in ast.walk(tree):
        if name_of(node) in MACHINE:
            yield name_of(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (word for word in SYSTEM if word in node.value)


def chances(tree: ast.AST) -> Iterator[str]:
    """Find random numbers without a seed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) in SEEDED and not (node.args or node.keywords):
            yield name_of(node.func)


def private(tree: ast.AST) -> Iterator[str]:
    """Find names of others that begin with an underscore: imported, looked up, or replaced by their spelling."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name.startswith("_"))
        if isinstance(node, ast.Attribute) and is_private(node.attr) and name_of(node.value) not in {"self", "cls"}:
            yield node.attr
        if isinstance(node, ast.Call) and name_of(node.func) in {"setattr", "getattr", "patch"}:
            spelt = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            yield from (last for text in spelt if is_private(last := text.rpartition(".")[2]))


def is_zero(arguments: list[ast.expr]) -> bool:
    return all(isinstance(argument, ast.Constant) and argument.value == 0 for argument in arguments)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in DOCUMENTED


LOOKS = "looks whether something has become true, up to a time that only what hangs takes"
PACE = "a reader at a pace, through the buffers that the system has"
REPORTS = "reports what it measures, and claims nothing"
OURS = "names it to find it"
RULES: list[tuple[Callable[[ast.AST], Iterator[str]], dict[str, str]]] = [
    (
        sleeps,
        {
            "waiting.py: sleep": LOOKS,
            "dispatch/tasks.py: sleep": "a worker that a test keeps waiting for a file",
            "pretence/sitecustomize.py: sleep": "a compiler that a test keeps waiting for a file",
            "test_pace.py: sleep": PACE,
            "test_start.py: sleep": "for a second start, of which nothing may be told: a slow machine proves less",
            "hostile/probe.py: sleep": "a client that asks again and again",
            "hostile/first_start.py: sleep": "it asks again and again how far the compiling is",
            "hostile/soak.py: sleep": "a client that obeys Retry-After",
        },
    ),
    (
        clocks,
        {
            "waiting.py: monotonic": LOOKS,
            "fuzz/__main__.py: monotonic": "draws until its time is over, which no promise depends on",
            "browser/playground.py: monotonic": LOOKS,
            "test_pace.py: monotonic": PACE,
            "hostile/probe.py: perf_counter": REPORTS,
            "hostile/sending.py: perf_counter": REPORTS,
            "hostile/first_start.py: perf_counter": REPORTS,
            "hostile/soak.py: monotonic": REPORTS,
        },
    ),
    (
        machines,
        {
            "dispatch/test_worker_pool.py: available_cores": "a worker is given that many threads, whatever the number",
            "engine/machine/test_cores.py: available_cores": "on machines that are made up",
            "test_settings.py: available_cores": "the default is as many workers, however many these are",
            "engine/codecs/test_pictures.py: VmHWM": "what codecs in C take, against their bound, without huge pages",
            "engine/jobs/test_formats.py: VmHWM": "what encoders in C take, against their bound, without huge pages",
            "engine/codecs/test_png_search.py: VmHWM": "what oxipng takes, against its bound, without huge pages",
            "hostile/sending.py: VmRSS": REPORTS,
            "test_pace.py: SO_RCVBUF": PACE,
            "processes.py: sched_getaffinity": "the same one processor on every machine",
            "processes.py: sched_setaffinity": "the same one processor on every machine",
            **{f"test_tests.py: {word}": OURS for word in SYSTEM},
        },
    ),
    (chances, {}),
    (
        private,
        {
            "engine/codecs/test_pictures.py: _AT_ONCE": "it takes minutes to try a file so long that the search is cut",
            "routes/test_filters.py: _transport": "httpx has no other way to the app behind a client",
            "routes/test_problems.py: _transport": "httpx has no other way to the app behind a client",
        },
    ),
]


@pytest.mark.parametrize(("find", "allowed"), RULES, ids=[find.__name__ for find, _ in RULES])
def test_tests_hold_anywhere(find: Callable[[ast.AST], Iterator[str]], allowed: dict[str, str]) -> None:
    found = {f"{file}: {name}" for file, tree in SOURCES.items() for name in find(tree)}
    assert found == set(allowed)


ONLY_RUN = {"dispatch/test_proof.py: test_engine_proves_itself": "what it calls raises where the engine is wrong"}


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def claims(function: ast.AST) -> bool:
    """Say whether a function asserts something by itself, or fails unless something is raised."""
    names = [name_of(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
    return any(isinstance(node, ast.Assert) for node in ast.walk(function)) or any(
        name in {"raises", "fail", "expect", "check_call"} or name.startswith("assert_") for name in names
    )


def test_every_test_can_fail() -> None:
    """It makes a claim, or calls something of the tests that does."""
    calls = {
        (file, function.name): {name_of(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
        | {name_of(node) for node in ast.walk(function)}
        for file, tree in SOURCES.items()
        for function in functions(tree)
    }
    claiming = {function.name for tree in SOURCES.values() for function in functions(tree) if claims(function)}
    while more := {name for (_, name), called in calls.items() if called & claiming} - claiming:
        claiming |= more
    idle = {f"{file}: {name}" for file, name in calls if name.startswith("test_") and name not in claiming}
    assert idle == set(ONLY_RUN)
