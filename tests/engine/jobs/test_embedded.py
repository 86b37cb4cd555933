"""Images within JSON: what RFC 2397 and RFC 4648 say is read, and what is none is told what it is."""

from __future__ import annotations

import base64
import urllib.request
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.errors import InvalidImage
from service.engine.jobs.embedded import embedded_image
from service.routes.sample import SAMPLE_PNG

IMAGE = SAMPLE_PNG + bytes(range(256)) + b"\xfb\xff\xfe"
TEXT = base64.b64encode(IMAGE).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"data:image/png;base64,{TEXT}",
        f"DATA:image/png;BASE64,{TEXT}",
        f"Data:IMAGE/PNG;Base64,{TEXT}",
        f"data:;base64,{TEXT}",
        f"data:image/png;charset=utf-8;base64,{TEXT}",
        f'data:image/png;name="a.png";base64,{TEXT}',
        f"data:image/png; base64,{TEXT}",
        f"data:application/octet-stream;base64,{TEXT}",
        f"data:image/png;base64,{quote(TEXT, safe='')}",
        f"data:,{quote(IMAGE, safe='')}",
        f"data:image/png,{quote(IMAGE, safe='')}",
        "data:image/png," + "".join(f"%{byte:02x}" for byte in IMAGE),
    ],
)
def test_forms_of_the_formats_are_read(text: str) -> None:
    assert embedded_image(text) == IMAGE


@given(st.binary(max_size=300), st.sampled_from(["", "/+", "".join(map(chr, range(33, 127))).replace("%", "")]))
def test_data_uris_are_read_as_the_standard_library_reads_them(data: bytes, plain: str) -> None:
    encoded = f"data:image/png,{quote(data, safe=plain)}%21"
    in_base64 = f"data:image/png;base64,{quote(base64.b64encode(data), safe=plain)}"
    for uri in (encoded, in_base64):
        with urllib.request.urlopen(uri) as opened:
            assert embedded_image(uri) == opened.read()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT[:76] + "\n" + TEXT[76:], "line ends in it, the first behind 76 characters"),
        (TEXT[:76] + "\r\n" + TEXT[76:], "line ends in it, the first behind 76 characters"),
        (TEXT + "\n", "line ends"),
        (" " + TEXT, "blanks in it, the first behind 0 characters"),
        (TEXT[:9] + "\t" + TEXT[9:], "blanks"),
        (f"data:image/png;base64,{TEXT}\n", "line ends"),
        (f"data:image/png;base64,{TEXT[:8]}%0A{TEXT[8:]}", "line ends"),
        (base64.urlsafe_b64encode(IMAGE).decode(), "base64url"),
        (base64.b64encode(IMAGE + b"a").decode().rstrip("="), 'must end in . "=" as padding, and ends in 0'),
        ("QUI", 'must end in 1 "=" as padding, and ends in 0'),
        ("QQ=", 'must end in 2 "=" as padding, and ends in 1'),
        ("QUI==", 'must end in 1 "=" as padding, and ends in 2'),
        ("QUFB=", 'must end in 0 "=" as padding, and ends in 1'),
        ("QUFB====", 'must end in 0 "=" as padding, and ends in 4'),
        ("====", 'must end in 0 "=" as padding, and ends in 4'),
        ("QQ==QQ==", '"=" stands before its end'),
        ("QUFBQ", "ends in the middle, with 5 characters"),
        ("=", 'must end in 0 "=" as padding, and ends in 1'),
        ("QUF*", '"\\*" stands behind 3 characters'),
        ("QUFé", "stands behind 3 characters"),
        ("http://127.0.0.1/a.png", "no picture is fetched from an address"),
        ("file:///etc/passwd", "no picture is fetched from an address"),
        ("blob:https://example.org/1", "no picture is fetched from an address"),
        ("data:image/png;base64", "no comma"),
        (f"data:image/png,{TEXT}", 'must say ";base64"'),
        (f"data:image/png;base64;x=y,{TEXT}", 'must say ";base64"'),
        ("data:image/png,%8", "two hexadecimal digits"),
        ("data:image/png,%8G", "two hexadecimal digits"),
        ("data:image/png,%", "two hexadecimal digits"),
        ("data:image/png,%89é", "must be percent-encoded"),
        ("data:" + "a" * 2000 + ",", "no comma"),
        (7, "must be a string"),
        (None, "must be a string"),
    ],
)
def test_what_cannot_be_read_is_told_why(text: object, words: str) -> None:
    with pytest.raises(InvalidImage, match=words) as refused:
        embedded_image(text)
    assert [fault.pointer for fault in refused.value.faults] == ["/image"]
