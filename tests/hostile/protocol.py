"""Raw bytes as hostile clients send them over a connection, and what must come back."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from urllib.parse import quote

from service.routes.sample import SAMPLE_PNG
from tests.hostile.case import (
    AMBIGUOUS,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    INVALID_IMAGE,
    INVALID_PARAMETER,
    MALFORMED_JSON,
    MALFORMED_MULTIPART,
    METHOD_NOT_ALLOWED,
    MISSING_IMAGE,
    MISSING_SPEC,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    OK,
    UNSUPPORTED_MEDIA_TYPE,
    Verdict,
)

SPEC = '{"op":"conv","kernel":[[1]]}'
TARGET = f"/v1/filter?spec={quote(SPEC)}"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True)
class Talk:
    """What is sent, and for each answer that must come the verdicts that are right.

    `silence` means that the server may also close without a word. `method` is that of the first request. No answer
    may have a header of `without`.
    """

    name: str
    sent: bytes
    answers: tuple[frozenset[Verdict], ...]
    silence: bool = False
    method: str = "GET"
    without: frozenset[str] = field(default=frozenset())


@cache
def talks() -> tuple[Talk, ...]:
    """All of them."""
    return tuple(
        chain(
            _methods(),
            _targets(),
            _framing(),
            _heads(),
            _pipelines(),
            _strangers(),
            _bodies(),
            _multiparts(),
            _documents(),
        )
    )


def _talk(name: str, sent: bytes, *verdicts: Verdict, silence: bool = False, method: str = "GET") -> Talk:
    return Talk(name, sent, (frozenset(verdicts),), silence, method)


def request(method: str, target: str, *fields: str, body: bytes = b"", version: str = "1.1", host: str = "a") -> bytes:
    lines = [f"{method} {target} HTTP/{version}", *([f"Host: {host}"] if host else []), *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def post(*fields: str, body: bytes = SAMPLE_PNG, target: str = TARGET, version: str = "1.1") -> bytes:
    """Write a sound filter request, with more header fields."""
    return request("POST", target, f"Content-Length: {len(body)}", *fields, body=body, version=version)


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


def _methods() -> Iterator[Talk]:
    yield _talk("get", request("GET", "/livez"), OK)
    yield _talk("http-1.0", request("GET", "/livez", version="1.0", host=""), OK)
    yield _talk("post-over-http-1.0", post(version="1.0"), OK)
    yield _talk("head", request("HEAD", "/livez"), OK, method="HEAD")
    yield _talk("head-where-there-is-no-get", request("HEAD", TARGET), METHOD_NOT_ALLOWED, method="HEAD")
    yield _talk("options", request("OPTIONS", "/v1/filter"), METHOD_NOT_ALLOWED)
    yield _talk("options-of-all", request("OPTIONS", "*"), NOT_FOUND, METHOD_NOT_ALLOWED, BAD_REQUEST)
    for method in ("TRACE", "PUT", "DELETE", "PATCH", "GET"):
        yield _talk(f"{method.lower()}-of-filter", request(method, "/v1/filter"), METHOD_NOT_ALLOWED)
    yield _talk("connect", request("CONNECT", "example.org:80"), NOT_FOUND, METHOD_NOT_ALLOWED, BAD_REQUEST)
    yield _talk("propfind", request("PROPFIND", "/v1/filter"), METHOD_NOT_ALLOWED)
    yield _talk("method-that-is-none", request("FILTER", "/livez"), BAD_REQUEST, METHOD_NOT_ALLOWED)
    yield _talk("method-in-small-letters", request("get", "/livez"), BAD_REQUEST, METHOD_NOT_ALLOWED)
    yield _talk("method-of-a-megabyte", b"A" * (1 << 20) + b" / HTTP/1.1\r\n\r\n", BAD_REQUEST)
    yield _talk("get-with-a-body", request("GET", "/livez", "Content-Length: 5", body=b"hello"), OK)
    crossing = request("OPTIONS", "/v1/filter", "Origin: https://evil.example", "Access-Control-Request-Method: POST")
    closed = frozenset({"access-control-allow-origin"})
    yield Talk("preflight", crossing, (frozenset({METHOD_NOT_ALLOWED}),), without=closed)
    yield Talk("origin", request("GET", "/livez", "Origin: null"), (frozenset({OK}),), without=closed)


def _targets() -> Iterator[Talk]:
    yield _talk("absolute-form", request("GET", "http://a/livez"), OK)
    yield _talk("absolute-form-of-another-host", request("GET", "http://169.254.169.254/livez"), OK, NOT_FOUND)
    yield _talk("absolute-form-of-a-file", request("GET", "file:///etc/passwd"), NOT_FOUND, BAD_REQUEST)
    for path in (
        "/../../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/....//....//etc/passwd",
        "/..%5c..%5cwindows",
        "/%00",
        "/sobel%00.json",
        "/%ff%fe",
        "/%c0%ae%c0%ae",
        "/" + "a" * 5000,
        "/%0d%0aSet-Cookie:%20a=b",
        "/%1b[31m",
        "/__class__",
        "/%E2%80%AE",
        "/a%zz",
    ):
        yield _talk(f"preset-{path[:40]}", post("Content-Type: image/png", target=f"/v1/filters{path}"), NOT_FOUND)
    for path in (
        "/docs/..%2f..%2f..%2fetc%2fpasswd",
        "/docs/../service/app.py",
        "/docs/%2e%2e/app.py",
        "//etc/passwd",
        "/problems/..%2f..%2fetc",
        "/.env",
        "/.git/config",
        "/v1/presets/..%2f..",
        "/v1",
        "/v1/",
        "/livez/",
        "/docs/",
    ):
        yield _talk(f"get-{path}", request("GET", path), NOT_FOUND)
    yield _talk("raw-bytes-in-the-path", b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST, NOT_FOUND)
    yield _talk("nul-in-the-path", b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST, NOT_FOUND)
    yield _talk("blank-in-the-path", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST)
    yield _talk("path-of-two-megabytes", request("GET", "/" + "a" * (2 << 20)), BAD_REQUEST)
    yield _talk("fragment", request("GET", "/livez#a"), OK, BAD_REQUEST)
    raw = "Content-Type: image/png"
    yield _talk("spec-twice", post(raw, target=f"{TARGET}&spec={quote(SPEC)}"), AMBIGUOUS)
    yield _talk("spec-twice-once-in-escapes", post(raw, target=f"{TARGET}&%73pec={quote(SPEC)}"), AMBIGUOUS)
    yield _talk("spec-and-preset", post(raw, target=f"/v1/filters/sobel?spec={quote(SPEC)}"), AMBIGUOUS, NOT_FOUND)
    yield _talk("spec-empty", post(raw, target="/v1/filter?spec="), MISSING_SPEC)
    yield _talk("spec-missing", post(raw, target="/v1/filter"), MISSING_SPEC)
    yield _talk("spec-not-utf-8", post(raw, target="/v1/filter?spec=%ff"), MALFORMED_JSON)
    yield _talk("spec-of-nul", post(raw, target="/v1/filter?spec=%00"), MALFORMED_JSON)
    yield _talk("spec-with-bad-escapes", post(raw, target="/v1/filter?spec=%zz%"), MALFORMED_JSON)
    yield _talk("half-a-million-parameters", post(raw, target="/v1/filter?" + "&" * 500_000), INVALID_PARAMETER)
    yield _talk("spec-all-in-escapes", post(raw, target="/v1/filter?spec=" + "%20" * 300_000 + quote(SPEC)), OK)
    kernel = json.dumps({"op": "conv", "kernel": [[1.25] * 199] * 199, "padding": "same"}, separators=(",", ":"))
    yield _talk("spec-of-200-kilobytes", post(raw, target="/v1/filter?spec=" + quote(kernel, safe=",:[]")), OK)


def _framing() -> Iterator[Talk]:
    """Where a body ends: the gap through which requests are smuggled."""
    te = "Transfer-Encoding: chunked"
    yield _talk(
        "length-and-chunked", request("POST", TARGET, te, "Content-Length: 5", body=chunked(SAMPLE_PNG)), BAD_REQUEST
    )
    yield _talk(
        "chunked-and-length", request("POST", TARGET, "Content-Length: 5", te, body=chunked(SAMPLE_PNG)), BAD_REQUEST
    )
    yield _talk(
        "two-lengths", request("POST", TARGET, "Content-Length: 5", "Content-Length: 6", body=b"hello!"), BAD_REQUEST
    )
    for length in ("-1", "+5", "0x10", "5,5", "5 5", "1e3", "", "\xb2", "9" * 30, "5\x0b"):
        yield _talk(
            f"length-{length!r}",
            request("POST", TARGET, f"Content-Length: {length}", body=b"hello"),
            BAD_REQUEST,
            silence=not length,
        )
    for announced in (32 * 2**20 + 1, 2**62):
        yield _talk(f"length-{announced}", request("POST", TARGET, f"Content-Length: {announced}"), BODY_TOO_LARGE)
    for coding in ("gzip", "chunked, gzip", "xchunked", "chunked, chunked", "identity"):
        sent = request("POST", TARGET, f"Transfer-Encoding: {coding}", body=chunked(SAMPLE_PNG))
        yield _talk(f"transfer-encoding-{coding}", sent, BAD_REQUEST)
    for size in (b"g", b"-1", b"0x5", b"f" * 17, b"1" * 300, b"", b" 5", b"5 \x01"):
        sent = request("POST", TARGET, te, body=size + b"\r\nhello\r\n0\r\n\r\n")
        yield _talk(f"chunk-size-{size[:20]!r}", sent, BAD_REQUEST)
    yield _talk("chunk-longer-than-its-size", request("POST", TARGET, te, body=b"2\r\nhello\r\n0\r\n\r\n"), BAD_REQUEST)
    single = chunked(*(SAMPLE_PNG[i : i + 1] for i in range(len(SAMPLE_PNG))))
    yield _talk("chunks-of-one-byte", request("POST", TARGET, te, body=single), OK)
    extended = b'%x;a=b;c="d"\r\n%s\r\n0;e\r\n\r\n' % (len(SAMPLE_PNG), SAMPLE_PNG)
    yield _talk("chunk-extensions", request("POST", TARGET, te, body=extended), OK, BAD_REQUEST)
    endless = request("POST", TARGET, te, body=b"1;" + b"a" * (3 << 20))
    yield _talk("chunk-extension-of-three-megabytes", endless, BAD_REQUEST, silence=True)
    trailer = b"0\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n"
    yield _talk("trailers", request("POST", TARGET, te, body=chunked(SAMPLE_PNG, end=trailer)), OK, BAD_REQUEST)
    flood = b"0\r\n" + b"a: b\r\n" * 100_000 + b"\r\n"
    yield _talk("flood-of-trailers", request("POST", TARGET, te, body=chunked(SAMPLE_PNG, end=flood)), BAD_REQUEST)
    piece = bytes(1 << 20)
    yield _talk("33-megabytes-in-chunks", request("POST", TARGET, te, body=chunked(*[piece] * 33)), BODY_TOO_LARGE)
    yield _talk("length-0", request("POST", TARGET, "Content-Length: 0"), MISSING_IMAGE)
    yield _talk("no-length", request("POST", TARGET), MISSING_IMAGE)
    smuggled = request("POST", "/nowhere", f"Content-Length: {len(LIVEZ)}", body=LIVEZ)
    yield _talk("request-inside-a-body-that-is-not-read", smuggled, NOT_FOUND)


def _heads() -> Iterator[Talk]:
    def get(*fields: str) -> bytes:
        return request("GET", "/livez", *fields)

    for name, line in {
        "blank-before-the-colon": "Content-Length : 5",
        "folded-line": "A: b\r\n c",
        "no-colon": "nonsense",
        "no-name": ": a",
        "nul-in-a-value": "A: b\0c",
        "nul-in-a-name": "A\0: b",
        "bare-carriage-return": "A: b\rX-Injected: c",
        "blank-in-a-name": "A b: c",
        "control-in-a-name": "A\x1b: c",
    }.items():
        yield _talk(name, get(line), BAD_REQUEST)
    yield _talk("bare-line-feeds", b"GET /livez HTTP/1.1\nHost: a\n\n", OK, BAD_REQUEST)
    yield _talk("no-host", request("GET", "/livez", host=""), BAD_REQUEST)
    yield _talk("two-hosts", get("Host: b"), BAD_REQUEST)
    yield _talk("hostile-host", request("GET", "/livez", host='evil"><script>'), OK, BAD_REQUEST)
    yield _talk("101-fields", get(*(f"A{i}: b" for i in range(101))), BAD_REQUEST)
    yield _talk("100000-fields", get(*["A: b"] * 100_000), BAD_REQUEST)
    yield _talk("field-of-40-kilobytes", get("A: " + "b" * 40_000), BAD_REQUEST)
    yield _talk("field-of-two-megabytes", get("A: " + "b" * (2 << 20)), BAD_REQUEST)
    yield _talk("name-of-40-kilobytes", get("A" * 40_000 + ": b"), BAD_REQUEST)
    yield _talk("lines-before-the-request", b"\r\n\r\n" + LIVEZ, OK)
    yield _talk("two-megabytes-of-empty-lines", b"\r\n" * (1 << 20), BAD_REQUEST, silence=True)
    for number, name in enumerate(
        ("a b", "a\tb", "\xe9", "a" * 129, "<script>", "a;b", "\x7f", "${jndi:ldap://x}", "%0d%0aX: y")
    ):
        yield _talk(f"request-id-{number}", get(f"X-Request-ID: {name}"), OK, BAD_REQUEST)
    yield _talk("request-id-broken-over-lines", get("X-Request-ID: a\r\nX-Injected: b"), OK)
    yield _talk("expect-something-else", post("Content-Type: image/png", "Expect: miracles"), OK)
    yield _talk("expect-100", post("Content-Type: image/png", "Expect: 100-continue"), OK)
    yield _talk(
        "upgrade-to-websocket",
        get(
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ),
        OK,
    )
    yield _talk(
        "upgrade-to-http-2",
        get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        OK,
    )
    yield _talk(
        "post-that-would-upgrade",
        post(
            "Content-Type: image/png",
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAAQAAP__",
        ),
        OK,
    )
    for name, value in (
        ("page", "text/html"),
        ("nothing", "image/png;q=0"),
        ("nonsense", ",;,;/"),
        ("svg", "image/svg+xml"),
        ("everything-excluded", "*;q=0"),
    ):
        yield _talk(f"accept-{name}", post("Content-Type: image/png", f"Accept: {value}"), NOT_ACCEPTABLE)
    for name, value in (
        ("of-old-java", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"),
        ("of-axios", "application/json, text/plain, */*"),
        ("with-many-digits", "*/*;q=1.0000"),
        ("with-a-weight-that-is-none", "image/png;q=\xbd"),
        ("of-commas", "," * 20_000),
        ("of-quotes", 'a/b;c="' + '\\"' * 10_000 + ", image/png"),
        ("of-semicolons", "*/*" + ";" * 20_000),
    ):
        right = NOT_ACCEPTABLE if name == "of-quotes" else OK
        yield _talk(f"accept-{name}", post("Content-Type: image/png", f"Accept: {value}"), right)
    yield _talk("accept-in-two-lines", post("Content-Type: image/png", "Accept: text/html", "Accept: image/png"), OK)
    yield _talk("accept-of-20-kilobytes", post("Content-Type: image/png", "Accept: " + "a/b," * 5000 + "image/png"), OK)


def _pipelines() -> Iterator[Talk]:
    ok = frozenset({OK})
    yield Talk("ten-in-a-row", LIVEZ * 10, (ok,) * 10)
    yield Talk("filters-in-a-row", post("Content-Type: image/png") * 5, (ok,) * 5)
    yield Talk("filter-and-health", post("Content-Type: image/png") + LIVEZ, (ok, ok))
    yield Talk(
        "refusal-and-filter",
        post("Content-Type: a/b") + post("Content-Type: image/png"),
        (frozenset({UNSUPPORTED_MEDIA_TYPE}), ok),
    )
    yield Talk("garbage-behind-a-filter", post("Content-Type: image/png") + b"\x16\x03\x01 garbage\r\n\r\n", (ok,))
    yield Talk("garbage-behind-a-queue", LIVEZ * 3 + b"garbage\r\n\r\n", (ok,) * 3)
    yield Talk("five-thousand-in-a-row", LIVEZ * 5000, (ok,) * 20)


def _strangers() -> Iterator[Talk]:
    """Clients of other protocols."""
    for name, sent in {
        "tls": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500),
        "ssh": b"SSH-2.0-OpenSSH_9.9\r\n",
        "smtp": b"EHLO example.org\r\n",
        "http-2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "http-9.9": b"GET /livez HTTP/9.9\r\nHost: a\r\n\r\n",
        "http-0.9": b"GET /livez\r\n\r\n",
        "redis": b"*1\r\n$4\r\nPING\r\n",
        "zeros": bytes(1000),
        "ones": b"\xff" * 1000,
        "icy": b"GET /livez ICY/1.0\r\n\r\n",
        "response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "proxy-protocol": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + LIVEZ,
    }.items():
        yield _talk(f"stranger-{name}", sent, BAD_REQUEST, OK if name in {"icy", "http-0.9"} else BAD_REQUEST)


def _bodies() -> Iterator[Talk]:
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP", "x"):
        sent = post("Content-Type: image/png", f"Content-Encoding: {coding}", body=gzip.compress(bytes(1 << 20)))
        yield _talk(f"content-encoding-{coding}", sent, UNSUPPORTED_MEDIA_TYPE)
    yield _talk("content-encoding-identity", post("Content-Type: image/png", "Content-Encoding: identity"), OK)
    for media_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "nonsense",
        "a/b/c",
        ";",
        "*/*",
    ):
        yield _talk(f"content-type-{media_type}", post(f"Content-Type: {media_type}"), UNSUPPORTED_MEDIA_TYPE)
    yield _talk(
        "content-type-of-10-kilobytes", post("Content-Type: image/png; a=" + "b" * 10_000), UNSUPPORTED_MEDIA_TYPE
    )
    yield _talk(
        "content-type-of-semicolons",
        post('Content-Type: multipart/form-data; a="' + ";" * 20_000),
        UNSUPPORTED_MEDIA_TYPE,
    )
    yield _talk("content-type-missing", post(), OK)
    yield _talk("content-type-empty", post("Content-Type: "), OK)
    yield _talk("content-type-of-a-video", post("Content-Type: image/mp4"), OK)


def form(*parts: bytes, boundary: bytes = b"xx", end: bytes = b"--xx--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end


def _part(name: str, content: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode("latin-1") + content


def _multiparts() -> Iterator[Talk]:
    image, spec = _part("image", SAMPLE_PNG, '; filename="a.png"'), _part("spec", SPEC.encode())

    def sent(body: bytes, content_type: str = "multipart/form-data; boundary=xx", target: str = "/v1/filter") -> bytes:
        return post(f"Content-Type: {content_type}", body=body, target=target)

    plain = form(image, spec)
    yield _talk("form", sent(plain), OK)
    yield _talk("form-spec-first", sent(form(spec, image)), OK)
    yield _talk("form-with-an-epilogue", sent(plain + b"epilogue"), OK)
    yield _talk("form-of-a-preset-with-a-spec", sent(plain, target="/v1/filters/sobel"), AMBIGUOUS, NOT_FOUND)
    malformed = {
        "without-boundary": sent(plain, "multipart/form-data"),
        "with-empty-boundary": sent(plain, 'multipart/form-data; boundary=""'),
        "with-another-boundary": sent(plain, "multipart/form-data; boundary=yy"),
        "with-a-boundary-of-300": sent(plain, "multipart/form-data; boundary=" + "x" * 300),
        "without-its-end": sent(form(image, spec, end=b"")),
        "cut-in-the-image": sent(plain[: len(plain) // 2]),
        "cut-in-a-header": sent(b"--xx\r\nContent-Disposition: form-data; na"),
        "part-without-name": sent(form(b"Content-Disposition: form-data\r\n\r\nx")),
        "part-without-headers": sent(form(b"\r\nx")),
        "part-with-two-dispositions": sent(form(b'Content-Disposition: form-data; name="a"\r\n' + image)),
        "part-in-base64": sent(form(b"Content-Transfer-Encoding: base64\r\n" + image, spec)),
        "part-with-a-header-of-a-megabyte": sent(form(b"A: " + b"b" * (1 << 20) + b"\r\n" + image)),
        "part-with-a-thousand-headers": sent(form(b"A: b\r\n" * 1000 + image)),
        "part-with-nonsense-for-a-header": sent(form(b"nonsense\r\n\r\nx")),
        "of-line-feeds": sent(plain.replace(b"\r\n", b"\n")),
        "of-zeros": sent(bytes(1000)),
        "in-json": sent(b'{"image": "x"}'),
    }
    for name, data in malformed.items():
        yield _talk(f"form-{name}", data, MALFORMED_MULTIPART)
    yield _talk("form-with-the-image-twice", sent(form(image, image, spec)), AMBIGUOUS)
    yield _talk("form-with-the-spec-twice", sent(form(image, spec, spec)), AMBIGUOUS)
    yield _talk("form-with-a-spec-in-the-query-too", sent(plain, target=TARGET), AMBIGUOUS)
    for name in ("other", "Image", "image[]", "../image", "\0", "a" * 3000, "\x1b[31m", "<b>"):
        yield _talk(
            f"form-with-a-part-{name[:20]!r}",
            sent(form(_part(name, b"x"), image, spec)),
            AMBIGUOUS,
            MALFORMED_MULTIPART,
        )
    yield _talk("form-with-ten-thousand-parts", sent(form(*[_part("other", b"x")] * 10_000)), AMBIGUOUS)
    yield _talk("form-without-image", sent(form(spec)), MISSING_IMAGE)
    yield _talk("form-without-spec", sent(form(image)), MISSING_SPEC)
    yield _talk("form-with-an-empty-image", sent(form(_part("image", b""), spec)), MISSING_IMAGE)
    yield _talk("form-with-an-empty-spec", sent(form(image, _part("spec", b" "))), MISSING_SPEC)
    yield _talk("form-of-nothing", sent(b""), MISSING_IMAGE, MALFORMED_MULTIPART)
    yield _talk("form-of-its-end-alone", sent(b"--xx--\r\n"), MISSING_IMAGE, MALFORMED_MULTIPART)
    hostile = "; filename=\"../../../etc/passwd\0.png\"; filename*=UTF-8''%2e%2e%2f"
    yield _talk(
        "form-with-a-hostile-filename", sent(form(_part("image", SAMPLE_PNG, hostile), spec)), OK, MALFORMED_MULTIPART
    )
    nearly = _part("image", SAMPLE_PNG + b"\r\n--x" * 100_000)
    yield _talk("form-full-of-near-boundaries", sent(form(nearly, spec)), OK)


def _documents() -> Iterator[Talk]:
    def sent(text: bytes | str, target: str = "/v1/filter") -> bytes:
        body = text.encode() if isinstance(text, str) else text
        return post("Content-Type: application/json", body=body, target=target)

    data = base64.b64encode(SAMPLE_PNG).decode()
    fine = f'{{"image": "{data}", "spec": {SPEC}}}'
    yield _talk("json", sent(fine), OK)
    yield _talk("json-data-uri", sent(f'{{"image": "data:image/png;base64,{data}", "spec": {SPEC}}}'), OK)
    yield _talk("json-and-query", sent(fine, TARGET), AMBIGUOUS)
    yield _talk("json-with-a-url", sent(f'{{"image": "http://127.0.0.1/a.png", "spec": {SPEC}}}'), INVALID_IMAGE)
    yield _talk("json-with-a-file-url", sent(f'{{"image": "file:///etc/passwd", "spec": {SPEC}}}'), INVALID_IMAGE)
    yield _talk(
        "json-data-uri-without-base64", sent(f'{{"image": "data:image/png,{data}", "spec": {SPEC}}}'), INVALID_IMAGE
    )
    yield _talk(
        "json-base64-with-a-blank", sent(f'{{"image": "{data[:8]} {data[8:]}", "spec": {SPEC}}}'), INVALID_IMAGE
    )
    yield _talk("json-base64-cut", sent(f'{{"image": "{data[:-5]}", "spec": {SPEC}}}'), INVALID_IMAGE)
    for name, value in (("number", "1"), ("null", "null"), ("list", "[137, 80]"), ("object", "{}"), ("true", "true")):
        yield _talk(f"json-image-{name}", sent(f'{{"image": {value}, "spec": {SPEC}}}'), INVALID_IMAGE, MISSING_IMAGE)
    yield _talk("json-image-empty", sent(f'{{"image": "", "spec": {SPEC}}}'), MISSING_IMAGE)
    yield _talk("json-image-missing", sent(f'{{"spec": {SPEC}}}'), MISSING_IMAGE)
    yield _talk("json-spec-missing", sent(f'{{"image": "{data}"}}'), MISSING_SPEC)
    yield _talk("json-unknown-field", sent(f'{{"image": "{data}", "spec": {SPEC}, "url": "http://a"}}'), AMBIGUOUS)
    yield _talk("json-image-twice", sent(f'{{"image": "{data}", "image": "{data}", "spec": {SPEC}}}'), MALFORMED_JSON)
    yield _talk("json-list", sent("[]"), MALFORMED_JSON)
    yield _talk("json-empty", sent(b""), MISSING_IMAGE, MALFORMED_JSON)
    yield _talk("json-of-nul", sent(b"\0"), MALFORMED_JSON)
    megabytes = "A" * 20_000_000
    yield _talk(
        "json-nan-behind-20-megabytes",
        sent(f'{{"image": "{megabytes}", "spec": {{"op": "blur", "sigma": NaN}}}}'),
        MALFORMED_JSON,
    )
    yield _talk("json-of-ten-million-lists", sent("[" + "[]," * 5_000_000 + "[]]"), MALFORMED_JSON)
    yield _talk("plan-of-a-list", sent("[]", "/v1/plan"), MALFORMED_JSON)
    yield _talk("plan-of-nothing", sent("", "/v1/plan"), MALFORMED_JSON)
    yield _talk("plan-without-image", sent(f'{{"spec": {SPEC}}}', "/v1/plan"), MISSING_IMAGE)
    yield _talk("figure-of-a-list", sent("[]", "/v1/figure"), MALFORMED_JSON)
    yield _talk("figure-with-a-long-query", sent("{}", "/v1/figure?" + "a=b&" * 100_000), INVALID_PARAMETER)
    yield _talk("figure-animated-maybe", sent("{}", "/v1/figure?animate=maybe"), INVALID_PARAMETER)
