"""Reads a drawing back: what a program finds that knows the classes and nothing of how it was made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from xml.etree import ElementTree

from service.engine.steps.geometry import Pair

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Found:
    """A cell: where it says that it is, where it is drawn, and from which sample it says it is."""

    role: str
    place: Pair
    drawn: Pair
    origin: Pair | None


class Drawing:
    def __init__(self, text: str) -> None:
        self.text = text
        self.root = ElementTree.fromstring(text)
        self.style = "".join(element.text or "" for element in self.root.iter(SVG + "style"))

    def plane(self, kind: str) -> ElementTree.Element:
        (found,) = (element for element in self.root.iter(SVG + "g") if kind in element.get("class", "").split())
        return found

    @cached_property
    def side(self) -> int:
        """Give the side of a cell, as the mark has it."""
        (mark,) = (element for element in self.root.iter(SVG + "rect") if element.get("class") == "mark")
        return int(mark.get("width", ""))

    def cells(self, kind: str, *roles: str) -> list[Found]:
        """List the cells of a group, those of the window in it apart."""
        group = self.plane(kind)
        moving = {id(element) for element in self.plane("walk").iter()} if kind != "walk" else set()
        return [
            Found(
                element.get("class", ""),
                (int(element.get("data-row", "")), int(element.get("data-column", ""))),
                (int(element.get("y", "")) // self.side, int(element.get("x", "")) // self.side),
                pair(element.get("data-from")),
            )
            for element in group.iter(SVG + "use")
            if id(element) not in moving and (not roles or element.get("class") in roles)
        ]

    def places(self, kind: str, *roles: str) -> list[Pair]:
        return [cell.place for cell in self.cells(kind, *roles)]

    def at(self, kind: str) -> Pair:
        """Tell where the rectangle of a class is, and see to it that it is drawn there."""
        (group,) = (
            group
            for group in self.root.iter(SVG + "g")
            if kind in {rect.get("class") for rect in group.findall(SVG + "rect")}
        )
        (rect,) = (rect for rect in group.findall(SVG + "rect") if rect.get("class") == kind)
        place = (int(rect.get("data-row", "")), int(rect.get("data-column", "")))
        x, y = map(int, re.findall(r"-?\d+", group.get("transform", "")))
        assert place == (y // self.side, x // self.side)
        return place

    def numbers(self, kind: str) -> list[str]:
        """Give the texts of a plane, those of the window in it apart."""
        moving = {id(element) for element in self.plane("walk").iter()}
        return [text(element) for element in self.plane(kind).iter(SVG + "text") if id(element) not in moving]

    def sums(self) -> dict[int, list[str]]:
        return {
            int(group.get("data-position", "")): [text(line) for line in group]
            for group in self.root.iter(SVG + "g")
            if group.get("class") == "sum"
        }

    def walked(self, letter: str) -> list[Pair]:
        """Give the (row, column) that an animation moves to, one after the other."""
        frames = re.search(rf"@keyframes f[0-9a-f]{{5}}{letter}{{(.*?}})}}", self.style)
        assert frames
        moves = re.findall(r"translate\((-?\d+)px,(-?\d+)px\)", frames[1])
        return [(int(y) // self.side, int(x) // self.side) for x, y in moves]


def pair(attribute: str | None) -> Pair | None:
    if attribute is None:
        return None
    row, column = map(int, attribute.split())
    return row, column


def text(element: ElementTree.Element) -> str:
    return "".join(element.itertext()).replace("−", "-")
