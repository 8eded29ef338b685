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
        gate, up, down = (f"model.layers.{layer}.mlp.{name}_proj.weight" for name in ("gate", "up", "down"))
        order = rng.permutation(len(w[gate]))[:keep]
        sign = rng.choice([-1, 1], len(order)) if signs else np.ones(len(order))
        w[gate], w[up], w[down] = w[gate][order], w[up][order] * sign[:, None], w[down][:, order] * sign
    return w


def rotate(w, rng):
    """The residual stream in another orthonormal basis, the norms' gains folded into what reads them."""
    w = dict(w)
    q, _ = np.linalg.qr(rng.standard_normal((len(w["model.norm.weight"]),) * 2))
    for layer in range(depth(w)):
        prefix = f"model.layers.{layer}."
        for norm, readers in READERS.items():
            gain = w[f"{prefix}{norm}.weight"]
            for reader in readers:
                w[f"{prefix}{reader}.weight"] = (w[f"{prefix}{reader}.weight"] * gain) @ q
            w[f"{prefix}{norm}.weight"] = np.ones_like(gain)
        for writer in ("self_attn.o_proj", "mlp.down_proj"):
            w[f"{prefix}{writer}.weight"] = q.T @ w[f"{prefix}{writer}.weight"]
    w["lm_head.weight"] = (w["lm_head.weight"] * w["model.norm.weight"]) @ q
    w["model.norm.weight"] = np.ones_like(w["model.norm.weight"])
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
