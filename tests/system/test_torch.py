"""PyTorch checkpoints: the same model in safetensors and in each of PyTorch's forms is IDENTICAL, slot by slot.

Files come from torch_writer, which needs no PyTorch, and from PyTorch itself where it is installed.
"""

import hashlib
import json
import math
from collections import OrderedDict

import numpy as np
import pytest

import checkpoints
from torch_writer import NEW_TYPES, Name, Parameter, Storage, View, write_shards, write_stream, write_zip


@pytest.fixture(scope="module")
def tensors():
    """A small model, and a tensor of each plain type beside it."""
    rng = np.random.default_rng(7)
    tensors = checkpoints.llama(rng)
    for code in ("f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "i8"):
        tensors["plain." + code] = checkpoints.stored((10 * rng.standard_normal((5, 7))).astype(code))
    tensors["plain.b1"] = checkpoints.stored(rng.integers(0, 2, (5, 7)).astype(bool))
    for dtype in ("F8_E4M3", "F8_E5M2"):
        tensors["plain." + dtype] = checkpoints.Tensor(dtype, (5, 7), rng.integers(0, 120, 35, np.uint8).tobytes())
    return tensors


@pytest.fixture(scope="module")
def safetensors(tensors, tmp_path_factory):
    return checkpoints.make(tmp_path_factory.mktemp("safetensors"), tensors, checkpoints.llama_config(tensors))


def views(tensors):
    return {name: View(tensor) for name, tensor in tensors.items()}


def single(folder, tensors):
    write_zip(folder / "pytorch_model.bin", views(tensors))


def ordered(folder, tensors):
    """With the attribute that a module's state_dict carries."""
    thing = OrderedDict(views(tensors))
    thing._metadata = OrderedDict({"": {"version": 1}})
    write_zip(folder / "model.pth", thing)


def parameters(folder, tensors):
    write_zip(folder / "model.pt", {name: Parameter(view) for name, view in views(tensors).items()})


def sharded(folder, tensors):
    write_shards(folder, tensors, 3)


def sharded_without_index(folder, tensors):
    write_shards(folder, tensors, 3)
    (folder / "pytorch_model.bin.index.json").unlink()


def nested(folder, tensors):
    optimizer = {"state": {0: {"exp_avg": View(tensors["model.norm.weight"])}}, "lr": 1e-4}
    thing = {"epoch": 3, "seed": 1 << 80, "optimizer": optimizer, "model": views(tensors), "best": None}
    write_zip(folder / "checkpoint.pt", thing)


def twice_nested(folder, tensors):
    write_zip(folder / "checkpoint.pt", {"module": {"state_dict": views(tensors)}})


def one_storage(folder, tensors):
    """All BF16 tensors are views of one storage, with offsets; a scalar's room lies between them."""
    bf16 = {name: tensor for name, tensor in tensors.items() if tensor.dtype == "BF16"}
    storage = Storage("BF16", b"..".join(tensor.data for tensor in bf16.values()))
    thing, at = views(tensors), 0
    for name, tensor in bf16.items():
        thing[name] = View(tensor, storage, at)
        at += len(tensor.data) // 2 + 1
    write_zip(folder / "pytorch_model.bin", thing)


def stream(folder, tensors):
    write_stream(folder / "pytorch_model.bin", views(tensors))


def nested_stream(folder, tensors):
    write_stream(folder / "checkpoint.pt", {"state_dict": OrderedDict(views(tensors)), "epoch": 1})


def beside_training(folder, tensors):
    single(folder, tensors)
    for name in ("training_args.bin", "optimizer.pt", "rng_state.pth"):
        (folder / name).write_bytes(b"not looked at")


def assert_identical(result, slots):
    table = result["tensors"]
    assert result[""]["verdict"].tolist() == ["IDENTICAL"]
    assert len(table["name"]) == slots and table["present"].all()
    assert table["identical"].all() and table["equal_values"].all()
    assert (table["sha256"][:, 0] == table["sha256"][:, 1]).all()
    assert (table["dtype"][:, 0] == table["dtype"][:, 1]).all()
    assert (table["source_name"][:, 0] == table["source_name"][:, 1]).all()


FORMS = [
    single,
    ordered,
    parameters,
    sharded,
    sharded_without_index,
    nested,
    twice_nested,
    one_storage,
    stream,
    nested_stream,
    beside_training,
]


@pytest.mark.parametrize("form", FORMS)
def test_identical_in_every_form(cognate, tensors, safetensors, tmp_path, form):
    folder = tmp_path / "model"
    folder.mkdir()
    form(folder, tensors)
    (folder / "config.json").write_text(json.dumps(checkpoints.llama_config(tensors)))
    ranks = 2 if form is one_storage else 0
    assert_identical(cognate.compare(tmp_path / "r.h5", safetensors, folder, ranks=ranks), len(tensors))


def test_safetensors_come_first(cognate, tensors, tmp_path):
    checkpoints.make(tmp_path / "m", {"a": tensors["model.norm.weight"]}, {})
    single(tmp_path / "m", tensors)
    done = cognate.run("inspect", tmp_path / "m")
    assert done.returncode == 0 and "pytorch_model.bin is left out" in done.stdout + done.stderr


def test_shared_tensors(cognate, tensors, tmp_path):
    """Tied embeddings: two names for one range of bytes."""
    whole = {**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"]}
    thing = views(whole)
    thing["lm_head.weight"] = thing["model.embed_tokens.weight"]
    write_zip(tmp_path / "tied.pt", thing)
    checkpoints.write(tmp_path / "tied.safetensors", whole)
    result = cognate.compare(tmp_path / "r.h5", tmp_path / "tied.safetensors", tmp_path / "tied.pt")
    assert_identical(result, len(tensors))


def transposed(tensor):
    """The same matrix, stored column by column."""
    codes = np.frombuffer(tensor.data, f"V{len(tensor.data) // math.prod(tensor.shape)}").reshape(tensor.shape)
    columns = checkpoints.Tensor(tensor.dtype, tensor.shape, np.ascontiguousarray(codes.T).tobytes())
    return View(columns, strides=(1, tensor.shape[0]))


@pytest.mark.parametrize("write", [write_zip, write_stream])
@pytest.mark.parametrize("ranks", [1, 3])
def test_transposed_matrices(cognate, tensors, safetensors, tmp_path, write, ranks):
    """As `.t()` leaves them: values, hashes and what was read are those of the matrices row by row."""
    whole = views(tensors)
    turned = {n: transposed(t) for n, t in tensors.items() if len(t.shape) == 2 and t.dtype not in ("F4", *NEW_TYPES)}
    assert len(turned) > 10
    write(tmp_path / "m.pt", whole | turned)
    result = cognate.compare(tmp_path / "r.h5", safetensors, tmp_path / "m.pt", ranks=ranks)
    assert_identical(result, len(tensors))
    rows = {name: row for row, name in enumerate(result["tensors"]["source_name"][:, 1])}
    for name in turned:
        assert result["tensors"]["sha256"][rows[name], 1] == hashlib.sha256(tensors[name].data).hexdigest()


def apart(tensor, row, column):
    """The same matrix in a larger one, an element after each `column` elements of each `row` rows."""
    codes = np.frombuffer(tensor.data, f"V{len(tensor.data) // math.prod(tensor.shape)}").reshape(tensor.shape)
    room = np.zeros((row * tensor.shape[0], column * tensor.shape[1]), codes.dtype)
    room[::row, ::column] = codes
    return View(checkpoints.Tensor(tensor.dtype, tensor.shape, room.tobytes()), strides=(row * room.shape[1], column))


@pytest.mark.parametrize("row, column, ranks", [(2, 1, 1), (1, 3, 2), (2, 5, 3)])
def test_matrices_with_gaps(cognate, tensors, safetensors, tmp_path, row, column, ranks):
    """Slices of larger tensors, as torch.save keeps them."""
    turned = {n: apart(t, row, column) for n, t in tensors.items() if len(t.shape) == 2 and t.dtype not in ("F4", *NEW_TYPES)}
    write_zip(tmp_path / "m.pt", views(tensors) | turned)
    result = cognate.compare(tmp_path / "r.h5", safetensors, tmp_path / "m.pt", ranks=ranks)
    assert_identical(result, len(tensors))


# -- what is refused ----------------------------------------------------------------------------------------------


def refusal(cognate, path, tmp_path):
    done = cognate.run("compare", "--quiet", "-o", tmp_path / "r.h5", path, path)
    assert done.returncode == 1 and not (tmp_path / "r.h5").exists() and done.stdout == ""
    first, second, last = done.stderr.splitlines()  # the same file twice, then what can be done about it
    assert first == second and "--skip-broken" in last
    return first


def test_an_expanded_view_is_refused(cognate, tensors, tmp_path):
    """One row that stands for all."""
    tensor = tensors["model.layers.0.mlp.up_proj.weight"]
    write_zip(tmp_path / "m.pt", {"w": View(tensor, strides=(0, 1))})
    assert "m.pt: w: is an expanded view" in refusal(cognate, tmp_path / "m.pt", tmp_path)


class Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return Name("os", "system"), (self.command,)


@pytest.mark.parametrize("write", [write_zip, write_stream])
def test_nothing_is_executed(cognate, tensors, tmp_path, write):
    made = tmp_path / "made"
    write(tmp_path / "m.pt", {**views(tensors), "x": Payload(f"touch {made}")})
    said = refusal(cognate, tmp_path / "m.pt", tmp_path)
    assert "m.pt: os.system is not a global that a checkpoint needs" in said and not made.exists()


@pytest.mark.parametrize("write", [write_zip, write_stream])
def test_cut_anywhere(cognate, tensors, tmp_path, write):
    write(tmp_path / "m.pt", {"w": View(tensors["model.norm.weight"])})
    whole = (tmp_path / "m.pt").read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 40, 14, 3, 0):
        (tmp_path / "m.pt").write_bytes(whole[:length])
        assert "m.pt: " in refusal(cognate, tmp_path / "m.pt", tmp_path)


# -- PyTorch itself -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


TORCH_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}


