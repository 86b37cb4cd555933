"""What a client sends for a figure, and how it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.engine.errors import AmbiguousRequest, EngineError, InvalidSpec, MalformedJson, MissingImage, MissingSpec
from service.engine.figures.document import figure_document
from service.engine.machine.limits import Limits
from tests.engine.figures.reading import Drawing

CONV: dict[str, Any] = {"op": "conv", "kernel": {"shape": [3, 3]}}
IMAGE = {"width": 5, "height": 5}
ONES = [[1] * 5] * 5
MARKUP = "</text><script>alert(1)</script>"


def drawn(spec: object, image: object = IMAGE, **rest: object) -> Drawing:
    return Drawing(figure_document(json.dumps({"spec": spec, "image": image, **rest}).encode(), Limits()))


def refused(document: object) -> EngineError:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(EngineError) as caught:
        figure_document(body, Limits())
    return caught.value


def test_sides_are_width_and_height() -> None:
    drawing = drawn(CONV, {"width": 4, "height": 6})
    assert len(drawing.places("source", "input")) == 24
    assert max(drawing.places("source", "input")) == (5, 3)
    assert len(drawing.places("result", "output")) == 4 * 2


def test_one_operation_may_stand_in_a_list() -> None:
    assert drawn({"steps": [CONV]}).text == drawn(CONV).text


@pytest.mark.parametrize(
    ("spec", "heading"),
    [
        (CONV, "Convolution"),
        ({"op": "conv", "weight": {"shape": [8, 3, 3, 3]}, "bias": [0] * 8}, "Convolution"),
        ({"op": "conv", "kernel": "sobel_x", "bias": [1, 2, 3]}, "Convolution"),
        ({"op": "separable", "column": {"shape": [3]}, "row": {"shape": [5]}}, "Separable convolution"),
        ({"op": "separable", "kernel": {"name": "gaussian", "sigma": 1, "size": 5}}, "Separable convolution"),
        ({"op": "depthwise", "kernels": {"shape": [6, 3, 3]}, "bias": [0] * 6}, "Depthwise convolution"),
        ({"op": "transposed", "kernel": {"shape": [3, 3]}, "stride": 2}, "Transposed convolution, gathered"),
        ({"op": "transposed", "weight": {"shape": [4, 2, 3, 3]}, "groups": 2}, "Transposed convolution, gathered"),
    ],
)
def test_every_drawable_operation_is_drawn(spec: dict[str, Any], heading: str) -> None:
    assert f">{heading}</text>" in drawn(spec).text


def test_scattering_is_asked_for() -> None:
    body = json.dumps({"spec": {"op": "transposed", "kernel": {"shape": [3, 3]}}, "image": IMAGE}).encode()
    assert "Transposed convolution, scattered" in figure_document(body, Limits(), reading="scatter")


def test_channels_are_counted() -> None:
    assert "one plane of 6 → 8 channels" in drawn({"op": "conv", "weight": {"shape": [8, 3, 3, 3]}, "groups": 2}).text


def test_convolution_mode_shows_the_kernel_as_it_is_applied() -> None:
    drawing = drawn({"op": "conv", "kernel": [[1, 2], [3, 4]], "mode": "convolution"}, values=ONES)
    assert drawing.numbers("kernel-plane") == ["4", "3", "2", "1"]
    assert ">kernel, rotated</text>" in drawing.text


def test_turning_twice_is_not_turning() -> None:
    drawing = drawn({"op": "transposed", "kernel": [[1, 2], [3, 4]], "mode": "convolution"})
    assert drawing.numbers("kernel-plane") == ["1", "2", "3", "4"]
    assert ">kernel</text>" in drawing.text


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (b"", MalformedJson),
        (b"[]", MalformedJson),
        (b'{"spec": NaN}', MalformedJson),
        ({"image": IMAGE}, MissingSpec),
        ({"spec": CONV}, MissingImage),
        ({"spec": CONV, "image": IMAGE, MARKUP: 1}, AmbiguousRequest),
    ],
)
def test_documents_that_are_none_are_refused(document: object, kind: type[EngineError]) -> None:
    assert type(refused(document)) is kind


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"spec": 1}, ["/spec"]),
        ({"spec": {**CONV, "stride": MARKUP}}, ["/spec/stride"]),
        ({"spec": {**CONV, "kernel": [[1, MARKUP]]}}, ["/spec/kernel/0/1"]),
        ({"spec": {"steps": [CONV, CONV]}}, ["/spec/steps"]),
        ({"spec": {"steps": [CONV], "alpha": "preserve"}}, ["/spec/alpha"]),
        ({"spec": {"steps": [CONV], "color_space": "linear"}}, ["/spec/color_space"]),
        ({"spec": {"steps": [CONV], "output": {"range": "abs"}}}, ["/spec/output"]),
        ({"spec": {"op": "grayscale"}}, ["/spec/op"]),
        ({"spec": {"steps": [{"op": "pool", "method": "max", "size": 2}]}}, ["/spec/steps/0/op"]),
        ({"spec": {**CONV, "kernel": {"shape": [7, 7]}}}, ["/spec"]),
        ({"spec": {**CONV, "padding": 20}}, ["/spec"]),
        ({"spec": {"steps": [{**CONV, "kernel": [[1, -1]], "divisor": "sum"}]}}, ["/spec/steps/0/divisor"]),
        ({"image": []}, ["/image"]),
        ({"image": {"width": 0, "height": 25}}, ["/image/height", "/image/width"]),
        ({"image": {"width": 5.5, "height": True}}, ["/image/height", "/image/width"]),
        ({"image": {"width": 5}}, ["/image/height"]),
        ({"image": {**IMAGE, "channels": 3}}, ["/image/channels"]),
        ({"values": MARKUP}, ["/values"]),
        ({"values": []}, ["/values"]),
        ({"values": ONES[1:]}, ["/values"]),
        ({"values": [[1, 2], [3, MARKUP]]}, ["/values/1/1"]),
        ({"values": [[1, 2], [3, 1e31]]}, ["/values/1/1"]),
        ({"values": {"shape": [5, 5]}}, ["/values"]),
        ({"spec": {"op": "conv", "weight": {"shape": [1, 3, 3, 3]}}, "values": ONES}, ["/values"]),
    ],
)
def test_refusal_points_into_the_document(change: dict[str, object], pointers: list[str]) -> None:
    error = refused({"spec": CONV, "image": IMAGE, **change})
    assert isinstance(error, InvalidSpec)
    assert [fault.pointer for fault in error.faults] == pointers
