from __future__ import annotations

from io import BytesIO
from tokenize import TokenError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.engine.codecs import decode, encode_npy, inspect
from service.engine.errors import EngineError, ImageTooLarge, InvalidImage, TooManyChannels
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import npy

LIMITS = Limits()
DTYPES = ["|u1", "<u2", ">u2", "<f4", ">f4", "<f8", ">f8"]


def read(data: bytes) -> Any:
    info = inspect(data, LIMITS)
    image = decode(data, info).image
    assert image.shape == (info.height, info.width, info.channels)
    assert image.dtype == info.dtype
    assert not info.alpha
    assert image.flags.c_contiguous
    assert image.flags.aligned
    return image


def written(header: bytes, body: bytes = b"", version: bytes = b"\1\0", size: int = 2) -> bytes:
    return b"\x93NUMPY" + version + len(header).to_bytes(size, "little") + header + body


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (3, 5, 1), (4, 3, 7), (1, 2, 300)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_numpy_writes_is_read(dtype: str, shape: tuple[int, ...], fortran: bool) -> None:
    array = (np.arange(np.prod(shape)).reshape(shape) % 251).astype(dtype)
    data = npy(np.asfortranarray(array) if fortran else array)
    expected = array.reshape(*shape, 1)[..., 0] if len(shape) == 3 else array[:, :, None]
    np.testing.assert_array_equal(read(data), expected)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_is_read(version: tuple[int, int]) -> None:
    file = BytesIO()
    np.lib.format.write_array(file, np.eye(3), version=version)
    np.testing.assert_array_equal(read(file.getvalue())[:, :, 0], np.eye(3))


SPELLINGS = [
    *(order + code for code in ("u1", "u2", "f4", "f8", "B", "H", "f", "d") for order in ("", "<", ">", "=", "|")),
    *("uint8", "ubyte", "uint16", "ushort", "float32", "single", "float64", "double", "float"),
]


def as_numpy_reads(data: bytes) -> Any:
    return np.load(BytesIO(data), allow_pickle=False)


@pytest.mark.parametrize("descr", SPELLINGS)
def test_every_spelling_of_a_dtype_is_read_as_numpy_reads_it(descr: str) -> None:
    body = bytes(range(1, 1 + 6 * np.dtype(descr).itemsize))
    data = written(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 3)}}".encode(), body)
    np.testing.assert_array_equal(read(data)[:, :, 0], as_numpy_reads(data))


