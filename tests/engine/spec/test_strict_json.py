"""Strict JSON: what is read, and what is refused with which place."""

from __future__ import annotations

import gc
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.errors import MalformedJson
from service.engine.spec.strict_json import loads
from tests.calls import calls

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_every_json_document_is_read_as_it_was_written(value: object) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert loads(text) == value
    assert loads(memoryview(text)) == loads(bytearray(text)) == loads(text.decode()) == value


@settings(deadline=None)
@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u0d8e1NaInf- \n', max_size=40))
def test_anything_else_is_malformed_or_read_as_by_others(text: bytes | str) -> None:
    try:
        value = loads(text)
    except MalformedJson:
        return
    assert value == json.loads(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the JSON document is empty"),
        (" \n", "the JSON document is empty"),
        ("{", "line 1, column 2: a member's name in double quotes is expected"),
        ("{'a': 1}", "line 1, column 2: a member's name in double quotes"),
        ('{"a" 1}', "line 1, column 6: a colon is expected"),
        ("[1 2]", "line 1, column 4: a comma or a closing bracket is expected"),
        ("[1,\n2,\n  x]", "line 3, column 3: a value is expected"),
        ('["a', "line 1, column 2: a string begins here and does not end"),
        ('["a\nb"]', "line 1, column 4: a control character"),
        ('["\\x"]', "line 1, column 3: a backslash is followed"),
        ('["\\u12g4"]', "\\\\u must be followed by four hexadecimal digits"),
        ("[] []", "line 1, column 4: the document has ended"),
        ("[1] \u00a0", "column 5: the document has ended"),
        ("[1, NaN]", "line 1, column 5: NaN is not a number in JSON"),
        ('["NaN \\" NaN",\n -Infinity]', "line 2, column 2: -Infinity is not a number in JSON"),
        ("Infinity", "line 1, column 1: Infinity"),
        ('{"a": 1, "b": 2, "a": 3}', 'an object names the member "a" twice'),
        ('[{"x": {"é": 1, "\\u00e9": 2}}]', 'an object names the member "é" twice'),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[1, " + "9" * 5000 + "]", "line 1, column 5: an integer has more than 4300 digits"),
        (b'["\xff"]', "line 1, column 3: the text is not UTF-8"),
        (b'\n["\xc3\xa9\xed\xa0\x80"]', "line 2, column 4: the text is not UTF-8"),
        (b"\xef\xbb\xbf[]", "line 1, column 1: the document begins with a byte order mark"),
        ("[]".encode("utf-16"), "not UTF-8"),
        ('["\ud800"]', "line 1, column 3: half a character"),
        ('["\\ud800"]', r"line 1, column 3: an escape stands for half a character"),
        ('["\\\\ \\ud83d\\ude00 \\udc00"]', "column 19: an escape stands for half a character"),
    ],
)
def test_malformed_document_is_refused_with_the_place(text: bytes | str, words: str) -> None:
    with pytest.raises(MalformedJson, match=words) as refused:
        loads(text)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_whole_characters_may_be_escaped() -> None:
    assert loads('["\\ud83d\\ude00", "\\\\ud800", "\\u00e9"]') == ["😀", "\\ud800", "é"]


def test_long_names_are_shortened() -> None:
    name = "n" * 10_000
    with pytest.raises(MalformedJson) as refused:
        loads(f'{{"{name}": 1, "{name}": 2}}')
    assert len(refused.value.detail) < 200


@pytest.mark.parametrize("text", ["[]", "[", "[NaN]"])
def test_garbage_collector_is_left_as_it_was(text: str) -> None:
    with suppress(MalformedJson):
        loads(text)
    assert gc.isenabled()


@pytest.mark.parametrize("number", [0.123456789, -1.5e300, 12, -7])
def test_many_numbers_take_no_more_python_than_one(number: float) -> None:
    one, many = (json.dumps([number] * count).encode() for count in (1, 200_000))
    assert calls(lambda: loads(many)) == calls(lambda: loads(one))
