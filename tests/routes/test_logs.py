"""Log lines, each one JSON object."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from service.routes.logs import configure_logs, names_and_values
from tests.routes.conftest import Serve
from tests.routes.requests import multipart

pytestmark = pytest.mark.anyio
printable = st.text().filter(str.isprintable)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


async def test_request_is_one_line(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    async with serve() as client:
        await multipart(client, headers={"X-Request-ID": "mine"})
        await client.get("/livez")
        await client.get("/readyz")
        await client.get("/secret%0Apath")
    written = capsys.readouterr().err
    filtered, missing = map(json.loads, written.splitlines())
    measured: dict[str, Any] = {"seconds": 0, "spans": {}, "timestamp": "", "bytes_in": 0, "bytes_out": 0, "pixels": 0}
    assert filtered | measured == {
        **measured,
        "event": "request",
        "level": "info",
        "logger": "service.requests",
        "request_id": "mine",
        "route": "/v1/filter",
        "method": "POST",
        "status": 200,
    }
    assert filtered["bytes_in"] > filtered["bytes_out"] > 0
    assert filtered["pixels"] > 0
    assert filtered["spans"].keys() == {"queue", "decode", "step-0", "encode", "total"}
    assert 0 < filtered["spans"]["total"] <= filtered["seconds"]
    assert (missing["route"], missing["status"], missing["code"]) == ("unmatched", 404, "not_found")
    assert "secret" not in written


async def test_unforeseen_error_is_one_line_with_its_request(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "json")
    async with serve() as client:
        await client.get("/broken", headers={"X-Request-ID": "mine"})
    (line,) = lines(capsys)
    assert line["request_id"] == "mine"
    assert "RuntimeError" in line["exception"]


def test_other_loggers_write_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    logging.getLogger("uvicorn.error").info("Started on %s", "port", extra={"color_message": "x"})
    logging.getLogger("uvicorn.access").info("GET /secret")
    logging.getLogger("py.warnings").warning("beware")
    assert [line["event"] for line in lines(capsys)] == ["Started on port", "beware"]


def test_console_lines_have_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "console")
    structlog.stdlib.get_logger("x").info("event", value="one\n\x1b[31mtwo")
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written


@given(
    st.dictionaries(st.sampled_from(["timestamp", "level", "event"]), printable),
    st.dictionaries(
        st.text("abc_", min_size=1), printable | st.integers() | st.floats() | st.dictionaries(printable, st.floats())
    ),
)
def test_line_of_names_and_values_is_structlogs(first: dict[str, str], others: dict[str, Any]) -> None:
    render = structlog.processors.KeyValueRenderer(
        key_order=["timestamp", "level", "event"], drop_missing=True, repr_native_str=False
    )
    line = others | first
    assert names_and_values(None, "", dict(line)) == render(None, "", dict(line))


def test_line_of_names_and_values_has_no_control_characters() -> None:
    assert (
        names_and_values(None, "", {"event": "a\nb\x1b[31m", "report": "a\nb\x1b"})
        == "event=a\ufffdb\ufffd[31m report=a\nb\ufffd"
    )