HEADERS = [
    "{'descr': '<u1', 'fortran_order': False, 'shape': (3L, 4L)}",
    "{'descr': '<u1', 'fortran_order': False, 'shape': (3L, 4L), }",
    "{'descr': 'u1', 'fortran_order': True, 'shape': (3 L, 0x4L)}",
    *(
        f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}"
        for shape in (
            # Python 2's long integers, and what only looks like them
            "(3L, 4)",
            "(3, 4L)",
            "(3, 4L,)",
            "(3L,4L,1L)",
            "(1_2L, 1)",
            "(0b11L, 0o4L)",
            "(0x4L, 3)",
            "(0XCL, 1)",
            "(3  L, 4\tL)",
            "(3 \\\n L, 4)",
            "(3 L L, 4)",
            "(3, 4l)",
            "(3l, 4L)",
            "(3LL, 4)",
            "(3Ll, 4)",
            "(3L4, 4)",
            "(3L 4, 4)",
            "(L3, 4)",
            "(L, 4)",
            "(3\nL, 4)",
            "(3\vL, 4)",
            "(3\xa0L, 4)",
            "(3\x1cL, 4)",
            "(3 # L\n, 4)",
            "(3 # L\nL, 4)",
            "('3L', 4)",
            "(3.0L, 4)",
            "(3e0L, 4)",
            "(3jL, 4)",
            "(03L, 4)",
            "(-3L, -4L)",
            "(+3L, 4L)",
            "(3L, 4L",
            "(3L, 4L))",
            "(3L, 4)L",
            # other literals of Python
            "(+3, 4)",
            "(--3, 4)",
            "(3 + 0j, 4)",
            "(1 + 2, 4)",
            "(~-4, 4)",
            "(3, 4, None)",
            "(3, ...)",
            "((3, 4))",
            "((3), 4)",
            "((3,), 4)",
            "{3, 4}",
            "3, 4",
            "'(3, 4)'",
            "(0x3, 0b100)",
            "(0o3, 4)",
            "(1_2, 0_1)",
            "(1__2, 1)",
            "(12_, 1)",
            "(\xb3, 4)",
            "(True, 12)",
            "(*(3, 4),)",
            "tuple([3, 4])",
        )
    ),
    "{'descr': 'u1' 'L', 'fortran_order': False, 'shape': (3L, 4)}",
    "{'descr': '|' 'u1', 'fortran_order': False, 'shape': (3L, 4)}",
    "{'descr': r'|u1', 'fortran_order': False, 'shape': (3, 4)}",
    "{'descr': b'|u1', 'fortran_order': False, 'shape': (3, 4)}",
    "{'descr': f'|u1', 'fortran_order': False, 'shape': (3, 4)}",
    "{'descr': '\\x7cu1', 'fortran_order': False, 'shape': (3, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), 'shape': (4, 3)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), **{}}",
    "{'descr': '|u1', 'fortran_order': not True, 'shape': (3, 4)}",
    "dict(descr='|u1', fortran_order=False, shape=(3, 4))",
    "({'descr': '|u1', 'fortran_order': False, 'shape': (3, 4)})",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4)},",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4)};",
    "{'shape': (3, 4), 'fortran_order': True, 'descr': '|u1'}",
    '{"descr": "|u1", "fortran_order": False, "shape": (3,4)}',
    "{u'descr': u'|u1', u'fortran_order': False, u'shape': (3, 4)}",
    " \t{'descr':'|u1','fortran_order':False,'shape':(3,4)}",
    "{  'descr'\t: '|u1'\n,\n'fortran_order' : False ,'shape': ( 3 , 4 , ) }\n\n",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4)} # as a comment \xe9",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1_2, 1)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-3, -4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3M, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (03, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': [3, 4]}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3.0, 4)}",
    "{'descr': '|u1', 'fortran_order': false, 'shape': (3, 4)}",
    "\v{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4)}",
]


@pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required additional header parsing")
@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_read_if_numpy_reads_it(header: str, version: int) -> None:
    text = header.encode("utf-8" if version == 3 else "latin-1")
    data = written(text, bytes(range(12)), bytes([version, 0]), 2 if version == 1 else 4)
    try:
        expected = as_numpy_reads(data)
    except (ValueError, TypeError, TokenError):  # NumPy lets what it did not expect through
        with pytest.raises(InvalidImage):
            read(data)
        return
    image = read(data)
    np.testing.assert_array_equal(image.reshape(expected.shape), expected)


def test_a_header_of_odd_length_gives_an_aligned_array() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}"
    for blanks in range(8):
        image = read(written(header + b" " * blanks, np.array([1.5, 2.5]).tobytes()))
        assert image.ravel().tolist() == [1.5, 2.5]


@given(arrays.arrays(np.float32, st.tuples(*[st.integers(1, 9)] * 3), elements=st.floats(-1e9, 1e9, width=32)))
def test_numpy_reads_back_what_was_written(image: Any) -> None:
    data = encode_npy(image)
    loaded = np.load(BytesIO(data))
    assert loaded.dtype == "<f4"
    np.testing.assert_array_equal(loaded, image)
    np.testing.assert_array_equal(read(data), image)


