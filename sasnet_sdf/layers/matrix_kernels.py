"""Products of small matrices with a tile of points, for loops that keep the tile in the cache.

A library's product is called once a layer and streams every activation through memory; these are
called from compiled code, on arrays (channels, TILE) float32 with one column a point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from ..encodings.grid_kernels import TILE

LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8
VECTORS = 2
assert TILE % (LANES * VECTORS) == 0
FAST = {"contract", "nsz", "arcp", "reassoc"}

# called from compiled code alone: a way in from Python would take longer to compile than the loops
NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_part = njit(fastmath=FAST, error_model="numpy", **NO_WRAPPERS)


def _block(rows: int) -> Any:
    """The innermost block of a product: `rows` rows by LANES * VECTORS columns, summed in registers.

    Written as vectors: from loops over memory the compiler would load and store every sum at every
    step, at a third of the speed.
    """
    vector = ir.VectorType(ir.FloatType(), LANES)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

    @intrinsic
    def block(typing_context: Any, numbers: Any, start: Any, row: Any, inputs: Any, column: Any, out: Any):
        """out[row:, column:] += matrix[row:] @ inputs[:, column:]; the matrix begins at numbers[start]."""
        signature = types.void(numbers, types.intp, types.intp, inputs, types.intp, out)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            w, x, y = (
                cgutils.create_struct_proxy(signature.args[n])(context, builder, arguments[n])
                for n in (0, 3, 5)
            )
            first_number, first_row, first_column = arguments[1], arguments[2], arguments[4]
            depth = builder.extract_value(x.shape, 0)
            width = builder.extract_value(x.shape, 1)

            def number(n: int) -> ir.Constant:
                return ir.Constant(depth.type, n)

            def columns(array: Any, row: Any) -> list[Any]:
                start = builder.add(builder.mul(row, width), first_column)
                places = [builder.add(start, number(n * LANES)) for n in range(VECTORS)]
                return [
                    builder.bitcast(builder.gep(array.data, [place]), vector.as_pointer()) for place in places
                ]

            rows_of_out = [columns(y, builder.add(first_row, number(r))) for r in range(rows)]
            sums = [[cgutils.alloca_once(builder, vector) for _ in range(VECTORS)] for _ in range(rows)]
            for r in range(rows):
                for n in range(VECTORS):
                    builder.store(builder.load(rows_of_out[r][n], align=4), sums[r][n])
            with cgutils.for_range(builder, depth) as loop:
                values = [builder.load(place, align=4) for place in columns(x, loop.index)]
                for r in range(rows):
                    place = builder.mul(builder.add(first_row, number(r)), depth)
                    place = builder.add(first_number, place)
                    scalar = builder.load(builder.gep(w.data, [builder.add(place, loop.index)]))
                    lane = builder.insert_element(ir.Constant(vector, None), scalar, ir.IntType(32)(0))
                    spread = builder.shuffle_vector(lane, lane, zeros)
                    for n in range(VECTORS):
                        product = builder.fmul(spread, values[n], flags=("contract",))
                        total = builder.fadd(builder.load(sums[r][n]), product, flags=("contract",))
                        builder.store(total, sums[r][n])
            for r in range(rows):
                for n in range(VECTORS):
                    builder.store(builder.load(sums[r][n]), rows_of_out[r][n], align=4)
            return context.get_dummy_value()

        return signature, generate

    return block


_four_rows, _one_row = _block(4), _block(1)


@_part
def add_product(numbers, start, inputs, out):
    """out (C, T) += W @ inputs (K, T), with W (C, K) from numbers[start] on; T is a multiple of TILE."""
    rows, columns = out.shape
    whole = rows // 4 * 4
    for column in range(0, columns, LANES * VECTORS):
        for row in range(0, whole, 4):
            _four_rows(numbers, start, row, inputs, column, out)
        for row in range(whole, rows):
            _one_row(numbers, start, row, inputs, column, out)


@_part
def add_outer(left, right, numbers, start):
    """W += left (C, T) @ right (K, T)^T, with W (C, K) from numbers[start] on: a weight's gradient."""
    rows, columns, zero = len(left), len(right), np.float32(0)
    for c in range(0, rows - rows % 2, 2):
        for k in range(0, columns - columns % 4, 4):
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            for i in range(left.shape[1]):
                a, b = left[c, i], left[c + 1, i]
                x0, x1, x2, x3 = right[k, i], right[k + 1, i], right[k + 2, i], right[k + 3, i]
                a0, a1, a2, a3 = a0 + a * x0, a1 + a * x1, a2 + a * x2, a3 + a * x3
                b0, b1, b2, b3 = b0 + b * x0, b1 + b * x1, b2 + b * x2, b3 + b * x3
            place, below = start + c * columns + k, start + (c + 1) * columns + k
            numbers[place] += a0
            numbers[place + 1] += a1
            numbers[place + 2] += a2
            numbers[place + 3] += a3
            numbers[below] += b0
            numbers[below + 1] += b1
            numbers[below + 2] += b2
            numbers[below + 3] += b3
    for c in range(rows):
        paired = c < rows - rows % 2
        for k in range(columns - columns % 4 if paired else 0, columns):
            total = zero
            for i in range(left.shape[1]):
                total += left[c, i] * right[k, i]
            numbers[start + c * columns + k] += total


@_part
def add_rows(values, columns, numbers, start):
    """numbers[start : start + C] += the sums over the first `columns` points of values (C, T)."""
    for c in range(len(values)):
        total = np.float32(0)
        for i in range(columns):
            total += values[c, i]
        numbers[start + c] += total


@_part
def fill_rows(numbers, start, out):
    """out (C, T) = numbers[start : start + C] in every column."""
    for c in range(len(out)):
        for i in range(out.shape[1]):
            out[c, i] = numbers[start + c]


@_part
def clear(out):
    """out (C, T) = 0."""
    for c in range(len(out)):
        for i in range(out.shape[1]):
            out[c, i] = 0


@_part
def copy(source, target, column):
    """Columns of target (C, ...), from `column` on, = those of source (C, ...), as many as fit."""
    for c in range(len(target)):
        for i in range(min(source.shape[1], target.shape[1] - column)):
            target[c, column + i] = source[c, i]
