"""What cognate must find, computed again from the stored bytes by other means.

Sums are taken in extended precision (longdouble): products of the stored values are exact there or nearly so,
and what differs from the program's numbers is then the program's rounding, not this file's.
"""

import hashlib
import json
import re

import numpy as np

SHIFTS = 31
PANEL = 1 << 18

LAYER_ROLES = {
    "input_layernorm.weight": "attn.norm",
    "self_attn.q_proj.weight": "attn.q",
    "self_attn.q_proj.bias": "attn.q.bias",
    "self_attn.q_norm.weight": "attn.q.norm",
    "self_attn.k_proj.weight": "attn.k",
    "self_attn.k_norm.weight": "attn.k.norm",
    "self_attn.v_proj.weight": "attn.v",
    "self_attn.o_proj.weight": "attn.o",
    "post_attention_layernorm.weight": "ffn.norm",
    "mlp.gate_proj.weight": "ffn.gate",
    "mlp.up_proj.weight": "ffn.up",
    "mlp.down_proj.weight": "ffn.down",
}
OUTER_ROLES = {"model.embed_tokens.weight": "embed", "model.norm.weight": "final.norm", "lm_head.weight": "lm_head"}
GROUPS = {
    "attn.norm": "norm",
    "ffn.norm": "norm",
    "attn.q.norm": "norm",
    "attn.k.norm": "norm",
    "attn": "attention",
    "ffn": "ffn",
}
NO_RESIDUAL_AXIS = {"attn.q.bias", "attn.q.norm", "attn.k.norm", "other"}


def slot(name):
    """(canonical name, role, layer) of a tensor with Llama's or Qwen3's names; any other stands for itself."""
    found = re.fullmatch(r"model\.layers\.(\d+)\.(.*)", name)
    if found and found[2] in LAYER_ROLES:
        role = LAYER_ROLES[found[2]]
        return f"layers.{found[1]}.{role}", role, int(found[1])
    if name in OUTER_ROLES:
        return OUTER_ROLES[name], OUTER_ROLES[name], -1
    return name, "other", -1


def group(role):
    return GROUPS.get(role) or GROUPS.get(role.split(".")[0])


def matrix_shape(shape):
    """The canonical (rows, columns): a vector has one row, further axes fold into the columns."""
    if len(shape) < 2:
        return 1, int(np.prod(shape, dtype=np.int64))
    return shape[0], int(np.prod(shape[1:], dtype=np.int64))


def root(x):
    return np.sqrt(np.longdouble(x))


def moments(tensor):
    """Hash and moments of one member; moments over its finite elements."""
    found = dict(sha256=hashlib.sha256(tensor.data).hexdigest())
    if tensor.dtype in ("BOOL", "C64"):
        return found
    x = tensor.values.ravel()
    finite = x[np.isfinite(x)].astype(np.longdouble)
    found["nonfinite"] = len(x) - len(finite)
    if len(finite):
        mean = finite.sum() / len(finite)
        found.update(
            l2norm=root((finite * finite).sum()),
            mean=mean,
            std=root(((finite - mean) ** 2).sum() / len(finite)),
            minimum=finite.min(),
            maximum=finite.max(),
            absolute_mean=np.abs(finite).mean(),
        )
    return found


def cosine(a, b):
    """NaN where a side is all zero or empty."""
    a, b = np.asarray(a, np.longdouble).ravel(), np.asarray(b, np.longdouble).ravel()
    norms = root((a * a).sum()) * root((b * b).sum())
    return (a * b).sum() / norms if norms > 0 else np.longdouble(np.nan)


def centred_cosine(a, b):
    if a.size == 0:
        return np.longdouble(np.nan)
    a, b = np.asarray(a, np.longdouble), np.asarray(b, np.longdouble)
    return cosine(a - a.mean(), b - b.mean())


