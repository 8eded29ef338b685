"""The same weights in other clothes: transforms of a Llama-like model, {name: float array} to the same.

All but `layers`, `graft` and `experts` keep the model's function.
"""

import re

import numpy as np

READERS = {"input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
           "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj")}


def depth(w):
    return 1 + max(int(name.split(".")[2]) for name in w if ".layers." in name)


def permute(w, rng, keep=None, signs=False):
    """Hidden units in another order, perhaps only `keep` of them, perhaps up and down with their signs turned."""
    w = dict(w)
    for layer in range(depth(w)):
        prefix = f"model.layers.{layer}.mlp."
        order = rng.permutation(len(w[prefix + "up_proj.weight"]))[:keep]
        sign = rng.choice([-1, 1], len(order)) if signs else np.ones(len(order))
        for name in [prefix + name for name in ("gate_proj.weight", "up_proj.weight", "up_proj.bias")]:
            if name in w:
                w[name] = w[name][order]
        w[prefix + "up_proj.weight"] = w[prefix + "up_proj.weight"] * sign[:, None]
        w[prefix + "down_proj.weight"] = w[prefix + "down_proj.weight"][:, order] * sign
    return w


def turn_of(width, rng, layer_norm):
    """A random orthogonal matrix; one that leaves the vector of ones in place, which LayerNorm wants."""
    if not layer_norm:
        return np.linalg.qr(rng.standard_normal((width, width)))[0]
    basis, _ = np.linalg.qr(np.column_stack([np.ones(width), rng.standard_normal((width, width - 1))]))
    inner = np.eye(width)
    inner[1:, 1:] = turn_of(width - 1, rng, False)
    return basis @ inner @ basis.T


def rotate(w, rng):
    """The residual stream in another orthonormal basis; the norms' gains and biases go into what reads them."""
    w = dict(w)
    q = turn_of(len(w["model.norm.weight"]), rng, "model.norm.bias" in w)
    norms = {f"model.layers.{layer}.{norm}": [f"model.layers.{layer}.{reader}" for reader in readers]
             for layer in range(depth(w)) for norm, readers in READERS.items()}
    for norm, readers in (norms | {"model.norm": ["lm_head"]}).items():
        for reader in [reader for reader in readers if f"{reader}.weight" in w]:
            if f"{reader}.bias" in w:
                w[f"{reader}.bias"] = w[f"{reader}.bias"] + w[f"{reader}.weight"] @ w[f"{norm}.bias"]
            w[f"{reader}.weight"] = (w[f"{reader}.weight"] * w[f"{norm}.weight"]) @ q
        for kind, value in (("weight", 1.0), ("bias", 0.0)):
            if f"{norm}.{kind}" in w:
                w[f"{norm}.{kind}"] = np.full_like(w[f"{norm}.{kind}"], value)
    for name in [name for name in w if re.search(r"(o_proj|down_proj)\.", name)]:
        w[name] = q.T @ w[name]
    w["model.embed_tokens.weight"] = w["model.embed_tokens.weight"] @ q
    return w


def layers(w, order):
    """A model of these layers of w."""
    out = {name: x for name, x in w.items() if ".layers." not in name}
    for to, of in enumerate(order):
        prefix = f"model.layers.{of}."
        out.update({f"model.layers.{to}." + name[len(prefix):]: x for name, x in w.items() if name.startswith(prefix)})
    return out


def graft(host, donor, pattern):
    """The host, with the donor's tensors whose names match."""
    return {name: donor[name] if re.search(pattern, name) else x for name, x in host.items()}


def experts(w, rng, n):
    """Every block copied to n experts that then change a little, and a new router: Qwen-MoE's names."""
    out = {}
    for name, x in w.items():
        found = re.match(r"(model\.layers\.\d+\.mlp\.)(\w+_proj\.weight)", name)
        if not found:
            out[name] = x
            continue
        for expert in range(n):
            out[f"{found[1]}experts.{expert}.{found[2]}"] = x + 0.1 * x.std() * rng.standard_normal(x.shape)
        if found[2].startswith("gate"):
            out[f"{found[1]}gate.weight"] = 0.02 * rng.standard_normal((n, x.shape[1]))
    return out


def ungated(w, rng):
    """Another model: the gate's rows become up's, every norm a LayerNorm, and what can have a bias has one."""
    out = {}
    for name, x in w.items():
        if ".up_proj" in name:
            continue
        name = name.replace("gate_proj", "up_proj")
        out[name] = x
        if "embed" not in name and "lm_head" not in name:
            out[name[: -len("weight")] + "bias"] = 0.02 * rng.standard_normal(len(x))
    return out


GPT2 = {"input_layernorm": "ln_1", "post_attention_layernorm": "ln_2", "self_attn.o_proj": "attn.c_proj",
        "mlp.up_proj": "mlp.c_fc", "mlp.down_proj": "mlp.c_proj"}
NEOX = {"self_attn.o_proj": "attention.dense", "mlp.up_proj": "mlp.dense_h_to_4h", "mlp.down_proj": "mlp.dense_4h_to_h"}


def heads(w, layer, kind, n):
    """Queries, keys and values with as many heads each, (3, n, ...)."""
    parts = [w[f"model.layers.{layer}.self_attn.{name}_proj.{kind}"] for name in "qkv"]
    dim = len(parts[0]) // n
    parts = [part.reshape(-1, dim, *part.shape[1:]) for part in parts]
    return np.stack([np.repeat(part, n // len(part), axis=0) for part in parts])


def gpt2(w, n, rng):
    """Under GPT-2's names: linear layers stored (in, out), queries, keys and values in one; position embeddings."""
    out = {"wte.weight": w["model.embed_tokens.weight"],
           "wpe.weight": 0.02 * rng.standard_normal((32, len(w["model.norm.weight"]))),
           "lm_head.weight": w["lm_head.weight"]}
    for kind in ("weight", "bias"):
        out[f"ln_f.{kind}"] = w[f"model.norm.{kind}"]
        for layer in range(depth(w)):
            for name, to in GPT2.items():
                out[f"h.{layer}.{to}.{kind}"] = w[f"model.layers.{layer}.{name}.{kind}"].T
            qkv = heads(w, layer, kind, n)
            out[f"h.{layer}.attn.c_attn.{kind}"] = qkv.reshape(-1, *qkv.shape[3:]).T
    return out


def neox(w, n):
    """Under GPT-NeoX's names: each head's query, key and value together."""
    out = {"gpt_neox.embed_in.weight": w["model.embed_tokens.weight"], "embed_out.weight": w["lm_head.weight"]}
    for kind in ("weight", "bias"):
        out[f"gpt_neox.final_layer_norm.{kind}"] = w[f"model.norm.{kind}"]
        for layer in range(depth(w)):
            for name in ("input_layernorm", "post_attention_layernorm", *NEOX):
                to = NEOX.get(name, name)
                out[f"gpt_neox.layers.{layer}.{to}.{kind}"] = w[f"model.layers.{layer}.{name}.{kind}"]
            qkv = heads(w, layer, kind, n).swapaxes(0, 1)
            out[f"gpt_neox.layers.{layer}.attention.query_key_value.{kind}"] = qkv.reshape(-1, *qkv.shape[3:])
    return out
