"""What is fuzzed: each target takes any bytes, and raises where a reader breaks a promise.

A refusal of the service's own keeps every promise; another exception, and an answer that another reader of the same
format contradicts, do not.
"""

from __future__ import annotations

import json
import math
import re
import warnings
import zlib
from collections.abc import Callable, Coroutine
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request

from service.engine.codecs import decode, inspect
from service.engine.errors import EngineError, Fault
from service.engine.jobs import Job, Result
from service.engine.jobs.documents import filter_document
from service.engine.jobs.pipeline import perform
from service.engine.machine.limits import Limits
from service.engine.spec.strict_json import loads
from service.routes.errors import RouteError
from service.routes.room import Held, Room
from service.routes.sample import SAMPLE_PNG
from service.routes.uploads import Upload, read_filter
from tests.engine.codecs.samples import SIGNATURE, chunk
from tests.hostile.files import chunks_of

Target = Callable[[bytes], None]

FILES: Final = Limits(max_image_pixels=100_000)
WORK: Final = Limits(
    max_image_pixels=20_000,
    max_output_pixels=20_000,
    max_channels=32,
    max_kernel_side=31,
    max_macs=3_000_000,
    max_memory_bytes=256 << 20,
)
"""So small that what is accepted takes milliseconds."""
MOST_BODY = 1 << 20
BEHIND = re.compile(r"Traceback|site-packages|pydantic|\bPIL\b|0x7f|<class|object at")
"""What only an exception that was not meant for a client says; a chunk that a sentence names has four letters."""


def png(data: bytes) -> None:
    """Read a PNG, in one thread and in two; whatever Pillow reads as well must be the same."""
    file = png_of(data)
    image = read(file)
    if image is None:
        return
    theirs = by_pillow(file)
    if theirs is not None:
        np.testing.assert_array_equal(image, theirs)


def npy(data: bytes) -> None:
    """Read an array, which NumPy must read as well, and as the same."""
    image = read(data) if data.startswith(b"\x93NUMPY") else None
    if image is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers as Python 2 wrote them
            theirs = np.load(BytesIO(data), allow_pickle=False)
        np.testing.assert_array_equal(image, theirs.reshape(image.shape))


def picture(data: bytes) -> None:
    """Read a file of any other format: whoever decodes it, it is what its header promised, and the same each time."""
    if not data.startswith((SIGNATURE, b"\x93NUMPY")):
        read(data)


def spec(data: bytes) -> None:
    """Filter, plan or draw by a document of which the first byte says what it is for."""
    use, text = data[:1], data[1:]
    try:
        document = loads(text)
    except EngineError as error:
        shown(error.detail)
        return
    if finite(document):  # what one strict reader takes, others take and read alike
        assert json.dumps(json.loads(text)) == json.dumps(document)
    match use:
        case b"p":
            answer = performed(Job("plan", text, WORK, 0.0), document)
            if answer:
                check_plan(json.loads(bytes(answer.body)))
        case b"f":
            answer = performed(Job("figure", text, WORK, 0.0), document)
            assert answer is None or bytes(answer.body).startswith(b"<svg")
        case _:
            job = Job("filter", SAMPLE_PNG, WORK, 0.0, "image", text)
            answer = performed(job, {"spec": document})
            if answer:
                again = performed(job, {"spec": document})
                assert again is not None
                assert bytes(again.body) == bytes(answer.body), "the same request has another answer"
                with Image.open(BytesIO(bytes(answer.body)), formats=["png"]) as picture:
                    assert picture.size == answer.size


def form(data: bytes) -> None:
    """Take a request's body apart: a line with its Content-Type, then the body. How it arrives must not matter."""
    content_type, _, body = data.partition(b"\n")
    whole = taken_apart(content_type, [body])
    step = 1 + sum(data[:4]) % 7
    crumbs = [body[start : start + step] for start in range(0, len(body), step)] or [b""]
    assert taken_apart(content_type, crumbs) == whole, f"in pieces of {step} bytes it is read otherwise"
    if not isinstance(whole, Upload):
        return
    if whole.form == "document":
        try:
            filter_document(whole.body, preset=False)
        except EngineError as error:
            shown(error.detail)
    elif content_type.strip().lower().startswith(b"multipart"):
        for part in (bytes(whole.body), whole.spec or b""):
            assert b"\r\n\r\n" + part + b"\r\n--" in body, "a part has other bytes than were sent"
    else:
        assert bytes(whole.body) == body


TARGETS: Final[dict[str, Target]] = {"png": png, "npy": npy, "picture": picture, "spec": spec, "form": form}


def png_of(data: bytes) -> bytes:
    """Make a file of what the fuzzer changes: checksums are set right, and after `i` what is in IDAT is compressed.

    Without that, nearly every change ends at a checksum. After any other first byte the file is taken as it stands.
    """
    how, file = data[:1], data[1:]
    if how not in {b"c", b"i"} or not file.startswith(SIGNATURE):
        return file
    parts: list[bytes] = []
    position = len(SIGNATURE)
    while position + 8 <= len(file) and len(parts) < 2000:
        length = int.from_bytes(file[position : position + 4], "big")
        kind = file[position + 4 : position + 8]
        content = file[position + 8 : position + 8 + length]
        position += 12 + length
        parts.append(chunk(kind, zlib.compress(content, 1) if how == b"i" and kind == b"IDAT" else content))
    return SIGNATURE + b"".join(parts)


