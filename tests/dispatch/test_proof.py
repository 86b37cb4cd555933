"""The picture by which a worker proves itself: right by the oracle, refused where it is wrong."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from service.dispatch.proof import ANSWER, DIVISOR, KERNEL, PICTURE, WrongAnswer, png, png_of, prove, samples
from service.engine.jobs import Job, Result
from service.engine.jobs.pipeline import perform
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding
from tests import oracle

Rows = tuple[tuple[int, ...], ...]


def answering(rows: Rows) -> Result:
    return Result(png(rows), "image/png")


def test_answer_is_the_oracles() -> None:
    weight = np.array(KERNEL, float)[None, None] / DIVISOR
    step = Conv2d(weight, padding=Padding(1, 1, 1, 1))
    right = oracle.stored(oracle.apply(step, np.array(PICTURE, np.uint8)[:, :, None]), np.uint8)
    assert right[:, :, 0].tolist() == [list(row) for row in ANSWER]


def test_engine_proves_itself() -> None:
    prove(perform)


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 3)])
def test_one_wrong_sample_is_enough(place: tuple[int, int]) -> None:
    rows = [list(row) for row in ANSWER]
    rows[place[0]][place[1]] += 1
    with pytest.raises(WrongAnswer, match="should be"):
        prove(lambda _job, _threads: answering(tuple(map(tuple, rows))))


@pytest.mark.parametrize("body", [b"", b"nothing", png(ANSWER)[:-30], png(ANSWER)[:60]])
def test_answer_that_is_no_picture_is_wrong(body: bytes) -> None:
    def broken(job: Job, threads: int) -> Result:
        return Result(body, "image/png")

    with pytest.raises(WrongAnswer):
        prove(broken)


def test_picture_is_a_png_that_others_read() -> None:
    with Image.open(io.BytesIO(png(PICTURE))) as image:
        assert np.asarray(image).tolist() == [list(row) for row in PICTURE]


def test_every_row_filter_is_undone() -> None:
    """Rows are filtered here by the formulas of PNG, 9.2, and read back."""
    rows = np.random.default_rng(1).integers(0, 256, (5, 6))
    above = np.vstack([np.zeros(6, int), rows[:-1]])
    left, corner = (np.hstack([np.zeros((5, 1), int), plane[:, :-1]]) for plane in (rows, above))
    to_left, to_above, to_corner = (abs(left + above - corner - near) for near in (left, above, corner))
    paeth = np.where(
        (to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner)
    )
    predicted = [np.zeros((5, 6), int), left, above, (left + above) // 2, paeth]
    lines = (bytes([kind, *((rows[kind] - predicted[kind][kind]) % 256).tolist()]) for kind in range(5))
    assert samples(png_of(6, 5, b"".join(lines))) == tuple(map(tuple, rows.tolist()))
