"""The type of vectors, and how operations are made of the code that LLVM takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numba.extending
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, models, register_model, type_callable

INT1, INT8, INT32, INT64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))


class Vector(types.Type):
    """`lanes` numbers of `dtype`, a type of numba; booleans make a mask."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")

    @property
    def real(self) -> bool:
        return isinstance(self.dtype, types.Float)

    @property
    def whole(self) -> bool:
        return isinstance(self.dtype, types.Integer)

    @property
    def signed(self) -> bool:
        return self.whole and bool(self.dtype.signed)

    @property
    def size(self) -> int:
        """Count the bytes of a lane."""
        return int(self.dtype.bitwidth) // 8

    def of(self, dtype: Any) -> Vector:
        """Give the type of as many numbers of another type."""
        return Vector(dtype, self.lanes)

    @property
    def code(self) -> Any:
        """Give what LLVM calls it."""
        if self.real:
            number = ir.FloatType() if self.size == 4 else ir.DoubleType()
        else:
            number = INT1 if self.dtype == types.boolean else ir.IntType(self.dtype.bitwidth)
        return ir.VectorType(number, self.lanes)

    @property
    def suffix(self) -> str:
        """Give what LLVM appends to the name of a function that takes such vectors."""
        return f"v{self.lanes}{'f' if self.real else 'i'}{self.dtype.bitwidth}"

    def constant(self, value: float) -> Any:
        """Give a vector of equal constants."""
        return ir.Constant(self.code, [value] * self.lanes)


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.code)  # type: ignore[no-untyped-call]


def operation(function: Callable[..., Any]) -> Any:
    """Make a function that compiled code can call.

    `function` takes the types of the arguments, and gives that of the result and `build(builder, *values)`, which makes
    the code; or None where it is not for such types. An array comes to `build` as the address of its first number, a
    tuple as a list, every integer as one of 64 bits; a result of None means that there is none.
    """

    def typed(typing: Any, *kinds: Any) -> Any:  # noqa: ARG001 -- numba's interface
        made = function(*kinds)
        if made is None:
            return None
        result, build = made

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = [_given(context, builder, *each) for each in zip(signature.args, values, strict=True)]
            value = build(builder, *given)
            if isinstance(value, list):
                return context.make_tuple(builder, signature.return_type, value)
            return context.get_dummy_value() if result is None else value

        return (result or types.void)(*kinds), generate

    own = inspect.signature(function)
    first = inspect.Parameter("typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    typed.__signature__ = own.replace(parameters=[first, *own.parameters.values()])  # type: ignore[attr-defined]
    typed.__name__, typed.__doc__, typed.__module__ = function.__name__, function.__doc__, function.__module__
    return numba.extending.intrinsic(prefer_literal=True)(typed)


def _given(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        return context.make_array(kind)(context, builder, value).data
    if isinstance(kind, types.BaseTuple):
        return [builder.extract_value(value, i) for i in range(len(kind))]
    if isinstance(kind, types.Integer) and value.type.width < INT64.width:
        number: Any = kind
        return (builder.sext if number.signed else builder.zext)(value, INT64)
    return value


def symbol(sign: Any, function: Callable[..., Any], arity: int = 2) -> None:
    """Give a meaning for vectors to an operator: `function` is as that of `operation`, for vectors of one type."""

    @type_callable(sign)
    def typed(context: Any) -> Any:  # noqa: ARG001 -- numba's interface
        def of_one(x: Any) -> Any:
            made = function(x) if isinstance(x, Vector) else None
            return made and made[0]

        def of_two(x: Any, y: Any) -> Any:
            made = function(x, y) if isinstance(x, Vector) and x == y else None
            return made and made[0]

        return of_one if arity == 1 else of_two

    @lower_builtin(sign, *[Vector] * arity)  # type: ignore[no-untyped-call, untyped-decorator]
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001
        return function(*signature.args)[1](builder, *values)


def is_flat(array: Any, *dtypes: Any) -> bool:
    """Say whether a type is that of a one-dimensional contiguous array, of one of the `dtypes` if any are named."""
    flat = isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C"
    return flat and (not dtypes or array.dtype in dtypes)


def literal(kind: Any) -> int:
    """Give the number that an argument is known to be; -1 where it is not known."""
    return int(kind.literal_value) if isinstance(kind, types.IntegerLiteral) else -1


def named(kind: Any) -> Any:
    """Give the type that an argument such as np.uint8, or the `dtype` of an array, names; None where it names none."""
    if isinstance(kind, types.DType):
        return kind.dtype
    return kind.instance_type if isinstance(kind, types.NumberClass) else None


def call(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """Call a function that LLVM itself has."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)  # type: ignore[no-untyped-call]


def shuffle(builder: Any, x: Any, y: Any, places: Sequence[int]) -> Any:
    """Give the numbers at `places` of two vectors of one type, the second of which begins where the first ends."""
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(INT32, len(places)), list(places)))


def filled(builder: Any, kind: Vector, value: Any) -> Any:
    """Fill all lanes with a number, the low bits of one of 64 if it is an integer."""
    undefined = ir.Constant(kind.code, ir.Undefined)
    if kind.whole and kind.size < INT64.width // 8:
        value = builder.trunc(value, kind.code.element)
    return shuffle(builder, builder.insert_element(undefined, value, INT32(0)), undefined, [0] * kind.lanes)
