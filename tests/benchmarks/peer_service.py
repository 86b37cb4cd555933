"""The service that a competent engineer writes in an afternoon: FastAPI, OpenCV, two worker processes.

`POST /filter` takes a form of `image` and `spec`, {"op": ..., ...}, and answers with a PNG, or with what "output" says:
{"format": "jpeg" or "webp", "quality": 1 to 100, "full_colour": true or false}.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import FastAPI, File, Form, HTTPException, Response

BORDER = cv2.BORDER_REFLECT_101

app = FastAPI()


@app.get("/readyz")
def ready() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/filter")
def filter_image(image: Annotated[bytes, File()], spec: Annotated[str, Form()]) -> Response:
    """Decode, filter, encode; on a thread of FastAPI's pool, since it is no coroutine."""
    wanted = json.loads(spec)
    picture = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise HTTPException(400, "not a picture")
    output = wanted.get("output", {"format": "png"})
    kind = output["format"]
    done, data = cv2.imencode(f".{kind}", apply(picture, wanted), options(output))
    if not done:
        raise HTTPException(500, "the result cannot be written")
    return Response(data.tobytes(), media_type=f"image/{kind}")


def options(output: dict[str, Any]) -> list[int]:
    match output["format"]:
        case "jpeg":
            colour = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
            return [cv2.IMWRITE_JPEG_QUALITY, output["quality"], *(colour if output["full_colour"] else [])]
        case "webp":
            return [cv2.IMWRITE_WEBP_QUALITY, output["quality"]]
        case _:
            return []


def apply(picture: Any, spec: dict[str, Any]) -> Any:
    match spec["op"]:
        case "conv":
            return cv2.filter2D(picture, -1, np.array(spec["kernel"], np.float64), borderType=BORDER)
        case "gaussian":
            side = 2 * int(4 * spec["sigma"] + 0.5) + 1
            return cv2.GaussianBlur(picture, (side, side), spec["sigma"], borderType=BORDER)
        case "sobel":
            gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
            across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)
            return cv2.convertScaleAbs(cv2.magnitude(across, down))
        case "upscale":
            return cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        case unknown:
            raise HTTPException(400, f"no operation {unknown}")
