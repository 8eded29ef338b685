"""The same bytes in another place, against hashlib over the stored tensors: by the sweep alone."""

import hashlib
import json

import numpy as np
import pytest

import checkpoints
import disguises

ORDER = [3, 1, 0, 2, 7, 5, 6, 4]
UPSCALED = [0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 7]


def slot_names(tensors):
    """{canonical name of the slot: bytes} of a plain Llama or Mixtral."""
    parts = {"self_attn.q_proj": "attn.q", "self_attn.k_proj": "attn.k", "self_attn.v_proj": "attn.v",
             "self_attn.o_proj": "attn.o", "mlp.gate_proj": "ffn.gate", "mlp.up_proj": "ffn.up", "mlp.down_proj": "ffn.down",
             "input_layernorm": "attn.norm", "post_attention_layernorm": "ffn.norm",
             "block_sparse_moe.gate": "router", "w1": "ffn.gate", "w3": "ffn.up", "w2": "ffn.down"}
    out = {}
    for name, tensor in tensors.items():
        name = name.removesuffix(".weight").removeprefix("model.")
        for raw, slot in parts.items():
            if name.endswith(raw):
                name = name[: -len(raw)].replace("block_sparse_moe.", "") + slot
                break
        out[{"embed_tokens": "embed", "norm": "final.norm"}.get(name, name)] = tensor
    return out


def expected(a, b):
    """{slot of b: first slot of a} by the rules of the contract, with hashlib."""
    order = []  # canonical order within what these models have
    for layer in range(20):
        order += [f"layers.{layer}.{role}" for role in ("attn.norm", "attn.q", "attn.k", "attn.v", "attn.o", "ffn.norm", "router")]
        for role in ("ffn.gate", "ffn.up", "ffn.down"):
            order += [f"layers.{layer}.{role}"] + [f"layers.{layer}.experts.{e}.{role}" for e in range(20)]
    order = ["embed"] + order + ["final.norm", "lm_head"]
    digest = lambda tensor: (tensor.dtype, tensor.shape, hashlib.sha256(tensor.data).hexdigest())
    first, rows = {}, {}
    for name in order:
        if name in a:
            first.setdefault(digest(a[name]), name)
    for name in order:
        if name not in b or (name in a and digest(a[name]) == digest(b[name])):
            continue
        values = b[name].values
        if values.size >= 1024 and values.min() < values.max() and digest(b[name]) in first:
            rows[name] = first[digest(b[name])]
    return rows


def rows_of(result, pair=0):
    name, found = result["tensors"]["name"], result["identities"]
    of_pair = found["pair"] == pair
    return dict(zip(name[found["tensor_b"][of_pair]], name[found["tensor_a"][of_pair]]))


@pytest.fixture(scope="module")
def config(examples):
    return json.loads((examples / "base-a" / "config.json").read_text())


def quick(cognate, tmp_path, *folders):
    return cognate.compare(tmp_path / "r.h5", "--evidence", "quick", "--pca", "none", *folders, ranks=2)


@pytest.mark.parametrize("order, relation", [(ORDER, "layers moved, fine-tuned"), (UPSCALED, "depth-upscaled, fine-tuned")])
def test_layers(cognate, examples, config, tmp_path, order, relation):
    a = checkpoints.read(examples / "base-a")
    b = disguises.layers(a, order)
    folder = checkpoints.make(tmp_path / "b", b, dict(config, num_hidden_layers=len(order)))
    result = quick(cognate, tmp_path, examples / "base-a", folder, examples / "base-b")
    rows = rows_of(result)
    assert rows == expected(slot_names(a), slot_names(b)) and len(rows) == 7 * sum(i != l for i, l in enumerate(order))
    assert (result[""]["verdict"][0], result[""]["relation"][0]) == ("DERIVED", relation)
    assert result["layers"]["layer_map"][0].tolist() == order
    assert result[""]["moved_tensors"].tolist() == [len(rows), 0, 0]
    assert rows_of(result, 1) == rows_of(result, 2) == {}
    assert list(result[""]["verdict"][1:]) == ["NO EVIDENCE"] * 2


def test_experts(cognate, tmp_path):
    """Expert 0 of layer 1 is a copy of expert 3 there, as after up-cycling; all experts move, some to another layer."""
    rng = np.random.default_rng(3)
    a = checkpoints.moe(rng)
    where = "model.layers.{}.block_sparse_moe.experts.{}.{}.weight"
    for part in ("w1", "w2", "w3"):
        a[where.format(1, 0, part)] = a[where.format(1, 3, part)]
    other = checkpoints.moe(rng)
    b = {name: tensor for name, tensor in other.items()}
    places = [(layer, expert) for layer in range(3) for expert in range(4)]
    turned = [places[i] for i in rng.permutation(12)]
    for to, of in zip(places, turned):
        for part in ("w1", "w2", "w3"):
            b[where.format(*to, part)] = a[where.format(*of, part)]
    config = dict(model_type="mixtral", hidden_size=64, num_hidden_layers=3, num_attention_heads=4, vocab_size=128,
                  num_key_value_heads=4, intermediate_size=32, num_local_experts=4, num_experts_per_tok=2)
    folders = [checkpoints.make(tmp_path / name, w, config) for name, w in (("a", a), ("b", b), ("other", other))]
    result = quick(cognate, tmp_path, *folders)
    rows = rows_of(result)
    assert rows == expected(slot_names(a), slot_names(b)) and len(rows) > 20
    assert (result[""]["verdict"][0], result[""]["verdict"][1]) == ("PARTIAL", "NO EVIDENCE")
    experts = result["experts"]
    found = {(l, e): (k, f) for p, l, e, k, f in zip(*(experts[n] for n in ("pair", "layer_b", "expert_b", "layer_a", "expert_a"))) if p == 0}
    for to, of in zip(places, turned):
        assert found[to] == ((1, 0) if of == (1, 3) and to != (1, 3) else of)
