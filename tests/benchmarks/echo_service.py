"""What FastAPI itself costs: a service that takes the same form and gives the picture back, with nothing done to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, File, Form, Response

app = FastAPI()


@app.get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/filter")
async def echo(image: Annotated[bytes, File()], spec: Annotated[str, Form()]) -> Response:
    return Response(image, media_type="image/png")
