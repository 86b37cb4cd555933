"""A client of the service for Python programs.

    with Client("http://127.0.0.1:8000") as client:
        result = client.filter("photo.jpg", {"op": "blur", "sigma": 2})
        Path("blurred.png").write_bytes(result.png)

`AsyncClient` is the same with `await`.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx
import numpy as np
from numpy.typing import NDArray

Image = bytes | bytearray | memoryview | str | PathLike[str] | NDArray[Any]
Spec = Mapping[str, Any]
Accept = Literal["png", "jpeg", "webp", "avif", "tiff", "npy"]

TIMEOUT = 60.0
RETRIES = 3
LONGEST_PAUSE = 30.0
MEDIA_TYPES: dict[Accept, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "tiff": "image/tiff",
    "npy": "application/x-npy",
}
COME_AGAIN = frozenset({429, 503})
METRIC = re.compile(r'([^\s;,="]+)((?:;\s*[a-z]+=(?:"(?:[^"\\]|\\.)*"|[^\s;,]*))*)')
DURATION = re.compile(r";\s*dur=([0-9.]+)")


class Refused(Exception):
    """The service's answer to a request that it did not carry out (RFC 9457)."""

    def __init__(
        self, status: int, code: str, detail: str, errors: Sequence[Mapping[str, str]] = (), request_id: str = ""
    ) -> None:
        super().__init__(status, code, detail, errors, request_id)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.request_id = request_id

    def __str__(self) -> str:
        places = "".join(f"\n  {error.get('pointer') or '/'}: {error.get('detail', '')}" for error in self.errors)
        return f"{self.status} {self.code}: {self.detail}{places}"


@dataclass(frozen=True)
class Filtered:
    """The result of a filter: `body` as received, and seconds by part."""

    body: bytes
    media_type: str
    timings: Mapping[str, float] = field(default_factory=dict)
    request_id: str = ""

    @property
    def content(self) -> bytes:
        """The bytes as received, whatever their `media_type`."""
        return self.body

    @property
    def png(self) -> bytes:
        """The PNG; raises TypeError if another form was requested."""
        if self.media_type != MEDIA_TYPES["png"]:
            raise TypeError(f"the result is {self.media_type}, as was asked for, and no PNG")
        return self.body

    @cached_property
    def array(self) -> NDArray[Any]:
        """The result as (H, W, C): the samples of the picture, or float32 if requested with accept="npy"."""
        if self.media_type == MEDIA_TYPES["npy"]:
            array: NDArray[Any] = np.lib.format.read_array(BytesIO(self.body), allow_pickle=False)
            return array
        from service.engine import codecs  # noqa: PLC0415 - a second to import, for those who need it
        from service.engine.machine.limits import Limits  # noqa: PLC0415

        return codecs.decode(self.body, codecs.inspect(self.body, Limits()), 1)[0]


class Client:
    """Calls the service; a context manager. Refusals raise Refused; 429 and 503 are retried as the answer says."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, headers=_key(api_key), timeout=timeout, transport=transport)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def filter(self, image: Image, spec: Spec, *, accept: Accept = "png") -> Filtered:
        """Apply a spec to an image."""
        return _filtered(self._send(_filter_request(_read(image), spec, accept)))

    def filter_preset(self, image: Image, name: str, *, accept: Accept = "png") -> Filtered:
        """Apply a named spec to an image."""
        return _filtered(self._send(_preset_request(_read(image), name, accept)))

    def plan(self, spec: Spec, width: int, height: int, channels: int = 3, dtype: str = "uint8") -> dict[str, Any]:
        """Report what a spec would do to an image of that shape, and its cost."""
        return _document(self._send(_plan_request(spec, width, height, channels, dtype)))

    def figure(
        self,
        spec: Spec,
        width: int,
        height: int,
        *,
        values: Sequence[Sequence[float]] | None = None,
        animate: bool = True,
    ) -> str:
        """Draw the arithmetic of one operation as SVG."""
        return _text(self._send(_figure_request(spec, width, height, values, animate=animate)))

    def _send(self, call: Call) -> httpx.Response:
        request = self._http.build_request(**call)
        for left in range(self._retries, -1, -1):
            response = self._http.send(request)
            pause = _pause(response, left)
            if pause is None:
                break
            time.sleep(pause)
        return _accepted(response)


class AsyncClient:
    """The same as `Client`, with `await`."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, headers=_key(api_key), timeout=timeout, transport=transport)
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def filter(self, image: Image, spec: Spec, *, accept: Accept = "png") -> Filtered:
        data = await asyncio.to_thread(_read, image)
        return _filtered(await self._send(_filter_request(data, spec, accept)))

    async def filter_preset(self, image: Image, name: str, *, accept: Accept = "png") -> Filtered:
        data = await asyncio.to_thread(_read, image)
        return _filtered(await self._send(_preset_request(data, name, accept)))

    async def plan(
        self, spec: Spec, width: int, height: int, channels: int = 3, dtype: str = "uint8"
    ) -> dict[str, Any]:
        return _document(await self._send(_plan_request(spec, width, height, channels, dtype)))

    async def figure(
        self,
        spec: Spec,
        width: int,
        height: int,
        *,
        values: Sequence[Sequence[float]] | None = None,
        animate: bool = True,
    ) -> str:
        return _text(await self._send(_figure_request(spec, width, height, values, animate=animate)))

    async def _send(self, call: Call) -> httpx.Response:
        request = self._http.build_request(**call)
        for left in range(self._retries, -1, -1):
            response = await self._http.send(request)
            pause = _pause(response, left)
            if pause is None:
                break
            await asyncio.sleep(pause)
        return _accepted(response)


