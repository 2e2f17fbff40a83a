"""Products of small matrices, sines and sigmoids for a tile of points, without leaving the cache.

A library's matrix product is called once per layer and streams every activation through memory. These
functions are called from compiled code, on arrays (channels, TILE) float32 with one column per point. Sines
and sigmoids have no branches and call no library, so that loops over them can be vectorized.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .grid_kernels import NO_WRAPPERS, TILE, Floats

LANES: int = 16 if binding.get_host_cpu_features().get("avx512f") else 8
VECTORS = 2
assert TILE % (LANES * VECTORS) == 0
FAST: set[str] = {"contract", "nsz", "arcp", "reassoc"}

_part = njit(fastmath=FAST, error_model="numpy", **NO_WRAPPERS)


def _block(rows: int) -> Any:
    """The innermost block of a product: `rows` rows by LANES * VECTORS columns, summed in registers.

    It is written with explicit vectors. For plain loops the compiler would load and store every sum at every
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
def add_product(numbers: Floats, start: int, inputs: Floats, out: Floats) -> None:
    """out (C, T) += W @ inputs (K, T), with W (C, K) from numbers[start] on; T is a multiple of TILE."""
    rows, columns = out.shape
    whole = rows // 4 * 4
    for column in range(0, columns, LANES * VECTORS):
        for row in range(0, whole, 4):
            _four_rows(numbers, start, row, inputs, column, out)
        for row in range(whole, rows):
            _one_row(numbers, start, row, inputs, column, out)


@_part
def add_outer(left: Floats, right: Floats, numbers: Floats, start: int) -> None:
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
def add_rows(values: Floats, columns: int, numbers: Floats, start: int) -> None:
    """numbers[start : start + C] += the sums of values (C, T) over the first `columns` points."""
    for c in range(len(values)):
        total = np.float32(0)
        for i in range(columns):
            total += values[c, i]
        numbers[start + c] += total


@_part
def fill_rows(numbers: Floats, start: int, out: Floats) -> None:
    """out (C, T) = numbers[start : start + C] in every column."""
    for c in range(len(out)):
        for i in range(out.shape[1]):
            out[c, i] = numbers[start + c]


@_part
def clear(out: Floats) -> None:
    """out (C, T) = 0."""
    for c in range(len(out)):
        for i in range(out.shape[1]):
            out[c, i] = 0


@_part
def copy(source: Floats, target: Floats, column: np.int64) -> None:
    """Copy columns of source (C, ...) to target (C, ...) from `column` on, as far as they fit."""
    for c in range(len(target)):
        for i in range(min(source.shape[1], target.shape[1] - column)):
            target[c, column + i] = source[c, i]


_INV_PI = np.float32(1 / np.pi)
# pi = high + middle + low; k * high and k * middle are exact for |k| < 2^11
_HIGH, _MIDDLE, _LOW = (np.float32(c) for c in (3.140625, 9.67502593994140625e-4, 1.509957990978376432e-7))
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
# minimax polynomials on [-pi/2, pi/2]: (sin r - r) / r^3 to 5e-9, (cos r - 1) / r^2 to 5e-8
_S1, _S2, _S3, _S4 = (np.float32(c) for c in (-0.16666657096, 0.00833301728, -0.000198066146, 2.60005362e-06))
_C1, _C2, _C3, _C4 = (np.float32(c) for c in (-0.4999993229, 0.04166398939, -0.00138559267, 2.31943760e-05))
# 2^f on [-1/2, 1/2]: the series of exp(f ln 2), whose remainder is below 2e-7
_E1, _E2, _E3, _E4, _E5, _E6 = (
    np.float32(np.log(2) ** n / f) for n, f in enumerate((1, 2, 6, 24, 120, 720), 1)
)
_LOG2_E, _FARTHEST = np.float32(1 / np.log(2)), np.float32(30)
_BIAS, _MANTISSA = np.int32(127), np.int32(23)


# only contract: reassociation would merge the three parts of pi into one
@njit(fastmath={"contract", "nsz", "arcp"}, error_model="numpy", **NO_WRAPPERS)
def sines_of(z: Floats, omega: np.float32, sines: Floats, cosines: Floats) -> None:
    """sin(omega z) and omega cos(omega z) of z (C, T), for angles up to 2^11 pi, with an error of 3e-7."""
    for c in range(len(z)):
        for i in range(z.shape[1]):
            angle = omega * z[c, i]
            k = np.floor(angle * _INV_PI + _HALF)
            r = ((angle - k * _HIGH) - k * _MIDDLE) - k * _LOW
            sign = _ONE - _TWO * np.float32(np.int32(k) & 1)
            q = r * r
            sines[c, i] = sign * (r + r * q * (_S1 + q * (_S2 + q * (_S3 + q * _S4))))
            cosines[c, i] = omega * sign * (_ONE + q * (_C1 + q * (_C2 + q * (_C3 + q * _C4))))


@njit(fastmath=FAST, error_model="numpy", **NO_WRAPPERS)
def sigmoids_of(values: Floats) -> None:
    """Replace every x of (C, T) by 1 / (1 + exp(-x)), with a relative error of 2e-6 where |x| < 30."""
    for c in range(len(values)):
        for i in range(values.shape[1]):
            t = -min(max(values[c, i], -_FARTHEST), _FARTHEST) * _LOG2_E
            k = np.floor(t + _HALF)
            f = t - k
            power = _ONE + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * _E6)))))
            scale = np.int32((np.int32(k) + _BIAS) << _MANTISSA).view(np.float32)
            values[c, i] = _ONE / (_ONE + power * scale)
