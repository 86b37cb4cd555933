"""The cost of a unit of work on one thread: algorithms predict their time from these constants.

Measured, not chosen: `make calibrate` times every algorithm on its own tasks, fits these numbers to the times, and
writes them to rates.json, a column for each processor level. Each column comes from one machine; between machines of a
level the ratios change less than the values.

A single algorithm's own rate is in that algorithm's file, as a `Rate` with a default until it has been measured.
`Rates` has the rates that several share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

from service.engine.machine import levels


@dataclass(frozen=True)
class Rates:
    """Seconds for each unit of work; in float32 unless said otherwise."""

    call: float
    """The set-up of one `apply`, whatever the size."""

    # The compiled loops.
    strip: float
    """The Python between two runs of a loop, once per strip."""
    widen_sample: float
    """To bring one sample into a padded row of the numbers that are summed."""
    store_sample: float
    """To divide, round, clip and store one sample of the result."""
    root_sample: float
    """To make one magnitude of two gradients."""
    weave_sample: float
    """To interleave one sample of the result with those of other planes, two, three, four or six in all."""
    weave_sample_apart: float
    """The same for other numbers of planes."""
    column_setup: float
    """The Python of one column of taps, before the loops run."""
    direct_tap: float
    """One product added to a sum."""
    direct_tap_double: float
    direct_tap_mixed: float
    """One product added to a sum over several channels, each a plane of its own."""
    direct_tap_mixed_double: float
    direct_tap_short: float
    """One product added to a sum of 16-bit integers."""
    separable_row: float
    """To begin one row of the output, in both passes."""
    separable_tap: float
    """One product in one of the two passes."""
    separable_tap_double: float
    separable_tap_short: float
    resample_row: float
    """To begin one row of an enlarged or reduced image, in both passes."""
    resample_tap: float
    """One product in one of these passes."""
    resample_tap_double: float
    resample_tap_short: float
    resample_move: float
    """To move one byte to its plane, or to interleave it into a row."""
    resample_store: float
    """To finish, round, clip and store one sample."""
    box_sample: float
    """To add one sample to a running sum, or two sums of windows of a row."""
    polyphase_tap: float
    """One product of a transposed convolution."""
    polyphase_tap_double: float

    # Spectra.
    plane_sample: float
    """To bring one sample into a plane of floats."""
    fft_call: float
    """The set-up beyond what others need."""
    fft_point: float
    """One complex point, for each doubling of the points of a tile, along one axis and in one direction."""
    fft_move: float
    """To bring two samples into a tile, or out of it and into the result."""
    fft_product: float
    """One complex product of two spectra."""
    settle_sample: float
    """To store one sample of a second result and compare the two results."""
    settle_tap: float
    """To sum a sample again in integers, per sample of its window's rows."""
    fft_tile: float
    """The Python of one tile; this and the next rates are for transforms in float64, by SciPy."""
    fft_kernel: float
    """The Python of one kernel, once and in each tile."""
    fft_point_double: float
    """One point of a tile, for each of its log2(points), there and back."""
    fft_product_double: float
    fft_store: float
    """To round and store one sample of the result."""

    # Sums over channels.
    mixing_call: float
    """The set-up beyond what others need."""
    mixing_lay: float
    """To bring one sample into a strip."""
    mixing_weight: float
    """To copy one weight to its place for the loop."""
    mixing_block: float
    """One block of pixels and outputs, without its products."""
    mixing_part: float
    """To finish the sums of one block of pixels if they are not stored as they are."""
    mixing_vector: float
    """One multiplication and addition of a vector register, in float64 as well."""
    mixing_single: float
    """The same if a block has one vector of outputs instead of two."""
    mixing_store: float
    """To store one sample of the result as it was computed."""
    mixing_round: float
    """To convert, round, clip and store one sample."""
    winograd_weight: float
    """To transform one weight, if this is done for each image."""
    winograd_transform: float
    """To transform one vector of samples for a row of tiles."""
    winograd_tiles: float
    """Two vectors of outputs of some tiles, without the products."""
    pointwise_byte: float
    """To read or write one byte."""
    pointwise_sum: float
    """To make one sum of three samples of a pixel."""
    pointwise_weave: float
    """To interleave one sample with those of the same pixel."""
    pointwise_store: float
    """To round, clip and store one sample."""

    # The ground floor: NumPy.
    ground_call: float
    """The cost of one call of NumPy, however small."""
    ground_byte: float
    """To read and write one byte of the sums in one pass."""
    ground_apart: float
    """How many times as long a pass takes if samples are not adjacent."""
    ground_sample: float
    """To bring one sample into a piece, or to divide, round or store one."""
    ground_lay: float
    """To lay out one sample for a product of matrices."""
    ground_product: float
    """The cost of one product in a product of matrices."""

    # The codecs; bytes are those of samples, not of files.
    png_read_byte: float
    """To read one byte from a PNG."""
    png_write_byte: float
    """To filter and deflate one byte, "fast"."""
    jpeg_write_byte: float
    """To code one byte at the default quality, "fast"; the same for the next two."""
    webp_write_byte: float
    avif_write_byte: float
    tiff_write_byte: float
    """To deflate one byte, "fast"."""

    # Pooling.
    pool_strip: float
    """The Python of one strip."""
    pool_byte: float
    """To read one 8-bit sample that is adjacent to the previous one."""
    pool_number: float
    """The same for a wider sample."""
    pool_apart: float
    """To read one sample that is not adjacent to the previous one."""
    pool_store: float
    """To divide, round and store one mean."""

    own: tuple[tuple[str, float], ...] = ()
    """Rates of single algorithms, by name, if measured."""

    def of(self, name: str) -> float:
        """Return a rate by name, including rates of single algorithms."""
        return dict(self.own).get(name, _defaults[name]) if name in _defaults else float(getattr(self, name))

    def changed(self, **rates: float) -> Rates:
        """Return a copy with some rates replaced."""
        own = {name: rate for name, rate in rates.items() if name in _defaults}
        shared = {name: rate for name, rate in rates.items() if name not in own}
        return replace(self, own=tuple((dict(self.own) | own).items()), **shared)


class Rate:
    """A rate of one algorithm: seconds per unit of its work, `default` until measured."""

    def __init__(self, name: str, default: float) -> None:
        if name in names():
            raise ValueError(f"there is a rate {name} already")
        self._name = name
        _defaults[name] = default

    @property
    def seconds(self) -> float:
        return rates().of(self._name)


_defaults: dict[str, float] = {}


def names() -> list[str]:
    """List the names of all rates, including those of imported algorithms."""
    return [*(shared.name for shared in fields(Rates) if shared.name != "own"), *_defaults]


TABLE = Path(__file__).with_name("rates.json")
"""The machine, the date and the rates of each processor level."""
_given: list[Rates] = []


def rates() -> Rates:
    """Return the rates in force: those of this process's processor level, unless `given` replaces them."""
    return _given[-1] if _given else of_level(levels.current())


@cache
def of_level(level: str | None) -> Rates:
    """Return the rates of a level; for a level not measured yet, those of the lowest measured level."""
    table = json.loads(TABLE.read_text(encoding="ascii"))
    measured = (table.get(level) or table[min(table)])["rates"]
    own = tuple((name, measured.pop(name)) for name in list(measured) if name not in Rates.__dataclass_fields__)
    return Rates(**measured, own=own)


@contextmanager
def given(others: Rates) -> Iterator[None]:
    """Predict by `others` within the block, on all threads; for tests and calibration. Choices made outside stay."""
    _given.append(others)
    try:
        yield
    finally:
        _given.pop()
