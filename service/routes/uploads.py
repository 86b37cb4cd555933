"""Read a request's body within its limit and split it into parts; the worker reads their contents."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from multipart import parse_options_header
from starlette.requests import Request

from service.engine.errors import AmbiguousRequest, MissingImage, MissingSpec
from service.engine.jobs import Buffer
from service.engine.spec.wording import listed
from service.routes.errors import BodyTooLarge, ClientGone, MalformedMultipart, RequestTimeout, UnsupportedMediaType
from service.routes.line import line_of
from service.routes.multipart import Parts
from service.routes.query import query_of
from service.routes.room import Held

LONG_QUERY = 64 * 1024
MOST_TYPE_CHARACTERS = 4096
RAW = ("application/octet-stream", "binary/octet-stream", "application/x-npy")
"""S3 and similar stores use the second for files of unknown type."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"')
_PLAIN_BOUNDARY = re.compile(r";\s*boundary=\s*([\w!#$%&'()*+./:=?^`|~-]+)", re.IGNORECASE | re.ASCII)
"""Also without quotes around characters that need them (RFC 2046, section 5.1.1): not all clients quote."""
_FORMS = listed(("multipart/form-data", "application/json", "image/*", *RAW))


@dataclass(frozen=True)
class Upload:
    """The parts of a filter request, unread: an image with the text of its spec, or a document that holds both."""

    form: Literal["image", "document"]
    body: Buffer
    spec: bytes | None = None


async def read_filter(request: Request, held: Held, max_bytes: int, *, preset: bool) -> Upload:
    """Read an image and its spec in any of the three forms; with a preset, an image alone."""
    media_type, boundary = _content_type(request)
    in_query = await _query_spec(request)
    if in_query is not None and preset:
        raise AmbiguousRequest("a preset takes no spec, but the request has one in its query")
    if media_type == "multipart/form-data":
        image, part = await _read_multipart(request, boundary, held, max_bytes)
        if part is not None and (preset or in_query is not None):
            raise AmbiguousRequest("the request has a part 'spec', but its address already gives the spec")
        return Upload("image", _image(image), _spec(part if part is not None else in_query, preset=preset))
    if media_type == "application/json":
        if in_query is not None:
            raise AmbiguousRequest("the spec belongs in the JSON document, but the request has one in its query")
        return Upload("document", _image(await _read_whole(request, held, max_bytes)))
    if media_type in RAW or media_type.startswith("image/"):
        spec = _spec(in_query, preset=preset)
        return Upload("image", _image(await _read_whole(request, held, max_bytes)), spec)
    raise UnsupportedMediaType(f"{_shown(media_type)} is not accepted here; send {_FORMS}")


async def read_document(request: Request, held: Held, max_bytes: int) -> bytes:
    """Read a JSON document as bytes."""
    media_type, _ = _content_type(request, default="application/json")
    if media_type != "application/json":
        raise UnsupportedMediaType(f"{_shown(media_type)} is not accepted here; send application/json")
    return await _read_whole(request, held, max_bytes)


def _content_type(request: Request, default: str = "application/octet-stream") -> tuple[str, str | None]:
    """Return the media type and the boundary; a body without a type gets the most likely one."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise UnsupportedMediaType("bodies with a Content-Encoding are not accepted", {"Accept-Encoding": "identity"})
    header = request.headers.get("content-type", "").strip()
    if not header:
        return default, None
    if len(header) > MOST_TYPE_CHARACTERS:
        raise UnsupportedMediaType(f"the Content-Type has {len(header):,} characters")
    if plain := _PLAIN_BOUNDARY.search(_QUOTED.sub('""', header)):
        return header.partition(";")[0].strip().lower(), plain[1]
    media_type, options = parse_options_header(header)
    return media_type, options.get("boundary")


def _shown(media_type: str) -> str:
    plain = media_type.isascii() and media_type.isprintable() and len(media_type) <= 100
    return f"the Content-Type {media_type}" if plain and media_type else "this Content-Type"


async def _query_spec(request: Request) -> bytes | None:
    """Return the percent-decoded query parameter `spec`; its bytes need not be UTF-8 here."""
    query, found = query_of(request.scope), []
    for field in query.split(b"&") if query else ():
        name, _, value = field.partition(b"=")
        if len(name) <= 3 * len("spec") and _decoded(name) == b"spec":
            found.append(await asyncio.to_thread(_decoded, value) if len(value) > LONG_QUERY else _decoded(value))
    if len(found) > 1:
        raise AmbiguousRequest(f"the query has {len(found)} parameters 'spec'")
    return found[0] if found else None


def _decoded(field: bytes) -> bytes:
    return unquote_to_bytes(field.replace(b"+", b" "))


def _image(body: Buffer | None) -> Buffer:
    if body is None:
        raise MissingImage("the request has no part 'image'")
    if not len(body):
        raise MissingImage("the image is empty: 0 bytes")
    return body


def _spec(text: Buffer | None, *, preset: bool) -> bytes | None:
    if preset:
        return None
    if text is None or not bytes(text).strip():
        raise MissingSpec("the request has an image and no spec")
    return bytes(text)


def announced_bytes(request: Request) -> int:
    """Return the body size that the head announces; 0 if it announces none."""
    announced = request.headers.get("content-length", "")
    return int(announced[:20]) if announced.isdecimal() else 0


async def _read_multipart(
    request: Request, boundary: str | None, held: Held, max_bytes: int
) -> tuple[bytes | None, bytes | None]:
    if not boundary:
        raise MalformedMultipart("the Content-Type multipart/form-data names no boundary")
    parts = Parts(boundary, ("image", "spec"))
    if await _read(request, held, max_bytes, parts.write):
        parts.close()
    return parts.part("image"), parts.part("spec")


async def _read_whole(request: Request, held: Held, max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    await _read(request, held, max_bytes, pieces.append)
    return b"".join(pieces)


async def _read(request: Request, held: Held, max_bytes: int, take: Callable[[bytes], object]) -> int:
    """Take the body as it comes and count its bytes; stop once its actual or announced size exceeds the limit."""
    announced = announced_bytes(request)
    if announced > max_bytes:
        raise BodyTooLarge(f"the body has {announced:,} bytes; at most {max_bytes:,} are allowed", rest=max_bytes)
    size, line = 0, line_of(request.scope)
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if line and line.too_slow:
            raise RequestTimeout(line.too_slow)
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise BodyTooLarge(f"the body has more than the {max_bytes:,} bytes that are allowed", rest=max_bytes)
        held.grow(len(chunk))
        take(chunk)
        if not message.get("more_body", False):
            return size
