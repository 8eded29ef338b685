"""Equal models stored in different ways are identical, slot by slot; every part has the hash of its own elements.

What a slot holds is taken apart here with numpy, as the families' own code does it: chunk, view, stride, transpose.
"""

import hashlib
import json

import numpy as np
import pytest

import checkpoints
from checkpoints import Tensor, bf16

LAYERS, HIDDEN, HEADS, KV, DIM, INTER, EXPERTS = 2, 48, 6, 2, 8, 40, 5


def array(tensor):
    """The stored bits of a tensor of 16-bit elements."""
    return np.frombuffer(tensor.data, "<u2").reshape(tensor.shape)


def tensor(values):
    return Tensor("BF16", values.shape, np.ascontiguousarray(values).tobytes())


def sha256(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def check_identical(found, pair=0):
    """Every slot is filled by both models, and equal in them."""
    tensors, root = found["tensors"], found[""]
    assert tensors["present"].all()
    assert tensors["identical"][:, pair].all() and tensors["equal_values"][:, pair].all()
    assert (tensors["sha256"][:, 0] == tensors["sha256"][:, 1]).all()
    assert root["verdict"][pair] == "IDENTICAL"
    assert root["relation"][pair] == "same values, other container"


# --- dense models


def phi3(tensors):
    """Llama's tensors under Phi-3's names: qkv_proj rows are [q; k; v], gate_up_proj rows [gate; up]."""
    fused = {}
    for name, member in tensors.items():
        if name.endswith("q_proj.weight"):
            parts = [array(tensors[name.replace("q_proj", f"{part}_proj")]) for part in "qkv"]
            fused[name.replace("q_proj", "qkv_proj")] = tensor(np.concatenate(parts))
        elif name.endswith("gate_proj.weight"):
            parts = [array(member), array(tensors[name.replace("gate", "up")])]
            fused[name.replace("gate_proj", "gate_up_proj")] = tensor(np.concatenate(parts))
        elif not name.endswith(("k_proj.weight", "v_proj.weight", "up_proj.weight")):
            fused[name] = member
    return fused


def test_fused_rows(cognate, examples, tmp_path):
    config = json.loads((examples / "base-a" / "config.json").read_text())
    config.update(model_type="phi3", architectures=["Phi3ForCausalLM"])
    plain = checkpoints.read(examples / "base-a")
    fused = checkpoints.make(tmp_path / "fused", phi3(plain), config)
    for ranks in (1, 3):
        found = cognate.compare(tmp_path / "r.h5", examples / "base-a", fused, ranks=ranks)
        check_identical(found)
        sources = dict(zip(found["tensors"]["name"], found["tensors"]["source_name"][:, 1]))
        assert sources["layers.3.attn.k"] == "model.layers.3.self_attn.qkv_proj.weight"
        assert found["run"]["bytes_read"].sum() == 2 * checkpoints.stored_bytes(plain)


def noise(rng, *shape):
    return bf16((0.02 * rng.standard_normal(shape)).astype(np.float32))


def gpt2(rng):
    """A small GPT-2 and, by slot, what it holds."""
    tensors = {"wte.weight": noise(rng, 96, HIDDEN), "wpe.weight": noise(rng, 32, HIDDEN)}
    slots = {"embed": array(tensors["wte.weight"]), "embed.position": array(tensors["wpe.weight"])}
    for layer in range(LAYERS):
        prefix = f"h.{layer}."
        shapes = {"attn.c_attn": (HIDDEN, 3 * HIDDEN), "attn.c_proj": (HIDDEN, HIDDEN)}
        shapes |= {"mlp.c_fc": (HIDDEN, 4 * HIDDEN), "mlp.c_proj": (4 * HIDDEN, HIDDEN)}
        for stem, (inputs, outputs) in shapes.items():
            tensors[f"{prefix}{stem}.weight"] = noise(rng, inputs, outputs)
            tensors[f"{prefix}{stem}.bias"] = noise(rng, outputs)
        for stem in ("ln_1", "ln_2"):
            tensors[f"{prefix}{stem}.weight"] = noise(rng, HIDDEN)
            tensors[f"{prefix}{stem}.bias"] = noise(rng, HIDDEN)
        tensors[prefix + "attn.bias"] = noise(rng, 1, 1, 32, 32)
        for kind, suffix in (("weight", ""), ("bias", ".bias")):
            parts = np.split(array(tensors[f"{prefix}attn.c_attn.{kind}"]), 3, axis=-1)
            for name, part in zip("qkv", parts):
                slots[f"layers.{layer}.attn.{name}{suffix}"] = part.T
            for stem, role in (("attn.c_proj", "attn.o"), ("mlp.c_fc", "ffn.up"), ("mlp.c_proj", "ffn.down")):
                slots[f"layers.{layer}.{role}{suffix}"] = array(tensors[f"{prefix}{stem}.{kind}"]).T
            slots[f"layers.{layer}.attn.norm{suffix}"] = array(tensors[f"{prefix}ln_1.{kind}"])
            slots[f"layers.{layer}.ffn.norm{suffix}"] = array(tensors[f"{prefix}ln_2.{kind}"])
        slots[prefix + "attn.bias"] = array(tensors[prefix + "attn.bias"])
    return tensors, slots


def neox(rng):
    """A small GPT-NeoX: query_key_value is (heads, 3, size) by (hidden)."""
    tensors = {"gpt_neox.embed_in.weight": noise(rng, 96, HIDDEN), "embed_out.weight": noise(rng, 96, HIDDEN)}
    slots = {"embed": array(tensors["gpt_neox.embed_in.weight"]), "lm_head": array(tensors["embed_out.weight"])}
    for layer in range(LAYERS):
        prefix = f"gpt_neox.layers.{layer}.attention.query_key_value."
        tensors[prefix + "weight"] = noise(rng, 3 * HIDDEN, HIDDEN)
        tensors[prefix + "bias"] = noise(rng, 3 * HIDDEN)
        for kind, suffix in (("weight", ""), ("bias", ".bias")):
            values = array(tensors[prefix + kind])
            by_head = values.reshape(HEADS, 3, DIM, *values.shape[1:])
            for k, name in enumerate("qkv"):
                slots[f"layers.{layer}.attn.{name}{suffix}"] = by_head[:, k].reshape(-1, *values.shape[1:])
    return tensors, slots


@pytest.mark.parametrize(
    "make, config",
    [
        (gpt2, dict(model_type="gpt2", n_embd=HIDDEN, n_head=HEADS, n_layer=LAYERS)),
        (neox, dict(model_type="gpt_neox", hidden_size=HIDDEN, num_attention_heads=HEADS, num_hidden_layers=LAYERS)),
    ],
    ids=["gpt2", "gpt_neox"],
)
def test_parts_of_gpt(cognate, tmp_path, make, config):
    folders, slots = [], []
    for model in range(2):
        tensors, held = make(np.random.default_rng(model))
        folders.append(checkpoints.make(tmp_path / str(model), tensors, config))
        slots.append(held)
    for ranks in (1, 4):
        found = cognate.compare(tmp_path / "r.h5", *folders, ranks=ranks)["tensors"]
        assert set(found["name"]) == set(slots[0])
        for row, name in enumerate(found["name"]):
            values = [(held[name].astype(np.uint32) << 16).view(np.float32).astype(float) for held in slots]
            for model in range(2):
                assert found["sha256"][row, model] == sha256(slots[model][name]), name
                assert np.isclose(found["l2norm"][row, model], np.linalg.norm(values[model]), rtol=1e-12)
            cosine = (values[0] * values[1]).sum() / np.linalg.norm(values[0]) / np.linalg.norm(values[1])
            assert np.isclose(found["cosine"][row, 0], cosine, rtol=1e-9, atol=1e-14), name


# --- experts


def experts(rng, hidden=HIDDEN, inter=INTER, layers=LAYERS):
    """{(layer, role): bits of (experts, out, in)}, with biases (experts, out)."""
    shapes = {"gate": (inter, hidden), "up": (inter, hidden), "down": (hidden, inter)}
    held = {}
    for layer in range(layers):
        for role, shape in shapes.items():
            held[layer, role] = array(noise(rng, EXPERTS, *shape))
            held[layer, role + ".bias"] = array(noise(rng, EXPERTS, shape[0]))
    return held


def skeleton(hidden, layers):
    """What all packings have in common, besides the router."""
    rng = np.random.default_rng(77)
    tensors = {"model.embed_tokens.weight": noise(rng, 64, hidden), "model.norm.weight": noise(rng, hidden)}
    for layer in range(layers):
        tensors[f"model.layers.{layer}.input_layernorm.weight"] = noise(rng, hidden)
    return tensors, [noise(rng, EXPERTS, hidden) for _ in range(layers)]


def single(held, layer, bias):
    prefix = f"model.layers.{layer}.mlp.experts."
    return {
        f"{prefix}{e}.{role}_proj.weight": tensor(held[layer, role][e])
        for role in ("gate", "up", "down")
        for e in range(EXPERTS)
    }


def packed(held, layer, block, transposed, join):
    """gate_up_proj and down_proj of all experts: (experts, in, out) when transposed; join puts gate and up together."""
    turn = (lambda x: x.transpose(0, 2, 1)) if transposed else (lambda x: x)
    prefix = f"model.layers.{layer}.{block}.experts."
    return {
        prefix + "gate_up_proj": tensor(turn(join(held[layer, "gate"], held[layer, "up"]))),
        prefix + "down_proj": tensor(turn(held[layer, "down"])),
    }


def halves(a, b):
    return np.concatenate([a, b], axis=1)


def alternating(a, b):
    return np.stack([a, b], axis=2).reshape(a.shape[0], -1, *a.shape[2:])


def gpt_oss(held, layer, bias):
    tensors = packed(held, layer, "mlp", True, alternating)
    if bias:
        prefix = f"model.layers.{layer}.mlp.experts."
        tensors[prefix + "gate_up_proj_bias"] = tensor(alternating(held[layer, "gate.bias"], held[layer, "up.bias"]))
        tensors[prefix + "down_proj_bias"] = tensor(held[layer, "down.bias"])
    return tensors


PACKINGS = {  # model_type: its experts of a layer, its router's name
    "qwen2_moe": (single, "mlp.gate"),
    "llama4_text": (lambda h, i, b: packed(h, i, "feed_forward", True, halves), "feed_forward.router"),
    "gpt_oss": (gpt_oss, "mlp.router"),
    "qwen3_vl_moe_text": (lambda h, i, b: packed(h, i, "mlp", True, halves), "mlp.gate"),
    "mixtral": (lambda h, i, b: packed(h, i, "mlp", False, halves), "mlp.gate"),
}


def moe(folder, model_type, held, bias=False, hidden=HIDDEN, inter=INTER, layers=LAYERS):
    pack, router = PACKINGS[model_type]
    tensors, routers = skeleton(hidden, layers)
    for layer in range(layers):
        tensors |= pack(held, layer, bias)
        tensors[f"model.layers.{layer}.{router}.weight"] = routers[layer]
    config = dict(
        model_type=model_type,
        hidden_size=hidden,
        moe_intermediate_size=inter,
        num_experts=EXPERTS,
        num_hidden_layers=layers,
        tie_word_embeddings=False,
    )
    return checkpoints.make(folder, tensors, config)


def check_experts(found, held, model):
    """Each expert's hash is that of its matrix in (out, in) order."""
    rows = {name: row for row, name in enumerate(found["tensors"]["name"])}
    for (layer, role), values in held.items():
        for expert in range(EXPERTS):
            row = rows.get(f"layers.{layer}.experts.{expert}.ffn.{role}")
            if row is not None:
                assert found["tensors"]["sha256"][row, model] == sha256(values[expert])
            else:
                assert role.endswith("bias")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One set of experts in every packing."""
    folder, held = tmp_path_factory.mktemp("moe"), experts(np.random.default_rng(3))
    return held, {model_type: moe(folder / model_type, model_type, held) for model_type in PACKINGS}


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("buffer", [[], ["--buffer", "1M"]], ids=["normal", "small"])
def test_packed_experts(cognate, models, tmp_path, ranks, buffer):
    """All packings in one run: every pair is identical."""
    held, folders = models
    found = cognate.compare(tmp_path / "r.h5", *folders.values(), *buffer, ranks=ranks)
    assert found["tensors"]["present"].all()
    assert len(found["tensors"]["name"]) == 2 + LAYERS * (2 + 3 * EXPERTS)
    for pair in range(len(found[""]["verdict"])):
        check_identical(found, pair)
    for model in range(len(folders)):
        check_experts(found, held, model)


def test_biases_of_experts(cognate, tmp_path):
    held = experts(np.random.default_rng(4))
    folders = [moe(tmp_path / name, "gpt_oss", held, bias=True) for name in "ab"]
    found = cognate.compare(tmp_path / "r.h5", *folders, ranks=2)
    assert sum(role.endswith(".bias") for role in found["tensors"]["role"]) == 3 * EXPERTS * LAYERS
    check_experts(found, held, 1)


def test_split_over_ranks(cognate, tmp_path):
    """Matrices of several chunks, more ranks than slots to deal: parts of them are summed by any rank."""
    size = dict(hidden=1536, inter=2048, layers=1)
    held = experts(np.random.default_rng(5), **size)
    folders = [moe(tmp_path / name, name, held, **size) for name in ("qwen2_moe", "llama4_text", "gpt_oss")]
    one = cognate.compare(tmp_path / "1.h5", *folders, "--evidence", "quick", ranks=1)
    for ranks, buffer in ((4, "128M"), (3, "1M")):
        many = cognate.compare(tmp_path / "n.h5", *folders, "--evidence", "quick", "--buffer", buffer, ranks=ranks)
        for name in ("sha256", "l2norm", "cosine", "mean"):
            assert np.array_equal(one["tensors"][name], many["tensors"][name], equal_nan=name in ("cosine",)), name
        for pair in range(3):
            check_identical(many, pair)
    check_experts(one, held, 2)


def test_a_difference_is_seen(cognate, models, tmp_path):
    """One element of one expert, in a packed tensor: that slot differs, and no other."""
    held, folders = models
    changed = {key: values.copy() for key, values in held.items()}
    changed[1, "up"][3, 7, 5] ^= 1
    other = moe(tmp_path / "changed", "gpt_oss", changed)
    found = cognate.compare(tmp_path / "r.h5", folders["llama4_text"], other, ranks=2)["tensors"]
    assert found["name"][found["identical"][:, 0] == 0].tolist() == ["layers.1.experts.3.ffn.up"]


def test_contradicting_sizes(cognate, models, tmp_path):
    """gpt-oss under the name of a family that stores (out, in) is refused, not misread."""
    held, _ = models
    folder = moe(tmp_path / "m", "gpt_oss", held)
    config = folder / "config.json"
    config.write_text(config.read_text().replace("gpt_oss", "mixtral"))
    done = cognate.run("inspect", folder)
    assert done.returncode == 1
    assert "experts.down_proj: hidden_size is 48, but the tensor's shape says 40" in done.stderr


def test_inspect_names_the_source(cognate, models):
    _, folders = models
    text = cognate.run("inspect", folders["gpt_oss"]).stdout
    assert [line.split()[-1] for line in text.splitlines() if line.strip().startswith("ffn.")] == [
        "experts.gate_up_proj",
        "experts.gate_up_proj",
        "experts.down_proj",
    ]
    slots = json.loads(cognate.run("inspect", "--json", folders["gpt_oss"]).stdout)[0]["slots"]
    sources = {slot["role"]: slot.get("part_of") for slot in slots}
    assert sources["ffn.up"] == "model.layers.0.mlp.experts.gate_up_proj"
    assert sources["router"] is None
