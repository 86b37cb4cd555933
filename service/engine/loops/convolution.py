"""Sums of taps over strips of rows: the loops beneath direct, separable, gradient and polyphase.

A strip holds some rows of an image, border included, as floats or as integers of 16 bits. A row consists of `channels *
phases` planes after one another: column x of channel c stands in plane (x % phases) * channels + c, at x // phases. So
the columns that a strided window meets at one tap are neighbours, and every tap is a shift: an offset into the strip.

What makes these loops fast, and is easily lost:

- Slices of known length, indexed by the loop alone: an index that may be negative costs a check for each sample.
- Four output rows at once. A vector load that crosses a cache line costs two cycles, a multiplication one; runs of taps
  that stand below one another let four rows share their loads.
- Blocks of columns short enough that the rows in use stay in the first-level cache; accumulators whose distance is not
  a multiple of 4096 bytes, since a load is held up by a store to the same address modulo 4096.
- The vectoriser gives up where it must compare more than 8 pairs of addresses for overlap, unless told otherwise.
- "contract" allows multiply-add and nothing else: the order of the sum stays, and integers stay exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled

llvm.set_option("convserve", "--runtime-memory-check-threshold=256")

Array = NDArray[Any]

TOGETHER = 4
"""Output rows that are summed at once."""
BESIDE = 96
"""Numbers by which a row of accumulators is longer than a block, so that rows are not multiples of 4096 bytes apart."""
CONTRACT = {"contract"}


class Taps(NamedTuple):
    """The taps of each plane of the output: first the runs of five, then of three, then the single ones.

    `bounds[p]` is (first five, first three, first single, end; first weight): indices into `offsets`, where each run
    has its first tap, and into `weights`, where it has all of them.
    """

    weights: Array
    offsets: Array
    bounds: Array


class Finish(NamedTuple):
    """What becomes of the sums of each plane: sum / divisor * scale + bias, then clipped to 0..high if rounded.

    `scale` is the inverse of a divisor that is a power of two; any other must remain a divisor, since ties have to come
    out exactly. `uniform` says that these are the same for all planes; sums of integers allow nothing else. `norm` 1 or
    2 says to store |x| + |y| or sqrt(x x + y y) of each two planes, of which nothing else is then asked if `uniform`.
    """

    divisor: Array
    scale: Array
    bias: Array
    uniform: bool
    high: Any
    norm: int


UINT8, UINT16, FLOAT32, FLOAT64 = range(4)
"""Of 1, 2, 4 and 8 bytes."""
KINDS = {"uint8": UINT8, "uint16": UINT16, "float32": FLOAT32, "float64": FLOAT64}
"""Of samples. Images come and go as bytes: a loop that knows all kinds is compiled once, which takes long enough."""


@compiled
def widen(
    source: Array,
    kind: int,
    rows: Array,
    columns: Array,
    first: int,
    channels: int,
    phases: int,
    value: Any,
    strip: Array,
) -> None:
    """Fill `strip` (rows, planes of one length) from `source` (H, bytes of W * channels samples of `kind`).

    `rows` and `columns` give the source index of each padded position, or -1 for `value`; the whole image stands in
    `columns` from `first` on.
    """
    size = source.shape[1] // (1 << kind)
    width = size // channels
    planes = channels * phases
    length = strip.shape[1] // planes
    lead = min(-first % phases, width)
    groups = (width - lead) // phases
    begin, end = first + lead, first + lead + groups * phases
    wide = np.empty(0 if planes == 1 else size, strip.dtype)
    for r in range(len(rows)):
        target = strip[r]
        if rows[r] < 0:
            target[:] = value
            continue
        numbers = target[first : first + size] if planes == 1 else wide
        _read(source[rows[r]], kind, numbers)
        if planes > 1:
            _split(numbers[lead * channels :], target, begin // phases, groups, planes, length)
        for k in range(len(columns) - (end - begin)):
            x = k if k < begin else k + (end - begin)
            at = (x % phases) * channels * length + x // phases
            for c in range(channels):
                target[at + c * length] = numbers[columns[x] * channels + c] if columns[x] >= 0 else value


@compiled
def _read(line: Array, kind: int, numbers: Array) -> None:
    if kind == UINT8:
        _copy(line, numbers)
    elif kind == UINT16:
        _copy(line.view(np.uint16), numbers)
    elif kind == FLOAT32:
        _copy(line.view(np.float32), numbers)
    else:
        _copy(line.view(np.float64), numbers)


@compiled
def _copy(source: Array, target: Array) -> None:
    s = source[: len(target)]
    for i in range(len(target)):
        target[i] = s[i]


@compiled
def _split(line: Array, target: Array, at: int, n: int, planes: int, length: int) -> None:
    """Deal `n` groups of samples out to the planes. Steps known to the compiler become shuffles, others do not."""
    s = line[: n * planes]
    t0 = target[at : at + n]
    t1 = target[at + length : at + length + n]
    if planes == 2:
        for i in range(n):
            t0[i] = s[2 * i]
            t1[i] = s[2 * i + 1]
        return
    t2 = target[at + 2 * length : at + 2 * length + n]
    if planes == 3:
        for i in range(n):
            t0[i] = s[3 * i]
            t1[i] = s[3 * i + 1]
            t2[i] = s[3 * i + 2]
        return
    t3 = target[at + 3 * length : at + 3 * length + n]
    if planes == 4:
        for i in range(n):
            t0[i] = s[4 * i]
            t1[i] = s[4 * i + 1]
            t2[i] = s[4 * i + 2]
            t3[i] = s[4 * i + 3]
        return
    if planes == 6:
        t4 = target[at + 4 * length : at + 4 * length + n]
        t5 = target[at + 5 * length : at + 5 * length + n]
        for i in range(n):
            t0[i] = s[6 * i]
            t1[i] = s[6 * i + 1]
            t2[i] = s[6 * i + 2]
            t3[i] = s[6 * i + 3]
            t4[i] = s[6 * i + 4]
            t5[i] = s[6 * i + 5]
        return
    for p in range(planes):
        t = target[at + p * length : at + p * length + n]
        j = np.uint64(p)
        for i in range(n):
            t[i] = s[j]
            j += np.uint64(planes)


@compiled
def _weave(sums: Array, row: int, o: Array, n: int, planes: int) -> None:
    """Put sample i of `sums` (planes, rows, columns) to `o[i * planes + p]`: the opposite of `_split`."""
    t0, t1 = sums[0, row][:n], sums[1, row][:n]
    if planes == 2:
        for i in range(n):
            o[2 * i] = t0[i]
            o[2 * i + 1] = t1[i]
        return
    t2 = sums[2, row][:n]
    if planes == 3:
        for i in range(n):
            o[3 * i] = t0[i]
            o[3 * i + 1] = t1[i]
            o[3 * i + 2] = t2[i]
        return
    t3 = sums[3, row][:n]
    if planes == 4:
        for i in range(n):
            o[4 * i] = t0[i]
            o[4 * i + 1] = t1[i]
            o[4 * i + 2] = t2[i]
            o[4 * i + 3] = t3[i]
        return
    if planes == 6:
        t4, t5 = sums[4, row][:n], sums[5, row][:n]
        for i in range(n):
            o[6 * i] = t0[i]
            o[6 * i + 1] = t1[i]
            o[6 * i + 2] = t2[i]
            o[6 * i + 3] = t3[i]
            o[6 * i + 4] = t4[i]
            o[6 * i + 5] = t5[i]
        return
    for p in range(planes):
        t = sums[p, row][:n]
        j = np.uint64(p)
        for i in range(n):
            o[j] = t[i]
            j += np.uint64(planes)


@compiled(fastmath=CONTRACT)
def _five(a0: Array, a1: Array, a2: Array, a3: Array, x: Array, w: Array, k: int, b: int, jump: int, n: int) -> None:
    """Add five taps that stand `jump` apart to four rows that stand `jump` apart: 8 loads for 20 products."""
    x0 = x[b : b + n]
    x1 = x[b + jump : b + jump + n]
    x2 = x[b + 2 * jump : b + 2 * jump + n]
    x3 = x[b + 3 * jump : b + 3 * jump + n]
    x4 = x[b + 4 * jump : b + 4 * jump + n]
    x5 = x[b + 5 * jump : b + 5 * jump + n]
    x6 = x[b + 6 * jump : b + 6 * jump + n]
    x7 = x[b + 7 * jump : b + 7 * jump + n]
    w0, w1, w2, w3, w4 = w[k], w[k + 1], w[k + 2], w[k + 3], w[k + 4]
    for i in range(n):
        a0[i] = a0[i] + w0 * x0[i] + w1 * x1[i] + w2 * x2[i] + w3 * x3[i] + w4 * x4[i]
        a1[i] = a1[i] + w0 * x1[i] + w1 * x2[i] + w2 * x3[i] + w3 * x4[i] + w4 * x5[i]
        a2[i] = a2[i] + w0 * x2[i] + w1 * x3[i] + w2 * x4[i] + w3 * x5[i] + w4 * x6[i]
        a3[i] = a3[i] + w0 * x3[i] + w1 * x4[i] + w2 * x5[i] + w3 * x6[i] + w4 * x7[i]


@compiled(fastmath=CONTRACT)
def _three(a0: Array, a1: Array, a2: Array, a3: Array, x: Array, w: Array, k: int, b: int, jump: int, n: int) -> None:
    """Add a run of three taps to four rows."""
    x0 = x[b : b + n]
    x1 = x[b + jump : b + jump + n]
    x2 = x[b + 2 * jump : b + 2 * jump + n]
    x3 = x[b + 3 * jump : b + 3 * jump + n]
    x4 = x[b + 4 * jump : b + 4 * jump + n]
    x5 = x[b + 5 * jump : b + 5 * jump + n]
    w0, w1, w2 = w[k], w[k + 1], w[k + 2]
    for i in range(n):
        a0[i] = a0[i] + w0 * x0[i] + w1 * x1[i] + w2 * x2[i]
        a1[i] = a1[i] + w0 * x1[i] + w1 * x2[i] + w2 * x3[i]
        a2[i] = a2[i] + w0 * x2[i] + w1 * x3[i] + w2 * x4[i]
        a3[i] = a3[i] + w0 * x3[i] + w1 * x4[i] + w2 * x5[i]


@compiled(fastmath=CONTRACT)
def _three_threes(
    a0: Array, a1: Array, a2: Array, a3: Array, x: Array, w: Array, k: int, b: int, c: int, d: int, jump: int, n: int
) -> None:
    """Add three runs of three, perhaps a whole 3x3 window: 18 loads for 36 products, sums in registers."""
    x0 = x[b : b + n]
    x1 = x[b + jump : b + jump + n]
    x2 = x[b + 2 * jump : b + 2 * jump + n]
    x3 = x[b + 3 * jump : b + 3 * jump + n]
    x4 = x[b + 4 * jump : b + 4 * jump + n]
    x5 = x[b + 5 * jump : b + 5 * jump + n]
    y0 = x[c : c + n]
    y1 = x[c + jump : c + jump + n]
    y2 = x[c + 2 * jump : c + 2 * jump + n]
    y3 = x[c + 3 * jump : c + 3 * jump + n]
    y4 = x[c + 4 * jump : c + 4 * jump + n]
    y5 = x[c + 5 * jump : c + 5 * jump + n]
    z0 = x[d : d + n]
    z1 = x[d + jump : d + jump + n]
    z2 = x[d + 2 * jump : d + 2 * jump + n]
    z3 = x[d + 3 * jump : d + 3 * jump + n]
    z4 = x[d + 4 * jump : d + 4 * jump + n]
    z5 = x[d + 5 * jump : d + 5 * jump + n]
    u0, u1, u2, v0, v1, v2, w0, w1, w2 = (
        w[k], w[k + 1], w[k + 2], w[k + 3], w[k + 4], w[k + 5], w[k + 6], w[k + 7], w[k + 8],
    )  # fmt: skip
    for i in range(n):
        s0 = a0[i] + u0 * x0[i] + u1 * x1[i] + u2 * x2[i]
        s1 = a1[i] + u0 * x1[i] + u1 * x2[i] + u2 * x3[i]
        s2 = a2[i] + u0 * x2[i] + u1 * x3[i] + u2 * x4[i]
        s3 = a3[i] + u0 * x3[i] + u1 * x4[i] + u2 * x5[i]
        s0 = s0 + v0 * y0[i] + v1 * y1[i] + v2 * y2[i]
        s1 = s1 + v0 * y1[i] + v1 * y2[i] + v2 * y3[i]
        s2 = s2 + v0 * y2[i] + v1 * y3[i] + v2 * y4[i]
        s3 = s3 + v0 * y3[i] + v1 * y4[i] + v2 * y5[i]
        a0[i] = s0 + w0 * z0[i] + w1 * z1[i] + w2 * z2[i]
        a1[i] = s1 + w0 * z1[i] + w1 * z2[i] + w2 * z3[i]
        a2[i] = s2 + w0 * z2[i] + w1 * z3[i] + w2 * z4[i]
        a3[i] = s3 + w0 * z3[i] + w1 * z4[i] + w2 * z5[i]


@compiled(fastmath=CONTRACT)
def _row_eight(a: Array, x: Array, w: Array, k: int, offsets: Array, t: int, base: int, n: int) -> None:
    """Add eight taps that stand anywhere to one row."""
    b0, b1, b2, b3 = base + offsets[t], base + offsets[t + 1], base + offsets[t + 2], base + offsets[t + 3]
    b4, b5, b6, b7 = base + offsets[t + 4], base + offsets[t + 5], base + offsets[t + 6], base + offsets[t + 7]
    x0, x1, x2, x3 = x[b0 : b0 + n], x[b1 : b1 + n], x[b2 : b2 + n], x[b3 : b3 + n]
    x4, x5, x6, x7 = x[b4 : b4 + n], x[b5 : b5 + n], x[b6 : b6 + n], x[b7 : b7 + n]
    w0, w1, w2, w3, w4, w5, w6, w7 = w[k], w[k + 1], w[k + 2], w[k + 3], w[k + 4], w[k + 5], w[k + 6], w[k + 7]
    for i in range(n):
        s = a[i] + w0 * x0[i] + w1 * x1[i] + w2 * x2[i] + w3 * x3[i]
        a[i] = s + w4 * x4[i] + w5 * x5[i] + w6 * x6[i] + w7 * x7[i]


@compiled(fastmath=CONTRACT)
def _row_four(a: Array, x: Array, w: Array, k: int, offsets: Array, t: int, base: int, n: int) -> None:
    b0, b1, b2, b3 = base + offsets[t], base + offsets[t + 1], base + offsets[t + 2], base + offsets[t + 3]
    x0, x1, x2, x3 = x[b0 : b0 + n], x[b1 : b1 + n], x[b2 : b2 + n], x[b3 : b3 + n]
    w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
    for i in range(n):
        a[i] = a[i] + w0 * x0[i] + w1 * x1[i] + w2 * x2[i] + w3 * x3[i]


@compiled(fastmath=CONTRACT)
def _row_one(a: Array, x: Array, weight: Any, b: int, n: int) -> None:
    x0 = x[b : b + n]
    for i in range(n):
        a[i] = a[i] + weight * x0[i]


@compiled(fastmath=CONTRACT)
def _add_singles(a: Array, x: Array, w: Array, k: int, offsets: Array, t: int, end: int, base: int, n: int) -> None:
    while t + 8 <= end:
        _row_eight(a, x, w, k, offsets, t, base, n)
        t += 8
        k += 8
    while t + 4 <= end:
        _row_four(a, x, w, k, offsets, t, base, n)
        t += 4
        k += 4
    while t < end:
        _row_one(a, x, w[k], base + offsets[t], n)
        t += 1
        k += 1


@compiled(fastmath=CONTRACT)
def _sum_four(a: Array, c: int, x: Array, taps: Taps, p: int, base: int, jump: int, n: int) -> None:
    """Sum the taps of plane `p` to `a[0..3, c : c + n]`, for rows that are `jump` apart in `x`, from `base` on."""
    bounds = taps.bounds[p]
    five, three, single, end, k = bounds[0], bounds[1], bounds[2], bounds[3], bounds[4]
    w, offsets = taps.weights, taps.offsets
    a0, a1, a2, a3 = a[0][c : c + n], a[1][c : c + n], a[2][c : c + n], a[3][c : c + n]
    a0[:] = 0
    a1[:] = 0
    a2[:] = 0
    a3[:] = 0
    for t in range(five, three):
        _five(a0, a1, a2, a3, x, w, k, base + offsets[t], jump, n)
        k += 5
    t = three
    while t + 3 <= single:
        d0, d1, d2 = base + offsets[t], base + offsets[t + 1], base + offsets[t + 2]
        _three_threes(a0, a1, a2, a3, x, w, k, d0, d1, d2, jump, n)
        t += 3
        k += 9
    while t < single:
        _three(a0, a1, a2, a3, x, w, k, base + offsets[t], jump, n)
        t += 1
        k += 3
    if t < end:
        for m in range(TOGETHER):
            _add_singles(a[m][c : c + n], x, w, k, offsets, t, end, base + m * jump, n)


@compiled(fastmath=CONTRACT)
def _sum_one(a: Array, x: Array, taps: Taps, p: int, base: int, jump: int, n: int) -> None:
    """Sum the taps of plane `p` for one row, in the order of `_sum_four`."""
    bounds = taps.bounds[p]
    five, three, single, end, k = bounds[0], bounds[1], bounds[2], bounds[3], bounds[4]
    a[:] = 0
    for t in range(five, single):
        for tap in range(5 if t < three else 3):
            _row_one(a, x, taps.weights[k], base + taps.offsets[t] + tap * jump, n)
            k += 1
    _add_singles(a, x, taps.weights, k, taps.offsets, single, end, base, n)


@compiled
def _divide(a: Array, divisor: Any) -> None:
    for i in range(len(a)):
        a[i] /= divisor


@compiled
def _adjust(a: Array, p: int, finish: Finish) -> None:
    scale, bias = finish.scale[p], finish.bias[p]
    if finish.divisor[p] != 1:
        _divide(a, finish.divisor[p])
    if scale != 1 or bias != 0:
        for i in range(len(a)):
            a[i] = a[i] * scale + bias


@compiled(fastmath=CONTRACT)
def _combine(x: Array, y: Array, numbers: Array, one: Any, norm: int) -> None:
    # Times one, a float, makes floats of integers.
    if norm == 1:
        for i in range(len(numbers)):
            numbers[i] = abs(x[i] * one) + abs(y[i] * one)
    else:
        for i in range(len(numbers)):
            numbers[i] = np.sqrt(x[i] * one * x[i] + y[i] * one * y[i])


@compiled
def _round(a: Array, scale: Any, bias: Any, target: Array, high: Any) -> None:
    low = high - high
    for i in range(len(target)):
        number = a[i] * scale + bias
        # Conditions, not min and max: these have a rule for NaN, which takes time. Here it becomes 0.
        number = number if number > low else low  # noqa: FURB136
        number = number if number < high else high  # noqa: FURB136
        target[i] = np.rint(number)


@compiled
def _scale(a: Array, scale: Any, bias: Any, target: Array) -> None:
    for i in range(len(target)):
        target[i] = a[i] * scale + bias


@compiled
def _write(numbers: Array, scale: Any, bias: Any, line: Array, kind: int, first: int, high: Any) -> None:
    """Put `numbers` into `line`, the bytes of samples of `kind`, from sample `first` on, as far as it goes."""
    n = min(len(numbers), len(line) // (1 << kind) - first)
    if kind == UINT8:
        _round(numbers, scale, bias, line[first : first + n], high)
    elif kind == UINT16:
        _round(numbers, scale, bias, line.view(np.uint16)[first : first + n], high)
    elif kind == FLOAT32:
        _scale(numbers, scale, bias, line.view(np.float32)[first : first + n])
    else:
        _scale(numbers, scale, bias, line.view(np.float64)[first : first + n])


@compiled
def _store(sums: Array, row: int, mixed: Array, line: Array, kind: int, first: int, n: int, finish: Finish) -> None:
    """Finish row `row` of `sums` (planes, rows, columns): `n` columns, the first of which is column `first` of `line`.

    Of the last column some planes may stand beyond the end of `line`. `mixed` is scratch.
    """
    planes = len(sums)
    divisor, scale, bias = finish.divisor[0], finish.scale[0], finish.bias[0]
    one = finish.high / finish.high
    if not finish.uniform:
        for p in range(planes):
            _adjust(sums[p, row][:n], p, finish)
        divisor, scale, bias = one, one, one - one
    if finish.norm > 0:
        planes //= 2
        for p in range(planes):
            _combine(sums[2 * p, row][:n], sums[2 * p + 1, row][:n], mixed[:n], one, finish.norm)
            if planes > 1:
                _copy(mixed[:n], sums[p, row][:n])
    elif planes == 1:
        if divisor == 1:
            _write(sums[0, row][:n], scale, bias, line, kind, first, finish.high)
            return
        _copy(sums[0, row][:n], mixed[:n])
    numbers = mixed[: n * planes]
    if planes > 1:
        _weave(sums, row, numbers, n, planes)
    if divisor != 1:
        _divide(numbers, divisor)
    _write(numbers, scale, bias, line, kind, first * planes, finish.high)


@compiled(fastmath=CONTRACT)
def correlate(
    strip: Array,
    step: int,
    apart: int,
    down: Taps,
    along: Taps,
    finish: Finish,
    out: Array,
    kind: int,
    first: int,
    stride: int,
    rows: int,
    columns: int,
    sums: Array,
    mixed: Array,
    between: Array,
) -> None:
    """Compute `rows` rows of `out` (H', bytes of samples of `kind`), every `stride`-th from row `first` on.

    A row of the output is `columns` times one sample of each plane. The flat `strip` moves by `step` from one of these
    rows to the next; rows and taps of one run are `apart` rows apart. Where `along` has taps, those of `down` make rows
    of `between` (4, floats of a row of the strip) of all planes, and those of `along` are offsets into such a row.
    `sums` (planes, 4, columns of a block) and `mixed` (planes * columns of a block) are scratch.
    """
    planes = len(sums)
    block = sums.shape[2] - BESIDE
    jump = apart * step
    twice = len(along.offsets) > 0
    length = between.shape[1]
    flat = between.reshape(-1)
    done = 0
    while done < rows:
        together = TOGETHER if rows >= TOGETHER * apart else 1
        begin = min(done, rows - TOGETHER * apart) if together > 1 else done
        for i in range(begin, begin + (apart if together > 1 else 1)):
            for c in range(0, length if twice else columns, block):
                n = min(block, (length if twice else columns) - c)
                for p in range(1 if twice else planes):
                    a = between if twice else sums[p]
                    at = c if twice else 0
                    if together > 1:
                        _sum_four(a, at, strip, down, p, i * step + c, jump, n)
                    else:
                        _sum_one(a[0][at : at + n], strip, down, p, i * step + c, jump, n)
                if not twice:
                    for m in range(together):
                        _store(sums, m, mixed, out[first + (i + m * apart) * stride], kind, c, n, finish)
            for c in range(0, columns if twice else 0, block):
                n = min(block, columns - c)
                for m in range(together):
                    for p in range(planes):
                        _sum_one(sums[p][m][:n], flat, along, p, m * length + c, 0, n)
                    _store(sums, m, mixed, out[first + (i + m * apart) * stride], kind, c, n, finish)
        done += TOGETHER * apart if together > 1 else 1
