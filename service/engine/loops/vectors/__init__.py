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

- Memory: item, load, load_as, load_part, load_part_as, store, store_part, stream, prefetch, next_piece.
- Lanes: registers, splat, splat_as, zeros, lane, low, high, join, weave, unweave, arrange, rearrange.
- Arithmetic: + - * / and unary -, fma, over_power, pair_products, minimum, maximum, absolute, sqrt.
- Bits of integers: & | ^ << >>.
- Choice: < <= > >= == != give masks, & | ^ combine them, select.
- Types: convert, truncate, view.
"""

from service.engine.loops.vectors.arithmetic import (
    absolute,
    convert,
    fma,
    maximum,
    minimum,
    over_power,
    pair_products,
    select,
    sqrt,
    truncate,
    view,
)
from service.engine.loops.vectors.lanes import (
    LANES,
    REGISTERS,
    VECTOR_BYTES,
    arrange,
    high,
    join,
    lane,
    low,
    rearrange,
    registers,
    splat,
    splat_as,
    unweave,
    weave,
    zeros,
)
from service.engine.loops.vectors.memory import (
    item,
    load,
    load_as,
    load_part,
    load_part_as,
    next_piece,
    prefetch,
    store,
    store_part,
    stream,
)

__all__ = [
    "LANES",
    "REGISTERS",
    "VECTOR_BYTES",
    "absolute",
    "arrange",
    "convert",
    "fma",
    "high",
    "item",
    "join",
    "lane",
    "load",
    "load_as",
    "load_part",
    "load_part_as",
    "low",
    "maximum",
    "minimum",
    "next_piece",
    "over_power",
    "pair_products",
    "prefetch",
    "rearrange",
    "registers",
    "select",
    "splat",
    "splat_as",
    "sqrt",
    "store",
    "store_part",
    "stream",
    "truncate",
    "unweave",
    "view",
    "weave",
    "zeros",
]