def laid_open(file: bytes) -> bytes | None:
    """Give what `png_of` makes this file of: its IDAT in one piece, not compressed. None for what is no whole PNG."""
    try:
        parts = [(kind, file[start + 8 : stop - 4]) for kind, start, stop in chunks_of(file)]
        pixels = zlib.decompress(b"".join(content for kind, content in parts if kind == b"IDAT"))
    except Exception:
        return None
    others = [chunk(kind, content) for kind, content in parts if kind not in {b"IDAT", b"IEND"}]
    return b"i" + SIGNATURE + b"".join([*others, chunk(b"IDAT", pixels), chunk(b"IEND")])


def read(file: bytes) -> NDArray[Any] | None:
    """Read a file as the service does; None where it refuses."""
    try:
        info = inspect(file, FILES)
        image = decode(file, info).image
    except EngineError as error:
        shown(error.detail)
        return None
    assert image.dtype == info.dtype
    assert image.ndim == 3 or image.shape == (info.height, info.width)
    assert image.shape[:2] == (info.height, info.width)
    np.testing.assert_array_equal(decode(file, info, 2).image, image)
    return image


def by_pillow(file: bytes) -> NDArray[Any] | None:
    """Read a PNG of up to 8 bits with Pillow, alpha out of tRNS included; None where it cannot.

    Of two tRNS or eXIf, of which a PNG has one, Pillow takes the last, and libpng the first, as the service does.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            kinds = [kind for kind, _, _ in chunks_of(file)]
            if kinds.count(b"tRNS") > 1 or kinds.count(b"eXIf") > 1:
                return None
            picture = Image.open(BytesIO(file), formats=["png"])
            if picture.width * picture.height > FILES.max_image_pixels or picture.mode.startswith("I"):
                return None
            if picture.getexif().get(0x0112, 1) != 1:
                return None
            clear = "transparency" in picture.info
            mode = {"1": "L", "P": "RGB"}.get(picture.mode, picture.mode)
            image = np.asarray(picture.convert({"L": "LA", "RGB": "RGBA"}.get(mode, mode) if clear else mode))
        except Exception:
            return None
    return image.reshape(*image.shape[:2], -1)


def performed(job: Job, document: object) -> Result | None:
    """Do a job as a worker does; None where it refuses, at places that the client's document has."""
    try:
        return perform(job, 1)
    except EngineError as error:
        shown(error.detail)
        for fault in error.faults:
            shown(fault.detail)
            assert leads_into(fault, document), f"{fault.pointer} leads nowhere: {fault.detail}"
        return None


def leads_into(fault: Fault, document: object) -> bool:
    """Say whether a pointer leads to a place of the document, or to a missing member of one (RFC 6901)."""
    levels = [level.replace("~1", "/").replace("~0", "~") for level in fault.pointer.split("/")[1:]]
    here = document
    for depth, level in enumerate(levels):
        if isinstance(here, dict) and level in here:
            here = here[level]
        elif isinstance(here, list) and level.isdecimal() and int(level) < len(here):
            here = here[int(level)]
        else:
            return depth == len(levels) - 1
    return True


def check_plan(plan: dict[str, Any]) -> None:
    """Each step begins with what the one before it gave, and costs no less than nothing."""
    image = plan["image"]
    size = {name: image[name] for name in ("width", "height", "channels")}
    for step in plan["steps"]:
        assert step["input"] == size
        assert step["macs"] >= 0
        size = step["output"]
        assert min(size.values()) >= 1


def shown(sentence: str) -> None:
    """See to it that a client can be shown this."""
    assert sentence
    assert not BEHIND.search(sentence), sentence
    assert len(sentence) < 4000, f"{len(sentence)} characters: {sentence[:200]}"


def finite(value: object) -> bool:
    """Say whether all numbers are; another reader may make infinities of others."""
    pending = [value]
    while pending:
        match pending.pop():
            case dict() as members:
                pending += members.values()
            case list() as items:
                pending += items
            case float() as number if not math.isfinite(number):
                return False
    return True


def taken_apart(content_type: bytes, pieces: list[bytes]) -> Upload | str:
    """Read a filter request from its pieces; a refusal is given as its kind."""
    queue = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    queue[-1]["more_body"] = False
    queue.reverse()

    async def receive() -> dict[str, Any]:
        return queue.pop()

    headers = [(b"content-type", content_type)] if content_type else []
    scope = {"type": "http", "method": "POST", "path": "/v1/filter", "headers": headers, "query_string": b"spec=%7B%7D"}
    if content_type.strip().lower().startswith((b"multipart", b"application/json")):
        scope["query_string"] = b""
    held = Held(Room(MOST_BODY, no_refusal))
    try:
        return run(read_filter(Request(scope, receive), held, MOST_BODY, preset=False))
    except (EngineError, RouteError) as error:
        shown(error.detail)
        return type(error).__name__


def no_refusal(size: int) -> Any:
    raise AssertionError("a body that is being read asks for nothing")


def run(work: Coroutine[Any, Any, Upload]) -> Upload:
    """Run what never waits, without an event loop."""
    try:
        work.send(None)
    except StopIteration as end:
        result: Upload = end.value
        return result
    raise AssertionError("it waits for something")
