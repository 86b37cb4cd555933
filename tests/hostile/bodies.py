"""Bodies as hostile clients send them: types of content, forms, JSON documents."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from urllib.parse import quote

from service.routes.sample import SAMPLE_PNG
from tests.hostile.case import (
    AMBIGUOUS,
    INVALID_IMAGE,
    INVALID_PARAMETER,
    MALFORMED_JSON,
    MALFORMED_MULTIPART,
    MISSING_IMAGE,
    MISSING_SPEC,
    NOT_FOUND,
    OK,
    UNSUPPORTED_FORMAT,
    UNSUPPORTED_MEDIA_TYPE,
)
from tests.hostile.talk import SPEC, TARGET, Talk, post, talk


def bodies() -> Iterator[Talk]:
    """All of them."""
    yield from _types_of_content()
    yield from _multiparts()
    yield from _documents()


def _types_of_content() -> Iterator[Talk]:
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP", "x"):
        sent = post("Content-Type: image/png", f"Content-Encoding: {coding}", body=gzip.compress(bytes(1 << 20)))
        yield talk(f"content-encoding-{coding}", sent, UNSUPPORTED_MEDIA_TYPE)
    yield talk("content-encoding-identity", post("Content-Type: image/png", "Content-Encoding: identity"), OK)
    for media_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "nonsense",
        "a/b/c",
        ";",
        "*/*",
    ):
        yield talk(f"content-type-{media_type}", post(f"Content-Type: {media_type}"), UNSUPPORTED_MEDIA_TYPE)
    yield talk(
        "content-type-of-10-kilobytes", post("Content-Type: image/png; a=" + "b" * 10_000), UNSUPPORTED_MEDIA_TYPE
    )
    yield talk(
        "content-type-of-semicolons",
        post('Content-Type: multipart/form-data; a="' + ";" * 20_000),
        UNSUPPORTED_MEDIA_TYPE,
    )
    yield talk("content-type-missing", post(), OK)
    yield talk("content-type-empty", post("Content-Type: "), OK)
    for media_type in ("binary/octet-stream", "Binary/Octet-Stream", "application/octet-stream;charset=UTF-8"):
        yield talk(f"content-type-{media_type}", post(f"Content-Type: {media_type}"), OK)
    yield talk("content-type-of-a-video", post("Content-Type: image/mp4"), OK)


def form(*parts: bytes, boundary: bytes = b"xx", end: bytes = b"--xx--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end


def _part(name: str, content: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode("latin-1") + content


def _multiparts() -> Iterator[Talk]:
    image, spec = _part("image", SAMPLE_PNG, '; filename="a.png"'), _part("spec", SPEC.encode())

    def sent(body: bytes, content_type: str = "multipart/form-data; boundary=xx", target: str = "/v1/filter") -> bytes:
        return post(f"Content-Type: {content_type}", body=body, target=target)

    plain = form(image, spec)
    yield talk("form", sent(plain), OK)
    for boundary in ("a/b", "==_:?", "a*b"):
        sound = form(image, spec, boundary=boundary.encode(), end=f"--{boundary}--".encode())
        yield talk(
            f"form-with-the-bare-boundary-{boundary}", sent(sound, f"multipart/form-data; boundary={boundary}"), OK
        )
    yield talk("form-spec-first", sent(form(spec, image)), OK)
    yield talk("form-with-an-epilogue", sent(plain + b"epilogue"), OK)
    yield talk("form-of-a-preset-with-a-spec", sent(plain, target="/v1/filters/sobel"), AMBIGUOUS, NOT_FOUND)
    for name, blanks in {"a-blank": b" ", "a-tab": b"\t", "a-megabyte-of-blanks": b" \t" * (1 << 19)}.items():
        padded = plain.replace(b"--xx\r\n", b"--xx" + blanks + b"\r\n").replace(b"--xx--", b"--xx--" + blanks)
        yield talk(f"form-with-{name}-behind-its-boundaries", sent(padded), OK)
    like = _part("image", SAMPLE_PNG + b"\r\n--x x \r\n--x  \r" * 100_000)
    yield talk("form-full-of-padded-near-boundaries", sent(form(like, spec)), OK)
    malformed = {
        "with-a-word-behind-its-boundary": sent(plain.replace(b"--xx\r\n", b"--xx x\r\n")),
        "with-blanks-and-a-bare-line-feed": sent(plain.replace(b"--xx\r\n", b"--xx \n")),
        "with-blanks-before-its-end": sent(form(image, spec, end=b"--xx --\r\n")),
        "of-blanks-behind-a-boundary": sent(b"--xx" + b" " * (1 << 20)),
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
        "part-with-a-bare-line-feed-in-a-header": sent(form(b"A: b\nC: d\r\n" + image, spec)),
        "part-with-a-hidden-disposition": sent(
            form(b'A: \nContent-Disposition: form-data; name="spec"\r\n' + image, spec)
        ),
        "of-line-feeds": sent(plain.replace(b"\r\n", b"\n")),
        "of-zeros": sent(bytes(1000)),
        "in-json": sent(b'{"image": "x"}'),
    }
    for name, data in malformed.items():
        yield talk(f"form-{name}", data, MALFORMED_MULTIPART)
    yield talk("form-with-the-image-twice", sent(form(image, image, spec)), AMBIGUOUS)
    yield talk("form-with-the-spec-twice", sent(form(image, spec, spec)), AMBIGUOUS)
    yield talk("form-with-a-spec-in-the-query-too", sent(plain, target=TARGET), AMBIGUOUS)
    for name in ("other", "Image", "image[]", "../image", "\0", "a" * 3000, "\x1b[31m", "<b>"):
        yield talk(
            f"form-with-a-part-{name[:20]!r}",
            sent(form(_part(name, b"x"), image, spec)),
            AMBIGUOUS,
            MALFORMED_MULTIPART,
        )
    yield talk("form-with-ten-thousand-parts", sent(form(*[_part("other", b"x")] * 10_000)), AMBIGUOUS)
    yield talk("form-without-image", sent(form(spec)), MISSING_IMAGE)
    yield talk("form-without-spec", sent(form(image)), MISSING_SPEC)
    yield talk("form-with-an-empty-image", sent(form(_part("image", b""), spec)), MISSING_IMAGE)
    yield talk("form-with-an-empty-spec", sent(form(image, _part("spec", b" "))), MISSING_SPEC)
    yield talk("form-of-nothing", sent(b""), MISSING_IMAGE, MALFORMED_MULTIPART)
    yield talk("form-of-its-end-alone", sent(b"--xx--\r\n"), MISSING_IMAGE, MALFORMED_MULTIPART)
    hostile = "; filename=\"../../../etc/passwd\0.png\"; filename*=UTF-8''%2e%2e%2f"
    yield talk(
        "form-with-a-hostile-filename", sent(form(_part("image", SAMPLE_PNG, hostile), spec)), OK, MALFORMED_MULTIPART
    )
    nearly = _part("image", SAMPLE_PNG + b"\r\n--x" * 100_000)
    yield talk("form-full-of-near-boundaries", sent(form(nearly, spec)), OK)


def _documents() -> Iterator[Talk]:
    def sent(text: bytes | str, target: str = "/v1/filter") -> bytes:
        body = text.encode() if isinstance(text, str) else text
        return post("Content-Type: application/json", body=body, target=target)

    data = base64.b64encode(SAMPLE_PNG).decode()
    fine = f'{{"image": "{data}", "spec": {SPEC}}}'
    yield talk("json", sent(fine), OK)
    yield talk("json-data-uri", sent(f'{{"image": "data:image/png;base64,{data}", "spec": {SPEC}}}'), OK)
    yield talk("json-and-query", sent(fine, TARGET), AMBIGUOUS)
    yield talk("json-with-a-url", sent(f'{{"image": "http://127.0.0.1/a.png", "spec": {SPEC}}}'), INVALID_IMAGE)
    yield talk("json-with-a-file-url", sent(f'{{"image": "file:///etc/passwd", "spec": {SPEC}}}'), INVALID_IMAGE)
    yield talk(
        "json-data-uri-without-base64", sent(f'{{"image": "data:image/png,{data}", "spec": {SPEC}}}'), INVALID_IMAGE
    )
    yield talk("json-base64-with-a-blank", sent(f'{{"image": "{data[:8]} {data[8:]}", "spec": {SPEC}}}'), INVALID_IMAGE)
    for name, text in {
        "in-capitals": f"DATA:image/png;BASE64,{data}",
        "with-parameters": f"data:image/png;charset=binary;base64,{data}",
        "without-a-type": f"data:;base64,{data}",
        "in-percents": f"data:image/png;base64,{quote(data, safe='')}",
        "of-percents": f"data:image/png,{quote(SAMPLE_PNG, safe='')}",
        "all-of-percents": "data:image/png," + "".join(f"%{byte:02x}" for byte in SAMPLE_PNG),
    }.items():
        yield talk(f"json-data-uri-{name}", sent(f'{{"image": "{text}", "spec": {SPEC}}}'), OK)
    wrong = {
        "with-line-ends": f"{data[:76]}\\r\\n{data[76:]}",
        "with-a-line-end-at-its-end": f"{data}\\n",
        "of-urls": data.replace("/", "_").replace("+", "-"),
        "without-padding": (data + "QQ==").rstrip("="),
        "with-too-much-padding": f"{data}====",
        "of-signs": "*" * 1_000_000,
        "of-padding": "=" * 1_000_000,
        "of-letters-of-other-scripts": "\u0416" * 1_000_000,
        "data-uri-without-a-comma": "data:" + "; base64" * 1_000_000,
        "data-uri-of-blanks": "data:;" + " " * 4_000_000 + "base64,",
        "data-uri-of-percents-alone": "data:," + "%" * 4_000_000,
        "data-uri-of-half-an-escape": "data:,%8",
    }
    for name, text in wrong.items():
        yield talk(f"json-base64-{name}", sent(f'{{"image": "{text}", "spec": {SPEC}}}'), INVALID_IMAGE)
    escaped = "%00" * 5_000_000
    yield talk(
        "json-data-uri-of-five-million-escapes",
        sent(f'{{"image": "data:,{escaped}", "spec": {SPEC}}}'),
        UNSUPPORTED_FORMAT,
    )
    yield talk("json-base64-cut", sent(f'{{"image": "{data[:-5]}", "spec": {SPEC}}}'), INVALID_IMAGE)
    for name, value in (("number", "1"), ("null", "null"), ("list", "[137, 80]"), ("object", "{}"), ("true", "true")):
        yield talk(f"json-image-{name}", sent(f'{{"image": {value}, "spec": {SPEC}}}'), INVALID_IMAGE, MISSING_IMAGE)
    yield talk("json-image-empty", sent(f'{{"image": "", "spec": {SPEC}}}'), MISSING_IMAGE)
    yield talk("json-image-missing", sent(f'{{"spec": {SPEC}}}'), MISSING_IMAGE)
    yield talk("json-spec-missing", sent(f'{{"image": "{data}"}}'), MISSING_SPEC)
    yield talk("json-unknown-field", sent(f'{{"image": "{data}", "spec": {SPEC}, "url": "http://a"}}'), AMBIGUOUS)
    yield talk("json-image-twice", sent(f'{{"image": "{data}", "image": "{data}", "spec": {SPEC}}}'), MALFORMED_JSON)
    yield talk("json-list", sent("[]"), MALFORMED_JSON)
    yield talk("json-empty", sent(b""), MISSING_IMAGE, MALFORMED_JSON)
    yield talk("json-of-nul", sent(b"\0"), MALFORMED_JSON)
    megabytes = "A" * 20_000_000
    yield talk(
        "json-nan-behind-20-megabytes",
        sent(f'{{"image": "{megabytes}", "spec": {{"op": "blur", "sigma": NaN}}}}'),
        MALFORMED_JSON,
    )
    yield talk("json-of-ten-million-lists", sent("[" + "[]," * 5_000_000 + "[]]"), MALFORMED_JSON)
    yield talk("plan-of-a-list", sent("[]", "/v1/plan"), MALFORMED_JSON)
    yield talk("plan-of-nothing", sent("", "/v1/plan"), MALFORMED_JSON)
    yield talk("plan-without-image", sent(f'{{"spec": {SPEC}}}', "/v1/plan"), MISSING_IMAGE)
    yield talk("figure-of-a-list", sent("[]", "/v1/figure"), MALFORMED_JSON)
    yield talk("figure-with-a-long-query", sent("{}", "/v1/figure?" + "a=b&" * 100_000), INVALID_PARAMETER)
    yield talk("figure-animated-maybe", sent("{}", "/v1/figure?animate=maybe"), INVALID_PARAMETER)
