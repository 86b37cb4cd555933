"""What is no request: refused by its form alone, before a worker sees it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.routes.sample import SAMPLE_PNG
from tests.routes.conftest import InProcess, Serve
from tests.routes.requests import BLUR, HEADERS, document, raw, refused

pytestmark = pytest.mark.anyio

SPEC = json.dumps(BLUR)
BOUNDARY = b"5eed"
FORM = {"Content-Type": "multipart/form-data; boundary=5eed"}


def part(name: str, content: bytes, *headers: str) -> bytes:
    lines = [f'Content-Disposition: form-data; name="{name}"', *headers, "", ""]
    return b"--" + BOUNDARY + b"\r\n" + "\r\n".join(lines).encode() + content + b"\r\n"


IMAGE, TEXT, END = part("image", SAMPLE_PNG), part("spec", SPEC.encode()), b"--" + BOUNDARY + b"--\r\n"


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (IMAGE + TEXT, "malformed_multipart", "closing boundary"),
        ((IMAGE + TEXT + END)[:-3], "malformed_multipart", "closing boundary"),
        (b"no multipart at all", "malformed_multipart", "closing boundary"),
        (b"--" + BOUNDARY + b"\r\nX: 1\r\n\r\n1\r\n" + END, "malformed_multipart", "Content-Disposition"),
        (part("", b"") + END, "malformed_multipart", "no name"),
        (
            part("image", b"", "Content-Disposition: form-data; name=spec") + END,
            "malformed_multipart",
            "two Content-Disposition headers",
        ),
        (part("image", b"iVBORw0=", "Content-Transfer-Encoding: base64") + END, "malformed_multipart", "Transfer"),
        (part("image", b"", *(f"X-{i}: 1" for i in range(99))) + END, "malformed_multipart", "format"),
        (part("image", b"", "X-A: b\nX-C: d") + TEXT + END, "malformed_multipart", "line break"),
        (part("image", b"", "X-A: b\rX-C: d") + TEXT + END, "malformed_multipart", "line break"),
        (TEXT + END, "missing_image", "image"),
        (part("image", b"") + TEXT + END, "missing_image", "empty"),
        (b"", "missing_image", "image"),
        (IMAGE + END, "missing_spec", "spec"),
        (IMAGE + part("spec", b" ") + END, "missing_spec", "spec"),
        (IMAGE + IMAGE + TEXT + END, "ambiguous_request", "'image' is given twice"),
        (IMAGE + TEXT + TEXT + END, "ambiguous_request", "'spec' is given twice"),
        (IMAGE + TEXT + part("specs", b"{}") + END, "ambiguous_request", "'specs' is not known"),
    ],
)
async def test_faulty_form_is_refused(serve: Serve, dispatcher: InProcess, body: bytes, code: str, detail: str) -> None:
    async with serve() as client:
        problem = refused(await client.post("/v1/filter", content=body, headers=FORM), 400, code)
        assert detail in problem["detail"]
        assert not dispatcher.jobs


@pytest.mark.parametrize("size", [1, 2, 7, 64])
async def test_form_may_come_in_any_pieces(serve: Serve, dispatcher: InProcess, size: int) -> None:
    body = IMAGE + TEXT + END

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async with serve() as client:
        answer = await client.post("/v1/filter", content=pieces(), headers=FORM)
        assert answer.status_code == 200
        (job,) = dispatcher.jobs
        assert (bytes(job.body), job.spec) == (SAMPLE_PNG, SPEC.encode())


@pytest.mark.parametrize("blanks", [b" ", b"\t", b" \t  "])
@pytest.mark.parametrize("size", [1, 3, 10_000])
async def test_boundary_may_end_in_blanks(serve: Serve, dispatcher: InProcess, blanks: bytes, size: int) -> None:
    near = SAMPLE_PNG + b"\r\n--5ee " + b"\r\n-- 5eed " + b"--5eed " + b"\n--5eed \r\n"
    lines = part("image", near) + TEXT + END + blanks
    body = re.sub(rb"(\A|\r\n)--5eed(?=\r\n)", lambda line: line[0] + blanks, lines)
    assert body.count(b"5eed" + blanks + b"\r\n") >= 2

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async with serve() as client:
        answer = await client.post("/v1/filter", content=pieces(), headers=FORM)
        assert answer.status_code in {200, 422}, answer.text
        (job,) = dispatcher.jobs
        assert (bytes(job.body), job.spec) == (near, SPEC.encode())


@pytest.mark.parametrize("line", [b"--5eed x\r\n", b"--5eed \n", b"--5eed \t", b"--5eedx\r\n", b"--5eed --\r\n"])
async def test_boundary_may_end_in_nothing_but_blanks(serve: Serve, line: bytes) -> None:
    async with serve() as client:
        body = IMAGE.replace(b"--5eed\r\n", line, 1) + TEXT + END
        refused(await client.post("/v1/filter", content=body, headers=FORM), 400, "malformed_multipart")


@pytest.mark.parametrize("boundary", ["a/b", "a'b(c)+_-./:=?d", "==_Part_1", "Form*/x==", "x"])
async def test_boundary_may_lack_its_quotes(serve: Serve, boundary: str) -> None:
    body = (IMAGE + TEXT + END).replace(BOUNDARY, boundary.encode())
    async with serve() as client:
        for parameters in (
            f"boundary={boundary}",
            f'boundary="{boundary}"',
            f'a="; boundary=y"; Boundary={boundary}; b=c',
        ):
            answer = await client.post(
                "/v1/filter", content=body, headers={"Content-Type": f"multipart/form-data; {parameters}"}
            )
            assert answer.status_code == 200, (parameters, answer.text)


async def test_what_s3_calls_a_file_is_taken(serve: Serve) -> None:
    async with serve() as client:
        for media_type in ("binary/octet-stream", "Binary/Octet-Stream; charset=binary"):
            answer = await raw(client, headers={"Content-Type": media_type})
            assert answer.content == (await raw(client)).content


@pytest.mark.parametrize(
    "name", ["im\xe4ge.png".encode("latin-1"), "图.png".encode(), b"a\\b.png", b'a\\"b.png', b"a;b=c"]
)
async def test_file_may_have_any_name(serve: Serve, dispatcher: InProcess, name: bytes) -> None:
    image = IMAGE.replace(b'name="image"', b'name="image"; filename="' + name + b'"')
    async with serve() as client:
        answer = await client.post("/v1/filter", content=image + TEXT + END, headers=FORM)
        assert answer.status_code == 200
        assert bytes(dispatcher.jobs[0].body) == SAMPLE_PNG


async def test_spec_may_be_as_large_as_the_body(serve: Serve, dispatcher: InProcess) -> None:
    spec = SPEC.encode() + b" " * 3_000_000
    async with serve() as client:
        answer = await client.post("/v1/filter", content=IMAGE + part("spec", spec) + END, headers=FORM)
        assert answer.status_code == 200
        assert dispatcher.jobs[0].spec == spec


async def test_multipart_without_boundary_is_malformed(serve: Serve) -> None:
    async with serve() as client:
        for header in ("multipart/form-data", "multipart/form-data; boundary=" + "x" * 999):
            answer = await client.post("/v1/filter", content=IMAGE, headers={"Content-Type": header})
            refused(answer, 400, "malformed_multipart")


@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        ([("spec", SPEC), ("spec", SPEC)], HEADERS, SAMPLE_PNG),
        ([("spec", SPEC)], FORM, IMAGE + TEXT + END),
        ([("spec", SPEC)], {"Content-Type": "application/json"}, b"{}"),
    ],
)
async def test_two_specs_are_ambiguous(serve: Serve, query: Any, headers: dict[str, str], body: bytes) -> None:
    async with serve() as client:
        answer = await client.post("/v1/filter", params=query, content=body, headers=headers)
        refused(answer, 400, "ambiguous_request")


async def test_multipart_takes_its_spec_from_the_query_too(serve: Serve) -> None:
    async with serve() as client:
        answer = await client.post("/v1/filter", params={"spec": SPEC}, content=IMAGE + END, headers=FORM)
        assert answer.content == (await raw(client)).content


@pytest.mark.parametrize("query", [{}, {"spec": ""}, {"spec": "  "}, {"Spec": SPEC}])
async def test_raw_body_needs_a_spec(serve: Serve, query: dict[str, str]) -> None:
    async with serve() as client:
        answer = await client.post("/v1/filter", params=query, content=SAMPLE_PNG, headers=HEADERS)
        refused(answer, 400, "missing_spec")


@pytest.mark.parametrize("content_type", ["image/png", "application/json", "application/x-npy", None])
async def test_empty_body_has_no_image(serve: Serve, content_type: str | None) -> None:
    async with serve() as client:
        headers = {"Content-Type": content_type} if content_type else {}
        query = {} if content_type == "application/json" else {"spec": SPEC}
        refused(await client.post("/v1/filter", params=query, content=b"", headers=headers), 400, "missing_image")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"\xff", 400, "malformed_json"),
        (b'{"spec": {"op": "blur"}}', 400, "missing_image"),
        (b'{"image": "AAAA"}', 400, "missing_spec"),
        (b'{"image": "AAAA", "spec": {}, "extra": 1}', 400, "ambiguous_request"),
        (b'{"image": "AAAA", "spec": {"op": "blur", "sigma": 2}}', 415, "unsupported_format"),
        (b'{"image": "%", "spec": {"op": "blur", "sigma": 2}}', 422, "invalid_image"),
    ],
)
async def test_faulty_document_is_refused(serve: Serve, body: bytes, status: int, code: str) -> None:
    async with serve() as client:
        for path in ("/v1/filter",):
            answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
            refused(answer, status, code)


async def test_raw_body_without_type_is_an_image(serve: Serve) -> None:
    async with serve() as client:
        answer = await client.post("/v1/filter", params={"spec": SPEC}, content=SAMPLE_PNG)
        assert answer.content == (await document(client)).content


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "image", "a/b\x7f", "imagepng"]
)
async def test_other_media_types_are_unsupported(serve: Serve, dispatcher: InProcess, content_type: str) -> None:
    async with serve() as client:
        for path in ("/v1/filter", "/v1/filters/sobel", "/v1/plan"):
            answer = await client.post(path, content=SAMPLE_PNG, headers={"Content-Type": content_type})
            refused(answer, 415, "unsupported_media_type")
        assert not dispatcher.jobs


async def test_content_encoding_is_unsupported(serve: Serve) -> None:
    async with serve() as client:
        problem = refused(await raw(client, headers={"Content-Encoding": "gzip"}), 415, "unsupported_media_type")
        assert "Content-Encoding" in problem["detail"]


async def test_announced_body_is_refused_unread(serve: Serve) -> None:
    taken = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"x" * 65536

    async with serve(max_body_bytes=1000) as client:
        headers = {"Content-Length": "6553600"}
        answer = await client.post("/v1/filter", params={"spec": SPEC}, content=pieces(), headers=HEADERS | headers)
        problem = refused(answer, 413, "body_too_large")
        assert "6,553,600" in problem["detail"]
        assert "1,000" in problem["detail"]
        assert answer.headers["Connection"] == "close"
        assert taken < 30  # a bounded rest is thrown away, so that the client gets to read the answer


@pytest.mark.parametrize("headers", [HEADERS, FORM, {"Content-Type": "application/json"}])
async def test_chunked_body_is_refused_before_it_ends(serve: Serve, headers: dict[str, str]) -> None:
    taken = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'--5eed\r\nContent-Disposition: form-data; name="image"\r\n\r\n' if headers is FORM else b" "
        while True:
            taken += 1
            yield b" " * 65536

    async with serve(max_body_bytes=200_000) as client:
        query = {"spec": SPEC} if headers is HEADERS else {}
        answer = await client.post("/v1/filter", params=query, content=pieces(), headers=headers)
        assert "200,000" in refused(answer, 413, "body_too_large")["detail"]
        assert taken < 30


async def test_body_of_exactly_the_limit_is_taken(serve: Serve) -> None:
    async with serve(max_body_bytes=len(SAMPLE_PNG)) as client:
        assert (await raw(client)).status_code == 200
        refused(await raw(client, image=SAMPLE_PNG + b"\0"), 413, "body_too_large")