Call = dict[str, Any]


def _key(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def _read(image: Image) -> bytes:
    """Return the bytes to send: an array as NPY, a file as it is."""
    if isinstance(image, np.ndarray):
        stream = BytesIO()
        np.lib.format.write_array(stream, np.ascontiguousarray(image), allow_pickle=False)
        return stream.getvalue()
    if isinstance(image, str | PathLike):
        return Path(image).read_bytes()
    return bytes(image)


def _filter_request(image: bytes, spec: Spec, accept: Accept) -> Call:
    files = {
        "image": ("image", image, "application/octet-stream"),
        "spec": ("spec.json", json.dumps(spec, allow_nan=False).encode(), "application/json"),
    }
    return {"method": "POST", "url": "/v1/filter", "files": files, "headers": {"Accept": _media_type(accept)}}


def _preset_request(image: bytes, name: str, accept: Accept) -> Call:
    headers = {"Accept": _media_type(accept), "Content-Type": "application/octet-stream"}
    return {"method": "POST", "url": f"/v1/filters/{quote(name, safe='')}", "content": image, "headers": headers}


def _media_type(accept: str) -> str:
    """Return the media type of a form; raises ValueError for an unknown form."""
    found = {str(name): media_type for name, media_type in MEDIA_TYPES.items()}.get(accept)
    if found is None:
        raise ValueError(f"accept must be one of {', '.join(MEDIA_TYPES)}, was {accept!r}")
    return found


def _plan_request(spec: Spec, width: int, height: int, channels: int, dtype: str) -> Call:
    image = {"width": width, "height": height, "channels": channels, "dtype": dtype}
    return {"method": "POST", "url": "/v1/plan", "json": {"spec": spec, "image": image}}


def _figure_request(
    spec: Spec, width: int, height: int, values: Sequence[Sequence[float]] | None, *, animate: bool
) -> Call:
    document: dict[str, Any] = {"spec": spec, "image": {"width": width, "height": height}}
    if values is not None:
        document["values"] = values
    params = {} if animate else {"animate": "false"}
    return {"method": "POST", "url": "/v1/figure", "json": document, "params": params}


def _pause(response: httpx.Response, left: int) -> float | None:
    """Return the seconds to wait before sending the same request again; None not to send it again."""
    if response.status_code not in COME_AGAIN or not left:
        return None
    try:
        return min(LONGEST_PAUSE, max(0.0, float(response.headers.get("Retry-After", "1"))))
    except ValueError:
        return 1.0


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):  # the answer is a proxy's, not the service's
        problem = {"detail": response.reason_phrase}
    raise Refused(
        response.status_code,
        str(problem.get("code", "")),
        str(problem.get("detail", "")),
        problem.get("errors", ()),
        str(problem.get("request_id", "")),
    )


def _filtered(response: httpx.Response) -> Filtered:
    return Filtered(
        response.content,
        response.headers.get("Content-Type", "").partition(";")[0].strip(),
        _timings(response.headers.get("Server-Timing", "")),
        response.headers.get("X-Request-ID", ""),
    )


def _timings(header: str) -> dict[str, float]:
    """Read the seconds of each part; a `desc` may hold any punctuation."""
    found = ((match[1], DURATION.search(match[2])) for match in METRIC.finditer(header))
    return {name: float(duration[1]) / 1000 for name, duration in found if duration}


def _document(response: httpx.Response) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    return document


def _text(response: httpx.Response) -> str:
    return response.text
