"""A filter, a plan, a figure and a refusal, with the client that openapi-python-client made of the document."""

import json
import sys

from generated import AuthenticatedClient
from generated.api.catalogue import list_kernels
from generated.api.figure import draw_figure
from generated.api.filter_ import filter_image, filter_with_preset
from generated.api.plan import plan_spec
from generated.models import (
    Blur,
    Chain,
    Conv,
    FigureRequest,
    FigureSize,
    FilterAnswer,
    FilterRequest,
    FilterWithPresetPreset,
    GaussianKernel,
    ImageShape,
    ImageShapeDtype,
    Plan,
    PlanRequest,
    PresetRequest,
    Problem,
    ShapeOnly,
    Sides,
    Upscale,
)

url, image = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token="any", headers={"Accept": "application/json"})

chain = Chain(
    steps=[
        Conv(op="conv", kernel=GaussianKernel(name="gaussian", sigma=1.5), padding=6),
        Conv(op="conv", kernel=[[-1, 0, 1]], padding=Sides(top=0, bottom=0, left=1, right=1), bias=16),
        Upscale(op="upscale"),
    ]
)
filtered = filter_image.sync(client=client, body=FilterRequest(image=image, spec=chain))
assert isinstance(filtered, FilterAnswer), filtered

preset = filter_with_preset.sync(FilterWithPresetPreset.SOBEL, client=client, body=PresetRequest(image=image))
assert isinstance(preset, FilterAnswer), preset

planned = Conv(op="conv", weight=ShapeOnly(shape=[32, 16, 3, 3]), stride=[2, 2], padding=1)
shape = ImageShape(width=64, height=48, channels=16, dtype=ImageShapeDtype.FLOAT32)
plan = plan_spec.sync(client=client, body=PlanRequest(spec=planned, image=shape))
assert isinstance(plan, Plan), plan

drawn = Conv(op="conv", kernel=ShapeOnly(shape=[3, 3]))
figure = draw_figure.sync_detailed(
    client=AuthenticatedClient(base_url=url, token="any", headers={"Accept": "image/svg+xml"}),
    body=FigureRequest(spec=drawn, image=FigureSize(width=5, height=5)),
    animate=False,
)

refused = filter_image.sync(client=client, body=FilterRequest(image=image, spec=Blur(op="blur")))
assert isinstance(refused, Problem), refused

kernels = list_kernels.sync(client=client)
assert isinstance(kernels, list)

print(
    json.dumps(
        {
            "filter": {**filtered.image.to_dict(), "steps": len(filtered.plan.steps)},
            "preset": preset.image.media_type,
            "plan": plan.steps[0].parameters,
            "figure": figure.content[:4].decode(),
            "refusal": {"code": refused.code, "pointer": refused.errors[0].pointer if refused.errors else None},
            "kernels": len(kernels),
        }
    )
)
