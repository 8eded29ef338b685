"""NumPy's .npz, as numpy.savez writes it: the same model in safetensors is IDENTICAL, slot by slot."""

import struct
import zipfile

import numpy as np
import pytest

import checkpoints


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(7)
    arrays = {name: tensor.values.astype(np.float32) for name, tensor in checkpoints.llama(rng).items()}
    for code in ("f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"):
        arrays["plain." + code] = (10 * rng.standard_normal((5, 7))).astype(code)
    return arrays | {"scalar": np.float32(3), "empty": np.zeros((0, 4), "f4"), "three": rng.standard_normal((2, 3, 4))}


def columns(values):
    return np.asfortranarray(values)


@pytest.mark.parametrize("order, ranks", [(np.ascontiguousarray, 1), (columns, 2)])
def test_identical(cognate, arrays, tmp_path, order, ranks):
    tensors = {name: checkpoints.stored(values) for name, values in arrays.items()}
    config = checkpoints.llama_config(tensors)
    folder = checkpoints.make(tmp_path / "safetensors", tensors, config)
    other = checkpoints.make(tmp_path / "npz", tensors, config)
    (tmp_path / "npz" / "model.safetensors").unlink()
    np.savez(tmp_path / "npz" / "weights.npz", **{name: order(values) for name, values in arrays.items()})
    found = cognate.compare(tmp_path / "r.h5", folder, other, ranks=ranks)
    table = found["tensors"]
    assert table["present"].all() and len(table["name"]) == len(arrays)
    assert (table["sha256"][:, 0] == table["sha256"][:, 1]).all()
    assert found[""]["verdict"].tolist() == ["IDENTICAL"]


def entry(descr="'<f4'", order="False", shape="(2, 3)", data=24, version=1, text=None, magic=b"\x93NUMPY"):
    text = (f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n" if text is None else text).encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return magic + bytes([version, 0]) + length + text + bytes(data)


ACCEPTED = [entry(), entry(version=2), entry(version=3), entry(text='{"shape":(6,),"fortran_order":False,"descr":"<f4"}'),
            entry(shape="()", data=4), entry(descr="'|b1'", data=6)]
REFUSED = [
    (entry(descr="'>f4'"), "is big-endian"),
    (entry(descr="'|O'"), "is of a type that cognate does not read"),
    (entry(descr="[('a', '<f4')]"), "is an array of records"),
    (entry(data=23), "has another number of bytes"),
    (entry(data=25), "has another number of bytes"),
    (entry(shape="(2, -3)"), "other than whole numbers"),
    (entry(shape="(1000000000000000000,)"), "other than whole numbers"),
    (entry(shape="(4294967296, 4294967296)"), "has 2^63 elements or more"),
    (entry(shape="(1, 1, 1, 1, 1, 1, 1, 2, 3)"), "has more than 8 axes"),
    (entry(shape="(2 3)"), "has a broken header"),
    (entry(order="None"), "has a broken header"),
    (entry(text="{'descr': '<f4', 'shape': (6,), }"), "without descr, fortran_order or shape"),
    (entry(text="{'descr': '<f4', 'descr': '<f4'}"), "of other keys"),
    (entry(text="{'os': 1}"), "of other keys"),
    (entry(text=""), "has a broken header"),
    (entry(version=4), "is no array of NumPy's format"),
    (entry(magic=b"\x93NUMPX"), "is no array of NumPy's format"),
    (entry()[:40], "has a header that is longer than itself"),
    (b"\x93NU", "is no array of NumPy's format"),
]


def write(path, data, name="a.npy", method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, data)


@pytest.mark.parametrize("data", ACCEPTED)
def test_headers(cognate, tmp_path, data):
    write(tmp_path / "m.npz", data)
    assert cognate.run("inspect", tmp_path / "m.npz").returncode == 0


@pytest.mark.parametrize("data, why", REFUSED)
def test_refused(cognate, tmp_path, data, why):
    write(tmp_path / "m.npz", data)
    done = cognate.run("inspect", tmp_path / "m.npz")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "m.npz: a.npy: " in done.stderr and why in done.stderr


def test_other_entries_and_methods(cognate, tmp_path):
    np.savez_compressed(tmp_path / "c.npz", a=np.zeros(100, "f4"))
    assert "a.npy: is deflated" in cognate.run("inspect", tmp_path / "c.npz").stderr
    write(tmp_path / "m.npz", entry())
    with zipfile.ZipFile(tmp_path / "m.npz", "a") as archive:
        archive.writestr("readme.txt", "x")
    assert "readme.txt: is no array" in cognate.run("inspect", tmp_path / "m.npz").stderr
