"""The OpenAPI 3.1 document: what the routes take and return, written once, next to them.

The routes read their bodies themselves, because the framework would parse a model on the event loop. So the framework
contributes paths, summaries and descriptions; the rest is here and in `schemas`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from importlib.metadata import version
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from service.routes import schemas, spec_schema
from service.routes.filters import ANSWERS
from service.routes.operations import BY_NAME
from service.routes.problem_table import KINDS
from service.routes.problems import MEDIA_TYPE
from service.routes.sample import SAMPLE_BASE64
from service.routes.uploads import RAW

_DESCRIPTION = """Send a picture and a JSON spec that says how to convolve it; get a PNG and the time each part took.
Use `Accept` to ask for JPEG, WebP, AVIF, TIFF, an array or JSON instead.

The vocabulary is PyTorch's. Send the image as a part of multipart/form-data, as the body itself, or as base64 in JSON.
`GET /v1/operations` has the schema and examples of each operation."""
_TAGS = {
    "filter": "Send an image, get an image.",
    "plan": "Shapes, parameters and cost without an image.",
    "figure": "The arithmetic of a convolution as a drawing.",
    "catalogue": "Lists of operations, kernels, presets and limits.",
    "service": "Health, versions and metrics of the service.",
    "documentation": "Pages for human readers.",
}
_HEADERS_OF = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
_SECURITY: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"key": []}]
_FORMS: dict[str, dict[str, Any]] = {
    "jpeg": {"media_type": "image/jpeg", "quality": 85, "background": "#ffffff"},
    "webp": {"media_type": "image/webp", "quality": "lossless"},
    "avif": {"media_type": "image/avif", "quality": 60},
    "tiff": {"media_type": "image/tiff", "dtype": "float32"},
}
"""An example of `output` for each form that has fields of its own."""
_WORK = (400, 401, 406, 408, 413, 415, 422, 429, 500, 503, 504)


def document(routes: Sequence[BaseRoute], presets: Collection[str]) -> dict[str, Any]:
    """Describe the service; `presets` are the names that /v1/filters takes."""
    described = get_openapi(
        title="convserve",
        version=version("convserve"),
        summary="Convolution as a service.",
        description=_DESCRIPTION,
        routes=routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    for path, methods in described["paths"].items():
        for operation in methods.values():
            _finish(operation, path, presets)
    described["components"] = {
        "schemas": schemas.components(),
        "responses": {str(status): _problem(status) for status in sorted({kind.status for kind in KINDS.values()})},
        "headers": _headers(),
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, if the service asks for one.",
            },
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        },
    }
    return described


def _finish(operation: dict[str, Any], path: str, presets: Collection[str]) -> None:
    """Complete an operation with what the framework cannot know."""
    operation["responses"] = _responses(path) or operation["responses"]
    if path.startswith("/v1") or path == "/metrics":
        operation["security"] = _SECURITY
    known = {"preset": presets, "op": BY_NAME, "code": KINDS}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in known:
            parameter["schema"] = {"type": "string", "enum": list(known[parameter["name"]])}
    match path:
        case "/v1/filter":
            operation["description"] += _gallery()
            operation["parameters"] = [_query_spec()]
            operation["requestBody"] = _filter_body()
        case "/v1/filters/{preset}":
            operation["requestBody"] = _preset_body()
        case "/v1/plan":
            operation["requestBody"] = _plan_body()
        case "/v1/figure":
            operation["parameters"] = _figure_parameters()
            operation["requestBody"] = _figure_body()
    operation.setdefault("parameters", []).append(_request_id())


def _responses(path: str) -> dict[str, Any]:
    match path:
        case "/v1/filter":
            return {"200": _image()} | _problems(_WORK)
        case "/v1/filters/{preset}":
            return {"200": _image()} | _problems((*_WORK, 404))
        case "/v1/plan":
            return {"200": _json("What each step would do and cost.", "Plan")} | _problems(_WORK)
        case "/metrics":
            content = {"text/plain": {"schema": {"type": "string"}}}
            return {"200": _success("Metrics in the Prometheus format.", content)} | _problems((401, 500))
        case "/problems" | "/problems/{code}":
            content = {"text/html": {"schema": {"type": "string"}}}
            return {"200": _success("A page.", content)} | _problems((404, 500) if "{" in path else (500,))
        case "/readyz":
            return {"200": _json("The service takes work.", "Ready")} | _problems((500, 503))
        case "/":
            content = {"application/json": {"schema": _ref("Home")}, "text/html": {"schema": {"type": "string"}}}
            return {"200": _success("Version and links.", content)} | _problems((500,))
        case "/v1/figure":
            content = {"image/svg+xml": {"schema": {"type": "string"}}}
            return {"200": _success("The drawing.", content)} | _problems(_WORK)
        case _ if path in schemas.OF_PATH:
            closed = (401,) if path.startswith("/v1") else ()
            missing = (404,) if "{" in path else ()
            return {"200": _json("As described.", schemas.OF_PATH[path])} | _problems((*closed, *missing, 500))
        case _:
            return {}


def _problems(statuses: Iterable[int]) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _problem(status: int) -> dict[str, Any]:
    kinds = [kind for kind in KINDS.values() if kind.status == status]
    headers = {"X-Request-ID": _header("X-Request-ID")}
    if status in _HEADERS_OF:
        headers[_HEADERS_OF[status]] = _header(_HEADERS_OF[status])
    return {
        "description": "\n".join(f"- `{kind.code}`: {kind.meaning}" for kind in kinds),
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
    }


def _image() -> dict[str, Any]:
    headers = ("Server-Timing", "Timing-Allow-Origin")
    sizes = tuple(f"X-{of}-{side}" for of in ("Origin", "Result") for side in ("Width", "Height"))
    content = {
        media_type: {"schema": _ref("FilterAnswer") if answer == "json" else schemas.BINARY}
        for media_type, answer in ANSWERS.items()
    }
    return _success("The image, in the format that `Accept` asks for; PNG by default.", content, *headers, *sizes)


def _json(text: str, name: str) -> dict[str, Any]:
    return _success(text, {"application/json": {"schema": _ref(name)}})


def _success(text: str, content: dict[str, Any], *headers: str) -> dict[str, Any]:
    return {
        "description": text,
        "headers": {name: _header(name) for name in ("X-Request-ID", *headers)},
        "content": content,
    }


def _request_id() -> dict[str, Any]:
    return {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "description": "An id for the request, used in the log; by default the service makes one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"},
    }


def _query_spec() -> dict[str, Any]:
    return {
        "name": "spec",
        "in": "query",
        "description": "The spec as JSON text, if the body is the image; in the other forms the spec is in the body.",
        "required": False,
        "schema": {"type": "string"},  # with contentMediaType the docs page would ask for a file
    }


def _filter_body() -> dict[str, Any]:
    return _body(
        {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"image": schemas.BINARY, "spec": {**_ref("Spec"), "examples": [_first_example()]}},
                    "required": ["image"],  # the spec may be in the query
                    "additionalProperties": False,
                },
                "encoding": {"spec": {"contentType": "application/json"}},
            },
            "application/json": {"schema": _ref("FilterRequest"), "examples": dict(_filter_examples())},
            **_raw(),
        }
    )


def _preset_body() -> dict[str, Any]:
    return _body(
        {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"image": schemas.BINARY},
                    "required": ["image"],
                    "additionalProperties": False,
                },
            },
            "application/json": {
                "schema": _ref("PresetRequest"),
                "examples": {"sample": {"summary": "A small picture", "value": {"image": SAMPLE_BASE64}}},
            },
            **_raw(),
        }
    )


def _plan_body() -> dict[str, Any]:
    image = {"width": 640, "height": 480, "channels": 3, "dtype": "uint8"}
    examples = {
        name: {"summary": summary, "value": {"spec": spec, "image": image}}
        for name, summary, spec in _operation_examples()
    }
    return _body({"application/json": {"schema": _ref("PlanRequest"), "examples": examples}})


def _figure_parameters() -> list[dict[str, Any]]:
    values: dict[str, tuple[str, dict[str, Any]]] = {
        "animate": ("Draw every position in turn (true, the default), or only one (false).", {"type": "boolean"}),
        "position": ("For a still drawing: the position of the window, from 0.", {"type": "integer", "minimum": 0}),
        "reading": (
            "For a transposed convolution: gather moves a window over the stretched input; scatter spreads samples.",
            {"type": "string", "enum": ["gather", "scatter"]},
        ),
    }
    return [
        {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
        for name, (text, schema) in values.items()
    ]


def _figure_body() -> dict[str, Any]:
    spec = {"op": "conv", "kernel": {"shape": [3, 3]}, "stride": 2, "padding": 1}
    value = {"spec": spec, "image": {"width": 5, "height": 5}}
    examples = {"strided": {"summary": "A strided convolution of a padded image", "value": value}}
    return _body({"application/json": {"schema": _ref("FigureRequest"), "examples": examples}})


def _raw() -> dict[str, Any]:
    return {name: {"schema": schemas.BINARY} for name in ("image/*", *RAW)}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": content}


def _filter_examples() -> Iterable[tuple[str, dict[str, Any]]]:
    for name, summary, spec in _operation_examples():
        description = f"{_picture(name)}\n\nIts effect on a photograph. The picture in this request is a smaller one."
        value = {"image": SAMPLE_BASE64, "spec": spec}
        yield name, {"summary": f"{name}: {summary}", "description": description, "value": value}
    first, _, step = next(iter(_operation_examples()))
    for form, output in _FORMS.items():
        spec = {"steps": [step], "output": output}
        about = "`output.media_type` applies with `Accept: application/json`; otherwise `Accept` decides the format."
        description = f"{_picture(first)}\n\n{about}"
        value = {"image": SAMPLE_BASE64, "spec": spec}
        yield f"as-{form}", {"summary": f"The result as {form}", "description": description, "value": value}


def _gallery() -> str:
    """Show each operation by its first example."""
    rows = [f"| {_picture(f'{op}-1')} | `{op}` | {cls.summary} |" for op, cls in BY_NAME.items()]
    return "\n\n" + "\n".join(["| example | `op` | what it does |", "|---|---|---|", *rows])


def _picture(name: str) -> str:
    """Link to a picture of docs.py, relative to the page, as a proxy may add a prefix."""
    return f"![A photograph after {name}](docs/examples/{name}.jpg)"


def _operation_examples() -> Iterable[tuple[str, str, dict[str, Any]]]:
    for op, cls in BY_NAME.items():
        for number, spec in enumerate(cls.examples, 1):
            yield f"{op}-{number}", cls.summary, spec


def _first_example() -> dict[str, Any]:
    return next(spec for _, _, spec in _operation_examples())


def _header(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/headers/{name}"}


def _headers() -> dict[str, Any]:
    texts = {
        "X-Request-ID": "The id that the client sent if it is 1 to 128 of A-Z, a-z, 0-9, _ and -; otherwise a new one.",
        "Server-Timing": "Milliseconds of each part: queue, decode, step-0, ..., encode, total.",
        "Timing-Allow-Origin": "Lets scripts from other origins read the timings.",
        "WWW-Authenticate": "How to send an API key.",
        "Allow": "The methods of this address.",
    }
    numbers = {
        "Retry-After": "Seconds to wait before sending the request again.",
        "X-Origin-Width": "Width of the input image, upright.",
        "X-Origin-Height": "Height of the input image, upright.",
        "X-Result-Width": "Width of the result.",
        "X-Result-Height": "Height of the result.",
    }
    strings = {name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()}
    return strings | {
        name: {"description": text, "schema": {"type": "integer", "minimum": 1}} for name, text in numbers.items()
    }


def _ref(name: str) -> dict[str, str]:
    return spec_schema.ref(name)
