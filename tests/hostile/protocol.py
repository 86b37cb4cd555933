"""Raw bytes as hostile clients send them over a connection, and what must come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import chain
from urllib.parse import quote

from service.routes.sample import SAMPLE_PNG
from tests.hostile.bodies import bodies
from tests.hostile.case import (
    AMBIGUOUS,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    INVALID_PARAMETER,
    MALFORMED_JSON,
    METHOD_NOT_ALLOWED,
    MISSING_IMAGE,
    MISSING_SPEC,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    OK,
    UNSUPPORTED_MEDIA_TYPE,
)
from tests.hostile.talk import LIVEZ, SPEC, TARGET, Talk, chunked, post, request, talk


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
            bodies(),
        )
    )


def _methods() -> Iterator[Talk]:
    yield talk("get", request("GET", "/livez"), OK)
    yield talk("http-1.0", request("GET", "/livez", version="1.0", host=""), OK)
    yield talk("post-over-http-1.0", post(version="1.0"), OK)
    yield talk("head", request("HEAD", "/livez"), OK, method="HEAD")
    yield talk("head-where-there-is-no-get", request("HEAD", TARGET), METHOD_NOT_ALLOWED, method="HEAD")
    yield talk("options", request("OPTIONS", "/v1/filter"), METHOD_NOT_ALLOWED)
    yield talk("options-of-all", request("OPTIONS", "*"), NOT_FOUND, METHOD_NOT_ALLOWED, BAD_REQUEST)
    for method in ("TRACE", "PUT", "DELETE", "PATCH", "GET"):
        yield talk(f"{method.lower()}-of-filter", request(method, "/v1/filter"), METHOD_NOT_ALLOWED)
    yield talk("connect", request("CONNECT", "example.org:80"), NOT_FOUND, METHOD_NOT_ALLOWED, BAD_REQUEST)
    yield talk("propfind", request("PROPFIND", "/v1/filter"), METHOD_NOT_ALLOWED)
    yield talk("method-that-is-none", request("FILTER", "/livez"), BAD_REQUEST, METHOD_NOT_ALLOWED)
    yield talk("method-in-small-letters", request("get", "/livez"), BAD_REQUEST, METHOD_NOT_ALLOWED)
    yield talk("method-of-a-megabyte", b"A" * (1 << 20) + b" / HTTP/1.1\r\n\r\n", BAD_REQUEST)
    yield talk("get-with-a-body", request("GET", "/livez", "Content-Length: 5", body=b"hello"), OK)
    crossing = request("OPTIONS", "/v1/filter", "Origin: https://evil.example", "Access-Control-Request-Method: POST")
    closed = frozenset({"access-control-allow-origin"})
    yield Talk("preflight", crossing, (frozenset({METHOD_NOT_ALLOWED}),), without=closed)
    yield Talk("origin", request("GET", "/livez", "Origin: null"), (frozenset({OK}),), without=closed)


def _targets() -> Iterator[Talk]:
    yield talk("absolute-form", request("GET", "http://a/livez"), OK)
    yield talk("absolute-form-of-another-host", request("GET", "http://169.254.169.254/livez"), OK, NOT_FOUND)
    yield talk("absolute-form-of-a-file", request("GET", "file:///etc/passwd"), NOT_FOUND, BAD_REQUEST)
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
        yield talk(f"preset-{path[:40]}", post("Content-Type: image/png", target=f"/v1/filters{path}"), NOT_FOUND)
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
        yield talk(f"get-{path}", request("GET", path), NOT_FOUND)
    yield talk("raw-bytes-in-the-path", b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST, NOT_FOUND)
    yield talk("nul-in-the-path", b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST, NOT_FOUND)
    yield talk("blank-in-the-path", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST)
    yield talk("path-of-two-megabytes", request("GET", "/" + "a" * (2 << 20)), BAD_REQUEST)
    yield talk("fragment", request("GET", "/livez#a"), OK, BAD_REQUEST)
    raw = "Content-Type: image/png"
    yield talk("spec-twice", post(raw, target=f"{TARGET}&spec={quote(SPEC)}"), AMBIGUOUS)
    yield talk("spec-twice-once-in-escapes", post(raw, target=f"{TARGET}&%73pec={quote(SPEC)}"), AMBIGUOUS)
    yield talk("spec-and-preset", post(raw, target=f"/v1/filters/sobel?spec={quote(SPEC)}"), AMBIGUOUS, NOT_FOUND)
    yield talk("spec-empty", post(raw, target="/v1/filter?spec="), MISSING_SPEC)
    yield talk("spec-missing", post(raw, target="/v1/filter"), MISSING_SPEC)
    yield talk("spec-not-utf-8", post(raw, target="/v1/filter?spec=%ff"), MALFORMED_JSON)
    yield talk("spec-of-nul", post(raw, target="/v1/filter?spec=%00"), MALFORMED_JSON)
    yield talk("spec-with-bad-escapes", post(raw, target="/v1/filter?spec=%zz%"), MALFORMED_JSON)
    yield talk("half-a-million-parameters", post(raw, target="/v1/filter?" + "&" * 500_000), INVALID_PARAMETER)
    yield talk("spec-all-in-escapes", post(raw, target="/v1/filter?spec=" + "%20" * 300_000 + quote(SPEC)), OK)
    kernel = json.dumps({"op": "conv", "kernel": [[1.25] * 199] * 199, "padding": "same"}, separators=(",", ":"))
    yield talk("spec-of-200-kilobytes", post(raw, target="/v1/filter?spec=" + quote(kernel, safe=",:[]")), OK)


def _framing() -> Iterator[Talk]:
    """Where a body ends: the gap through which requests are smuggled."""
    te = "Transfer-Encoding: chunked"
    yield talk(
        "length-and-chunked", request("POST", TARGET, te, "Content-Length: 5", body=chunked(SAMPLE_PNG)), BAD_REQUEST
    )
    yield talk(
        "chunked-and-length", request("POST", TARGET, "Content-Length: 5", te, body=chunked(SAMPLE_PNG)), BAD_REQUEST
    )
    yield talk(
        "two-lengths", request("POST", TARGET, "Content-Length: 5", "Content-Length: 6", body=b"hello!"), BAD_REQUEST
    )
    for length in ("-1", "+5", "0x10", "5,5", "5 5", "1e3", "", "\xb2", "9" * 30, "5\x0b"):
        yield talk(
            f"length-{length!r}",
            request("POST", TARGET, f"Content-Length: {length}", body=b"hello"),
            BAD_REQUEST,
            silence=not length,
        )
    for announced in (32 * 2**20 + 1, 2**62):
        yield talk(f"length-{announced}", request("POST", TARGET, f"Content-Length: {announced}"), BODY_TOO_LARGE)
    for coding in ("gzip", "chunked, gzip", "xchunked", "chunked, chunked", "identity"):
        sent = request("POST", TARGET, f"Transfer-Encoding: {coding}", body=chunked(SAMPLE_PNG))
        yield talk(f"transfer-encoding-{coding}", sent, BAD_REQUEST)
    for size in (b"g", b"-1", b"0x5", b"f" * 17, b"1" * 300, b"", b" 5", b"5 \x01"):
        sent = request("POST", TARGET, te, body=size + b"\r\nhello\r\n0\r\n\r\n")
        yield talk(f"chunk-size-{size[:20]!r}", sent, BAD_REQUEST)
    yield talk("chunk-longer-than-its-size", request("POST", TARGET, te, body=b"2\r\nhello\r\n0\r\n\r\n"), BAD_REQUEST)
    single = chunked(*(SAMPLE_PNG[i : i + 1] for i in range(len(SAMPLE_PNG))))
    yield talk("chunks-of-one-byte", request("POST", TARGET, te, body=single), OK)
    extended = b'%x;a=b;c="d"\r\n%s\r\n0;e\r\n\r\n' % (len(SAMPLE_PNG), SAMPLE_PNG)
    yield talk("chunk-extensions", request("POST", TARGET, te, body=extended), OK, BAD_REQUEST)
    endless = request("POST", TARGET, te, body=b"1;" + b"a" * (3 << 20))
    yield talk("chunk-extension-of-three-megabytes", endless, BAD_REQUEST, silence=True)
    trailer = b"0\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n"
    yield talk("trailers", request("POST", TARGET, te, body=chunked(SAMPLE_PNG, end=trailer)), OK, BAD_REQUEST)
    flood = b"0\r\n" + b"a: b\r\n" * 100_000 + b"\r\n"
    yield talk("flood-of-trailers", request("POST", TARGET, te, body=chunked(SAMPLE_PNG, end=flood)), BAD_REQUEST)
    piece = bytes(1 << 20)
    yield talk("33-megabytes-in-chunks", request("POST", TARGET, te, body=chunked(*[piece] * 33)), BODY_TOO_LARGE)
    yield talk("length-0", request("POST", TARGET, "Content-Length: 0"), MISSING_IMAGE)
    yield talk("no-length", request("POST", TARGET), MISSING_IMAGE)
    smuggled = request("POST", "/nowhere", f"Content-Length: {len(LIVEZ)}", body=LIVEZ)
    yield talk("request-inside-a-body-that-is-not-read", smuggled, NOT_FOUND)


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
        yield talk(name, get(line), BAD_REQUEST)
    yield talk("bare-line-feeds", b"GET /livez HTTP/1.1\nHost: a\n\n", OK, BAD_REQUEST)
    yield talk("no-host", request("GET", "/livez", host=""), BAD_REQUEST)
    yield talk("two-hosts", get("Host: b"), BAD_REQUEST)
    yield talk("hostile-host", request("GET", "/livez", host='evil"><script>'), OK, BAD_REQUEST)
    yield talk("101-fields", get(*(f"A{i}: b" for i in range(101))), BAD_REQUEST)
    yield talk("100000-fields", get(*["A: b"] * 100_000), BAD_REQUEST)
    yield talk("field-of-40-kilobytes", get("A: " + "b" * 40_000), BAD_REQUEST)
    yield talk("field-of-two-megabytes", get("A: " + "b" * (2 << 20)), BAD_REQUEST)
    yield talk("name-of-40-kilobytes", get("A" * 40_000 + ": b"), BAD_REQUEST)
    yield talk("lines-before-the-request", b"\r\n\r\n" + LIVEZ, OK)
    yield talk("two-megabytes-of-empty-lines", b"\r\n" * (1 << 20), BAD_REQUEST, silence=True)
    for number, name in enumerate(
        ("a b", "a\tb", "\xe9", "a" * 129, "<script>", "a;b", "\x7f", "${jndi:ldap://x}", "%0d%0aX: y")
    ):
        yield talk(f"request-id-{number}", get(f"X-Request-ID: {name}"), OK, BAD_REQUEST)
    yield talk("request-id-broken-over-lines", get("X-Request-ID: a\r\nX-Injected: b"), OK)
    yield talk("expect-something-else", post("Content-Type: image/png", "Expect: miracles"), OK)
    yield talk("expect-100", post("Content-Type: image/png", "Expect: 100-continue"), OK)
    yield talk(
        "upgrade-to-websocket",
        get(
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ),
        OK,
    )
    yield talk(
        "upgrade-to-http-2",
        get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        OK,
    )
    yield talk(
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
        ("a-form-of-tomorrow", "image/jxl, image/heic"),
        ("jpeg-misspelt", "image/jpg"),
        ("jpeg-and-more", "image/jpeg/2000"),
        ("jpeg-excluded", "image/jpeg;q=0.0"),
        ("everything-excluded", "*;q=0"),
    ):
        yield talk(f"accept-{name}", post("Content-Type: image/png", f"Accept: {value}"), NOT_ACCEPTABLE)
    for name, value in (
        ("of-old-java", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"),
        ("of-a-browsers-picture", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"),
        ("with-a-weight-for-nothing", "image/webp;q=much"),
        ("of-axios", "application/json, text/plain, */*"),
        ("with-many-digits", "*/*;q=1.0000"),
        ("with-a-weight-that-is-none", "image/png;q=\xbd"),
        ("of-commas", "," * 20_000),
        ("of-quotes", 'a/b;c="' + '\\"' * 10_000 + ", image/png"),
        ("of-semicolons", "*/*" + ";" * 20_000),
    ):
        right = NOT_ACCEPTABLE if name == "of-quotes" else OK
        yield talk(f"accept-{name}", post("Content-Type: image/png", f"Accept: {value}"), right)
    yield talk("accept-in-two-lines", post("Content-Type: image/png", "Accept: text/html", "Accept: image/png"), OK)
    yield talk("accept-of-20-kilobytes", post("Content-Type: image/png", "Accept: " + "a/b," * 5000 + "image/png"), OK)


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
        yield talk(f"stranger-{name}", sent, BAD_REQUEST, OK if name in {"icy", "http-0.9"} else BAD_REQUEST)
