"""Every family as transformers writes it: what save_pretrained stores, what torch.save keeps of the same model in memory
(experts packed, mostly) and what families.py takes apart by the forward functions are IDENTICAL, slot by slot.
"""

import json
import re
import shutil

import numpy as np
import pytest

import checkpoints
from checkpoints import Tensor

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
import families  # noqa: E402

# A name that has each role, in no family's own way.
NAMES = {
    "embed": "model.embed_tokens.weight",
    "embed.position": "transformer.wpe.weight",
    "embed.type": "embeddings.token_type_embeddings.weight",
    "embed.norm": "embeddings.LayerNorm.weight",
    "embed.norm.bias": "embeddings.LayerNorm.bias",
    "final.norm": "model.norm.weight",
    "final.norm.bias": "model.norm.bias",
    "lm_head": "lm_head.weight",
    "lm_head.bias": "cls.predictions.bias",
    "head.transform": "cls.predictions.transform.dense.weight",
    "head.transform.bias": "cls.predictions.transform.dense.bias",
    "head.norm": "cls.predictions.transform.LayerNorm.weight",
    "head.norm.bias": "cls.predictions.transform.LayerNorm.bias",
}
IN_LAYER = {
    "attn.norm": "input_layernorm",
    "attn.post_norm": "post_self_attn_layernorm",
    "attn.q": "self_attn.q_proj",
    "attn.k": "self_attn.k_proj",
    "attn.v": "self_attn.v_proj",
    "attn.o": "self_attn.o_proj",
    "attn.q.norm": "self_attn.q_norm",
    "attn.k.norm": "self_attn.k_norm",
    "attn.gate": "self_attn.output_gate",
    "attn.inner_norm": "self_attn.norm",
    "attn.q_a": "self_attn.q_a_proj",
    "attn.q_a.norm": "self_attn.q_a_layernorm",
    "attn.q_b": "self_attn.q_b_proj",
    "attn.kv_a": "self_attn.kv_a_proj_with_mqa",
    "attn.kv_a.norm": "self_attn.kv_a_layernorm",
    "attn.kv_b": "self_attn.kv_b_proj",
    "mamba.in": "mamba.in_proj",
    "mamba.conv": "mamba.conv1d",
    "mamba.x": "mamba.x_proj",
    "mamba.dt": "mamba.dt_proj",
    "mamba.dt.norm": "mamba.dt_layernorm",
    "mamba.b.norm": "mamba.b_layernorm",
    "mamba.c.norm": "mamba.c_layernorm",
    "mamba.norm": "mamba.norm",
    "mamba.out": "mamba.out_proj",
    "ffn.norm": "pre_ff_layernorm",
    "ffn.post_norm": "post_mlp_layernorm",
    "ffn.gate": "mlp.gate_proj",
    "ffn.up": "mlp.up_proj",
    "ffn.down": "mlp.down_proj",
    "router": "mlp.router",
    "shared.router": "mlp.shared_expert_gate",
    "shared.gate": "mlp.shared_experts.gate_proj",
    "shared.up": "mlp.shared_experts.up_proj",
    "shared.down": "mlp.shared_experts.down_proj",
}
BARE = {"attn.sinks": "self_attn.sinks", "mamba.a_log": "mamba.A_log", "mamba.d": "mamba.D"}


def name_of(slot):
    """A tensor's name for a slot."""
    if slot in NAMES:
        return NAMES[slot]
    layer, expert, role, bias = re.fullmatch(r"layers\.(\d+)\.(?:experts\.(\d+)\.)?(.*?)(\.bias)?", slot).groups()
    stem = f"model.layers.{layer}."
    if role in BARE:
        return stem + BARE[role]
    if role == "ffn.norm":
        return stem + ("pre_feedforward_layernorm" + (bias or ".weight"))
    if expert is not None:
        return f"{stem}mlp.experts.{expert}.{IN_LAYER[role].split('.')[1]}{bias or '.weight'}"
    return stem + IN_LAYER[role] + (bias or ".weight")


def tensor_of(values, bf16):
    values = values.detach().contiguous()
    values = values.bfloat16() if bf16 else values
    data = values.reshape(-1).view(torch.uint8).numpy().tobytes()
    return Tensor({torch.bfloat16: "BF16", torch.float32: "F32"}[values.dtype], tuple(values.shape), data)


def is_bf16(values):
    return values.dtype == torch.float32 and torch.equal(values.bfloat16().float(), values)


def save(folder, family, model, zipped):
    """As the library saves it, as it lies in memory, and taken apart; and the slots that the last should fill."""
    saved, memory, apart = folder / "saved", folder / "memory", folder / "apart"
    model.save_pretrained(saved)
    stored = checkpoints.read(saved)
    state, where = model.state_dict(), {}
    for name, values in state.items():
        where.setdefault(values.data_ptr(), []).append(name)
    tied = {n for names in where.values() for n in names if n not in stored and any(m in stored for m in names)}
    memory.mkdir()
    shutil.copy(saved / "config.json", memory)
    kept = {name: values for name, values in state.items() if name not in tied}
    torch.save(kept, memory / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    known, rest = families.slots(family, model, kept)
    parts = {name_of(slot): tensor_of(values, is_bf16(values)) for slot, values in known.items()}
    parts |= {name: stored[name] for name in rest if name in stored}
    checkpoints.make(apart, parts, {"model_type": "llama"})
    return [saved, memory, apart], known, {name for name in rest if name in stored}


@pytest.mark.parametrize("number, family", list(enumerate(families.FAMILIES)))
def test_family(cognate, tmp_path, number, family):
    models, known, rest = save(tmp_path, family, families.make(family), zipped=number % 2 == 0)
    result = cognate.compare(tmp_path / "r.h5", *models, "--evidence", "quick", "--pca", "none")
    table = result["tensors"]
    sees = "text_config" in families.FAMILIES[family][0]
    if sees:  # transformers names what sees otherwise in memory
        at = np.flatnonzero(table["role"] != "other")
        table = {key: values[at] for key, values in table.items() if len(values) == len(table["name"])}
        rest = set()
    assert set(table["name"]) == set(known) | rest
    assert table["present"].all() and table["equal_values"].all()
    assert sees or result[""]["verdict"].tolist() == 3 * ["IDENTICAL"]
