"""Forms taken apart: what was put in comes out, however it is cut; what is no form is refused."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.errors import AmbiguousRequest
from service.routes.errors import MalformedMultipart
from service.routes.multipart import LONGEST_HEAD, MOST_HEADERS, Parts

NAMES = ("image", "spec")
DELIMITER = b"\r\n--5eed"
NEARLY = [b"\r\n--5ee", b"\r\n--5eedy", b"\r\n--5eed-", b"\r\n--5eed-x", b"\r\n--5eed\r", b"\r\n--5eed\rx", b"\r\n-"]
NEARLY += [b"\r", b"\n", b"-", b"5eed", b"--5eed", b"\r\r\n--5e", b"\r\n\r\n", b"\0\xff"]
HEADERS = [
    b'Content-Disposition: form-data; name="%b"',
    b'content-disposition:form-data; filename="a\\";b"; name=%b',
    b'X: 1\r\nContent-Disposition: form-data; name="%b"; filename="x.png"\r\nContent-Type: image/png',
    b'Content-Transfer-Encoding: Binary\r\nContent-Disposition:  form-data;name="%b"',
]
ENDS = [b"--", b"--\r\n", b"--\r\nand more\r\n--5eed\r\n", b"-- "]

REAL = re.compile(rb"\r\n--5eed(--|\s*\n)")

contents = st.lists(st.sampled_from(NEARLY), max_size=6).map(b"".join)
contents = contents.filter(lambda content: not REAL.search(content + DELIMITER))


def write(parts: Parts, body: bytes, places: list[int]) -> None:
    for start, end in pairwise([0, *places, len(body)]):
        parts.write(body[start:end])


def parse(body: bytes, cuts: list[int]) -> dict[str, bytes]:
    parts = Parts(b"5eed", NAMES)
    write(parts, body, sorted(cut % (len(body) + 1) for cut in cuts))
    parts.close()
    return {name: bytes(value) for name, value in parts.found.items()}


@given(
    st.dictionaries(st.sampled_from(NAMES), contents, max_size=2),
    st.lists(st.integers(0, 10_000), max_size=20),
    st.integers(0),
)
def test_what_was_put_in_comes_out(parts: dict[str, bytes], cuts: list[int], seed: int) -> None:
    pick = random.Random(seed).choice
    body = pick([b"", b"\r\n", b"\n"]) + DELIMITER[2:]
    for name, content in parts.items():
        body += pick([b"", b" \t"]) + b"\r\n" + pick(HEADERS) % name.encode() + b"\r\n\r\n" + content + DELIMITER
    assert parse(body + pick(ENDS), cuts) == parts


def test_every_beginning_is_refused() -> None:
    body = DELIMITER[2:] + b"\r\n" + HEADERS[2] % b"image" + b"\r\n\r\nabc" + DELIMITER + b"--"
    for end in range(1, len(body)):
        with pytest.raises(MalformedMultipart):
            parse(body[:end], [])


@pytest.mark.parametrize(
    "body",
    [
        b"--5eef\r\n",
        b"a preamble\r\n--5eed--",
        b"--5eedx",
        b"--5eed\r\nno header\r\n\r\n",
        b"--5eed\r\nContent-Disposition: form-data\r\n\r\n",
        b"--5eed\r\n\r\nno headers",
        b"--5eed\r\n" + b"X: 1\r\n" * MOST_HEADERS + HEADERS[0] % b"image" + b"\r\n\r\n",
        b"--5eed\r\nX: " + b"x" * LONGEST_HEAD,
        b"--5eed\r\nX Y: 1\r\n\r\n",
        b"--5eed\r\nX: a\nb\r\n" + HEADERS[0] % b"image" + b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 10_000])
def test_no_form_is_refused_before_it_ends(body: bytes, size: int) -> None:
    parts = Parts(b"5eed", NAMES)
    with pytest.raises(MalformedMultipart):
        write(parts, body, list(range(0, len(body), size)))


def test_other_and_repeated_parts_are_refused_as_they_begin() -> None:
    for names in ([b"image", b"image"], [b"other"], ["bücher".encode()]):
        begun = (b"\r\n\r\n" + DELIMITER + b"\r\n").join(HEADERS[0] % name for name in names)
        with pytest.raises(AmbiguousRequest):
            Parts(b"5eed", NAMES).write(b"--5eed\r\n" + begun + b"\r\n\r\n")
