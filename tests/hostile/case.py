"""One hostile thing and what the contract says of it."""

from __future__ import annotations

from dataclasses import dataclass

Verdict = tuple[int, str]
"""A status with a code; the code of success is empty."""

OK: Verdict = (200, "")
INVALID_IMAGE: Verdict = (422, "invalid_image")
IMAGE_TOO_LARGE: Verdict = (422, "image_too_large")
TOO_MANY_CHANNELS: Verdict = (422, "too_many_channels")
OUTPUT_TOO_LARGE: Verdict = (422, "output_too_large")
WORK_TOO_LARGE: Verdict = (422, "work_too_large")
MEMORY_LIMIT: Verdict = (422, "memory_limit")
INVALID_SPEC: Verdict = (422, "invalid_spec")
INVALID_PARAMETER: Verdict = (422, "invalid_parameter")
UNSUPPORTED_FORMAT: Verdict = (415, "unsupported_format")
UNSUPPORTED_MEDIA_TYPE: Verdict = (415, "unsupported_media_type")
MALFORMED_JSON: Verdict = (400, "malformed_json")
MALFORMED_MULTIPART: Verdict = (400, "malformed_multipart")
MISSING_IMAGE: Verdict = (400, "missing_image")
MISSING_SPEC: Verdict = (400, "missing_spec")
AMBIGUOUS: Verdict = (400, "ambiguous_request")
BAD_REQUEST: Verdict = (400, "bad_request")
NOT_FOUND: Verdict = (404, "not_found")
METHOD_NOT_ALLOWED: Verdict = (405, "method_not_allowed")
NOT_ACCEPTABLE: Verdict = (406, "not_acceptable")
BODY_TOO_LARGE: Verdict = (413, "body_too_large")


@dataclass(frozen=True)
class File:
    """A file and the answers that are right; `like` names a sound file whose answer this one must have if it has any.

    The sound files themselves are the cases without `like` that must be answered.
    """

    name: str
    data: bytes
    expected: frozenset[Verdict]
    like: str | None = None


@dataclass(frozen=True)
class Document:
    """The text of a spec, and the answers that are right; `pointer` must be among the places that a refusal names."""

    name: str
    text: bytes
    expected: frozenset[Verdict]
    pointer: str | None = None
