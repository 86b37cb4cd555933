"""The drawing as a document: well-formed, self-contained, legible, quiet where it is asked to be."""

from __future__ import annotations

import re

import numpy as np
import pytest

from service.engine.errors import InvalidSpec
from service.engine.figures import draw
from service.engine.figures.description import Reading
from service.engine.figures.style import PALETTE, TAP_OPACITY
from service.engine.steps import Conv2d, ConvTranspose2d, Weights
from service.engine.steps.geometry import Padding, Shape
from tests.engine.figures.reading import SVG, Drawing

ONE = Padding(1, 1, 1, 1)


def unknown(height: int, width: int) -> Weights:
    return np.broadcast_to(np.float64(np.nan), (1, 1, height, width))


NUMBERS = np.arange(576.0).reshape(24, 24) * 1.37
SCENES: dict[str, tuple[Conv2d | ConvTranspose2d, Shape, Weights | None, Reading | None]] = {
    "one": (Conv2d(unknown(1, 1)), Shape(1, 1, 1), None, None),
    "flat": (Conv2d(unknown(3, 3), padding=ONE), Shape(1, 24, 1), None, None),
    "tall": (Conv2d(unknown(3, 3), padding=ONE, padding_mode="circular"), Shape(24, 1, 1), None, None),
    "largest": (Conv2d(unknown(3, 3), padding=ONE), Shape(24, 24, 1), None, None),
    "largest with numbers": (Conv2d(np.ones((1, 1, 3, 3)), padding=ONE), Shape(24, 24, 1), NUMBERS, None),
    "largest kernel with numbers": (
        Conv2d(NUMBERS[None, None], padding=Padding(11, 12, 11, 12)),
        Shape(24, 24, 1),
        NUMBERS,
        None,
    ),
    "largest scattered": (ConvTranspose2d(unknown(3, 3), padding=ONE), Shape(24, 24, 1), None, "scatter"),
    "widest window": (
        Conv2d(unknown(2, 2), dilation=(24, 24), padding=Padding(12, 12, 12, 12)),
        Shape(24, 24, 1),
        None,
        None,
    ),
    "one scattered": (
        ConvTranspose2d(np.ones((1, 1, 2, 2)), stride=(2, 2)),
        Shape(2, 2, 1),
        NUMBERS[:2, :2],
        "scatter",
    ),
    "one gathered": (ConvTranspose2d(np.ones((1, 1, 2, 2)), stride=(2, 2)), Shape(2, 2, 1), NUMBERS[:2, :2], "gather"),
}


@pytest.fixture(params=SCENES, scope="module")
def scene(request: pytest.FixtureRequest) -> Drawing:
    step, shape, values, reading = SCENES[request.param]
    return Drawing(draw(step, shape, values, reading=reading))


def test_only_harmless_elements_and_inner_references(scene: Drawing) -> None:
    known = {"svg", "title", "desc", "style", "defs", "g", "rect", "use", "pattern", "text"}
    name = re.escape(scene.root.get("class", "").split()[0])
    for element in scene.root.iter():
        assert element.tag.removeprefix(SVG) in known
        for attribute, value in element.attrib.items():
            assert not attribute.startswith("on")
            assert attribute != "style"
            if attribute == "href":
                assert re.fullmatch(rf"#{name}[cg]", value)
    assert "http" not in scene.text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "@import" not in scene.style
    assert not re.search(r"url\((?!#)", scene.text)


def test_ids_are_unique_and_resolve(scene: Drawing) -> None:
    ids = [element.get("id") for element in scene.root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    assert {reference[1:] for element in scene.root.iter() if (reference := element.get("href"))} <= set(ids)
    assert set(scene.root.get("aria-labelledby", "").split()) <= set(ids)


def test_screen_readers_find_title_and_description(scene: Drawing) -> None:
    assert scene.root.get("role") == "img"
    assert "output" in scene.root.findtext(SVG + "title", "")
    assert len(scene.root.findtext(SVG + "desc", "")) > 50


def test_everything_lies_on_the_paper(scene: Drawing) -> None:
    width, height = int(scene.root.get("width", "")), int(scene.root.get("height", ""))
    for kind in ("source", "kernel-plane", "result"):
        left, top = map(int, re.findall(r"-?\d+", scene.plane(kind).get("transform", "")))
        for cell in scene.cells(kind):
            row, column = cell.place
            assert 0 <= left + column * scene.side <= width - scene.side
            assert 0 <= top + row * scene.side <= height - scene.side


def test_motion_is_only_for_those_who_do_not_mind(scene: Drawing) -> None:
    still, _, moving = scene.style.partition("@media (prefers-reduced-motion:no-preference)")
    assert "animation" not in still
    assert moving.count("animation:") == (0 if "keyframes" not in still else moving.count("infinite"))


def test_every_animation_has_keyframes_that_begin_at_0(scene: Drawing) -> None:
    used = re.findall(r"animation:(\w[\w-]*)", scene.style)
    for name in used:
        frames = re.search(rf"@keyframes {name}{{(.*?}})}}", scene.style)
        assert frames
        shares = [float(share) for share in re.findall(r"([\d.]+)%{", frames[1])]
        assert shares[0] == 0
        assert shares == sorted(set(shares))
        assert shares[-1] < 100


def test_dark_and_light_name_the_same_colours(scene: Drawing) -> None:
    light, dark = scene.style.split("prefers-color-scheme:dark")
    used = set(re.findall(r"var\((--\w+)\)", scene.style))
    assert used <= set(re.findall(r"(--\w+):", light)) & set(re.findall(r"(--\w+):", dark))


def test_same_request_gives_the_same_drawing_and_another_another_name() -> None:
    step, shape = Conv2d(unknown(3, 3)), Shape(5, 5, 1)
    assert draw(step, shape) == draw(step, shape)
    names = {Drawing(draw(step, shape, animate=False, position=position)).root.get("class") for position in range(9)}
    assert len(names) == 9


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("largest", 160_000),
        ("largest with numbers", 300_000),
        ("largest scattered", 250_000),
        ("widest window", 350_000),
        ("largest kernel with numbers", 600_000),
    ],
)
def test_largest_figures_stay_small(name: str, most: int) -> None:
    step, shape, values, reading = SCENES[name]
    assert len(draw(step, shape, values, reading=reading).encode()) < most


