"""Quantised weights written and read with numpy alone, in the arithmetic of each format's own library.

Every format is a function (rng, stem, rows, columns) that returns the tensors of a weight with random codes, and the
float32 values that the library makes of them. Sources: transformers' integrations (finegrained_fp8, mxfp4, fbgemm_fp8),
compressed-tensors (quantization/lifecycle/forward.py, compressors), AutoGPTQ's and GPTQModel's qlinear pack, AutoAWQ's
awq/utils/packing_utils.py, bitsandbytes' functional.py.
"""

import json

import numpy as np

from checkpoints import DECODERS, Tensor, bf16, minifloat, stored

F8 = DECODERS["F8_E4M3"](bytes(range(256))).astype(np.float32)
E2M1 = minifloat(2, 1, 1).astype(np.float32)
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]  # the column that each nibble of a word holds


def scales(rng, *shape):
    return (rng.uniform(0.5, 2, shape) * 2e-3).astype(np.float32)


def f8_codes(rng, *shape):
    """Any but NaN."""
    return rng.integers(0, 127, shape, dtype=np.uint8) | rng.integers(0, 2, shape, dtype=np.uint8) << 7


def f8(codes):
    return Tensor("F8_E4M3", codes.shape, codes.tobytes())


def spread(blocks, shape, block):
    """A value for each element, out of one for each block."""
    rows, columns = np.arange(shape[0]) // block[0], np.arange(shape[1]) // block[1]
    return blocks[np.ix_(rows, columns)]


def pack(codes, bits):
    """Rows of codes as rows of 32-bit words, without gaps, from the lowest bit up."""
    loose = (codes[..., None].astype(np.uint8) >> np.arange(bits, dtype=np.uint8)) & 1
    loose = loose.reshape(codes.shape[0], -1)
    loose = np.pad(loose, ((0, 0), (0, -loose.shape[1] % 32)))
    return np.packbits(loose, axis=1, bitorder="little").view("<i4")


def nibbles(codes):
    """Two codes a byte, the first low."""
    return codes[..., 0::2] | codes[..., 1::2] << 4


