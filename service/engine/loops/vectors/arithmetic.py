"""What is computed of vectors, lane by lane."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from numba import types

from service.engine.loops.vectors.kinds import INT1, INT64, Vector, call, filled, named, operation, shuffle, symbol


def _instruction(real: str | None, whole: str | None, signed: str | None = None) -> Callable[..., Any]:
    """Name the instructions for floats, for integers and masks, and for signed integers where they differ."""

    def applied(kind: Any, *_: Any) -> Any:
        name = real if kind.real else signed if signed and kind.signed else whole
        return (kind, lambda builder, *values: getattr(builder, name)(*values)) if name else None

    return applied


def _compared(sign: str) -> Callable[..., Any]:
    def applied(kind: Any, _: Any) -> Any:
        return kind.of(types.boolean), lambda builder, x, y: _comparison(builder, kind, sign, x, y)

    return applied


def _comparison(builder: Any, kind: Vector, sign: str, x: Any, y: Any) -> Any:
    if kind.real:
        return (builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered)(sign, x, y)
    return (builder.icmp_signed if kind.signed else builder.icmp_unsigned)(sign, x, y)


symbol(operator.add, _instruction("fadd", "add"))
symbol(operator.iadd, _instruction("fadd", "add"))
symbol(operator.sub, _instruction("fsub", "sub"))
symbol(operator.isub, _instruction("fsub", "sub"))
symbol(operator.mul, _instruction("fmul", "mul"))
symbol(operator.imul, _instruction("fmul", "mul"))
symbol(operator.truediv, _instruction("fdiv", None))
symbol(operator.and_, _instruction(None, "and_"))
symbol(operator.or_, _instruction(None, "or_"))
symbol(operator.xor, _instruction(None, "xor"))
symbol(operator.lshift, _instruction(None, "shl"))
symbol(operator.rshift, _instruction(None, "lshr", "ashr"))
symbol(operator.neg, _instruction("fneg", "neg"), arity=1)
symbol(operator.lt, _compared("<"))
symbol(operator.le, _compared("<="))
symbol(operator.gt, _compared(">"))
symbol(operator.ge, _compared(">="))
symbol(operator.eq, _compared("=="))
symbol(operator.ne, _compared("!="))


@operation
def select(mask: Any, x: Any, y: Any) -> Any:
    """Give `x` where `mask` is true, else `y`."""
    if not isinstance(x, Vector) or x != y or mask != x.of(types.boolean):
        return None
    return x, lambda builder, *values: builder.select(*values)


@operation
def fma(x: Any, y: Any, z: Any) -> Any:
    """Give x * y + z; of floats, rounded once where the processor level has an instruction for it."""
    if not isinstance(x, Vector) or x != y or x != z:
        return None

    def build(builder: Any, *values: Any) -> Any:
        if x.real:
            return call(builder, f"llvm.fmuladd.{x.suffix}", x.code, values)
        return builder.add(builder.mul(*values[:2]), values[2])

    return x, build


@operation
def over_power(x: Any, exponent: Any) -> Any:
    """Divide by 2**exponent, which has no sign; integers are rounded half to even."""
    if not isinstance(x, Vector) or not (x.real or x.signed) or not isinstance(exponent, types.Integer):
        return None

    def build(builder: Any, value: Any, exponent: Any) -> Any:
        power = builder.shl(INT64(1), exponent)
        if x.real:
            return builder.fdiv(value, filled(builder, x, builder.sitofp(power, x.code.element)))
        below = filled(builder, x, builder.sub(power, INT64(1)))
        half = filled(builder, x, builder.lshr(power, INT64(1)))
        quotient = builder.ashr(value, filled(builder, x, exponent))
        rest = builder.add(builder.and_(value, below), builder.and_(builder.and_(quotient, x.constant(1)), below))
        return builder.sub(quotient, builder.sext(builder.icmp_signed(">", rest, half), x.code))

    return x, build


@operation
def pair_products(x: Any, y: Any) -> Any:
    """Multiply vectors of int16 and add every two neighbouring products: half as many numbers, of int32."""
    if not isinstance(x, Vector) or x != y or x.dtype != types.int16 or x.lanes % 2:
        return None

    def build(builder: Any, *values: Any) -> Any:
        # LLVM knows this pattern, and takes one instruction for it where there is one.
        products = builder.mul(*(builder.sext(value, x.of(types.int32).code) for value in values))
        return builder.add(*(shuffle(builder, products, products, range(i, x.lanes, 2)) for i in (0, 1)))

    return Vector(types.int32, x.lanes // 2), build


def _chosen(sign: str) -> Any:
    def choose(x: Any, y: Any) -> Any:
        if not isinstance(x, Vector) or x != y:
            return None
        return x, lambda builder, *values: _bounded(builder, x, sign, *values)

    return operation(choose)


def _bounded(builder: Any, kind: Vector, sign: str, x: Any, y: Any) -> Any:
    return builder.select(_comparison(builder, kind, sign, x, y), x, y)


minimum = _chosen("<")
"""Give the lesser of each two lanes, and the second where one of them is NaN."""
maximum = _chosen(">")
"""Give the greater of each two lanes, and the second where one of them is NaN."""


def _function(name: str) -> Any:
    def apply(x: Any) -> Any:
        if not isinstance(x, Vector) or not x.real:
            return None
        return x, lambda builder, value: call(builder, f"llvm.{name}.{x.suffix}", x.code, [value])

    return operation(apply)


def _zeros(name: str) -> Any:
    def apply(x: Any) -> Any:
        if not isinstance(x, Vector) or not x.whole:
            return None
        return x, lambda builder, value: call(builder, f"llvm.{name}.{x.suffix}", x.code, [value, INT1(0)])

    return operation(apply)


leading_zeros = _zeros("ctlz")
"""Count the zeros above the highest bit of integers that is set; as many as there are bits where none is."""
trailing_zeros = _zeros("cttz")
"""Count the zeros below the lowest bit of integers that is set; as many as there are bits where none is."""
absolute = _function("fabs")
"""Give the magnitudes of floats."""
sqrt = _function("sqrt")
"""Give the square roots of floats."""


@operation
def view(vector: Any, dtype: Any) -> Any:
    """Take the bits of a vector for numbers of `dtype`."""
    number = named(dtype)
    if not isinstance(vector, Vector) or number is None:
        return None
    result = Vector(number, vector.lanes * vector.dtype.bitwidth // number.bitwidth)
    return result, lambda builder, value, _: builder.bitcast(value, result.code)


@operation
def convert(vector: Any, dtype: Any) -> Any:
    """Convert numbers to the nearest ones that `dtype` has.

    What becomes an integer is rounded half to even and clipped, and NaN becomes 0. Floats become integers of at most
    31 bits and a sign.
    """
    number = named(dtype)
    if not isinstance(vector, Vector) or number is None or vector.dtype == types.boolean:
        return None
    result = vector.of(number)
    if vector.real and result.whole and number.maxval > types.int32.maxval:
        return None
    return result, lambda builder, value, _: _converted(builder, vector, result, value)


def _converted(builder: Any, kind: Vector, result: Vector, value: Any) -> Any:
    if kind == result:
        return value
    if kind.real and result.whole:
        return _rounded(builder, kind, result, value)
    if kind.real:
        return (builder.fpext if result.size > kind.size else builder.fptrunc)(value, result.code)
    if result.real:
        return (builder.sitofp if kind.signed else builder.uitofp)(value, result.code)
    least, most = max(kind.dtype.minval, result.dtype.minval), min(kind.dtype.maxval, result.dtype.maxval)
    if least > kind.dtype.minval:
        value = _bounded(builder, kind, ">", value, kind.constant(least))
    if most < kind.dtype.maxval:
        value = _bounded(builder, kind, "<", value, kind.constant(most))
    if result.size > kind.size:
        return (builder.sext if kind.signed else builder.zext)(value, result.code)
    return value if result.size == kind.size else builder.trunc(value, result.code)


def _rounded(builder: Any, kind: Vector, result: Vector, value: Any) -> Any:
    least, most, whole = result.dtype.minval, result.dtype.maxval, kind.of(types.int32)
    if result.signed:
        value = builder.select(builder.fcmp_ordered("ord", value, value), value, kind.constant(0.0))
    beyond = builder.fcmp_ordered(">=", value, kind.constant(2.0**31))
    if result.size < 4 or kind.size == 8:
        value = _bounded(builder, kind, "<", kind.constant(float(most)), value)
    if result.size == 4:
        value = _bounded(builder, kind, ">", value, kind.constant(float(least)))
    rounded = call(builder, f"llvm.lrint.{whole.suffix}.{kind.suffix}", whole.code, [value])
    if result.size == 4:  # 2**31 is the float next to the greatest int32, which is none
        return builder.select(beyond, whole.constant(most), rounded) if kind.size == 4 else rounded
    # What is far below `least`, and NaN, is a number by now that is clipped: with it, LLVM takes packing instructions.
    return _converted(builder, whole, result, rounded)