def test_still_has_no_animation() -> None:
    drawing = Drawing(draw(Conv2d(unknown(3, 3)), Shape(5, 5, 1), animate=False))
    assert "keyframes" not in drawing.style
    assert "animation" not in drawing.style


def test_text_is_readable_on_every_ground() -> None:
    """WCAG 2.1, success criterion 1.4.3: 4.5 to 1."""
    for theme in (0, 1):
        colours = {name: channels(pair[theme]) for name, pair in PALETTE.items()}
        grounds = {name: colours[name] for name in ("paper", "input", "copy", "output", "kernel", "factor", "slot")}
        for under in ("paper", "input", "copy", "output", "slot"):
            grounds[f"tap on {under}"] = TAP_OPACITY * colours["tap"] + (1 - TAP_OPACITY) * grounds[under]
            grounds[f"gap on {under}"] = 0.6 * colours["paper"] + 0.4 * grounds[under]
        for name, ground in grounds.items():
            assert contrast(colours["ink"], ground) >= 4.5, (theme, name)
        assert contrast(colours["soft"], colours["paper"]) >= 4.5


def test_outlines_are_visible_on_paper() -> None:
    """WCAG 2.1, success criterion 1.4.11: 3 to 1."""
    for theme in (0, 1):
        paper = channels(PALETTE["paper"][theme])
        for name in ("edge", "empty", "made", "copied"):
            assert contrast(channels(PALETTE[name][theme]), paper) >= 3, (theme, name)


def channels(colour: str) -> Weights:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], np.float64)


def contrast(one: Weights, other: Weights) -> float:
    lights = sorted(map(luminance, (one, other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: Weights) -> float:
    coded = colour / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("position", [-1, 9, 10**9])
def test_position_beyond_the_last_is_refused(position: int) -> None:
    with pytest.raises(InvalidSpec, match="from 0 to 8"):
        draw(Conv2d(unknown(3, 3)), Shape(5, 5, 1), position=position)


@pytest.mark.parametrize(
    ("step", "shape", "reading", "what"),
    [
        (Conv2d(unknown(1, 1)), Shape(25, 5, 1), None, "the input"),
        (Conv2d(unknown(25, 1), padding=Padding(12, 12, 0, 0)), Shape(5, 5, 1), None, "the kernel"),
        (Conv2d(unknown(1, 1), padding=Padding(0, 0, 0, 20)), Shape(5, 5, 1), None, "the output"),
        (Conv2d(unknown(2, 2), padding=Padding(0, 44, 0, 0), stride=(9, 1)), Shape(5, 5, 1), None, "its padding"),
        (
            ConvTranspose2d(unknown(2, 2), stride=(48, 1), padding=Padding(20, 20, 0, 0)),
            Shape(2, 2, 1),
            None,
            "stretched",
        ),
        (
            ConvTranspose2d(unknown(9, 1), padding=Padding(30, 0, 0, 0), dilation=(5, 1)),
            Shape(9, 1, 1),
            None,
            "padding",
        ),
        (
            ConvTranspose2d(unknown(9, 1), padding=Padding(30, 0, 0, 0), dilation=(5, 1)),
            Shape(9, 1, 1),
            "scatter",
            "before cropping",
        ),
    ],
)
def test_grids_too_large_to_draw_are_refused(
    step: Conv2d | ConvTranspose2d, shape: Shape, reading: Reading | None, what: str
) -> None:
    with pytest.raises(InvalidSpec, match=what):
        draw(step, shape, reading=reading)
