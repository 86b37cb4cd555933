"""Sort the taps of a transposed convolution by outputs: stride x stride phases, each an ordinary convolution.

Output u of the full result gets sample v times tap k wherever u = v s + k d. With u = s a + r these are the taps with
k d = s q + r for some q, and v = a - q: so for each remainder r a few taps are correlated with the samples, in reverse.
Nothing is stretched with zeros. After P. P. Vaidyanathan, "Multirate Systems and Filter Banks", section 4.3.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.steps.borders import OUTSIDE
from service.engine.steps.geometry import phases


class Phase(NamedTuple):
    """Every stride-th output of an axis: the taps that fall on it, last first, and their places in the input.

    Output i of the phase is the sum of weight[taps[j]] times sample i + shifts[j].
    """

    taps: tuple[int, ...]
    shifts: tuple[int, ...]


class Axis(NamedTuple):
    """One axis with `outputs` outputs per phase; the last phases may have one fewer.

    `begin` and `end` bound the samples that are read. They count in the input of `size` samples, extended by
    `replicate` at each side.
    """

    phases: list[Phase]
    outputs: int
    begin: int
    end: int
    size: int
    replicate: int

    @classmethod
    def of(
        cls, size: int, outputs: int, kernel: int, stride: int, dilation: int, crop: int, replicate: int, *, whole: bool
    ) -> Axis:
        """Sort the taps by phases of the output, which is cropped by `crop`; `whole` spans all samples anyway."""
        each, extended = ceil(outputs / stride), size + 2 * replicate
        by_remainder = phases(kernel, stride, dilation)
        found = []
        for phase in range(min(stride, outputs)):
            ahead, remainder = divmod(phase + crop, stride)
            pairs = [(tap, ahead - tap * dilation // stride) for tap in reversed(by_remainder[remainder])]
            # Taps that meet no sample are left out: a dilation may be larger than any image.
            met = [(tap, shift) for tap, shift in pairs if -each < shift < extended]
            found.append(Phase(tuple(tap for tap, _ in met), tuple(shift for _, shift in met)))
        shifts = [shift for phase in found for shift in phase.shifts] or [0]
        begin, end = min(shifts), max(shifts) + each
        if whole:
            begin, end = min(begin, replicate), max(end, replicate + size)
        return cls(found, each, begin, end, size, replicate)

    def positions(self) -> NDArray[np.int32]:
        """Return the source index of each sample that is read."""
        at = np.arange(self.begin, self.end)
        inside = (at >= 0) & (at < self.size + 2 * self.replicate)
        return np.where(inside, np.clip(at - self.replicate, 0, self.size - 1), OUTSIDE).astype(np.int32)
