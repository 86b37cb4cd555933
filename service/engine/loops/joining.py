"""Huffman codes of 64 literals looked up and joined at once, where the processor has tables of bytes in registers.

Those are AVX-512 VBMI's (vpermi2b): LLVM has no instruction of its own for a table that a vector looks into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from service.engine.loops.compiler import address, compiled_for, intrinsic
from service.engine.loops.lanes import Lanes

LITERALS = 64
PLANES_BYTES = 3 * 256
"""Of the tables: by literal the low byte of its code, the high one, and its bits, of which there are at most 14."""
EIGHTS = LITERALS // 8
WORDS = 3 * EIGHTS
"""The codes of 8 literals each; those of their first four; those of their last four."""
MOST_BITS = 56
"""Of 8 literals: with 7 bits that are left over they fit into one word."""

_BYTE, _INT32, _INT64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_BYTES, _SHORTS, _INTS, _LONGS = (ir.VectorType(ir.IntType(bits), 8 * LITERALS // bits) for bits in (8, 16, 32, 64))


AT_ONCE = LITERALS if compiled_for("avx512vbmi") else 0


@intrinsic
def join_codes(_context: Any, data: Any, here: Any, some: Any, planes: Any, joined: Any, bits: Any) -> Any:
    """Join the codes of `some` literals from `here` on; 64 must be there, and `AT_ONCE` not be 0.

    To `joined` (8 * WORDS,) and `bits` (WORDS,) go words and how many of their bits count, none of them for a literal
    beyond `some`. False where the codes of 8 literals have more than `MOST_BITS`: then only words of four are right.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def at(which: int, place: Any, target: Any) -> Any:
            return address(context, builder, signature.args[which], arguments[which], place, target)

        if not AT_ONCE:
            return ir.IntType(1)(0)
        first, second = _fours(builder, *_codes(builder, at, arguments[1], arguments[2]))
        eights = _joined(builder, first, second)
        for i, code in enumerate((eights, first, second)):
            builder.store(code.bits, at(4, _INT64(64 * i), _LONGS), align=1)
            lengths = builder.trunc(code.length, ir.VectorType(_BYTE, EIGHTS))
            builder.store(lengths, at(5, _INT64(EIGHTS * i), lengths.type), align=1)
        long = builder.icmp_unsigned(">", eights.length, _all(_LONGS, MOST_BITS))
        return builder.icmp_unsigned("==", builder.bitcast(long, _BYTE), _BYTE(0))

    return types.boolean(data, here, some, planes, joined, bits), build


class _Code(NamedTuple):
    """One code in each lane, its first bit lowest."""

    bits: Any
    length: Any


def _codes(builder: Any, at: Callable[..., Any], here: Any, some: Any) -> tuple[_Code, _Code]:
    """Look up literals: those in even places, and those behind them."""
    literals = builder.load(at(0, here, _BYTES), align=1)
    upper = builder.icmp_signed("<", literals, _all(_BYTES, 0))
    places = ir.Constant(_BYTES, list(range(LITERALS)))
    wanted = builder.icmp_unsigned("<", places, Lanes(builder, _BYTE, 1, LITERALS).splat(builder.trunc(some, _BYTE)))
    permute = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(_BYTES, [_BYTES] * 3), "llvm.x86.avx512.vpermi2var.qi.512"
    )

    def looked_up(plane: int) -> tuple[Any, Any]:
        table = [builder.load(at(3, _INT64(256 * plane + LITERALS * i), _BYTES), align=1) for i in range(4)]
        low, high = (builder.call(permute, [table[i], literals, table[i + 1]]) for i in (0, 2))
        found = builder.select(wanted, builder.select(upper, high, low), _all(_BYTES, 0))
        return _even_and_odd(builder, found, _SHORTS)

    low_bytes, high_bytes, lengths = map(looked_up, range(3))
    even, odd = (
        _Code(builder.or_(low, builder.shl(high, _all(_SHORTS, 8))), length)
        for low, high, length in zip(low_bytes, high_bytes, lengths, strict=True)
    )
    return even, odd


def _fours(builder: Any, first: _Code, second: _Code) -> tuple[_Code, _Code]:
    """Join each code of `first` with that of `second` beside it, and what comes of it with its neighbour."""
    for wide in (_INTS, _LONGS):
        bits, more, lengths, longer = (
            _even_and_odd(builder, vector, wide) for vector in (first.bits, second.bits, first.length, second.length)
        )
        first, second = (_joined(builder, _Code(bits[i], lengths[i]), _Code(more[i], longer[i])) for i in range(2))
    return first, second


def _joined(builder: Any, first: _Code, second: _Code) -> _Code:
    bits = builder.or_(first.bits, builder.shl(second.bits, first.length))
    return _Code(bits, builder.add(first.length, second.length))


def _even_and_odd(builder: Any, vector: Any, wide: Any) -> tuple[Any, Any]:
    """Widen the lanes in even places, and those in odd ones."""
    vector, half = builder.bitcast(vector, wide), wide.element.width // 2
    return builder.and_(vector, _all(wide, (1 << half) - 1)), builder.lshr(vector, _all(wide, half))


def _all(vector: Any, value: int) -> Any:
    return ir.Constant(vector, [value] * vector.count)
