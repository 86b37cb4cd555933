"""What is built on interfaces that their owners may change: it is there, and the version is bounded above."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from unittest.mock import Mock

import numba
import pytest
import uvicorn
from numba.core.caching import CompileResultCacheImpl, InTreeCacheLocator
from numba.core.codegen import AOTCodeLibrary, JITCodeLibrary, JITCPUCodegen
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher
from packaging.requirements import Requirement
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service.connection import Connection

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
HOOKS = (
    "connection_made",
    "connection_lost",
    "data_received",
    "on_message_begin",
    "on_header",
    "on_headers_complete",
    "on_body",
    "on_message_complete",
    "pause_writing",
    "resume_writing",
    "send_400_response",
)
"""Methods by which uvicorn calls service/connection.py."""


@pytest.mark.parametrize("name", HOOKS)
def test_uvicorn_calls_what_the_connection_replaces(name: str) -> None:
    assert name in vars(Connection)
    assert hasattr(HttpToolsProtocol, name), f"uvicorn {uvicorn.__version__} has no {name}: it would never be called"


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (CPUDispatcher, "compile"),
        (CPUDispatcher, "get_call_template"),
        (CPUDispatcher, "get_overload"),
        (Compiler, "define_pipelines"),
        (AOTCodeLibrary, "finalize"),
        (JITCodeLibrary, "get_pointer_to_function"),
        (JITCPUCodegen, "set_env"),
        (CompileResultCacheImpl, "reduce"),
        (CompileResultCacheImpl, "rebuild"),
        (InTreeCacheLocator, "ensure_cache_path"),
    ],
)
def test_numba_has_what_the_loops_replace_or_call(cls: type, name: str) -> None:
    assert hasattr(cls, name), f"numba {numba.__version__} has no {name}: see loops/compiler.py and loops/kept.py"


@pytest.mark.parametrize("name", ["uvicorn", "numba"])
def test_what_is_no_public_interface_is_bounded_above(name: str) -> None:
    lines = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    (requirement,) = (line for line in map(Requirement, lines) if line.name == name)
    assert any(specifier.operator == "<" for specifier in requirement.specifier)


def test_uvicorn_feeds_the_parser_that_the_connection_has_put_in_place() -> None:
    parser = Mock()

    async def receive() -> None:
        config = Config(lambda: None, ws="none", log_config=None)
        connection = Connection(config=config, server_state=ServerState(), app_state={})
        connection.parser, connection.transport = parser, Mock(**{"is_closing.return_value": True})
        connection.data_received(b"GET / HTTP/1.1")

    asyncio.run(receive())
    parser.feed_data.assert_called_once_with(b"GET / HTTP/1.1")
