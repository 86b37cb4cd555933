"""Edges of a picture, what they cost, a layer on an array, and a refusal: filter.py PICTURE RESULT."""

import os
import sys
from pathlib import Path

import numpy as np

from service.client import Client, Refused

SOBEL = {"steps": [{"op": "grayscale"}, {"op": "gradient", "operator": "sobel"}]}
LAYER = {"op": "conv", "weight": np.ones((4, 3, 3, 3)).tolist(), "padding": "same"}

with Client(os.environ.get("CONVSERVE_URL", "http://localhost:8000")) as client:
    result = client.filter(sys.argv[1], SOBEL)
    Path(sys.argv[2]).write_bytes(result.png)
    for part, seconds in result.timings.items():
        print(f"{part:8} {seconds * 1000:8.2f} ms")

    plan = client.plan(LAYER, width=640, height=480)
    print("the layer gives", plan["output"]["channels"], "channels with", plan["parameters"], "parameters")

    image = np.random.default_rng(1).random((8, 8, 3), dtype=np.float32)
    print("its result is", client.filter(image, LAYER, accept="npy").array.shape)

    try:
        client.filter(sys.argv[1], {"op": "blurr", "sigma": 2})
    except Refused as refusal:
        print(refusal.code, refusal.detail)