def ceiling(a, b):
    return -(-a // b)


# --- eight bits


def fp8_block(rng, stem, rows, columns, block=(128, 128)):
    codes, s = f8_codes(rng, rows, columns), scales(rng, ceiling(rows, block[0]), ceiling(columns, block[1]))
    tensors = {f"{stem}.weight": f8(codes), f"{stem}.weight_scale_inv": stored(s)}
    return tensors, F8[codes] * spread(s, codes.shape, block)


def fp8_tensor(rng, stem, rows, columns):
    codes, s = f8_codes(rng, rows, columns), scales(rng, 1)
    tensors = {f"{stem}.weight": f8(codes), f"{stem}.weight_scale": stored(s[0])}
    tensors[f"{stem}.input_scale"] = stored(scales(rng, 1)[0])
    return tensors, F8[codes] * s


def fp8_rows(rng, stem, rows, columns):
    codes, s = f8_codes(rng, rows, columns), scales(rng, rows, 1)
    return {f"{stem}.weight": f8(codes), f"{stem}.weight_scale": stored(s)}, F8[codes] * s


def int8_rows(rng, stem, rows, columns):
    codes, s = rng.integers(-128, 128, (rows, columns), dtype=np.int8), scales(rng, rows, 1)
    zero = rng.integers(-128, 128, (rows, 1), dtype=np.int8)
    tensors = {f"{stem}.weight": stored(codes), f"{stem}.weight_scale": stored(s)}
    tensors[f"{stem}.weight_zero_point"] = stored(zero)
    return tensors, (codes.astype(np.float32) - zero.astype(np.float32)) * s


def bnb_int8(rng, stem, rows, columns):
    codes, s = rng.integers(-127, 128, (rows, columns), dtype=np.int8), scales(rng, rows) * 127
    tensors = {f"{stem}.weight": stored(codes), f"{stem}.SCB": stored(s)}
    tensors[f"{stem}.weight_format"] = stored(np.uint8(0))
    return tensors, codes.astype(np.float32) * s[:, None] * np.float32(7.874015718698502e-3)


# --- compressed-tensors, packed


def packed(bits, group, symmetric, order=False):
    def make(rng, stem, rows, columns):
        size = group or columns
        groups, half = columns // size, 1 << (bits - 1)
        codes = rng.integers(0, 2 * half, (rows, columns), dtype=np.uint8)
        s = bf16(scales(rng, rows, groups))
        of_column = np.arange(columns) // size
        if order:
            of_column = rng.permutation(of_column)
        zero = np.zeros((rows, groups), np.float32)
        tensors = {
            f"{stem}.weight_packed": stored(pack(codes, bits)),
            f"{stem}.weight_scale": s,
            f"{stem}.weight_shape": stored(np.array([rows, columns], np.int64)),
        }
        if not symmetric:
            points = rng.integers(0, 2 * half, (rows, groups), dtype=np.uint8)
            tensors[f"{stem}.weight_zero_point"] = stored(np.ascontiguousarray(pack(points.T, bits).T))
            zero = points.astype(np.float32) - half
        if order:
            tensors[f"{stem}.weight_g_idx"] = stored(of_column.astype(np.int32))
        values = codes.astype(np.float32) - half - zero[:, of_column]
        return tensors, values * s.values.astype(np.float32)[:, of_column]

    return make


def nvfp4(rng, stem, rows, columns):
    codes = rng.integers(0, 16, (rows, columns), dtype=np.uint8)
    s = rng.integers(40, 120, (rows, columns // 16), dtype=np.uint8)
    whole = np.float32(rng.uniform(500, 3000))
    tensors = {
        f"{stem}.weight_packed": stored(nibbles(codes)),
        f"{stem}.weight_scale": f8(s),
        f"{stem}.weight_global_scale": stored(np.array([whole])),
    }
    return tensors, E2M1[codes] * spread(F8[s] / whole, codes.shape, (1, 16))


def mxfp4(rng, stem, rows, columns):
    codes = rng.integers(0, 16, (rows, columns), dtype=np.uint8)
    s = rng.integers(110, 125, (rows, columns // 32), dtype=np.uint8)
    tensors = {f"{stem}.weight_packed": stored(nibbles(codes)), f"{stem}.weight_scale": stored(s)}
    return tensors, E2M1[codes] * spread(np.exp2(s.astype(np.float32) - 127), codes.shape, (1, 32))


# --- GPTQ and AWQ


def gptq(bits, group, version, order=False):
    def make(rng, stem, rows, columns):
        size = group or columns
        groups, top = ceiling(columns, size), 1 << bits
        codes = rng.integers(0, top, (rows, columns), dtype=np.uint8)
        zero = rng.integers(0, top, (rows, groups), dtype=np.uint8)
        s = scales(rng, groups, rows).astype(np.float16)
        of_column = (np.arange(columns) // size).astype(np.int32)
        if order:
            of_column = rng.permutation(of_column)
        below = ((zero.astype(int) - (version == 1)) % top).astype(np.uint8)  # what is stored; 0 wraps
        tensors = {
            f"{stem}.qweight": stored(np.ascontiguousarray(pack(codes, bits).T)),
            f"{stem}.qzeros": stored(pack(below.T, bits)),
            f"{stem}.scales": stored(s),
            f"{stem}.g_idx": stored(of_column),
        }
        values = codes.astype(np.float32) - zero.astype(np.float32)[:, of_column]
        return tensors, values * s.astype(np.float32).T[:, of_column]

    return make


def awq_words(codes):
    """(lines, columns / 8) words, eight columns each in AWQ's order."""
    eight = codes.reshape(codes.shape[0], -1, 8)[..., AWQ_ORDER].astype(np.uint32)
    return np.bitwise_or.reduce(eight << (4 * np.arange(8, dtype=np.uint32)), axis=2).view(np.int32)


def awq(group):
    def make(rng, stem, rows, columns):
        size = group or columns
        codes = rng.integers(0, 16, (columns, rows), dtype=np.uint8)
        zero = rng.integers(0, 16, (columns // size, rows), dtype=np.uint8)
        s = scales(rng, columns // size, rows).astype(np.float16)
        tensors = {
            f"{stem}.qweight": stored(awq_words(codes)),
            f"{stem}.qzeros": stored(awq_words(zero)),
            f"{stem}.scales": stored(s),
        }
        of_line = np.arange(columns) // size
        values = (codes.astype(np.float32) - zero[of_line]) * s.astype(np.float32)[of_line]
        return tensors, np.ascontiguousarray(values.T)

    return make


# --- bitsandbytes, four bits

NF4 = np.array(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334]
    + [-0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224]
    + [0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0],
    np.float32,
)
HALF_FP4 = [0, 0.0052083333, 0.6666667, 1, 0.33333333, 0.5, 0.16666667, 0.25]
FP4 = np.array(HALF_FP4 + [-x for x in HALF_FP4], np.float32)


def bnb_4bit(kind, nested, block=64, nested_block=256):
    def make(rng, stem, rows, columns):
        table = dict(nf4=NF4, fp4=FP4)[kind]
        codes = rng.integers(0, 16, rows * columns, dtype=np.uint8)
        blocks = ceiling(rows * columns, block)
        state = {"quant_type": kind, "blocksize": block, "dtype": "bfloat16", "shape": [rows, columns]}
        tensors = {f"{stem}.weight.quant_map": stored(table)}
        if nested:
            marks = rng.integers(0, 256, blocks, dtype=np.uint8)
            coarse = scales(rng, ceiling(blocks, nested_block)) / 8
            fine = np.sort(rng.uniform(-1, 1, 256)).astype(np.float32)
            offset = float(np.float32(0.0131))
            s = fine[marks] * np.repeat(coarse, nested_block)[:blocks] + np.float32(offset)
            tensors[f"{stem}.weight.absmax"] = stored(marks)
            tensors[f"{stem}.weight.nested_absmax"] = stored(coarse)
            tensors[f"{stem}.weight.nested_quant_map"] = stored(fine)
            state |= {"nested_blocksize": nested_block, "nested_dtype": "float32", "nested_offset": offset}
        else:
            s = scales(rng, blocks)
            tensors[f"{stem}.weight.absmax"] = stored(s)
        text = np.frombuffer(json.dumps(state).encode(), np.uint8)
        tensors[f"{stem}.weight.quant_state.bitsandbytes__{kind}"] = stored(text)
        tensors[f"{stem}.weight"] = stored((codes[0::2] << 4 | codes[1::2])[:, None])
        values = table[codes] * np.repeat(s, block)[: len(codes)]
        return tensors, values.reshape(rows, columns)

    return make
