"""Spans, as a collector gets them from a real server."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from service.app import create_app
from service.routes.sample import SAMPLE_PNG
from service.settings import BadSettings, Settings
from tests.live import serving

CALLER = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SECOND = 10**9


class Collector(BaseHTTPRequestHandler):
    """Keeps what is sent to it, by the server's attribute `spans`."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        data = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        received = ExportTraceServiceRequest.FromString(data)
        for resource in received.resource_spans:
            names = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            assert names["service.name"] == "convserve"
            for scope in resource.scope_spans:
                self.server.spans.extend(scope.spans)  # type: ignore[attr-defined]
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def collecting() -> Iterator[tuple[str, list[Span]]]:
    """Run a collector; gives its address and the spans that it has."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    spans: list[Span] = []
    server.spans = spans  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def attributes(span: Span) -> dict[str, str | int]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


def test_request_and_its_parts_reach_the_collector(tmp_path: Path) -> None:
    with collecting() as (address, spans):
        with (
            serving(tmp_path, tracing=address, workers=1) as server,
            httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client,
        ):
            headers = {"traceparent": f"00-{CALLER}-{PARENT}-01", "X-Request-ID": "mine"}
            spec = {"spec": '{"steps": [{"op": "blur", "sigma": 2}, {"op": "grayscale"}]}'}
            answer = client.post("/v1/filter", files={"image": SAMPLE_PNG}, data=spec, headers=headers)
            assert answer.status_code == 200
            assert client.post("/v1/filter", data=spec).status_code == 415
            client.get("/livez")
        lines = [line for line in server.log.read_text(encoding="utf-8").splitlines() if "request_id=" in line]

    requests = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    assert [span.name for span in requests] == ["POST /v1/filter", "POST /v1/filter"]
    filtered, refused = requests
    assert filtered.trace_id.hex() == CALLER
    assert filtered.parent_span_id.hex() == PARENT
    assert attributes(filtered)["http.response.status_code"] == 200
    assert attributes(filtered)["convserve.request_id"] == "mine"
    assert attributes(refused)["error.type"] == "unsupported_media_type"
    assert refused.status.code == Status.STATUS_CODE_UNSET
    assert not refused.parent_span_id

    parts = [span for span in spans if span.parent_span_id == filtered.span_id]
    assert [span.name for span in parts] == ["receive", "queue", "decode", "step-0", "step-1", "encode"]
    assert attributes(parts[3])["convserve.step"]
    assert all(span.trace_id == filtered.trace_id for span in parts)
    for part in parts:
        assert filtered.start_time_unix_nano - SECOND // 1000 <= part.start_time_unix_nano <= part.end_time_unix_nano
        assert part.end_time_unix_nano <= filtered.end_time_unix_nano + SECOND // 1000

    assert [identity.trace_id.hex() in line for identity, line in zip(requests, lines, strict=True)] == [True, True]
    assert "request_id=mine" in lines[0]


def test_packages_that_are_missing_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "service.routes.tracing", None)
    with pytest.raises(BadSettings, match=r"CONVSERVE_TRACING.*convserve\[tracing\]"):
        create_app(Settings.load(tracing="http://127.0.0.1:4318"))


def test_service_without_tracing_does_not_load_it() -> None:
    layers = [getattr(layer.cls, "__name__", "") for layer in create_app(Settings.load()).user_middleware]
    assert "Tracing" not in layers