def of_torch(torch, tensors):
    """As views of one tensor's storage where types allow it."""
    whole = {}
    for name, tensor in tensors.items():
        dtype = getattr(torch, TORCH_TYPES[tensor.dtype])
        room = torch.frombuffer(bytearray(8 * b"." + tensor.data), dtype=dtype)
        whole[name] = room[8 // dtype.itemsize :].reshape(tensor.shape)
    return whole


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: {"epoch": 1, "model": d}])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves(cognate, torch, tensors, safetensors, tmp_path, wrap, zipped):
    thing = OrderedDict(of_torch(torch, tensors))
    thing["model.norm.weight"] = torch.nn.Parameter(thing["model.norm.weight"])
    torch.save(wrap(thing), tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    assert_identical(cognate.compare(tmp_path / "r.h5", safetensors, tmp_path / "m.pt"), len(tensors))


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_transposed(cognate, torch, tensors, safetensors, tmp_path, zipped):
    """Matrices of which torch.save keeps a transposed view; torch.load reads them alike."""
    thing = {
        name: values.t().contiguous().t() if values.dim() == 2 else values
        for name, values in of_torch(torch, tensors).items()
    }
    assert sum(not values.is_contiguous() for values in thing.values()) > 10
    torch.save(thing, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    # From streams PyTorch 2.15 cannot load bytes without a type, which it writes there.
    for name, read in torch.load(tmp_path / "m.pt", weights_only=True).items() if zipped else ():
        assert read.contiguous().view(torch.uint8).numpy().tobytes() == tensors[name].data, name
    assert_identical(cognate.compare(tmp_path / "r.h5", safetensors, tmp_path / "m.pt", ranks=2), len(tensors))


def test_what_torch_saves_of_slices(cognate, torch, tensors, safetensors, tmp_path):
    """Views of one larger tensor in all ways that slices, permutations and unbind make."""
    kinds = [
        lambda v: torch.cat([v, v])[: v.shape[0]],
        lambda v: torch.cat([v, v], 1)[:, v.shape[1] :],
        lambda v: torch.stack([v, v], -1)[..., 1],
        lambda v: torch.stack([v.t(), v.t()], 1)[:, 0].t(),
        lambda v: torch.stack([v, v], 1).unbind(1)[1],
        lambda v: v.flip(0).contiguous()[torch.arange(v.shape[0]).flip(0)].t().contiguous().t(),
    ]
    whole = of_torch(torch, tensors)
    plain = [name for name, v in whole.items() if v.dim() == 2 and v.dtype in (torch.bfloat16, torch.float32)]
    for k, name in enumerate(plain):
        whole[name] = kinds[k % len(kinds)](whole[name])
    assert sum(not whole[name].is_contiguous() for name in plain) > len(plain) / 2
    torch.save(whole, tmp_path / "m.pt")
    assert_identical(cognate.compare(tmp_path / "r.h5", safetensors, tmp_path / "m.pt", ranks=2), len(tensors))


@pytest.mark.parametrize("write", [write_zip, write_stream])
def test_torch_reads_what_torch_writer_writes(torch, tensors, tmp_path, write):
    # PyTorch writes bytes without a type into streams, but 2.15 cannot read them there.
    left_out = NEW_TYPES if write is write_stream else ()
    write(
        tmp_path / "m.pt", {name: view for name, view in views(tensors).items() if view.tensor.dtype not in left_out}
    )
    for name, read in torch.load(tmp_path / "m.pt", weights_only=True).items():
        assert read.contiguous().view(torch.uint8).numpy().tobytes() == tensors[name].data, name
