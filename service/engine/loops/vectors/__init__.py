"""Vectors as a type of numba, so that loops are plain Python; LLVM code is built nowhere else.

A vector holds some numbers of one type, its lanes. An operation works on all lanes at once:

    @compiled
    def scale(source, weight, target):
        weights = splat(weight, LANES)
        for i in range(0, len(source) - LANES + 1, LANES):
            store(target, i, convert(load(source, i, LANES), np.float32) * weights)

Types: a type is named as in NumPy, np.uint8 to np.int64, np.float32 and np.float64. Nothing is converted silently: both
operands of an operation have the same type. Comparisons give masks.

Lanes: their number is a literal or a constant of a module (not 2 * LANES within the loop), so that it is known when the
loop is compiled. Any power of two will do: LLVM cuts a vector into registers of the processor level, which have
VECTOR_BYTES. So a vector of twice as many lanes is two registers side by side under one name. Other numbers are slow.

- Memory: item, load, load_as, load_part_as, load_each, load_rows, gather, store, store_part,
  store_each, store_rows, scatter, stream, prefetch, next_piece.
- Lanes: lanes_of, splat, splat_as, splat_like, zeros, lane, low, high, join, weave, unweave, transpose, arrange,
  rearrange, look_up.
- Arithmetic: + - * / and unary -, fma, over_power, pair_products, minimum, maximum, absolute, sqrt.
- Bits of integers: & | ^ << >>, leading_zeros, trailing_zeros.
- Choice: < <= > >= == != give masks, & | ^ combine them, select.
- Types: convert, view.
"""

from service.engine.loops.compiler import LEVEL
from service.engine.loops.vectors.arithmetic import (
    absolute,
    convert,
    fma,
    leading_zeros,
    maximum,
    minimum,
    over_power,
    pair_products,
    select,
    sqrt,
    trailing_zeros,
    view,
)
from service.engine.loops.vectors.memory import (
    gather,
    item,
    load,
    load_as,
    load_each,
    load_part_as,
    load_rows,
    next_piece,
    prefetch,
    scatter,
    store,
    store_each,
    store_part,
    store_rows,
    stream,
)
from service.engine.loops.vectors.shuffles import (
    arrange,
    high,
    join,
    lane,
    lanes_of,
    look_up,
    low,
    rearrange,
    splat,
    splat_as,
    splat_like,
    transpose,
    unweave,
    weave,
    zeros,
)

VECTOR_BYTES = {"x86-64-v2": 16, "x86-64-v3": 32, "x86-64-v4": 64}.get(str(LEVEL), 16)
"""Bytes of a vector register of the processor level."""
LANES = VECTOR_BYTES // 4
"""Floats in one of them."""

__all__ = [
    "LANES",
    "VECTOR_BYTES",
    "absolute",
    "arrange",
    "convert",
    "fma",
    "gather",
    "high",
    "item",
    "join",
    "lane",
    "lanes_of",
    "leading_zeros",
    "load",
    "load_as",
    "load_each",
    "load_part_as",
    "load_rows",
    "look_up",
    "low",
    "maximum",
    "minimum",
    "next_piece",
    "over_power",
    "pair_products",
    "prefetch",
    "rearrange",
    "scatter",
    "select",
    "splat",
    "splat_as",
    "splat_like",
    "sqrt",
    "store",
    "store_each",
    "store_part",
    "store_rows",
    "stream",
    "trailing_zeros",
    "transpose",
    "unweave",
    "view",
    "weave",
    "zeros",
]
