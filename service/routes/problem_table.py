"""The only table of problems: the name of each, its status, and the exceptions it stands for."""

from __future__ import annotations

from dataclasses import dataclass

from service.dispatch import errors as dispatch
from service.engine import errors as engine
from service.routes import errors as routes


@dataclass(frozen=True)
class Kind:
    """A problem type of RFC 9457; its page shows `meaning` and `remedy`."""

    status: int
    code: str
    title: str
    meaning: str
    remedy: str


_ROWS: tuple[tuple[Kind, tuple[type[Exception], ...]], ...] = (
    (
        Kind(
            400,
            "bad_request",
            "Bad request",
            "The request cannot be understood.",
            "Compare it with the three forms of a request in the API documentation.",
        ),
        (engine.BadRequest,),
    ),
    (
        Kind(
            400,
            "malformed_json",
            "Malformed JSON",
            "The spec or the document is not strict JSON: it has an extra comma, a duplicate key, NaN or Infinity, or "
            "text that is not UTF-8.",
            "Write it with a JSON library, and percent-encode it if you send it in the query.",
        ),
        (engine.MalformedJson,),
    ),
    (
        Kind(
            400,
            "malformed_multipart",
            "Malformed multipart body",
            "The body does not follow the multipart/form-data format that its Content-Type announces.",
            "Let the HTTP library set Content-Type together with its boundary, and send the whole body.",
        ),
        (routes.MalformedMultipart,),
    ),
    (
        Kind(
            400,
            "missing_image",
            "The image is missing",
            "The request carries no image, or an empty one.",
            "Send it as the part `image`, as the whole body, or as base64 in the field `image`.",
        ),
        (engine.MissingImage,),
    ),
    (
        Kind(
            400,
            "missing_spec",
            "The spec is missing",
            "The request does not say what to do with the image.",
            "Send it as the part `spec`, as the query parameter `spec`, or in the field `spec`; or call a preset.",
        ),
        (engine.MissingSpec,),
    ),
    (
        Kind(
            400,
            "ambiguous_request",
            "Ambiguous request",
            "The request gives something twice, or has a part that the service does not know.",
            "Send the image once and the spec once, in one of the three forms; a preset takes no spec.",
        ),
        (engine.AmbiguousRequest,),
    ),
    (
        Kind(
            401,
            "unauthorized",
            "An API key is needed",
            "The service asks for an API key; the request has none, or one that is not valid.",
            "Send the key as `Authorization: Bearer <key>` or as `X-API-Key: <key>`.",
        ),
        (routes.Unauthorized,),
    ),
    (
        Kind(
            404,
            "not_found",
            "Not found",
            "There is nothing at this address.",
            "The start page and the API documentation list the addresses.",
        ),
        (routes.NotFound,),
    ),
    (
        Kind(
            405,
            "method_not_allowed",
            "Method not allowed",
            "The address exists, but not for this method.",
            "Use one of the methods in the header `Allow`.",
        ),
        (routes.MethodNotAllowed,),
    ),
    (
        Kind(
            406,
            "not_acceptable",
            "Not acceptable",
            "The result is not available in any of the media types that `Accept` names.",
            "Name one of the media types listed in the detail, or leave `Accept` out.",
        ),
        (routes.NotAcceptable,),
    ),
    (
        Kind(
            408,
            "request_timeout",
            "The request came too slowly",
            "The request arrived more slowly than this service allows; the connection is closed.",
            "Send it over a faster connection, or a smaller or better compressed image.",
        ),
        (routes.RequestTimeout,),
    ),
    (
        Kind(
            413,
            "body_too_large",
            "The body is too large",
            "The body is larger than this service accepts; it was not read to the end.",
            "Send a smaller or better compressed image. `/v1/limits` gives the limit (max_body_bytes).",
        ),
        (routes.BodyTooLarge,),
    ),
    (
        Kind(
            415,
            "unsupported_media_type",
            "Unsupported media type",
            "This address does not accept the body's Content-Type or Content-Encoding.",
            "Send multipart/form-data, application/json, image/*, application/octet-stream, binary/octet-stream or "
            "application/x-npy, without Content-Encoding.",
        ),
        (routes.UnsupportedMediaType,),
    ),
    (
        Kind(
            415,
            "unsupported_format",
            "Unsupported image format",
            "The bytes are not a picture or array in a format that the service reads. The content decides, not the "
            "name.",
            "Send PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or NPY.",
        ),
        (engine.UnsupportedFormat,),
    ),
    (
        Kind(
            422,
            "unprocessable",
            "The request cannot be carried out",
            "The request was understood, but cannot be carried out.",
            "The detail gives the reason.",
        ),
        (engine.EngineError,),
    ),
    (
        Kind(
            422,
            "invalid_parameter",
            "Invalid parameter",
            "A query parameter has an invalid value.",
            "The pointers in the problem name the parameter.",
        ),
        (routes.InvalidParameter,),
    ),
    (
        Kind(
            422,
            "invalid_spec",
            "Invalid spec",
            "The spec is JSON, but not valid: it has an unknown field, a value out of range, or shapes that do not fit "
            "the image.",
            "The pointers in the problem show where the faults are. `/v1/operations` has the schema and examples of "
            "each operation, and `/v1/plan` checks a spec without an image.",
        ),
        (engine.InvalidSpec,),
    ),
    (
        Kind(
            422,
            "invalid_image",
            "Invalid image",
            "The service reads this format, but the file is damaged or truncated, or cannot be decoded.",
            "Save the file again with another program.",
        ),
        (engine.InvalidImage, dispatch.WorkerCrashed),
    ),
    (
        Kind(
            422,
            "limit_exceeded",
            "A limit is exceeded",
            "The request would cost more than a single request may.",
            "`/v1/limits` lists the limits.",
        ),
        (engine.LimitExceeded,),
    ),
    (
        Kind(
            422,
            "image_too_large",
            "The image is too large",
            "The image has more pixels, frames or scans than this service accepts.",
            "Send a smaller image. `/v1/limits` gives the limit (max_image_pixels).",
        ),
        (engine.ImageTooLarge,),
    ),
    (
        Kind(
            422,
            "output_too_large",
            "The output is too large",
            "A step would produce more pixels than this service allows.",
            "Use a smaller image, factor, stride or padding. `/v1/limits` gives the limit (max_output_pixels).",
        ),
        (engine.OutputTooLarge,),
    ),
    (
        Kind(
            422,
            "work_too_large",
            "The work is too large",
            "The spec asks for more multiplications, more steps or a larger kernel than one request may.",
            "`/v1/limits` gives the limits (max_macs, max_steps, max_kernel_side); `/v1/plan` says what a spec costs.",
        ),
        (engine.WorkTooLarge,),
    ),
    (
        Kind(
            422,
            "too_many_channels",
            "Too many channels",
            "The image or a step's output has more channels than this service accepts.",
            "`/v1/limits` gives the limit (max_channels).",
        ),
        (engine.TooManyChannels,),
    ),
    (
        Kind(
            422,
            "memory_limit",
            "The memory limit is exceeded",
            "The request would use, or did use, more memory than one request may.",
            "Send a smaller image. `/v1/limits` gives the limit (max_memory_bytes); `/v1/plan` says what a spec needs.",
        ),
        (engine.MemoryLimit,),
    ),
    (
        Kind(
            429,
            "queue_full",
            "The queue is full",
            "Too many requests are waiting, or too much work.",
            "Send the request again after the number of seconds in `Retry-After`.",
        ),
        (dispatch.QueueFull,),
    ),
    (
        Kind(
            500,
            "internal_error",
            "Internal error",
            "The service has a defect. The request itself may be fine.",
            "Report it with the request's `request_id`.",
        ),
        (Exception,),
    ),
    (
        Kind(
            503,
            "not_ready",
            "Not ready",
            "The service is starting or draining, or its queue is full; do not send it work now.",
            "Ask again later. This answer is meant for readiness probes.",
        ),
        (routes.NotReady,),
    ),
    (
        Kind(
            503,
            "shutting_down",
            "Shutting down",
            "The service is stopping: it finishes the work that it has accepted and takes no more.",
            "Send the request again after the number of seconds in `Retry-After`.",
        ),
        (dispatch.ShuttingDown,),
    ),
    (
        Kind(
            503,
            "worker_killed",
            "The worker was killed",
            "The worker processes for this request were killed from outside, several times; the kernel does this when "
            "the machine or the container has too little memory. The request itself may be fine.",
            "Send the request again after the number of seconds in `Retry-After`. The operator should give the service "
            "more memory, or fewer workers (CONVSERVE_WORKERS).",
        ),
        (dispatch.WorkerKilled,),
    ),
    (
        Kind(
            504,
            "deadline_exceeded",
            "The deadline is exceeded",
            "The request took longer than allowed, waiting included, and was stopped.",
            "Ask for less work, or try again when the service is less busy. `/v1/limits` gives the limit (deadline).",
        ),
        (dispatch.DeadlineExceeded,),
    ),
)

KINDS: dict[str, Kind] = {kind.code: kind for kind, _ in _ROWS}
_BY_CLASS: dict[type, Kind] = {cls: kind for kind, classes in _ROWS for cls in classes}


def kind_of(error: Exception) -> Kind:
    """Find the kind of the nearest base class that has one; every exception is at least an internal error."""
    return next(_BY_CLASS[cls] for cls in type(error).__mro__ if cls in _BY_CLASS)
