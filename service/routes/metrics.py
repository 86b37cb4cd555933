"""GET /metrics: the service's counters, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

from service.routes.dependencies import Needed

router = APIRouter(tags=["service"])


@router.get("/metrics", operation_id="getMetrics", summary="Metrics for Prometheus")
async def metrics(request: Request, services: Needed) -> Response:
    """Counters and durations of requests, their parts, refusals and workers."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(services.metrics.registry()), headers={"Content-Type": content_type})