@pytest.mark.parametrize(
    ("shape", "descr", "body", "words"),
    [
        ("(2, 2)", "'|i1'", 4, "dtype '|i1'"),
        ("(2, 2)", "'|O'", 32, "dtype '|O'"),
        ("(2, 2)", "'<c8'", 32, "dtype '<c8'"),
        ("(2, 2)", "'|b1'", 4, "dtype"),
        ("(2, 2)", "'<f2'", 8, "dtype '<f2'"),
        ("(2, 2)", "'f4,'", 16, "dtype 'f4,'"),
        ("(2, 2)", "'(1,)f4'", 16, "dtype"),
        ("(2, 2)", "'<uint8'", 4, "dtype"),
        ("(2, 2)", "[('a', '<f4')]", 16, "dtype"),
        ("(4,)", "'|u1'", 4, "1 dimensions"),
        ("()", "'|u1'", 1, "0 dimensions"),
        ("(1, 1, 1, 1)", "'|u1'", 1, "4 dimensions"),
        ("(0, 4)", "'|u1'", 0, "no pixels"),
        ("(4, 4, 0)", "'|u1'", 0, "no channels"),
        ("(True, 4)", "'|u1'", 4, "shape"),
        ("(-1, 4)", "'|u1'", 4, "shape"),
        ("(2.0, 2)", "'|u1'", 4, "shape"),
        ("[2, 2]", "'|u1'", 4, "shape"),
        ("(2, 2)", "'|u1'", 3, "4 bytes should follow"),
        ("(2, 2)", "'|u1'", 5, "4 bytes should follow"),
        ("(2, 2), 'more': 1", "'|u1'", 4, "nothing else"),
    ],
)
def test_other_arrays_are_refused_by_name(shape: str, descr: str, body: int, words: str) -> None:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
    with pytest.raises(InvalidImage, match=words):
        read(written(header.encode(), bytes(body)))


@pytest.mark.parametrize(
    "data",
    [
        b"\x93NUMPY",
        b"\x93NUMPY\1",
        b"\x93NUMPY\4\0\x10\0",
        written(b"", b""),
        written(b"1"),
        written(b"{'descr': '|u1', 'fortran_order': False}"),
        written(b"{'descr': '|u1', 'fortran_order': 0, 'shape': (1, 1)}", b"1"),
        written(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1"),
        written(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1)}\v\n", b"1"),
        written(b"__import__('os').abort()"),
        written(b"(" * 900),
        written(b"-" * 900 + b"1"),
        written(b"9" * 1000),
        written(b"\xff\xfe"),
        written(b"'\\d'"),
        written(b" " * 70_000, version=b"\2\0", size=4),
        written(b"'" + b"a" * 2000 + b"'"),
        b"\x93NUMPY\2\0\xff\xff\xff\xff",
    ],
)
def test_hostile_headers_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        read(data)


def test_sizes_are_checked_before_anything_is_asked_for() -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (%s)}"
    with pytest.raises(ImageTooLarge, match="50,000,000"):
        inspect(written((header % f"{10**30}, {10**30}").encode()), LIMITS)
    with pytest.raises(TooManyChannels, match=r"1,025 channels; at most 1,024"):
        inspect(written((header % "1, 1, 1025").encode(), bytes(1025)), LIMITS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_with_their_place(value: float) -> None:
    array = np.zeros((4, 5, 3), np.float64)
    array[2, 3, 1] = array[3, 0, 0] = value
    with pytest.raises(InvalidImage, match=f"row 2, column 3, channel 1 is {value}"):
        read(npy(array))


@given(st.data())
def test_a_changed_header_is_refused_or_read_as_numpy_reads_it(data: st.DataObject) -> None:
    content = bytearray(npy(np.arange(12, dtype=data.draw(st.sampled_from(DTYPES))).reshape(3, 4)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(6, 127))] = data.draw(st.integers(0, 255))
    try:
        image = read(bytes(content))
    except EngineError:
        return
    reference = np.load(BytesIO(content), allow_pickle=False)
    np.testing.assert_array_equal(image, reference.reshape(image.shape))