def similarity(a, b):
    """Of two members of one shape, over the elements that are finite in both."""
    x, y = a.values.ravel(), b.values.ravel()
    both = np.isfinite(x) & np.isfinite(y)
    found = dict(identical=a.dtype == b.dtype and a.data == b.data)
    with np.errstate(invalid="ignore"):
        found["equal_values"] = bool(np.all((x == y) | (np.isnan(x) & np.isnan(y))))
    x, y = x[both].astype(np.longdouble), y[both].astype(np.longdouble)
    found["cosine"], found["centred_cosine"] = cosine(x, y), centred_cosine(x, y)
    norm = root((x * x).sum())
    found["relative_difference"] = root(((y - x) ** 2).sum()) / norm if norm > 0 else np.longdouble(np.nan)
    return found


def panel(values, axis):
    """The residual axis whole by evenly spread lines of the other one, 2^18 elements at most, as float32."""
    lines, kept = values.shape[1 - axis], min(PANEL // values.shape[axis], values.shape[1 - axis])
    return np.take(values, np.arange(kept) * lines // kept, 1 - axis).astype(np.float32).astype(np.float64)


def shift_null(a, b, role):
    """The shift null of a pair: panel_cosine, null_mean, null_sd, t."""
    names = ("panel_cosine", "null_mean", "null_sd", "t")
    absent = dict.fromkeys(names, np.nan)
    axis = 0 if role in ("attn.o", "ffn.down") else 1
    if role in NO_RESIDUAL_AXIS or matrix_shape(a.shape)[axis] <= SHIFTS:
        return absent
    x, y = (panel(m.values.reshape(matrix_shape(m.shape)), axis) for m in (a, b))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return absent
    n = x.shape[axis]
    x, y = x - x.mean(), y - y.mean()
    norms = np.sqrt((x * x).sum() * (y * y).sum())
    plain = (x * y).sum() / norms
    shifted = [(x * np.roll(y, 1 + i * (n - 1) // SHIFTS, axis)).sum() / norms for i in range(SHIFTS)]
    mean, sd = np.mean(shifted), np.std(shifted, ddof=1)
    return dict(zip(names, (plain, mean, sd, (plain - mean) / (sd * np.sqrt(1 + 1 / SHIFTS)))))


def band(mean_cosine):
    for bound, text in (
        (0.95, "almost certainly fine-tuned"),
        (0.8, "fine-tuned or continued pre-training"),
        (0.5, "partial reuse possible"),
    ):
        if mean_cosine > bound:
            return text
    return "probably from scratch"


def byte_map():
    """GPT-2's map from characters back to bytes."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in kept]
    return {chr(c): c for c in kept} | {chr(256 + i): byte for i, byte in enumerate(moved)}


def vocabulary(path):
    """{(raw bytes, special): [ids]} of a byte-level tokenizer.json; letters that stand for no byte are as written."""
    with open(path, encoding="utf-8") as file:
        tokenizer = json.load(file)
    added = {token["id"]: token for token in tokenizer["added_tokens"]}
    back, tokens = byte_map(), {}
    for text, number in sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1]):
        if number not in added:
            raw = b"".join(bytes([back[c]]) if c in back else c.encode() for c in text)
            tokens.setdefault((raw, False), []).append(number)
    for number, token in added.items():
        tokens.setdefault((token["content"].encode(), token["special"]), []).append(number)
    return tokens


def shared_tokens(a, b):
    """[(id in a, id in b)] of tokens with the same bytes, ascending in b's id."""
    pairs = [pair for token in a if token in b for pair in zip(a[token], b[token])]
    return np.array(sorted(pairs, key=lambda pair: pair[1]), dtype=np.int64).reshape(-1, 2)


def embedding(rows_a, rows_b):
    """Cosines of aligned rows: the whole, and row by row, plain and with the mean row taken away."""

    def by_row(x, y):
        with np.errstate(invalid="ignore", divide="ignore"):
            return (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))

    x, y = rows_a - rows_a.mean(0), rows_b - rows_b.mean(0)
    return dict(
        cosine=cosine(rows_a, rows_b),
        centred_cosine=cosine(x, y),
        token_cosine=by_row(rows_a, rows_b),
        token_centred_cosine=by_row(x, y),
    )
